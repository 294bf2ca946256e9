"""Which moments a sentence names: clock times, days, and both, in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

_DAY = timedelta(days=1)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTH = "|".join(f"{name}|{name[:3]}" for name in _MONTHS)
_DAY_RULE = (
    r"(?:(?:on|this|next)\s+)?(?P<day{0}>today|tonight|tomorrow|" + "|".join(f"{d}|{d[:3]}" for d in _WEEKDAYS) + r")\b"
    r"|(?P<iso{0}>\d{{4}}-\d{{2}}-\d{{2}})"
    r"|(?:on\s+)?(?P<dom{0}>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<month{0}>" + _MONTH + r")\b"
    r"|(?:on\s+)?(?P<month2{0}>" + _MONTH + r")\s+(?P<dom2{0}>\d{{1,2}})(?:st|nd|rd|th)?\b"
)
_CLOCK_RULE = (
    r"(?:at\s+)?(?P<hour{0}>\d{{1,2}})(?:[:.](?P<minute{0}>[0-5]\d))?\s*(?P<half{0}>[ap])\.?m\b\.?"
    r"|(?:at\s+)?(?P<hour24{0}>[01]?\d|2[0-4]):(?P<minute24{0}>[0-5]\d)"
    r"|(?:at\s+)?(?P<word{0}>noon|midday|midnight)\b"
)
_STAMP = r"(?P<stamp>\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:?\d{2}))"
_MOMENT = re.compile(
    rf"{_STAMP}"
    rf"|(?:{_CLOCK_RULE.format('a')})(?:\s*(?:UTC|GMT))?(?:[\s,]+(?:on\s+)?(?:{_DAY_RULE.format('a')}))?"
    rf"|(?:{_DAY_RULE.format('b')})(?:[\s,T]+(?:at\s+|by\s+|before\s+)?(?:{_CLOCK_RULE.format('b')}))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment as said: characters ``[start, end)``. Where only a day was said, ``whole_day`` is True."""

    at: datetime
    whole_day: bool
    start: int
    end: int
    said: str

    @property
    def day_end(self) -> datetime:
        """As a deadline: the end of a day of which no time was said."""
        return self.at + _DAY if self.whole_day else self.at


def moments(sentence: str, now: datetime) -> list[Moment]:
    """The moments that ``sentence`` names, in order; those that are no dates are left out."""
    found = []
    for match in _MOMENT.finditer(sentence):
        made = _moment(match, now.astimezone(UTC))
        if made is not None:
            found.append(made)
    return found


def _moment(match: re.Match[str], now: datetime) -> Moment | None:
    try:
        if match["stamp"]:
            at, whole_day = datetime.fromisoformat(match["stamp"].replace(" ", "T")).astimezone(UTC), False
        else:
            at, whole_day = _resolved(match, now)
    except (ValueError, OverflowError):
        return None
    said = match[0].rstrip()
    return Moment(at, whole_day, match.start(), match.start() + len(said), said)


def _resolved(match: re.Match[str], now: datetime) -> tuple[datetime, bool]:
    """The moment, and whether no clock time was said. A clock time without a day is the next one."""
    group = "a" if any(match[f"{name}a"] for name in ("hour", "hour24", "word")) else "b"
    clock, day = _clock(match, group), _date(match, group, now)
    if clock is None:
        return datetime.combine(day or now.date(), time(), UTC), True
    at = datetime.combine(day or now.date(), time(), UTC) + clock
    passed = at <= now
    weekday = (match[f"day{group}"] or "").lower() not in {"", "today", "tonight", "tomorrow"}
    return at + (_DAY if passed and day is None else 7 * _DAY if passed and weekday else timedelta()), False


def _clock(match: re.Match[str], group: str) -> timedelta | None:
    """Time since midnight; midnight is the end of its day."""
    if word := match[f"word{group}"]:
        return _DAY if word.lower() == "midnight" else timedelta(hours=12)
    if match[f"hour{group}"]:
        hour = int(match[f"hour{group}"])
        if not 1 <= hour <= 12:
            raise ValueError(f"{hour} is no hour of a 12-hour clock")
        afternoon = match[f"half{group}"].lower() == "p"
        return timedelta(hours=hour % 12 + 12 * afternoon, minutes=int(match[f"minute{group}"] or 0))
    if match[f"hour24{group}"]:
        return timedelta(hours=int(match[f"hour24{group}"]), minutes=int(match[f"minute24{group}"]))
    return None


def _date(match: re.Match[str], group: str, now: datetime) -> date | None:
    if word := (match[f"day{group}"] or "").lower():
        return now.date() + timedelta(days=_days_ahead(word, now))
    if match[f"iso{group}"]:
        return date.fromisoformat(match[f"iso{group}"])
    month = (match[f"month{group}"] or match[f"month2{group}"] or "").lower()
    if not month:
        return None
    number = next(i for i, name in enumerate(_MONTHS, start=1) if name.startswith(month[:3]))
    told = date(now.year, number, int(match[f"dom{group}"] or match[f"dom2{group}"]))
    return told if told >= now.date() else told.replace(year=now.year + 1)


def _days_ahead(word: str, now: datetime) -> int:
    """Days until the day named; a weekday is the next of its name, today included."""
    if word in {"today", "tonight"}:
        return 0
    if word == "tomorrow":
        return 1
    weekday = next(i for i, name in enumerate(_WEEKDAYS) if name.startswith(word[:3]))
    return (weekday - now.weekday()) % 7
