"""Figures of a record as people read them, always in the same units and places."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

MINUS = "−"


def pounds(value: Decimal) -> str:
    """Pounds and pence; tenths of a penny below ten pence."""
    places = "0.001" if 0 < abs(value) < Decimal("0.1") else "0.01"
    text = f"£{abs(value).quantize(Decimal(places))}"
    return MINUS + text if value < 0 and _says_something(text) else text


def mass(value: Decimal) -> str:
    """Mass of CO2 in kg, in g below a kilogram."""
    size = abs(value)
    if size < 1:
        text = f"{(size * 1000).quantize(Decimal(1))} g"
    else:
        text = f"{size.quantize(Decimal('0.1') if size < 100 else Decimal(1))} kg"
    return MINUS + text if value < 0 and _says_something(text) else text


def _says_something(text: str) -> bool:
    return any(digit in text for digit in "123456789")


def moment(text: str) -> str:
    """``Thu 2 Mar 02:00`` of an RFC 3339 text, UTC."""
    at = datetime.fromisoformat(text).astimezone(UTC)
    return f"{at:%a} {at.day} {at:%b %H:%M}"


def stretch(start: str, end: str) -> str:
    """``Thu 2 Mar 02:00 to 06:00 UTC``, naming the second day only where it differs."""
    first, last = moment(start), moment(end)
    same_day = first.rsplit(" ", 1)[0] == last.rsplit(" ", 1)[0]
    return f"{first} to {last.rsplit(' ', 1)[1] if same_day else last} UTC"


def waiting(span: timedelta) -> str:
    """A span of half-hours: ``11 h 30 min``."""
    hours, minutes = divmod(int(abs(span).total_seconds()) // 60, 60)
    parts = [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes)
    return " ".join(parts)


def listed(parts: Sequence[str], joint: str = "and") -> str:
    """``a, b and c``."""
    return f" {joint} ".join([*filter(None, [", ".join(parts[:-1])]), *parts[-1:]])
