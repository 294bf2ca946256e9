"""Flexibility that is sold."""

from __future__ import annotations

from typing import Literal

from audit.fields import Body, Dec, Time


class BookingBody(Body):
    """Flexibility sold over Beckn, or given back."""

    booking_id: str
    slot_id: str
    job_id: str
    site_id: str
    start: Time
    end: Time
    power_kw: Dec
    price_gbp_per_kwh: Dec
    carbon_g_per_kwh: Dec
    state: Literal["reserved", "confirmed", "released"]
    data_kinds: list[str]
