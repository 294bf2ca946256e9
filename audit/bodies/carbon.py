"""The carbon of a decision or a delivery: two accounts side by side, each with its interval, never a sum of both."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from audit.fields import Body, Dec, Time

ClaimLevel = Literal["forecast", "metered", "settled"]


class EnergyBody(Body):
    """What one course of events draws, in kWh: ``site_kwh`` is at the meter and the sum of the others.

    Idling and checkpoints are null where the course has pauses and no meter tells them apart.
    """

    it_kwh: Dec
    idle_kwh: Dec | None
    checkpoint_kwh: Dec | None
    overhead_kwh: Dec
    site_kwh: Dec
    pue: Dec | None


class MassBody(Body):
    """A saving by one account with its central 95 % interval; negative where emissions are higher."""

    saved_kg: Dec
    low_kg: Dec
    high_kg: Dec


class ShareBody(MassBody):
    """An attributional saving, beside what the baseline is allocated."""

    baseline_kg: Dec
    saved_percent: Dec | None


class IntensityBody(Body):
    """Where an intensity comes from; ``mean_g_per_kwh`` is weighted by what the course draws."""

    mean_g_per_kwh: Dec
    kind: str
    provider: str
    method_version: str | None


class Scope2Body(Body):
    """kg of one job by both methods of the GHG Protocol, before certificates: its share of what its site draws.

    Certificates are claimed for half-hours of a site, in ``settlement_period``, and by no job, so ``gc_ids`` is empty;
    ``without_residual_mix`` half-hours had to use the grid's average.
    """

    location_kg: Dec
    market_kg: Dec
    gc_ids: list[str]
    matched_wh: int
    without_residual_mix: int


class SciBody(Body):
    """Software Carbon Intensity (ISO/IEC 21031) for each ``functional_unit``; embodied carbon null where unknown."""

    functional_unit: str
    units: Dec
    operational_g: Dec
    embodied_g: Dec | None
    g_per_unit: Dec | None


class MovedBody(Body):
    """Energy displaced from a settlement period, or rebound into one, in MWh signed as deviations are."""

    site_id: str
    date: str
    sp: int
    mwh: Dec


class ScheduledBody(Body):
    """A half-hour of the baseline's schedule at the meter, and the room there was for it."""

    site_id: str
    start: Time
    kw: Dec
    room_kw: Dec | None


class CarbonClaimBody(Body):
    """What a change of course is claimed to have done, against which baseline, how firmly.

    ``attributional_forecast`` stays what it was when the decision was taken; ``attributional`` is by outturn, null
    until every half-hour has one. ``consequential`` is null where there is no marginal estimate.
    """

    claim_level: ClaimLevel
    baseline_policy: str = Field(min_length=1)
    baseline_schedule: list[ScheduledBody]
    grid_regions: list[str]
    baseline_energy: EnergyBody
    energy: EnergyBody
    average_forecast: list[IntensityBody]
    average_outturn: list[IntensityBody]
    marginal: list[IntensityBody]
    attributional_forecast: ShareBody | None
    attributional: ShareBody | None
    consequential: MassBody | None
    scope2: Scope2Body | None
    displaced: list[MovedBody]
    rebound: list[MovedBody]
    sci: SciBody | None
