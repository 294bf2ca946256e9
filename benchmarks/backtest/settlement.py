"""What was delivered, settled on what power cost and emitted in truth; the same for every method.

All of a job's money counts on the day on which it arrived, so that on each day all methods are paid for the same jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from benchmarks.backtest.world import World
from core.series import BoolArray, FloatArray, IntArray
from core.slots import SLOT_HOURS

Json = dict[str, Any]
ROUNDING = 1e-6
DONE = 1e-9


class Delivery(NamedTuple):
    """IT power of job number ``job`` at site number ``site`` during one half-hour."""

    job: int
    site: int
    slot: int
    power_kw: float


@dataclass(frozen=True)
class Settled:
    """One method's outcome, each figure (J,) by job unless said otherwise.

    :ivar energy_gbp: at the meter, at actual prices; ``carbon_kg`` likewise.
    :ivar pauses: how often a job stopped and went on; ``other_gbp`` is what that cost.
    :ivar missed: whether its work was not done inside its window; ``penalty_gbp`` is then charged.
    :ivar faults: what no plan may do: too much at a site, work outside a window, at a site that is not allowed,
        at two sites, in pieces; empty for all methods that respect capacity.
    """

    energy_gbp: FloatArray
    carbon_kg: FloatArray
    pauses: IntArray
    other_gbp: FloatArray
    missed: BoolArray
    penalty_gbp: FloatArray
    peak_share: float
    faults: tuple[str, ...]

    def cost_gbp(self, carbon_gbp_per_tonne: float) -> FloatArray:
        """(J,) all of it, carbon at its price."""
        return np.asarray(
            self.energy_gbp + self.carbon_kg * carbon_gbp_per_tonne / 1000 + self.other_gbp + self.penalty_gbp
        )


def settle(world: World, jobs: Sequence[Json], deliveries: Iterable[Delivery]) -> Settled:
    """Settle ``deliveries`` for ``jobs`` (rows of an instance file, windows in half-hours of the world)."""
    made = sorted(deliveries)
    columns = np.array(made, dtype=np.float64).reshape(-1, 4)
    job, site, slot = columns[:, :3].astype(np.int64).T
    kw, count = columns[:, 3], len(jobs)
    meter_kwh = kw * world.pue[site, slot] * SLOT_HOURS
    load_kw = np.zeros(world.price.shape)
    np.add.at(load_kw, (site, slot), meter_kwh / SLOT_HOURS)
    again = (np.diff(job, prepend=-1) == 0) & (np.diff(slot, prepend=-1) > 1)
    pauses = np.bincount(job[again], minlength=count)
    work = np.bincount(job, _work(jobs, job, kw), count)
    missed = work < np.array([_asked(row) for row in jobs]) - DONE
    return Settled(
        energy_gbp=np.bincount(job, meter_kwh * world.price[site, slot], count).astype(np.float64),
        carbon_kg=np.bincount(job, meter_kwh * world.carbon[site, slot] / 1000, count).astype(np.float64),
        pauses=pauses,
        other_gbp=pauses * np.array([row.get("pause_cost_gbp") or 0.0 for row in jobs]),
        missed=missed,
        penalty_gbp=np.where(missed, [row["unserved_penalty_gbp"] for row in jobs], 0.0),
        peak_share=float((load_kw / np.maximum(world.headroom_kw, ROUNDING)).max(initial=0.0)),
        faults=(*_over(world, load_kw), *_astray(world, jobs, job, site, slot, again)),
    )


def _asked(row: Json) -> float:
    """Work that a job asks for, in half-hours at full power."""
    return float(row["work"] if row["kind"] == "elastic" else row["duration_slots"])


def _work(jobs: Sequence[Json], job: IntArray, kw: FloatArray) -> FloatArray:
    """What each delivery does of its job's work; nought at a power that the job does not have."""
    paces = [
        {round(level["power_kw"], 6): level["work_per_slot"] for level in row["levels"]}
        if row["kind"] == "elastic"
        else {round(row["power_kw"], 6): 1.0}
        for row in jobs
    ]
    return np.array([paces[of].get(round(power, 6), 0.0) for of, power in zip(job.tolist(), kw.tolist(), strict=True)])


def _over(world: World, load_kw: FloatArray) -> Iterable[str]:
    beyond = load_kw > world.headroom_kw + ROUNDING * np.maximum(1.0, world.headroom_kw)
    for site, slot in np.argwhere(beyond):
        yield (
            f"{world.site_ids[site]} draws {load_kw[site, slot]:.3f} kW in half-hour {slot} "
            f"where there are {world.headroom_kw[site, slot]:.3f} kW"
        )


def _astray(
    world: World, jobs: Sequence[Json], job: IntArray, site: IntArray, slot: IntArray, again: BoolArray
) -> Iterable[str]:
    """Deliveries that a job did not ask for."""
    same = np.diff(job, prepend=-1) == 0
    twice = same & (np.diff(slot, prepend=-1) == 0)
    elsewhere = same & (np.diff(site, prepend=-1) != 0)
    whole = np.array([row["kind"] == "block" for row in jobs], dtype=bool)
    first = np.array([row["earliest_slot"] for row in jobs])[job]
    last = np.array([row["latest_slot"] for row in jobs])[job]
    allowed = [set(row["sites"]) for row in jobs]
    foreign = np.array(
        [world.site_ids[at] not in allowed[of] for of, at in zip(job.tolist(), site.tolist(), strict=True)], dtype=bool
    )
    for wrong, what in (
        ((slot < first) | (slot >= last), "runs outside its window"),
        (foreign, "runs at a site that it may not use"),
        (twice, "runs twice at once"),
        (elsewhere, "runs at two sites"),
        (again & whole[job], "is a block that was interrupted"),
    ):
        for row in np.flatnonzero(wrong).tolist():
            yield f"job {jobs[job[row]]['id']} {what} (half-hour {slot[row]})"
