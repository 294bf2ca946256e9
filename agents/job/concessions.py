"""Concessions: what a job could give so that it can be served, each as a variant of the job.

The job agent accepts only what its owner allowed in advance; these are offered to the owner, with their price.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.instance import Instance, JobInstance

LATER_SLOTS = (2, 8, 24, 48)


@dataclass(frozen=True, slots=True)
class Concession:
    """A change in words, and the job as it would then be."""

    change: str
    job: JobInstance


def concessions(job: JobInstance, instance: Instance) -> list[Concession]:
    """Variants of ``job``, from the smallest change to the largest, within the horizon of ``instance``."""
    offers = [
        Concession(
            f"finish up to {_hours(later)} later",
            job.model_copy(update={"latest_slot": min(job.latest_slot + later, instance.slots)}),
        )
        for later in LATER_SLOTS
        if job.latest_slot < instance.slots
    ]
    everywhere = tuple(site.id for site in instance.sites)
    if len(job.sites) < len(everywhere):
        offers.append(Concession("run in any region", job.model_copy(update={"sites": everywhere})))
    if job.max_price_gbp_per_kwh is not None:
        offers.append(Concession("lift the price limit", job.model_copy(update={"max_price_gbp_per_kwh": None})))
    if job.max_carbon_g_per_kwh is not None:
        offers.append(Concession("lift the carbon limit", job.model_copy(update={"max_carbon_g_per_kwh": None})))
    if job.kind == "block":
        offers.append(Concession("allow pauses", job.model_copy(update={"kind": "pausable"})))
    offers += _gentler(job)
    return offers


def _gentler(job: JobInstance) -> list[Concession]:
    """Half the power for twice as long, where the window has room for it."""
    if job.power_kw is None or job.duration_slots is None:
        return []
    if 2 * job.duration_slots > job.latest_slot - job.earliest_slot:
        return []
    slower = job.model_copy(update={"power_kw": job.power_kw / 2, "duration_slots": 2 * job.duration_slots})
    return [Concession("run at half power for twice as long", slower)]


def _hours(slots: int) -> str:
    return f"{slots // 2} h"
