"""The carbon of a job's course: what its rows of the ledger claim against its baseline, and the record of that.

A job without a whole baseline, or whose baseline nobody compared with the room there was, claims nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

from accounting.carbon import Attributional, Consequential, Intensity, PeriodCarbon
from accounting.claims import CarbonClaim, Draw, FeasibleBaseline, Saving
from accounting.energy_use import EnergyUse
from accounting.scope2 import Consumption, FunctionalUnit, Scope2, SoftwareCarbonIntensity
from accounting.volumes import from_meter
from audit.bodies.carbon import (
    CarbonClaimBody,
    EnergyBody,
    IntensityBody,
    MassBody,
    MovedBody,
    ScheduledBody,
    SciBody,
    Scope2Body,
    ShareBody,
)
from audit.fields import dec
from core.ledger import SlotEntry
from core.series import Kind
from core.slots import SLOT, format_utc, settlement_period

Half = tuple[str, datetime]
JOB = "job"
"""the functional unit: one job done"""


@dataclass(frozen=True, slots=True)
class Known:
    """The intensities of a half-hour."""

    forecast: Intensity | None
    outturn: Intensity | None
    marginal: Intensity | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """What a job does, or would have done, by its rows of the ledger."""

    rows: Sequence[SlotEntry]

    def kwh(self) -> dict[Half, Decimal]:
        """Energy at the meter in each half-hour."""
        return {(row.site_id, row.slot_start): exact(row.site_kwh) for row in self.rows}

    @property
    def interrupted(self) -> bool:
        """Whether there are gaps between its half-hours."""
        starts = sorted(row.slot_start for row in self.rows)
        return any(later - earlier > SLOT for earlier, later in pairwise(starts))

    def energy(self) -> EnergyUse:
        """What it draws; idling and checkpoints are not metered apart and so are within the rest."""
        zero = Decimal(0)
        return EnergyUse.total(
            EnergyUse(exact(row.it_kwh), zero, zero, exact(row.site_kwh) - exact(row.it_kwh)) for row in self.rows
        )


def exact(figure: float) -> Decimal:
    """A float of the ledger as the decimal that it is written as."""
    return Decimal(str(figure))


def known_of(row: SlotEntry, provider: str) -> Known:
    """What a row itself knows: the forecast it began with, and the outturn once there is one."""
    expected, grams = row.carbon_forecast_g_per_kwh, exact(row.carbon_g_per_kwh)
    turned_out = row.settled or row.carbon_kind <= Kind.ESTIMATE
    return Known(
        None if expected is None else Intensity(exact(expected), Decimal(0), Kind.FORECAST, provider),
        Intensity(grams, Decimal(0), row.carbon_kind, provider, final=row.settled) if turned_out else None,
    )


def claim_of(
    policy: str,
    plan: Course,
    baseline: Course,
    known: Callable[[SlotEntry], Known],
    sigma_kwh: Mapping[Half, Decimal],
) -> CarbonClaim | None:
    """The claim of one job over all half-hours of both courses; None where there is no feasible baseline to claim by.

    A job's reading is its last word: no settlement run follows it.

    :param sigma_kwh: standard deviation of baseline less plan where it is not 0.
    """
    rooms = [row.room_kw for row in baseline.rows]
    if not plan.rows or not rooms or None in rooms:
        return None
    drawn, usual = plan.kwh(), baseline.kwh()
    rows = {(row.site_id, row.slot_start): row for row in (*baseline.rows, *plan.rows)}
    measured = {(row.site_id, row.slot_start) for row in plan.rows if row.delivered_kwh is not None}
    periods = []
    for half in sorted(rows):
        figures, metered = known(rows[half]), half in measured or half not in drawn
        periods.append(
            PeriodCarbon(
                site_id=half[0],
                sp_start=half[1],
                baseline_kwh=usual.get(half, Decimal(0)),
                actual_kwh=drawn.get(half, Decimal(0)),
                sigma_kwh=sigma_kwh.get(half, Decimal(0)),
                forecast=figures.forecast,
                outturn=figures.outturn,
                marginal=figures.marginal,
                metered=metered,
                settled=metered,
            )
        )
    return CarbonClaim(plan.rows[0].job_id, FeasibleBaseline(policy, _schedule(baseline)), tuple(periods))


def _schedule(baseline: Course) -> tuple[Draw, ...]:
    return tuple(
        Draw(row.site_id, row.slot_start, exact(row.power_kw) * exact(row.pue), exact(row.room_kw))
        for row in baseline.rows
        if row.room_kw is not None
    )


def claim_body(claim: CarbonClaim, plan: Course, baseline: Course, zone_of: Mapping[str, str]) -> CarbonClaimBody:
    """The record of a claim; ``zone_of`` gives the grid zone of each site."""
    sites = {period.site_id for period in claim.periods}
    turned_out = all(period.outturn is not None for period in claim.periods)
    return CarbonClaimBody(
        claim_level=claim.level.label,
        baseline_policy=claim.baseline.policy,
        baseline_schedule=[
            ScheduledBody(
                site_id=draw.site_id,
                start=format_utc(draw.sp_start),
                kw=dec(draw.kw, 6),
                room_kw=dec(draw.room_kw, 6),
            )
            for draw in claim.baseline.schedule
        ],
        grid_regions=sorted({zone_of[site] for site in sites if site in zone_of}),
        baseline_energy=_energy(baseline),
        energy=_energy(plan),
        average_forecast=_means(claim.periods, lambda period: period.forecast),
        average_outturn=_means(claim.periods, lambda period: period.outturn),
        marginal=_means(claim.periods, lambda period: period.marginal),
        attributional_forecast=_share(claim.attributional(forecast=True)),
        attributional=_share(claim.attributional()) if turned_out else None,
        consequential=_mass(claim.consequential()),
        scope2=_scope2(claim),
        displaced=[_moved(period) for period in claim.displaced],
        rebound=[_moved(period) for period in claim.rebound],
        sci=_sci(claim),
    )


def _energy(course: Course) -> EnergyBody:
    """Null where a pause may have cost something that no meter tells apart."""
    used, apart = course.energy(), None if course.interrupted else dec(Decimal(0), 6)
    return EnergyBody(
        it_kwh=dec(used.it_kwh, 6),
        idle_kwh=apart,
        checkpoint_kwh=apart,
        overhead_kwh=dec(used.overhead_kwh, 6),
        site_kwh=dec(used.site_kwh, 6),
        pue=None if used.pue is None else dec(used.pue, 4),
    )


def _means(periods: Iterable[PeriodCarbon], of: Callable[[PeriodCarbon], Intensity | None]) -> list[IntensityBody]:
    """The mean of each source over what both courses draw, in the order in which the sources occur."""
    sums: dict[tuple[str, Kind, str | None], tuple[Decimal, Decimal]] = {}
    for period in periods:
        figure, kwh = of(period), period.baseline_kwh + period.actual_kwh
        if figure is not None and kwh:
            key = figure.provider, figure.kind, figure.method_version
            grams, energy = sums.get(key, (Decimal(0), Decimal(0)))
            sums[key] = grams + kwh * figure.g_per_kwh, energy + kwh
    return [
        IntensityBody(mean_g_per_kwh=dec(grams / energy, 3), kind=kind.label, provider=provider, method_version=version)
        for (provider, kind, version), (grams, energy) in sums.items()
    ]


def _ends(mass: Attributional | Consequential) -> dict[str, str]:
    low, high = mass.interval_kg
    return {"saved_kg": dec(mass.kg, 6), "low_kg": dec(low, 6), "high_kg": dec(high, 6)}


def _share(saving: Saving[Attributional] | None) -> ShareBody | None:
    if saving is None or saving.of is None:
        return None
    percent = None if saving.percent is None else dec(saving.percent, 2)
    return ShareBody(**_ends(saving.saved), baseline_kg=dec(saving.of.kg, 6), saved_percent=percent)


def _mass(saving: Saving[Consequential] | None) -> MassBody | None:
    return None if saving is None else MassBody(**_ends(saving.saved))


def _consumptions(claim: CarbonClaim) -> list[Consumption] | None:
    """What was drawn, by the location's intensity; None where one is not known."""
    drawn = [(period.actual_kwh, period.average) for period in claim.periods if period.actual_kwh]
    known = [Consumption(kwh, average) for kwh, average in drawn if average is not None]
    return known if len(known) == len(drawn) else None


