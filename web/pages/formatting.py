"""How figures read on a page: units beside numbers, sensible precision, a true minus sign, UTC first.

Every function takes a number, the text of a number (as audit records hold it) or None, and returns text;
None and NaN read as an en dash.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

from jinja2 import Environment

from core.job import FlexibilityType, Tier
from core.series import Kind

Number = float | int | str | None
UNKNOWN = "–"
MINUS = "−"
_THIN = "\N{NARROW NO-BREAK SPACE}"
_KIND_WORDS = {"settled": "published"}

KIND_OF_JOB: dict[str, tuple[str, str]] = {
    FlexibilityType.FIXED: ("Fixed", "Starts at its earliest start and runs through."),
    FlexibilityType.DEFERRABLE: ("Deferrable", "One unbroken block, anywhere in its window."),
    FlexibilityType.PAUSABLE: ("Pausable", "Any half-hours of its window; pauses between them."),
    FlexibilityType.THROTTLABLE: ("Throttlable", "Slower at less power, until its work is done."),
}
TIER_WORDS: dict[str, str] = {tier: tier.value.capitalize() for tier in Tier}


def number(value: Number, decimals: int = 0) -> str:
    """``value`` with ``decimals`` places and thin spaces between thousands; never a minus zero."""
    parsed = parse(value)
    if parsed is None:
        return UNKNOWN
    text = f"{abs(parsed):,.{decimals}f}".replace(",", _THIN)
    negative = parsed < 0 and any(digit in text for digit in "123456789")
    return MINUS + text if negative else text


def parse(value: Number) -> float | None:
    """The finite number that ``value`` is or spells, else None."""
    if value is None:
        return None
    try:
        parsed = float(value)
    except ValueError:
        return None
    return parsed if math.isfinite(parsed) else None


def adaptive(value: Number) -> str:
    """Three significant digits for small figures, whole numbers from a hundred on."""
    parsed = parse(value)
    if parsed is None:
        return UNKNOWN
    size = abs(parsed)
    return number(parsed, 0 if size >= 100 or not size else 1 if size >= 10 else 2)


def gbp(value: Number) -> str:
    """Pounds and pence; whole pence below a thousand pounds, tenths of a penny below ten pence."""
    parsed = parse(value)
    if parsed is None:
        return UNKNOWN
    size = abs(parsed)
    decimals = 0 if size >= 10_000 else 3 if 0.0005 <= size < 0.1 else 2
    text = number(parsed, decimals)
    return f"{MINUS}£{text[1:]}" if text.startswith(MINUS) else f"£{text}"


def pence(value: Number) -> str:
    """GBP/kWh as pence per kWh, one decimal, without the unit."""
    parsed = parse(value)
    return UNKNOWN if parsed is None else number(parsed * 100, 1)


def money(value: Number | Decimal, currency: str = "GBP", places: int = 2) -> str:
    """An amount as it is owed: always ``places`` decimals, half to even, reckoned in decimals."""
    if value is None or parse(str(value)) is None:
        return UNKNOWN
    exact = Decimal(str(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    text = f"{abs(exact):,.{places}f}".replace(",", _THIN)
    signed = MINUS if exact < 0 else ""
    return f"{signed}£{text}" if currency == "GBP" else f"{signed}{text} {currency}"


def percent(value: Number, decimals: int = 1) -> str:
    """A share (1.0 = everything) as per cent."""
    parsed = parse(value)
    return UNKNOWN if parsed is None else f"{number(parsed * 100, decimals if parsed else 0)}{_THIN}%"


def percentage(value: Number) -> str:
    """Per cent that is already per cent."""
    parsed = parse(value)
    return UNKNOWN if parsed is None else f"{number(parsed, 0 if abs(parsed) >= 100 else 1)}{_THIN}%"


def kg(value: Number) -> str:
    """Mass of CO2: grams below a kilogram, tonnes from ten thousand."""
    parsed = parse(value)
    if parsed is None:
        return UNKNOWN
    size = abs(parsed)
    if size and size < 0.995:
        return f"{adaptive(parsed * 1000)} g"
    return f"{number(parsed / 1000, 1)} t" if size >= 10_000 else f"{adaptive(parsed)} kg"


def instant(value: datetime | str | None) -> datetime | None:
    """``value`` as an aware instant; audit records hold RFC 3339 text."""
    parsed = datetime.fromisoformat(value) if isinstance(value, str) else value
    return None if parsed is None else parsed.astimezone(UTC)


def utc(value: datetime | str | None) -> str:
    """``Fri 20 Nov 14:30 UTC``."""
    moment = instant(value)
    return UNKNOWN if moment is None else f"{moment:%a} {moment.day} {moment:%b %H:%M} UTC"


def utc_full(value: datetime | str | None) -> str:
    """``2026-11-20 14:30:07 UTC``, for records."""
    moment = instant(value)
    return UNKNOWN if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def day_hour(value: datetime | str | None) -> str:
    """``Fri 14:30``, UTC, for narrow columns that name the zone elsewhere."""
    moment = instant(value)
    return UNKNOWN if moment is None else f"{moment:%a %H:%M}"


def hour(value: datetime | str | None) -> str:
    """``14:30``, UTC, without a word of the zone."""
    moment = instant(value)
    return UNKNOWN if moment is None else f"{moment:%H:%M}"


def local(value: datetime | str | None, zone: str) -> str:
    """The clock at a place: ``15:30 CET``, with the weekday where it differs from that of UTC."""
    moment = instant(value)
    if moment is None:
        return UNKNOWN
    there = moment.astimezone(ZoneInfo(zone))
    day = f"{there:%a} " if there.date() != moment.date() else ""
    return f"{day}{there:%H:%M} {zone_name(there)}"


def zone_name(moment: datetime) -> str:
    """The zone's abbreviation; zones that have only digits read as ``UTC−3``."""
    name = moment.tzname() or "UTC"
    if name[0] not in "+-":
        return name
    hours, minutes = int(name[1:3]), name[3:5]
    return f"UTC{MINUS if name[0] == '-' else '+'}{hours}{':' + minutes if minutes not in {'', '00'} else ''}"


