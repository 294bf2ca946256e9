"""Reading fields of foreign JSON: each value is checked before it becomes a figure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn

import numpy as np

from agents.energy.feed import Finding, Flag
from core.errors import FeedInvalid
from core.halfhours import instant_of, slot_index
from core.series import FloatArray, IntArray, Kind, KindArray, Series, Unit
from core.slots import SLOT, require_aware, slot_floor
from core.vintage import Quantity, RawAnswer

SPURIOUS_ZERO_ABOVE_G = 20.0
"""A carbon intensity of 0 beside a forecast above this was never true when it was recorded: it is no figure."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def json_of(answer: RawAnswer, where: str) -> Any:
    """The JSON value of a body; :class:`FeedInvalid` for HTML and other types, broken JSON, NaN and Infinity."""
    if "json" not in answer.content_type.lower():
        raise FeedInvalid(f"{where} answered with {answer.content_type or 'no content type'} instead of JSON.")
    try:
        return json.loads(answer.body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise FeedInvalid(f"{where} answered with broken JSON: {error}.") from error


def mapping(value: Any, where: str) -> Mapping[str, Any]:
    """``value`` if it is a JSON object."""
    if not isinstance(value, dict):
        raise FeedInvalid(f"{where} is {type(value).__name__}, an object was expected.")
    return value


def rows(value: Any, where: str) -> list[Mapping[str, Any]]:
    """``value`` if it is a JSON array of objects."""
    if not isinstance(value, list):
        raise FeedInvalid(f"{where} is {type(value).__name__}, an array was expected.")
    return [mapping(row, where) for row in value]


def instant(value: Any, where: str) -> datetime:
    """An aware time on a half-hour, in UTC."""
    try:
        read = require_aware(datetime.fromisoformat(value))
    except (TypeError, ValueError) as error:
        raise FeedInvalid(f"{where} is {value!r}, a time with its UTC offset was expected.") from error
    if slot_floor(read) != read:
        raise FeedInvalid(f"{where} is {value!r}, which is not on a half-hour.")
    return read


@lru_cache(maxsize=16_384)
def _index_of(text: str) -> int:
    """Index of the slot that starts at ``text``. Kept: every zone's answer repeats the same few hundred."""
    return slot_index(instant(text, "the time"))


def slot_of(value: Any, where: str) -> int:
    """Index of the slot that starts at a time written with its UTC offset, on a half-hour."""
    if isinstance(value, str):
        try:
            return _index_of(value)
        except FeedInvalid:
            pass
    return slot_index(instant(value, where))


def number(value: Any, low: float, high: float, where: str) -> float:
    """A finite number within ``[low, high]``; true and false are not numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise FeedInvalid(f"{where} is {repr(value)[:80]}, a number was expected.")
    if not low <= value <= high:
        raise FeedInvalid(f"{where} is {value}, outside {low:g} to {high:g}.")
    return float(value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # JSON may hold an integer of hundreds of digits
        return False


def numbers(values: Sequence[Any], low: float, high: float, where: str) -> FloatArray:
    """Finite numbers within ``[low, high]``, (n,); null becomes NaN. Each is checked as :func:`number` does."""
    try:
        sound = set(map(type, values)) <= {int, float, type(None)}
        read: FloatArray = np.array(values if sound else [], dtype=np.float64)
    except OverflowError:
        sound = False
    if not sound or np.any((read < low) | (read > high)):
        return np.array([math.nan if value is None else number(value, low, high, where) for value in values])
    return read


def runs(index: IntArray) -> list[tuple[int, int]]:
    """Ascending slot indexes as runs ``[first, end)`` of consecutive ones."""
    if not index.size:
        return []
    breaks = np.flatnonzero(np.diff(index) > 1)
    firsts = index[np.concatenate(([0], breaks + 1))]
    lasts = index[np.concatenate((breaks, [index.size - 1]))]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]


def findings_at(flag: Flag, quantity: Quantity, slots: IntArray, detail: str) -> tuple[Finding, ...]:
    """A finding for each run of the ascending ``slots``; ``detail`` may speak of ``{count}`` slots."""
    return tuple(
        Finding(flag, quantity, instant_of(first), instant_of(end), detail.format(count=end - first))
        for first, end in runs(slots)
    )


def series_at(
    index: IntArray, values: FloatArray, kinds: KindArray, unit: Unit, source: str, issued_at: datetime
) -> Series:
    """A series from the least to the greatest of the slots ``index`` (n,), each once; slots between stay MISSING.

    NaN ``values`` (n,) become MISSING whatever their kind says. ``index`` must not be empty.
    """
    first = int(index.min())
    count = int(index.max()) - first + 1
    held: FloatArray = np.full(count, np.nan)
    held[index - first] = values
    kinds_held: KindArray = np.full(count, Kind.MISSING, dtype=np.int8)
    kinds_held[index - first] = np.where(np.isnan(values), Kind.MISSING, kinds)
    return Series(instant_of(first), held, kinds_held, unit, source, require_aware(issued_at))


def require_current(last: int, asked_until: datetime, now: datetime, feed: str) -> None:
    """Refuse an answer about slots beyond ``now`` whose newest one, ``last``, is over: it is of another day.

    Where nothing beyond ``now`` was asked for, any answer will do.
    """
    if asked_until > now and last < slot_index(now):
        raise FeedInvalid(f"{feed} has no figures after {instant_of(last) + SLOT:%Y-%m-%d %H:%M} UTC.")
