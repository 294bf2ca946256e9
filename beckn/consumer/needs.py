"""What to answer to a utility's need: so much less power in each half-hour as pays, by the plan's own prices.

A need at a fixed price is answered where the firm cost of a kWh with our margin is below its PRICE, less what a
shortfall is expected to cost: SHORTFALL_PENALTY times the share that may not be there. A need that pays as it clears is
answered with a curve: the steps at which load would leave each half-hour, our margin on each.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Any

from agents.flexibility.firm import Firm, Promise, Wanted
from agents.flexibility.movable import MovableLoad, Step
from beckn.packs.demand_flex import FIXED_PRICE, Need
from beckn.packs.grid import MOST_STEPS
from beckn.packs.reading import number
from beckn.planner import FlexiblePlanner
from beckn.protocol.faults import Fault
from beckn.spatial import distance_m
from core.slots import SLOT, SLOT_HOURS, slots_between

CURRENCY = "GBP"
ROUNDS = 6
"""of firm prices for one need: each leaves out the half-hours that do not pay at the price of the one before"""
_KW = Decimal("0.001")
_PRICE = Decimal("0.00001")
_ZERO = Decimal(0)
Curve = tuple[tuple[Decimal, Decimal], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is offered for a need.

    :param kw: per half-hour of the need, never above what is sought. :param unit_gbp: firm cost of a kWh, no margin.
    :param curves: per half-hour the bid, of a need that pays as it clears; a step is so many more kW.
    :param reductions: what is held for it, ``baseline_kw`` of the plan of ``tick_id``.
    """

    tick_id: str
    kw: tuple[Decimal, ...]
    unit_gbp: float
    reductions: tuple[Promise, ...]
    curves: tuple[Curve, ...] | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """Why a need is not answered."""

    reason: str


@dataclass(frozen=True, slots=True)
class Nearby:
    """Which sites can serve a need: those within ``km`` of its point, or in the grid zone that its location names.

    :param places: longitude, latitude and zone by site.
    """

    places: Mapping[str, tuple[float, float, str]]
    km: float

    def __call__(self, need: Need) -> tuple[str, ...]:
        """Ids of the sites; none where the need's location cannot be read."""
        location = need.resource["resourceAttributes"].get("location")
        told = location if isinstance(location, Mapping) else {}
        point = _point(told.get("geo"))
        found = []
        for site_id, (longitude, latitude, zone) in sorted(self.places.items()):
            near = point is not None and distance_m((longitude, latitude), point) <= 1000 * self.km
            if near or (told.get("zone") is not None and told.get("zone") == zone):
                found.append(site_id)
        return tuple(found)


def answer_need(
    need: Need, planner: FlexiblePlanner, sites: Collection[str], margin: float, now: datetime
) -> Answer | Passed:
    """What to offer for a need from these sites; :class:`Passed` says why nothing is.

    :param margin: share added to what it costs us.
    """
    load = planner.movable()
    why = _unfit(need, sites, load, now)
    if why is not None or load is None:
        return Passed(why or "nothing is planned here that could be moved")
    starts = [need.grid.start + SLOT * i for i in range(len(need.grid))]
    sought = {
        at: float(kw) for at, kw in zip(starts, need.sought_kw, strict=True) if kw > 0 and at > now and _slot(load, at)
    }
    if not sought:
        return Passed("it asks for less power in no half-hour that the plan in force decides")
    case = _Case(need, load, sorted(set(sites) & set(load.site_ids)), margin, sought)
    return _fixed(case, planner) if need.policy == FIXED_PRICE else _curve(case, planner)


def _unfit(need: Need, sites: Collection[str], load: MovableLoad | None, now: datetime) -> str | None:
    """Why a need is passed over at once."""
    if need.currency != CURRENCY:
        return f"it pays in {need.currency}, we reckon in {CURRENCY}"
    if need.valid_until is not None and need.valid_until <= now:
        return "its offer can no longer be confirmed"
    if not sites:
        return "no site of ours is where it is needed"
    return None if load is not None else "nothing is planned here that could be moved"


@dataclass(frozen=True, slots=True)
class _Case:
    """A need beside what may be moved for it.

    :param sites: that can serve it and have load. :param margin: share added to what it costs us.
    :param sought: kW less in each half-hour that the plan decides.
    """

    need: Need
    load: MovableLoad
    sites: Sequence[str]
    margin: float
    sought: Mapping[datetime, float]


def _firm(planner: FlexiblePlanner, wanted: Sequence[Wanted]) -> tuple[Firm, float] | Passed:
    """What can be promised, and what a kWh of it costs."""
    firm = planner.firm(wanted)
    kwh = sum(each.reduction_kw for each in firm.promises) * SLOT_HOURS
    return (firm, firm.cost_gbp / kwh) if kwh > 0 else Passed(firm.reason or "nothing of it can be promised")


