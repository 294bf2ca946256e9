"""The words of the trade: slots of free headroom, what is asked for, and what was booked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.job import MAX_POWER_KW, Instant
from core.ledger import Booking, TickRecord

SLOT_ID_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}\.[0-9]{8}T[0-9]{4}Z$"
_SLOT_TIME = "%Y%m%dT%H%MZ"
SlotId = Annotated[
    str,
    Field(pattern=SLOT_ID_PATTERN, max_length=80, description="site and UTC start, such as london.20230301T1430Z"),
]
Text = Annotated[str, Field(min_length=1, max_length=63)]


def slot_id_of(site_id: str, start: datetime) -> str:
    """The one identifier of a site's half-hour."""
    return f"{site_id}.{start.astimezone(UTC).strftime(_SLOT_TIME)}"


def parse_slot_id(slot_id: str) -> tuple[str, datetime]:
    """Site and start of ``slot_id``; :class:`ValueError` when it names no instant."""
    site_id, _, stamp = slot_id.rpartition(".")
    return site_id, datetime.strptime(stamp, _SLOT_TIME).replace(tzinfo=UTC)


class Certificate(BaseModel):
    """How far the plan behind a slot can be from the best one, and where the log proves it."""

    tick_id: str
    objective_gbp: float | None
    bound_gbp: float | None
    gap: float | None = Field(description="(objective - bound) / |bound|")
    log_seq: int | None = Field(description="sequence number of the round's record in the decision log")

    @classmethod
    def of(cls, tick: TickRecord) -> Self:
        """Of the plan that a tick made."""
        figures = {"objective_gbp": tick.objective_gbp, "bound_gbp": tick.bound_gbp, "gap": tick.gap}
        return cls(tick_id=tick.tick_id, **figures, log_seq=tick.log_seq)


class BecknSlot(BaseModel):
    """One half-hour of free headroom at one site."""

    slot_id: SlotId
    site_id: str
    zone: str
    country: str
    start: datetime
    end: datetime
    power_kw: float = Field(description="free at the meter, rounded down to whole kW")
    price_gbp_per_kwh: float
    carbon_g_per_kwh: float
    price_kind: str = Field(description="settled, estimate, forecast or simulated")
    carbon_kind: str = Field(description="settled, estimate, forecast or simulated")
    simulated: bool = Field(description="True when price or carbon is simulated")
    certificate: Certificate | None = Field(description="null until a plan has been made")


class SlotFilter(BaseModel):
    """What a buyer looks for; everything is optional."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    site_id: Text | None = None
    region: Text | None = Field(None, description="site id, grid zone or ISO country")
    start: Instant | None = Field(None, description="slots that start at or after this")
    end: Instant | None = Field(None, description="slots that end at or before this")
    min_power_kw: float = Field(1.0, gt=0, le=MAX_POWER_KW)
    max_price_gbp_per_kwh: float | None = Field(None, ge=-10, le=100)
    max_carbon_g_per_kwh: float | None = Field(None, ge=0, le=5000)
    limit: int = Field(200, ge=1, le=5000)

    @model_validator(mode="after")
    def _window(self) -> Self:
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError(f"end {self.end.isoformat()} is not after start {self.start.isoformat()}")
        return self


class SearchResult(BaseModel):
    """Slots in order of start, then site; ``total`` counts those beyond the limit too."""

    slots: list[BecknSlot]
    total: int
    generated_at: datetime


class ConfirmRequest(BaseModel):
    """Which slot to book, for which job, and how much of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slot_id: SlotId
    job_id: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$", description="the buyer's own reference, or a job of this server"
    )
    power_kw: float | None = Field(None, gt=0, le=MAX_POWER_KW, description="at the meter; default: all that is free")


class BookingOut(BaseModel):
    """A booking as it stands; ``log_seq`` is its record in the decision log."""

    booking_id: str
    slot_id: str
    job_id: str
    site_id: str
    start: datetime
    end: datetime
    power_kw: float
    price_gbp_per_kwh: float
    carbon_g_per_kwh: float
    state: str
    created_at: datetime
    log_seq: int | None

    @classmethod
    def of(cls, booking: Booking) -> BookingOut:
        """The wire form of ``booking``."""
        return cls(**{name: getattr(booking, name) for name in cls.model_fields})
