"""What was decided for a job, against which options, and why."""

from __future__ import annotations

from typing import Literal

from audit.bodies.carbon import CarbonClaimBody
from audit.fields import Body, Dec, Hex64, Time


class RunBody(Body):
    """A stretch of slots ``[start, end)`` at constant IT power."""

    start: Time
    end: Time
    power_kw: Dec


class OptionBody(Body):
    """A way to run the job that was considered: the one chosen, and those rejected with a code.

    ``carbon_gbp`` (at the carbon price) and ``scarcity_gbp`` (at the final prices) were counted when it was compared
    and are charged to nobody; ``priced_gbp`` is all three together.
    """

    option_id: str
    site_id: str
    start: Time
    end: Time
    energy_kwh: Dec
    cost_gbp: Dec
    carbon_kg: Dec
    feasible: bool
    reject_code: str | None = None
    carbon_gbp: Dec | None = None
    scarcity_gbp: Dec | None = None
    priced_gbp: Dec | None = None


class CounterOfferBody(Body):
    """A change that would have made the job feasible, and its price: ``extra_gbp`` counts carbon at its price."""

    change: str
    extra_gbp: Dec
    extra_cost_gbp: Dec | None = None
    extra_carbon_kg: Dec | None = None
    site_id: str | None = None
    start: Time | None = None
    end: Time | None = None


class WindowBody(Body):
    """Another window that the job could have had, in money, carbon and with everything counted."""

    site_id: str
    start: Time
    end: Time
    cost_gbp: Dec
    carbon_kg: Dec
    priced_gbp: Dec
    reject_code: str | None = None


class ConditionBody(Body):
    """What one condition cost the job at the final prices: what it would have saved, had it ``change``."""

    constraint: str
    change: str
    saving_gbp: Dec
    saving_cost_gbp: Dec
    saving_kg: Dec


class ContestedBody(Body):
    """A half-hour in which what the job holds is scarce, and what that is worth."""

    start: Time
    price_gbp_per_kw_slot: Dec
    worth_gbp: Dec


class EtaBody(Body):
    """When there is room for a waiting job, its deadline aside."""

    site_id: str
    start: Time
    end: Time
    beyond_horizon: bool


class ShareBody(Body):
    """How the tenant of a job without a place stood, where it was furthest beyond what it was due.

    Shares of the room at ``site_id`` for some half-hours from ``start`` on: ``asked_share`` what its jobs asked for.
    Above its energy, leaving the job out counted ``factor`` of what its tier says.
    """

    asked_share: Dec
    due_share: Dec
    site_id: str
    start: Time
    factor: Dec


class ExplanationBody(Body):
    """The figures behind a decision, read off the plan's prices."""

    version: Literal[1] = 1
    headroom_gbp: Dec | None = None
    hardware_gbp: Dec | None = None
    caps_gbp: Dec | None = None
    next_here: WindowBody | None = None
    next_best: WindowBody | None = None
    run_now: WindowBody | None = None
    run_now_fits: bool = False
    conditions: list[ConditionBody]
    contested: list[ContestedBody]
    eta: EtaBody | None = None
    eta_reason: str = ""
    share: ShareBody | None = None


class DecisionBody(Body):
    """What was decided for one job, against which options and which baseline."""

    decision_id: str
    job_id: str
    tenant_commit: Hex64
    verdict: Literal["award", "move", "counter", "withdraw"]
    site_id: str | None = None
    runs: list[RunBody]
    reason: str
    options: list[OptionBody]
    chosen_id: str | None = None
    counter_offers: list[CounterOfferBody]
    cost_gbp: Dec | None = None
    carbon_kg: Dec | None = None
    interval_level: Dec | None = None
    cost_low_gbp: Dec | None = None
    cost_high_gbp: Dec | None = None
    carbon_low_kg: Dec | None = None
    carbon_high_kg: Dec | None = None
    baseline_policy: str
    baseline_site_id: str | None = None
    baseline_start: Time | None = None
    baseline_cost_gbp: Dec | None = None
    baseline_carbon_kg: Dec | None = None
    data_kinds: list[str]
    sources: list[str]
    claim_level: Literal["forecast"] = "forecast"
    carbon: CarbonClaimBody | None = None
    round_seq_id: str
    explanation: ExplanationBody | None = None
