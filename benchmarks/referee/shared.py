"""Limits that jobs share: headroom, hardware, carbon caps; and what binds them to one another: gangs and order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.referee.courses import Courses
from benchmarks.referee.figures import Figures
from benchmarks.referee.jobs import Jobs
from benchmarks.referee.verdict import Array, Ints, Json, Mask, at_most


@dataclass(frozen=True)
class Cap:
    """A limit in kg on the carbon of a tenant's jobs (-1: of everyone's) at the sites (S,) of ``where``.

    :ivar field: under which the plan file states its price, by ``name`` or, where that is None, as one figure.
    """

    label: str
    limit_kg: float
    tenant: int
    where: Mask
    field: str
    name: str | None = None

    def emitted_kg(self, courses: Courses, jobs: Jobs, kg: Array) -> float:
        """What counts against it, of courses that emit ``kg`` (c,)."""
        counts = self.where[courses.site]
        if self.name is not None and self.field.startswith("tenant"):
            counts = counts & (jobs.tenant[courses.job] == self.tenant)
        return float(kg[counts].sum())


ALONE_TOLERANCE_KW = 1e-6


@dataclass(frozen=True)
class Limits:
    """What there is to share; what frozen jobs alone take is always there.

    :ivar capacity_kw: (S, T) at the meter.
    :ivar hardware_kw: (H, S, T) IT power; NaN where a site does not have the class.
    :ivar alone_kw: (1 + H, S, T) IT power that a slot could ever offer one job: without hardware, then of each class.
    """

    capacity_kw: Array
    hardware_kw: Array
    alone_kw: Array
    caps: tuple[Cap, ...]

    @classmethod
    def of(cls, instance: Json, figures: Figures, jobs: Jobs) -> Limits:
        """The limits of an instance, raised to what its frozen jobs take."""
        frozen = jobs.frozen
        kg = frozen.add_up(figures.kg)
        held, held_hardware = figures.pue * frozen.load_kw(len(figures.sites)), hardware_load_kw(frozen, jobs, figures)
        capacity, hardware = np.maximum(figures.free_kw, held), np.maximum(figures.hardware_kw, held_hardware)
        return cls(
            capacity_kw=capacity,
            hardware_kw=hardware,
            alone_kw=_alone_kw(instance, figures, np.maximum(capacity, 0) - held, hardware - held_hardware),
            caps=tuple(
                replace(cap, limit_kg=max(cap.limit_kg, cap.emitted_kg(frozen, jobs, kg)))
                for cap in _caps(instance, figures, jobs)
            ),
        )


def _alone_kw(instance: Json, figures: Figures, left_kw: Array, left_hardware_kw: Array) -> Array:
    """What is left of the headroom with all that a battery could add, and of each class of hardware."""
    battery = np.array([(site.get("battery") or {}).get("power_kw", 0.0) for site in instance["sites"]])
    at_site = (np.maximum(left_kw, 0) + battery[:, None] + ALONE_TOLERANCE_KW) / figures.pue
    classed = np.minimum(at_site, np.nan_to_num(left_hardware_kw, nan=0.0) + ALONE_TOLERANCE_KW)
    return np.concatenate([at_site[None], classed])


def _caps(instance: Json, figures: Figures, jobs: Jobs) -> Iterator[Cap]:
    everywhere = np.ones(len(figures.sites), dtype=bool)
    if instance.get("carbon_cap_kg") is not None:
        yield Cap("the cap", instance["carbon_cap_kg"], -1, everywhere, "carbon_cap_price_gbp_per_kg")
    for name, limit in (instance.get("tenant_carbon_caps_kg") or {}).items():
        tenant = jobs.tenants.get(name, -1)
        yield Cap(f"the cap of tenant {name!r}", limit, tenant, everywhere, "tenant_carbon_prices_gbp_per_kg", name)
    regions = np.array(figures.regions)
    for name, limit in (instance.get("region_carbon_caps_kg") or {}).items():
        where = regions == name
        yield Cap(f"the cap of region {name!r}", limit, -1, where, "region_carbon_prices_gbp_per_kg", name)


def hardware_load_kw(courses: Courses, jobs: Jobs, figures: Figures) -> Array:
    """(H, S, T) IT power of the jobs of each class."""
    needs = jobs.hardware[courses.job]
    loads = [courses.load_kw(len(figures.sites), needs == row) for row in figures.classes.values()]
    return np.array(loads).reshape(figures.hardware_kw.shape)


def capacity_faults(limits: Limits, figures: Figures, meter_kw: Array) -> Iterator[str]:
    """Slots in which a site draws more than it may."""
    sites = list(figures.sites)
    for site, slot in np.argwhere(~at_most(meter_kw, limits.capacity_kw)):
        draw, capacity = meter_kw[site, slot], limits.capacity_kw[site, slot]
        yield f"site {sites[site]!r} slot {slot}: draws {draw:.3f} of {capacity:.3f} kW"


def hardware_faults(limits: Limits, figures: Figures, jobs: Jobs, courses: Courses) -> Iterator[str]:
    """Slots in which a class of hardware at a site is asked for more than it has."""
    load, sites, classes = hardware_load_kw(courses, jobs, figures), list(figures.sites), list(figures.classes)
    there = ~np.isnan(limits.hardware_kw)
    for row, site, slot in np.argwhere(there & ~at_most(load, limits.hardware_kw)):
        figure = f"{load[row, site, slot]:.3f} of {limits.hardware_kw[row, site, slot]:.3f} kW"
        yield f"site {sites[site]!r} slot {slot}: hardware {classes[row]!r} draws {figure}"


def cap_faults(limits: Limits, jobs: Jobs, courses: Courses, kg: Array) -> Iterator[str]:
    """Carbon caps that courses, which emit ``kg`` (c,), break."""
    for cap in limits.caps:
        emitted = cap.emitted_kg(courses, jobs, kg)
        if not at_most(emitted, cap.limit_kg):
            yield f"emits {emitted:.3f} kg, above {cap.label} of {cap.limit_kg:.3f} kg"


def gang_faults(jobs: Jobs, served: Mask) -> Iterator[str]:
    """Gangs that are served in part; what is frozen is no part of its gang."""
    members = jobs.free & (jobs.gang >= 0)
    size = np.bincount(jobs.gang[members], minlength=len(jobs.gangs))
    there = np.bincount(jobs.gang[members & served], minlength=len(jobs.gangs))
    for gang in np.flatnonzero((there > 0) & (there < size)).tolist():
        yield f"gang {jobs.gangs[gang]!r}: {there[gang]} of {size[gang]} jobs served"


def order_faults(jobs: Jobs, courses: Courses, served: Mask) -> Iterator[str]:
    """Jobs that run before those they come after have ended; frozen jobs are excused."""
    row = np.full(len(jobs.ids), -1, dtype=np.int64)
    row[courses.job] = np.arange(len(courses))
    pairs: Ints = jobs.after[served[jobs.after[:, 0]] & jobs.free[jobs.after[:, 0]]]
    for job, predecessor in pairs.tolist():
        name = f"job {jobs.ids[job]!r}: comes after {jobs.ids[predecessor]!r}, which"
        if not served[predecessor]:
            yield f"{name} is not served"
        elif courses.first[row[job]] < courses.last[row[predecessor]]:
            yield f"{name} ends at {courses.last[row[predecessor]]}; starts at {courses.first[row[job]]}"
