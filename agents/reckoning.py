"""What runs beside the plan: the baseline of every job, and the settlement of slots that have passed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from accounting.baselines import BaselineDemand, run_at_submission
from accounting.settlement import settle
from agents.energy.agent import EnergyAgent
from agents.job.agent import JobAgent
from agents.job.demand import Demand
from agents.proposal import Figures, planned_kw, rows_of
from agents.site.agent import SiteAgent
from core.job import Job
from core.ledger import Leg, SlotEntry
from core.series import Kind
from core.slots import SLOT, slot_ceil, slots_between
from store.ledger import LedgerRepository


@dataclass(frozen=True, slots=True)
class Reckoning:
    """Keeps the ledger's baseline leg and its settled figures."""

    energy: EnergyAgent
    sites: SiteAgent
    jobs: JobAgent
    ledger: LedgerRepository

    def baselines(
        self, jobs: Sequence[Job], wanted: Mapping[str, Demand], figures: Figures
    ) -> dict[str, list[SlotEntry]]:
        """The baseline rows of every job, by job; one that has none gets it, in order of submission."""
        found: dict[str, list[SlotEntry]] = {}
        earliest = min((job.submitted_at for job in jobs), default=figures.start)
        for row in self.ledger.entries(leg=Leg.BASELINE, start=earliest):
            found.setdefault(row.job_id, []).append(row)
        lacking = [job for job in jobs if job.job_id in wanted and job.job_id not in found]
        if lacking:
            self._add(lacking, figures, found)
        return found

    def settle(self, now: datetime) -> frozenset[str]:
        """Give rows of passed slots the figures that are known by now, again and again until they are final.

        :returns: the jobs with another figure of carbon, or of another kind, and those with nothing left to settle.
        """
        rows = [row for row in self.ledger.unsettled(now) if row.slot_start + SLOT <= now]
        if not rows:
            return frozenset()
        first = min(row.slot_start for row in rows)
        slots = slots_between(first, slot_ceil(now))
        zone_of = {site.site_id: site.zone for site in self.sites.sites()}
        used = {row.site_id for row in rows} & zone_of.keys()
        seen = {zone: self.energy.observed(zone, first, slots) for zone in {zone_of[site] for site in used}}
        price = {site: seen[zone_of[site]][0] for site in used}
        carbon = {site: seen[zone_of[site]][1] for site in used}
        settled = settle(rows, price, carbon, now)
        changed = [(before, after) for before, after in zip(rows, settled, strict=True) if after is not before]
        if changed:
            self.ledger.settle([after for _, after in changed])
        left = {row.job_id for row in settled if not row.settled}
        return frozenset(
            after.job_id for before, after in changed if after.job_id not in left or _carbon(before) != _carbon(after)
        )

    def _add(self, lacking: Sequence[Job], figures: Figures, found: dict[str, list[SlotEntry]]) -> None:
        coming = self.ledger.entries(leg=Leg.BASELINE, start=figures.start, end=figures.start + SLOT * figures.slots)
        free = np.maximum(0.0, figures.headroom_kw - planned_kw(coming, figures))
        sites = self.sites.sites()
        asked = [_demand(job, self.jobs.allowed_sites(job, sites), figures) for job in lacking]
        entries: list[SlotEntry] = []
        for job, placed in zip(lacking, run_at_submission(asked, free, figures.pue), strict=True):
            if placed.site_index is None or placed.start_slot is None:
                continue
            runs = ((placed.start_slot, placed.start_slot + placed.work_slots, job.power_kw),)
            found[job.job_id] = rows_of(job.job_id, Leg.BASELINE, figures, placed.site_index, runs, free)
            entries += found[job.job_id]
        self.ledger.add_baseline(entries)


def _carbon(row: SlotEntry) -> tuple[float, Kind]:
    return row.carbon_g_per_kwh, row.carbon_kind


def _demand(job: Job, sites: tuple[str, ...], figures: Figures) -> BaselineDemand:
    """The job as it would have run at once; never before the plan's start, where nothing can begin."""
    rows = tuple(row for row, site_id in enumerate(figures.site_ids) if site_id in sites and figures.priced[row])
    return BaselineDemand(
        job_id=job.job_id,
        site_indexes=rows,
        first_slot=max(0, slots_between(figures.start, job.first_slot)),
        work_slots=job.work_slots,
        power_kw=job.power_kw,
        deadline_slot=max(0, slots_between(figures.start, job.window_end)),
    )
