"""Readings: what a site's meter counted of its own load, settlement day by settlement day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from core.series import Kind

READ = Decimal("0.001")
"""kWh to which a meter is read"""


@dataclass(frozen=True, slots=True)
class DayReading:
    """Import of one site on one settlement day that is not Slackwater's to move.

    :param kind: SETTLED where a meter said so, SIMULATED where there is none.
    :param kwh: one figure a settlement period; None where it was not read.
    """

    site_id: str
    settlement_date: date
    kind: Kind
    kwh: tuple[Decimal | None, ...]
