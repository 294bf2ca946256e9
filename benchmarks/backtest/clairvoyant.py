"""Perfect foresight: the planner when all jobs, prices and carbon of a week are known before it begins.

Weeks follow one another: the jobs that arrive in one are planned together, in what room those of the week before leave.
A reference of what could be had, not a bound: no week makes way for the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from agents.negotiation import Effort, negotiate
from benchmarks.backtest.settlement import Delivery
from benchmarks.backtest.world import World
from benchmarks.instances.figures import CARBON_PRICE_GBP_PER_TONNE
from core.instance import Instance
from core.plan import Plan
from core.series import FloatArray
from core.slots import SLOT, SLOTS_PER_DAY

Json = dict[str, Any]

WEEK_SLOTS = 7 * SLOTS_PER_DAY
EFFORT = Effort(time_limit_s=30.0, target_gap=0.002, trials_a_job=100)


def foresee(world: World, jobs: Sequence[Json], gaps: list[float]) -> Iterator[Delivery]:
    """What is run with foresight; the certified gap of each week is added to ``gaps``."""
    taken_kw = np.zeros(world.price.shape)
    site_row = {name: row for row, name in enumerate(world.site_ids)}
    for first in range(0, world.slots, WEEK_SLOTS):
        arrived = {
            row["id"]: (number, row)
            for number, row in enumerate(jobs)
            if first <= row["earliest_slot"] < first + WEEK_SLOTS
        }
        if not arrived:
            continue
        instance = _week(world, [row for _, row in arrived.values()], first, taken_kw)
        plan = negotiate(instance, first, EFFORT).plan
        gaps.append(plan.gap)
        for delivery in _delivered(plan, {name: number for name, (number, _) in arrived.items()}, site_row, first):
            taken_kw[delivery.site, delivery.slot] += delivery.power_kw * world.pue[delivery.site, delivery.slot]
            yield delivery


def _delivered(plan: Plan, number: dict[str, int], site_row: dict[str, int], first: int) -> Iterator[Delivery]:
    for made in plan.assignments:
        for start, end, kw in made.runs:
            for slot in range(start, end):
                yield Delivery(number[made.job], site_row[made.site], slot + first, kw)


def _week(world: World, rows: Sequence[Json], first: int, taken_kw: FloatArray) -> Instance:
    slots = max(int(row["latest_slot"]) for row in rows) - first
    window = slice(first, first + slots)
    left_kw = np.maximum(0.0, world.headroom_kw - taken_kw)
    sites = [
        {
            "id": name,
            "region": world.zones[row],
            "headroom_kw": left_kw[row, window].tolist(),
            "price_gbp_per_kwh": world.price[row, window].tolist(),
            "carbon_g_per_kwh": world.carbon[row, window].tolist(),
            "pue": world.pue[row, window].tolist(),
        }
        for row, name in enumerate(world.site_ids)
    ]
    jobs = [
        row | {"earliest_slot": row["earliest_slot"] - first, "latest_slot": row["latest_slot"] - first} for row in rows
    ]
    return Instance.model_validate(
        {
            "name": f"foresight-{first}",
            "start": world.start + SLOT * first,
            "slots": slots,
            "carbon_price_gbp_per_tonne": CARBON_PRICE_GBP_PER_TONNE,
            "sites": sites,
            "jobs": jobs,
        }
    )
