from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from core.errors import Conflict
from core.readings import DayReading
from core.series import Kind
from store.database import Database
from store.readings import ReadingRepository

DAY = DayReading("london", date(2026, 10, 20), Kind.SIMULATED, (Decimal("12.345"), None, Decimal("0.000")))


def test_a_day_comes_back_to_the_wh(database: Database) -> None:
    readings = ReadingRepository(database)
    readings.add([DAY])
    assert readings.between(DAY.settlement_date, DAY.settlement_date) == {("london", DAY.settlement_date): DAY}


def test_only_the_days_asked_for_are_told(database: Database) -> None:
    readings = ReadingRepository(database)
    readings.add([])
    readings.add([DAY])
    assert readings.between(date(2026, 10, 21), date(2026, 12, 1)) == {}


def test_what_was_read_once_stands(database: Database) -> None:
    readings = ReadingRepository(database)
    readings.add([DAY])
    with pytest.raises(Conflict):
        readings.add([DAY])
