"""The statement of a site's settlement day, as JSON."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from agents.settlement.statement import DayStatement
from core.job import Instant
from web.api.claim_shapes import ClaimOut
from web.api.documented import answer
from web.api.shapes import Query
from web.services import services_of_request
from web.statements import claims, statement

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
    claims: list[ClaimOut]


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
            claims=[ClaimOut.of(each) for each in told],
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
