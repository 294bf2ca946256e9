"""Shapes that several routes share: paging, ticks, figures with their origin, job identifiers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from agents.energy.feed import Finding
from core.ledger import TickRecord
from core.series import Kind, Series
from core.slots import SLOT
from web.grid import flags

JobId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$", description="identifier of a job")]
SearchText = Annotated[str, Field(min_length=1, max_length=120)]
Limit = Annotated[int, Field(ge=1, le=500, description="at most so many, newest first")]
Offset = Annotated[int, Field(ge=0, le=10_000_000, description="skip so many")]


class Query(BaseModel):
    """Query parameters; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class JobPath(BaseModel):
    """A path that names a job."""

    job_id: JobId


class Figure(BaseModel):
    """One number that knows where it came from; ``value`` is null where nobody knows it."""

    value: float | None
    unit: str
    kind: str = Field(description="settled, estimate, forecast, simulated or missing")
    source: str
    issued_at: datetime
    stale: bool = Field(description="True when the source should have issued newer figures by now")
    low: float | None = Field(
        description="lower end of the central 90 % interval; the value itself where that is known"
    )
    high: float | None = Field(description="upper end, likewise")
    age_s: float = Field(description="seconds since issued_at")
    flags: list[str] = Field(description="what was noted about the figure, such as outlier, spurious zero or frozen")


class TickOut(BaseModel):
    """One tick of the negotiation, with its certificate."""

    tick_id: str
    trigger: str
    started_at: datetime
    ended_at: datetime
    outcome: str = Field(description="planned, idle, failed or late")
    detail: str
    plan_start: datetime | None
    slots: int
    jobs: int
    placed: int
    unserved: int
    rounds: int
    objective_gbp: float | None
    bound_gbp: float | None = Field(description="no valid plan can cost less")
    gap: float | None
    wall_s: float
    churn: float
    log_seq: int | None

    @classmethod
    def of(cls, tick: TickRecord) -> TickOut:
        """The wire form of ``tick``."""
        return cls(**{name: getattr(tick, name) for name in cls.model_fields})


def figure(series: Series, index: int, now: datetime, findings: Iterable[Finding] = ()) -> Figure:
    """Value ``index`` of ``series`` as it is known at ``now``, with its origin and what was noted about it."""
    low, high = series.interval
    return Figure(
        value=known(float(series.values[index])),
        unit=series.unit,
        kind=Kind(int(series.kinds[index])).label,
        source=series.source,
        issued_at=series.issued_at,
        stale=series.stale,
        low=known(float(low[index])),
        high=known(float(high[index])),
        age_s=max(0.0, (now - series.issued_at).total_seconds()),
        flags=flags(findings, series.start + SLOT * index),
    )


def known(value: float) -> float | None:
    """``value``, or None where it is not a finite number."""
    return value if math.isfinite(value) else None
