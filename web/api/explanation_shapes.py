"""What the API says of why a job runs where and when it does: the figures of its latest decision's record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from agents.standing import Waiting

_COUNTED = "money, carbon at the carbon price, and scarcity at the final prices: what was compared"


class OptionOut(BaseModel):
    """The best course at one site; ``reject_code`` is null for the chosen one."""

    site_id: str
    start: datetime
    end: datetime
    energy_kwh: float = Field(description="at the meter")
    cost_gbp: float = Field(description="money: energy, pauses, migration, a move")
    carbon_kg: float
    carbon_gbp: float | None = Field(None, description="carbon at the carbon price; nobody is charged it")
    scarcity_gbp: float | None = Field(None, description="headroom, hardware, room under carbon caps, at their prices")
    priced_gbp: float | None = Field(None, description=_COUNTED)
    reject_code: str | None = Field(
        None, description="dearer, no_whole_headroom, no_headroom, not_worth or overlooked (it fits and is cheaper)"
    )


class WindowChoiceOut(BaseModel):
    """Another window that the job could have had."""

    site_id: str
    start: datetime
    end: datetime
    cost_gbp: float
    carbon_kg: float
    priced_gbp: float = Field(description=_COUNTED)
    reject_code: str | None = None


class ConditionOut(BaseModel):
    """What one condition costs the job at the final prices."""

    constraint: str = Field(
        description="window_start, deadline, after, sites, max_price, max_carbon, cap_kg, pauses, min_run, hardware, "
        "planned, home or shared_caps"
    )
    change: str = Field(description="what the job would do without it")
    saving_gbp: float = Field(description="everything counted; never negative")
    saving_cost_gbp: float = Field(description="in money; may be negative")
    saving_kg: float = Field(description="of carbon; may be negative")


class ContestedOut(BaseModel):
    """A half-hour in which what the job holds is scarce."""

    start: datetime
    price_gbp_per_kw_slot: float = Field(description="of an IT kW held for the half-hour")
    worth_gbp: float


class CounterOfferOut(BaseModel):
    """A change, or two, that would make the job feasible in what the plan leaves."""

    change: str
    extra_gbp: float = Field(description="money, and carbon at the carbon price, over its own cheapest course")
    extra_cost_gbp: float | None = Field(None, description="the money alone")
    extra_carbon_kg: float | None = None
    site_id: str | None = None
    start: datetime | None = None
    end: datetime | None = None


class ShareOut(BaseModel):
    """How the tenant of a job without a place stood, where it was furthest beyond its fair share."""

    asked_share: float = Field(description="of the room at the site, what all jobs of the tenant ask for; may exceed 1")
    due_share: float = Field(description="its fair share of that room, by weight and by what it used of late")
    site_id: str
    start: datetime = Field(description="the room is that of some half-hours from here on")
    factor: float = Field(description="above its energy, leaving the job out counted this much of what its tier says")


class ReasonsOut(BaseModel):
    """Why here, why then, what its conditions cost; for a refusal, what would make it possible."""

    verdict: str = Field(description="award, move, counter or withdraw")
    reason: str
    options: list[OptionOut] = Field(description="the chosen course, and the best at other sites, cheapest first")
    counter_offers: list[CounterOfferOut] = Field(description="cheapest first")
    next_here: WindowChoiceOut | None = Field(None, description="next best window at the chosen site, hours away")
    next_best: WindowChoiceOut | None = Field(None, description="next best window at any site")
    run_now: WindowChoiceOut | None = Field(None, description="straight through from its earliest start")
    run_now_fits: bool | None = Field(None, description="whether there was room to run at once")
    conditions: list[ConditionOut] = []
    contested: list[ContestedOut] = Field([], description="the scarcest of the half-hours that it holds")
    share: ShareOut | None = Field(None, description="of a refusal: its tenant is beyond its fair share")

    @classmethod
    def of(cls, decision: Mapping[str, Any]) -> ReasonsOut:
        """The figures of a decision's record; those of older records are fewer."""
        return cls.model_validate({**decision, **(decision.get("explanation") or {})})


class WaitingOut(BaseModel):
    """When the plan in force has room for a job that waits, its deadline aside."""

    plan_start: datetime = Field(description="first slot of the plan that this was read off")
    site_id: str | None = None
    start: datetime | None = Field(None, description="null where there is no room, for the reason given")
    end: datetime | None = None
    beyond_horizon: bool = Field(False, description="not within the plan; rests on headroom as on its last day")
    reason: str = ""

    @classmethod
    def of(cls, waiting: Waiting) -> WaitingOut:
        """The wire form of ``waiting``."""
        return cls(**{name: getattr(waiting, name) for name in cls.model_fields})
