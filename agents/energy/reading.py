"""Reading fields of foreign JSON: each value is checked before it becomes a figure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from agents.energy.halfhours import instant_of, slot_index
from core.errors import FeedInvalid
from core.series import FloatArray, Kind, KindArray, Series, Unit
from core.slots import SLOT, require_aware, slot_floor

SPURIOUS_ZERO_ABOVE_G = 20.0
"""A carbon intensity of 0 beside a forecast above this was never true when it was recorded: it is no figure."""


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


def number(value: Any, low: float, high: float, where: str) -> float:
    """A finite number within ``[low, high]``; true and false are not numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FeedInvalid(f"{where} is {value!r}, a number was expected.")
    if not low <= value <= high:
        raise FeedInvalid(f"{where} is {value}, outside {low:g} to {high:g}.")
    return float(value)


def series_of(
    figures: Mapping[int, tuple[float, int]], unit: Unit, source: str, issued_at: datetime, *, feed: str
) -> Series:
    """A series over the slots from the first to the last index of ``figures`` (value, kind); gaps stay gaps.

    Raises :class:`FeedInvalid` when there is no figure, or none at or after the slot of ``issued_at``: an answer that
    ends in the past is no answer.
    """
    if not figures:
        raise FeedInvalid(f"{feed} has no figures for the time asked.")
    first, last = min(figures), max(figures)
    if last < slot_index(issued_at):
        raise FeedInvalid(f"{feed} has no figures after {instant_of(last) + SLOT:%Y-%m-%d %H:%M} UTC.")
    index = np.fromiter(figures, dtype=np.int64) - first
    values: FloatArray = np.full(last - first + 1, np.nan)
    kinds: KindArray = np.full(last - first + 1, Kind.MISSING, dtype=np.int8)
    values[index] = [value for value, _ in figures.values()]
    kinds[index] = [kind for _, kind in figures.values()]
    return Series(instant_of(first), values, kinds, unit, source, require_aware(issued_at))
