"""The standing plan, and the ticks of the negotiation that made it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from core.series import FloatArray, Kind, KindArray
from web.api.documented import answer
from web.api.shapes import Limit, Query, TickOut, known
from web.services import services_of_request

if TYPE_CHECKING:
    from agents.standing import StandingPlan

api = APIBlueprint("api_plan", __name__, abp_tags=[Tag(name="plan", description="The standing plan and its ticks")])


class SitePlan(BaseModel):
    """One site's row of the plan: a value a slot. Powers are at the meter."""

    site_id: str
    headroom_kw: list[float | None]
    planned_kw: list[float | None]
    price_gbp_per_kwh: list[float | None]
    price_kind: list[str]
    carbon_g_per_kwh: list[float | None]
    carbon_kind: list[str]
    headroom_price_gbp_per_kw_slot: list[float | None] = Field(description="what one more kW for the slot is worth")


class PlanOut(BaseModel):
    """The plan in force, sites by half-hours from ``start``."""

    start: datetime
    slots: int
    slot_minutes: int = 30
    sites: list[SitePlan]
    tick: TickOut | None = Field(description="the tick that made it; null before the first")


class TickList(BaseModel):
    """Latest ticks, newest first."""

    ticks: list[TickOut]


class TicksQuery(Query):
    """How many ticks."""

    limit: Limit = 20


@api.get("/api/plan", responses={200: PlanOut})
def plan() -> Response:
    """The standing plan."""
    standing = services_of_request().loop.standing()
    sites = [_row(standing, row) for row in range(len(standing.site_ids))]
    tick = TickOut.of(standing.tick) if standing.tick is not None else None
    return answer(PlanOut(start=standing.start, slots=standing.slots, sites=sites, tick=tick))


@api.get("/api/ticks", responses={200: TickList})
def ticks(query: TicksQuery) -> Response:
    """The latest ticks."""
    latest = services_of_request().ticks.latest(limit=query.limit)
    return answer(TickList(ticks=[TickOut.of(tick) for tick in latest]))


@api.post("/api/ticks", responses={200: TickOut})
def tick() -> Response:
    """Negotiate now, and wait for the outcome."""
    return answer(TickOut.of(services_of_request().loop.tick("operator")))


def _row(plan: StandingPlan, row: int) -> SitePlan:
    values: dict[str, Any] = {
        "headroom_kw": _numbers(plan.headroom_kw[row]),
        "planned_kw": _numbers(plan.planned_kw[row]),
        "price_gbp_per_kwh": _numbers(plan.price[row]),
        "price_kind": _kinds(plan.price_kind[row]),
        "carbon_g_per_kwh": _numbers(plan.carbon[row]),
        "carbon_kind": _kinds(plan.carbon_kind[row]),
        "headroom_price_gbp_per_kw_slot": _numbers(plan.prices_gbp_per_kw_slot[row]),
    }
    return SitePlan(site_id=plan.site_ids[row], **values)


def _numbers(values: FloatArray) -> list[float | None]:
    return [known(value) for value in values.tolist()]


def _kinds(codes: KindArray) -> list[str]:
    return [Kind(code).label for code in codes.tolist()]