def _scope2(claim: CarbonClaim) -> Scope2Body | None:
    """By both methods, without certificates: those are claimed for the half-hours of a site, and once."""
    drawn = _consumptions(claim)
    if drawn is None:
        return None
    found = Scope2.of(drawn)
    return Scope2Body(
        location_kg=dec(found.location_kg, 6),
        market_kg=dec(found.market_kg, 6),
        gc_ids=[],
        matched_wh=0,
        without_residual_mix=found.without_residual_mix,
    )


def _sci(claim: CarbonClaim) -> SciBody | None:
    """Operational carbon of one job; what its hardware embodies is not known here, and so neither is the intensity."""
    drawn = _consumptions(claim)
    if drawn is None:
        return None
    found = SoftwareCarbonIntensity.of(drawn, FunctionalUnit(JOB, Decimal(1)))
    return SciBody(
        functional_unit=found.unit.name,
        units=dec(found.unit.count, 0),
        operational_g=dec(found.operational_g, 3),
        embodied_g=None,
        g_per_unit=None,
    )


def _moved(period: PeriodCarbon) -> MovedBody:
    day, number = _period(period.sp_start)
    mwh = from_meter(period.actual_kwh) - from_meter(period.baseline_kwh)
    return MovedBody(site_id=period.site_id, date=day, sp=number, mwh=dec(mwh, 6))


@lru_cache(maxsize=4096)
def _period(sp_start: datetime) -> tuple[str, int]:
    day, number = settlement_period(sp_start)
    return day.isoformat(), number
