"""The statement of a site's settlement day, as JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from agents.settlement.day_claims import DayClaims, day_claims
from agents.settlement.statement import DayScope2, DayStatement
from core.job import Instant
from web.api.claim_shapes import ClaimOut
from web.api.documented import answer
from web.api.shapes import Query
from web.services import services_of_request
from web.statements import accounts, claims, statement

api = APIBlueprint(
    "api_statements", __name__, abp_tags=[Tag(name="audit", description="Decisions, and the proof of them")]
)


class StatementPath(BaseModel):
    """A path that names a site and a settlement date."""

    site_id: str = Field(min_length=1, max_length=120)
    date: date


class StatementQuery(Query):
    """Which view."""

    as_of: Instant | None = Field(None, description="as it was stated at this instant; by default, now")


class PeriodOut(BaseModel):
    """The version of a settlement period that was in force; ``figures`` are those of the record, decimals as text."""

    seq: int = Field(description="number of the record")
    recorded_at: datetime
    settlement_period: int
    pair: str = Field(description="commitment of the MSID pair; empty for the whole site")
    run: str | None = Field(description="null where no settlement run is claimed")
    binding: bool = Field(description="whether a run at or after SF is stated")
    revision: int
    supersedes_seq: int | None
    figures: dict[str, Any]


class TotalOut(BaseModel):
    """A sum over the day, in MWh by the signs of the BSC; ``unknown`` of its ``parts`` had no figure."""

    mwh: str
    parts: int
    unknown: int


class AccountOut(BaseModel):
    """A sum of claims by one account with its central 95 % interval; ``unknown`` of its ``parts`` are not in it."""

    saved_kg: str | None = Field(description="negative where emissions rose; null where no claim has a figure")
    low_kg: str | None
    high_kg: str | None
    claim_level: str = Field(description="forecast, metered or settled: that of the weakest claim in the sum")
    parts: int
    unknown: int


class ClaimedOut(BaseModel):
    """The claims of a day added up, each account alone; no sum of both means anything."""

    baseline_policies: list[str]
    attributional_forecast: AccountOut
    attributional: AccountOut = Field(description="by outturn")
    consequential: AccountOut
    refused: dict[int, str] = Field(description="records that count a half-hour of their job again, and are left out")


class CertificateOut(BaseModel):
    """A certificate and how much of the day's import it covers; no certificate is claimed anywhere else."""

    gc_id: str
    issuer: str
    storage: bool
    matched_wh: int


class Scope2Out(BaseModel):
    """Scope 2 by both methods of the GHG Protocol; avoided emissions are no part of either."""

    import_kwh: str
    location_kg: str
    market_kg: str
    matched_wh: int
    certificates: list[CertificateOut]
    parts: int
    unknown: int = Field(description="of the parts: half-hours without metered energy or intensity, not in the sums")
    without_residual_mix: int = Field(description="half-hours that use the grid's average by market too")
    sources: list[tuple[str, str]] = Field(description="kind and provider of each intensity; simulated is no real grid")


class StatementOut(BaseModel):
    """A site's settlement day; export is positive and import negative, so that turn-down deviates upwards."""

    site_id: str
    settlement_date: date
    sp_count: int
    as_of: datetime
    periods: list[PeriodOut]
    missing: list[int] = Field(description="periods of the day of which nothing was stated")
    totals: dict[str, TotalOut]
    compensation_gbp: str | None = Field(description="indicative, and neither paid nor received by this operator")
    scope2: Scope2Out
    claims: list[ClaimOut]
    claimed: ClaimedOut


@api.get("/api/statements/<site_id>/<date>", responses={200: StatementOut})
def show(path: StatementPath, query: StatementQuery) -> Response:
    """Every half-hour of a site's settlement day as it was stated at an instant, and its sums."""
    services = services_of_request()
    instant = query.as_of or services.clock.now()
    found = statement(services.log, path.site_id, path.date, instant)
    told = claims(services.log, path.site_id, path.date, instant)
    return answer(
        StatementOut(
            site_id=path.site_id,
            settlement_date=path.date,
            sp_count=found.day.count,
            as_of=instant,
            periods=_periods(found),
            missing=list(found.missing),
            totals={
                name: TotalOut(mwh=str(total.mwh), parts=total.parts, unknown=total.unknown)
                for name, total in found.totals.items()
            },
            compensation_gbp=None if found.gbp is None else str(found.gbp),
            scope2=_scope2(found.scope2),
            claims=[ClaimOut.of(each) for each in told],
            claimed=_claimed(day_claims(told)),
        )
    )


def _periods(found: DayStatement) -> list[PeriodOut]:
    return [
        PeriodOut(
            seq=each.seq,
            recorded_at=each.recorded_at,
            settlement_period=each.key.settlement_period,
            pair=each.key.pair,
            run=None if each.run is None else each.run.name,
            binding=each.key in found.binding,
            revision=each.revision,
            supersedes_seq=each.supersedes_seq,
            figures=dict(each.figures),
        )
        for each in found.periods
    ]


def _scope2(found: DayScope2) -> Scope2Out:
    return Scope2Out(
        import_kwh=str(found.import_kwh),
        location_kg=str(found.location_kg),
        market_kg=str(found.market_kg),
        matched_wh=found.matched_wh,
        certificates=[CertificateOut(**asdict(each)) for each in found.certificates],
        parts=found.parts,
        unknown=found.unknown,
        without_residual_mix=found.without_residual_mix,
        sources=list(found.sources),
    )


def _claimed(found: DayClaims) -> ClaimedOut:
    sums = {name: AccountOut(**asdict(account)) for name, account in accounts(found).items()}
    return ClaimedOut(baseline_policies=list(found.book.policies), refused=dict(found.refused), **sums)