def _fixed(case: _Case, planner: FlexiblePlanner) -> Answer | Passed:
    """Offer where the firm cost is below what a kWh brings; a half-hour that does not pay is left out, once and all."""
    net: dict[datetime, float] = {}
    wanted: list[Wanted] = []
    for at, kw in case.sought.items():
        net[at], taken = _worth(case, at, kw)
        wanted += taken
    for _ in range(ROUNDS):
        if not wanted:
            return Passed("no half-hour of it pays what moving the load costs")
        found = _firm(planner, wanted)
        if isinstance(found, Passed):
            return found
        firm, unit = found
        paying = [each for each in wanted if net[each.starts] > unit * (1 + case.margin)]
        if len(paying) == len(wanted):
            return _answer(case.need, firm, unit, case.sought)
        wanted = paying
    return Passed(f"after {ROUNDS} firm prices no set of half-hours was found that pays")


def _worth(case: _Case, at: datetime, kw: float) -> tuple[float, list[Wanted]]:
    """What a kWh of a half-hour brings when shortfalls are counted, and the load that is cheap enough for it."""
    need, load = case.need, case.load
    i = slots_between(need.grid.start, at)
    price, penalty = (float(need.grid.figures(name)[i] or 0) for name in ("PRICE", "SHORTFALL_PENALTY"))
    slot, left, net = slots_between(load.start, at), kw, price
    cells = [(load.price_gbp_per_kwh[row, slot], row) for row in map(list(load.site_ids).index, case.sites)]
    taken: list[Wanted] = []
    for cost, row in sorted(cell for cell in cells if math.isfinite(cell[0])):
        worth = price - penalty * (1 - float(load.confidence[row, slot]))
        power = min(left, float(load.movable_kw[row, slot]))
        if power > 0 and worth > cost * (1 + case.margin):
            taken.append(Wanted(load.site_ids[row], at, power))
            left, net = left - power, min(net, worth)
    return net, taken


def _curve(case: _Case, planner: FlexiblePlanner) -> Answer | Passed:
    """Bid steps, and hold what all of them together come to; steps beyond what can be promised are left out."""
    need, load, sites, sought = case.need, case.load, case.sites, case.sought
    steps = load.bid_curve(sites, list(sought), max(sought.values()))
    wanted: list[Wanted] = []
    for at, kw in sought.items():
        left = min(kw, sum(step.kw for step in steps.get(at, ())))
        slot = slots_between(load.start, at)
        rows = sorted(map(list(load.site_ids).index, sites), key=lambda row: float(load.price_gbp_per_kwh[row, slot]))
        for row in rows:
            power = min(left, float(load.movable_kw[row, slot]))
            if power > 0:
                wanted.append(Wanted(load.site_ids[row], at, power))
                left -= power
    if not wanted:
        return Passed("nothing can leave the half-hours that it asks for")
    found = _firm(planner, wanted)
    if isinstance(found, Passed):
        return found
    firm, unit = found
    answer = _answer(need, firm, unit, sought)
    if isinstance(answer, Passed):
        return answer
    starts = [need.grid.start + SLOT * i for i in range(len(need.grid))]
    curves = tuple(_bid(steps.get(at, ()), kw, case.margin, unit) for at, kw in zip(starts, answer.kw, strict=True))
    return Answer(answer.tick_id, answer.kw, unit, answer.reductions, curves)


def _bid(steps: Sequence[Step], most_kw: Decimal, margin: float, unit_gbp: float) -> Curve:
    """Steps with our margin, never below the firm cost of what is held; one of 0 kW where nothing is offered."""
    found: list[tuple[Decimal, Decimal]] = []
    left = most_kw
    for step in steps:
        power = min(left, Decimal(str(step.kw)).quantize(_KW, ROUND_DOWN))
        cost = Decimal(str(max(step.price_gbp_per_kwh, unit_gbp)))
        price = (cost * (1 + Decimal(str(margin)))).quantize(_PRICE, ROUND_UP)
        if power <= 0:
            continue
        if len(found) == MOST_STEPS:
            break
        found.append((price, power))
        left -= power
    return tuple(found) or ((_ZERO, _ZERO),)


def _answer(need: Need, firm: Firm, unit: float, sought: Mapping[datetime, float]) -> Answer | Passed:
    """What a firm price lets us offer, rounded down to a watt."""
    power: dict[datetime, float] = {}
    for each in firm.promises:
        power[each.starts] = power.get(each.starts, 0.0) + each.reduction_kw
    kw = []
    for i in range(len(need.grid)):
        at = need.grid.start + SLOT * i
        kw.append(Decimal(str(min(power.get(at, 0.0), sought.get(at, 0.0)))).quantize(_KW, ROUND_DOWN))
    if not any(kw):
        return Passed(firm.reason or "nothing of it can be promised")
    reductions = tuple(each for each in firm.promises if each.reduction_kw > 0)
    return Answer(firm.tick_id, tuple(kw), unit, reductions)


def _point(geo: Any) -> tuple[float, float] | None:
    """Longitude and latitude of a GeoJSON point; None for what is none, and for what is not on earth."""
    told = geo.get("coordinates") if isinstance(geo, Mapping) and geo.get("type") == "Point" else None
    if not isinstance(told, list) or len(told) < 2:
        return None
    try:
        longitude, latitude = (float(number(each, "$.location.geo.coordinates")) for each in told[:2])
    except Fault:
        return None
    return (longitude, latitude) if abs(longitude) <= 180 and abs(latitude) <= 90 else None


def _slot(load: MovableLoad, at: datetime) -> bool:
    slot = slots_between(load.start, at)
    return 0 <= slot < load.slots and load.start + SLOT * slot == at