def span(start: datetime | str | None, end: datetime | str | None) -> str:
    """``Fri 20 Nov 14:30–16:00 UTC``, naming the second day only where it differs."""
    first, last = instant(start), instant(end)
    if first is None or last is None:
        return UNKNOWN
    day = "" if first.date() == last.date() else f"{last:%a} {last.day} {last:%b} "
    gap = " – " if day else "–"
    return f"{first:%a} {first.day} {first:%b %H:%M}{gap}{day}{last:%H:%M} UTC"


def duration(value: timedelta | float | None) -> str:
    """A span of time in its two largest units; plain numbers are seconds."""
    if value is None:
        return UNKNOWN
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 90:
        return f"{number(seconds, 0 if seconds >= 10 else 1)} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, left = divmod(hours, 24)
    return f"{days} d {left} h" if left else f"{days} d"


def kind_word(kind: Kind | int | str, quantity: str = "carbon") -> str:
    """The word of a kind on screen; a settled price is a published one."""
    label = kind if isinstance(kind, str) else Kind(int(kind)).label
    return _KIND_WORDS.get(label, label) if quantity == "price" else label


def words(value: object) -> str:
    """A code such as ``over_carbon_cap`` as words."""
    return str(value).replace("_", " ").replace("-", " ")


def sentence(value: object) -> str:
    """Text that begins with a capital and ends with a full stop."""
    text = str(value or "").strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?…" else ".")


def kind_of_job(value: str) -> str:
    """The name of a flexibility type on screen."""
    return KIND_OF_JOB[value][0]


FILTERS: tuple[Callable[..., str], ...] = (
    number,
    adaptive,
    gbp,
    pence,
    money,
    percent,
    percentage,
    kg,
    utc,
    utc_full,
    day_hour,
    hour,
    local,
    span,
    duration,
    kind_word,
    words,
    sentence,
    kind_of_job,
)


def install(environment: Environment) -> None:
    """Offer every formatter as a Jinja filter of its own name."""
    environment.filters.update({function.__name__: function for function in FILTERS})
