"""What others would do with the same jobs: rules that look at one job at a time, in the room that is left.

Every job is given its place when it arrives, on the forecast of that half-hour, and keeps it. None of the rules takes
more than there is. The courses are those of the peers (benchmarks.peers.courses), written apart from the planner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from benchmarks.backtest.forecasts import Forecasts
from benchmarks.backtest.rolling import HORIZON_SLOTS
from benchmarks.backtest.settlement import Delivery
from benchmarks.backtest.world import World
from benchmarks.instances.figures import CARBON_PRICE_GBP_PER_TONNE
from benchmarks.peers.courses import Room, cheapest, earliest
from benchmarks.peers.forms import full_power
from benchmarks.peers.problem import Course, Problem

Json = dict[str, Any]


class Rule(NamedTuple):
    """How jobs are placed.

    :ivar form: what is chosen: the earliest or the cheapest course.
    :ivar price: whether the price of energy counts; ``carbon_gbp_per_tonne`` what carbon counts.
    :ivar whole: whether jobs that could pause or run slower are run as blocks at full power all the same.
    """

    form: Callable[[Problem, int, Room | None], Course | None]
    price: bool
    carbon_gbp_per_tonne: float
    whole: bool


RULES: Mapping[str, Rule] = {
    "run-now": Rule(earliest, price=True, carbon_gbp_per_tonne=0.0, whole=False),
    "cheapest-window": Rule(cheapest, price=True, carbon_gbp_per_tonne=0.0, whole=True),
    "greenest-window": Rule(cheapest, price=False, carbon_gbp_per_tonne=1.0, whole=True),
    "greedy": Rule(cheapest, price=True, carbon_gbp_per_tonne=CARBON_PRICE_GBP_PER_TONNE, whole=False),
}


def follow(rule: Rule, world: World, jobs: Sequence[Json], forecasts: Forecasts) -> Iterator[Delivery]:
    """Place ``jobs`` as they arrive, those of one half-hour the largest first."""
    left_kw = world.headroom_kw.copy()
    for now, arrived in groupby(enumerate(jobs), lambda one: int(one[1]["earliest_slot"])):
        numbered = sorted(arrived, key=lambda one: -_bulk(one[1]))
        problem = _problem(rule, world, forecasts, now, [row for _, row in numbered])
        room = Room(problem)
        room.left_kw = left_kw[:, now : now + problem.slots]
        for place, (number, _) in enumerate(numbered):
            course = rule.form(problem, place, room)
            if course is not None:
                room.take(course)
                yield from (
                    Delivery(number, course.site, slot + now, kw)
                    for start, end, kw in course.runs
                    for slot in range(start, end)
                )


def _bulk(row: Json) -> float:
    kw, slots = full_power(row)
    return kw * slots


def _problem(rule: Rule, world: World, forecasts: Forecasts, now: int, arrived: Sequence[Json]) -> Problem:
    slots = min(HORIZON_SLOTS, world.slots - now)
    price, carbon = forecasts.at(now, slots)
    sites = [
        {
            "id": name,
            "headroom_kw": world.headroom_kw[row, now : now + slots],
            "price_gbp_per_kwh": price[row] if rule.price else np.zeros(slots),
            "carbon_g_per_kwh": carbon[row],
            "pue": world.pue[row, now : now + slots],
        }
        for row, name in enumerate(world.site_ids)
    ]
    jobs = [_shifted(_whole(row) if rule.whole else row, now) for row in arrived]
    figures = {"slots": slots, "carbon_price_gbp_per_tonne": rule.carbon_gbp_per_tonne}
    return Problem(figures | {"sites": sites, "jobs": jobs})


def _whole(row: Json) -> Json:
    kw, slots = full_power(row)
    return row | {"kind": "block", "power_kw": kw, "duration_slots": slots}


def _shifted(row: Json, now: int) -> Json:
    return row | {"earliest_slot": row["earliest_slot"] - now, "latest_slot": row["latest_slot"] - now}
