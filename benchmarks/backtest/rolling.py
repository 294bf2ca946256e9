"""The planner on a rolling horizon: at every half-hour it plans all open jobs anew, and only the present one is run.

What has begun stays where it is: the rest of a block is frozen; of a pausable or elastic job, what is left may still
move in time at its site, and is never given up for another. Every other job keeps its planned course unless moving it
saves more than the move costs. Prices begin where the last plan's ended, one half-hour on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from agents.negotiation import Effort, negotiate
from benchmarks import referee
from benchmarks.backtest.forecasts import Forecasts
from benchmarks.backtest.settlement import DONE, Delivery
from benchmarks.backtest.world import World
from benchmarks.instances.figures import CARBON_PRICE_GBP_PER_TONNE
from benchmarks.replanning import MOVE_GBP_PER_KWH
from core.instance import Instance, Risk, Scenario, SiteInstance
from core.plan import Plan
from core.series import FloatArray
from core.slots import SLOT, SLOT_HOURS

Json = dict[str, Any]
Run = tuple[int, int, float]

HORIZON_SLOTS = 96
EFFORT = Effort(time_limit_s=5.0, target_gap=0.005, rounds=16, clearings=1, trials_a_job=20)
"""counted in rounds, clearings and trials, so that the same seed gives the same plans on any machine"""
SCARCE_GBP_PER_KW = 0.001
"""a price of headroom, per kW and half-hour, from which on jobs are said to contend for it"""
BEGUN_GBP_PER_KWH = 100.0
"""for a job that has begun and cannot end in time: no job that waits displaces it"""


@dataclass
class Open:
    """A job that has arrived and is not over; half-hours count from the world's start.

    :ivar done: work done, in half-hours at full power.
    :ivar site: where it has begun, None before.
    :ivar planned: its site and runs from now on, as planned last.
    """

    number: int
    row: Json
    done: float = 0.0
    site: str | None = None
    planned: tuple[str, tuple[Run, ...]] | None = None

    @property
    def left(self) -> float:
        """Work still to do."""
        return float(self.row.get("work") or self.row["duration_slots"]) - self.done

    def feasible(self, now: int) -> bool:
        """Whether it can still be done in time if it runs at full power from now on."""
        most = self.row["levels"][-1]["work_per_slot"] if self.row["kind"] == "elastic" else 1.0
        return bool(self.left <= most * (self.row["latest_slot"] - now) + DONE)

    def demand(self, now: int) -> Json:
        """What is left of it as a job of an instance that begins ``now``."""
        row = self.row
        asked = {name: value for name, value in row.items() if name not in ("work", "duration_slots")}
        asked |= {"work": self.left} if row["kind"] == "elastic" else {"duration_slots": round(self.left)}
        asked |= {"earliest_slot": max(0, row["earliest_slot"] - now), "latest_slot": row["latest_slot"] - now}
        if self.site is not None:
            asked |= {"sites": (self.site,), "unserved_penalty_gbp": BEGUN_GBP_PER_KWH * self.energy_kwh}
        if self.planned is not None and not self.frozen:
            asked |= {"planned": self.course(now), "move_cost_gbp": MOVE_GBP_PER_KWH * self.energy_kwh}
        return asked

    @property
    def frozen(self) -> bool:
        """Whether nothing of it may change."""
        return self.site is not None and self.row["kind"] == "block"

    @property
    def energy_kwh(self) -> float:
        """Of the whole job at full power."""
        row = self.row
        kw, slots = (
            (row["levels"][-1]["power_kw"], row["work"])
            if row["kind"] == "elastic"
            else (row["power_kw"], row["duration_slots"])
        )
        return float(kw * slots * SLOT_HOURS)

    def course(self, now: int) -> Json:
        """Its planned course in half-hours from ``now``."""
        site, runs = self.planned or ("", ())
        return {"site": site, "runs": [(start - now, end - now, kw) for start, end, kw in runs]}

    def run(self, kw: float, site: str) -> None:
        """Half an hour of it is over."""
        levels = self.row["levels"] if self.row["kind"] == "elastic" else ()
        pace = {round(level["power_kw"], 6): level["work_per_slot"] for level in levels}
        self.done += pace[round(kw, 6)] if levels else 1.0
        self.site = site


@dataclass
class Log:
    """What became of the re-plans; each list has one entry a re-plan.

    :ivar contended: re-plans in which headroom had a price somewhere.
    :ivar moved: planned job-slots that the next plan changed, of ``planned`` ones; ``moves`` (J,) counts, for each job,
        how often its course changed.
    """

    gap: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    jobs: list[int] = field(default_factory=list)
    contended: int = 0
    moved: int = 0
    planned: int = 0
    moves: dict[int, int] = field(default_factory=dict)
    judged: int = 0
    disagreements: list[str] = field(default_factory=list)


class Rolling:
    """One planner that lives through the world.

    :param risk: how much bad outcomes count; None plans on what is expected alone, without scenarios.
    """

    def __init__(
        self,
        world: World,
        jobs: Sequence[Json],
        forecasts: Forecasts,
        effort: Effort = EFFORT,
        risk: Risk | None = None,
    ) -> None:
        self.world, self.jobs, self.forecasts, self.effort, self.risk = world, jobs, forecasts, effort, risk
        self.open: dict[str, Open] = {}
        self.log = Log()
        arrivals = groupby(enumerate(jobs), lambda one: int(one[1]["earliest_slot"]))
        self._coming = {slot: list(group) for slot, group in arrivals}
        self._prices: FloatArray | None = None

    def run(self, judged: frozenset[int] = frozenset()) -> Iterator[list[Delivery]]:
        """Live through every half-hour; those of ``judged`` have their plans judged by the referee."""
        for now in range(self.world.slots):
            yield self.step(now, now in judged)

    def step(self, now: int, judged: bool = False) -> list[Delivery]:
        """Take in what arrived, plan, run the half-hour ``now``."""
        for number, row in self._coming.get(now, ()):
            self.open[row["id"]] = Open(number, row)
        self.open = {name: job for name, job in self.open.items() if job.frozen or job.feasible(now)}
        if not self.open:
            self._prices = None
            return []
        began, busy = time.perf_counter(), time.process_time()
        instance = self.instance(now)
        plan = negotiate(instance, now, self.effort).plan
        self._note(plan, time.perf_counter() - began, time.process_time() - busy)
        if judged:
            self._judge(instance, plan)
        return self._act(now, plan)

    def instance(self, now: int) -> Instance:
        """Everything open, at what is believed ``now``."""
        slots = min(HORIZON_SLOTS, self.world.slots - now)
        price, carbon = self.forecasts.at(now, slots)
        window = slice(now, now + slots)
        sites = tuple(
            SiteInstance(
                id=name,
                region=zone,
                headroom_kw=tuple(self.world.headroom_kw[row, window].tolist()),
                price_gbp_per_kwh=tuple(price[row].tolist()),
                carbon_g_per_kwh=tuple(carbon[row].tolist()),
                pue=tuple(self.world.pue[row, window].tolist()),
            )
            for row, (name, zone) in enumerate(zip(self.world.site_ids, self.world.zones, strict=True))
        )
        jobs = self.open.values()
        frozen = [{"job": job.row["id"], **job.course(now)} for job in jobs if job.frozen]
        return Instance.model_validate(
            {
                "name": f"backtest-{now}",
                "start": self.world.start + SLOT * now,
                "slots": slots,
                "carbon_price_gbp_per_tonne": CARBON_PRICE_GBP_PER_TONNE,
                "sites": sites,
                "jobs": [job.demand(now) for job in jobs],
                "frozen": frozen,
                "opening": self._opening(slots),
                "scenarios": self._scenarios(now, slots),
                "risk": self.risk,
            }
        )

    def _scenarios(self, now: int, slots: int) -> list[Scenario]:
        if self.risk is None:
            return []
        price, carbon = (figures.tolist() for figures in self.forecasts.scenarios(now, slots))
        return [
            Scenario(
                probability=1 / len(price),
                price_gbp_per_kwh=dict(zip(self.world.site_ids, price[number], strict=True)),
                carbon_g_per_kwh=dict(zip(self.world.site_ids, carbon[number], strict=True)),
            )
            for number in range(len(price))
        ]

    def _opening(self, slots: int) -> list[Json]:
        """The last prices, one half-hour on; the half-hour that comes into sight is free."""
        if self._prices is None:
            return []
        begun = np.pad(self._prices[:, 1:], ((0, 0), (0, 1)))[:, :slots]
        pairs = zip(self.world.site_ids, begun.tolist(), strict=True)
        return [{"site": site, "headroom_gbp_per_kw_slot": prices} for site, prices in pairs]

    def _note(self, plan: Plan, wall_s: float, cpu_s: float) -> None:
        self.log.gap.append(plan.gap)
        self.log.wall_s.append(wall_s)
        self.log.cpu_s.append(cpu_s)
        self.log.jobs.append(len(self.open))
        self._prices = np.array([row.headroom_gbp_per_kw_slot for row in plan.prices])
        self.log.contended += bool((self._prices > SCARCE_GBP_PER_KW).any())

    def _judge(self, instance: Instance, plan: Plan) -> None:
        files = (json.loads(model.model_dump_json(exclude_none=True)) for model in (instance, plan))
        self.log.judged += 1
        self.log.disagreements += [f"{instance.name}: {fault}" for fault in referee.judge(*files).violations]

    def _act(self, now: int, plan: Plan) -> list[Delivery]:
        """Run the present half-hour, remember the rest, let go of what is over."""
        site_row = {name: row for row, name in enumerate(self.world.site_ids)}
        made = {course.job: course for course in plan.assignments}
        delivered = []
        for name, job in list(self.open.items()):
            course = made.get(name)
            runs = tuple((start + now, end + now, kw) for start, end, kw in course.runs) if course else ()
            self._count_moves(job, (course.site, runs) if course else None)
            if course and runs and min(runs)[0] == now:
                kw = min(runs)[2]
                job.run(kw, course.site)
                delivered.append(Delivery(job.number, site_row[course.site], now, kw))
            rest = tuple((max(start, now + 1), end, kw) for start, end, kw in runs if end > now + 1)
            job.planned = (course.site, rest) if course and rest else None
            if job.left <= DONE:
                del self.open[name]
        return delivered

    def _count_moves(self, job: Open, planned: tuple[str, tuple[Run, ...]] | None) -> None:
        before, after = cells(job.planned), cells(planned)
        self.log.planned += len(before)
        self.log.moved += len(before - after)
        if before and before != after:
            self.log.moves[job.number] = self.log.moves.get(job.number, 0) + 1


def cells(planned: tuple[str, tuple[Run, ...]] | None) -> set[tuple[str, int, float]]:
    """The half-hours of a course, with site and power."""
    if planned is None:
        return set()
    site, runs = planned
    return {(site, slot, round(kw, 6)) for start, end, kw in runs for slot in range(start, end)}
