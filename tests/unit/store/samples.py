"""Plain examples of what the store keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from core.job import FlexibilityType, Job, Level, Tier
from core.ledger import Booking, Leg, SlotEntry, TickRecord
from core.series import Kind, Series, Unit
from core.site import Asset, CoolingType, Hardware, Site
from core.slots import SLOT
from core.vintage import Fetch, RawAnswer

T0 = datetime(2023, 3, 1, tzinfo=UTC)


def slot(number: int) -> datetime:
    return T0 + SLOT * number


def a_job(job_id: str, **changes: Any) -> Job:
    facts: dict[str, Any] = {
        "job_id": job_id,
        "job_name": f"Training {job_id}",
        "job_type": "training",
        "flexibility_type": FlexibilityType.THROTTLABLE,
        "tenant": "physics",
        "tier": Tier.FLEXIBLE,
        "earliest_start": T0,
        "latest_finish": T0 + timedelta(days=1),
        "duration_hours": 2.0,
        "power_kw": 10.5,
        "levels": (Level(power_kw=5, work_per_slot=0.7), Level(power_kw=10.5, work_per_slot=1.0)),
        "allowed_regions": ("GB-C", "IS"),
        "command": ("echo", "ü"),
        "submitted_at": T0 + timedelta(microseconds=17),
        "updated_at": T0 + timedelta(microseconds=17),
    }
    return Job(**facts | changes)


def an_entry(job_id: str, number: int, **changes: Any) -> SlotEntry:
    facts: dict[str, Any] = {
        "job_id": job_id,
        "leg": Leg.PLAN,
        "slot_start": slot(number),
        "site_id": "iceland",
        "power_kw": 10.5,
        "pue": 1.1,
        "price_gbp_per_kwh": 0.21,
        "price_kind": Kind.FORECAST,
        "carbon_g_per_kwh": 133.0,
        "carbon_kind": Kind.SIMULATED,
    }
    return SlotEntry(**facts | changes)


def a_site(site_id: str, **changes: Any) -> Site:
    facts: dict[str, Any] = {
        "site_id": site_id,
        "name": "A hall",
        "country": "GB",
        "latitude": 51.5,
        "longitude": -0.1,
        "timezone": "Europe/London",
        "zone": "GB-C",
        "capacity_kw": 1000.0,
        "own_load_kw": 200.0,
        "cooling": CoolingType.CHILLER,
        "hardware": Hardware(gpu=80),
    }
    return Site(**facts | changes)


def an_asset(asset_id: str, **changes: Any) -> Asset:
    return Asset(
        **{"asset_id": asset_id, "asset_type": "gpu_cluster", "region": "GB-C", "max_power_kw": 80.0} | changes
    )


def a_tick(tick_id: str, **changes: Any) -> TickRecord:
    facts: dict[str, Any] = {
        "tick_id": tick_id,
        "trigger": "schedule",
        "started_at": T0,
        "ended_at": T0 + timedelta(seconds=1.25),
        "outcome": "planned",
        "detail": "",
        "plan_start": slot(1),
        "gap": 0.0042,
        "log_seq": 7,
    }
    return TickRecord(**facts | changes)


def an_answer(body: bytes = b"[1, 2, 3]", url: str = "https://agile.example/rates?page=1") -> RawAnswer:
    return RawAnswer.of(url, "application/json", body)


def a_series(hours: int = 0, start: int = 0, **changes: Any) -> Series:
    """Three slots from ``start``, of which the second is missing, fetched ``hours`` after T0."""
    facts: dict[str, Any] = {
        "start": slot(start),
        "values": np.array([0.1, np.nan, -0.3]),
        "kinds": np.array([Kind.SETTLED, Kind.MISSING, Kind.FORECAST], dtype=np.int8),
        "unit": Unit.GBP_PER_KWH,
        "source": "Octopus Agile",
        "issued_at": T0 + timedelta(hours=hours),
        "stale": True,
    }
    return Series(**facts | changes)


def a_fetch(hours: int = 0, **changes: Any) -> Fetch:
    """A fetch ``hours`` after T0 of one body and :func:`a_series`."""
    facts: dict[str, Any] = {
        "feed": "agile",
        "zone": "GB-C",
        "fetched_at": T0 + timedelta(hours=hours),
        "start": slot(0),
        "end": slot(96),
        "answers": (an_answer(b"%d" % hours),),
        "series": {"price": a_series(hours)} if changes.get("error") is None else {},
    }
    return Fetch(**facts | changes)


def a_booking(booking_id: str, start: int = 0, slots: int = 2, **changes: Any) -> Booking:
    facts: dict[str, Any] = {
        "booking_id": booking_id,
        "slot_id": f"slot-{booking_id}",
        "job_id": "job1",
        "site_id": "iceland",
        "start": slot(start),
        "end": slot(start + slots),
        "power_kw": 40.0,
        "price_gbp_per_kwh": 0.2,
        "carbon_g_per_kwh": 30.0,
        "state": "reserved",
        "created_at": T0,
    }
    return Booking(**facts | changes)


def limit(kw: float, slots: int = 48) -> dict[datetime, float]:
    return {slot(number): kw for number in range(slots)}
