"""Asking the Carbon Intensity API for rows, and choosing among the rows that it gives.

A range answers with the rows whose *end* lies within it, both ends included, so ranges in a row repeat one row and the
first row of all is not wanted. A range across 1 January UTC stops at 23:30 on 31 December.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from agents.energy.feed import Ask
from agents.energy.reading import json_of, mapping, numbers, rows, slot_of
from core.errors import FeedInvalid
from core.halfhours import slot_index
from core.series import FloatArray, IntArray, KindArray
from core.slots import SLOT, require_aware, slot_ceil
from core.vintage import FUELS, RawAnswer

LONGEST_RANGE = timedelta(days=13)
"""A day less than the API allows: some ranges of a full 14 days are refused."""
Row = Mapping[str, Any]


def ranges(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Ranges of at most 13 days, none across 1 January UTC, that give every slot of ``[start, end)``.

    The last slot of a year is had from the range that begins at New Year alone, so where the slots end there, half an
    hour more is asked for.
    """
    while start < end:
        new_year = datetime(start.year + 1, 1, 1, tzinfo=UTC)
        stop = min(start + LONGEST_RANGE, new_year, end)
        yield start, stop
        if stop == end == new_year:
            yield new_year, new_year + SLOT
        start = stop


def minute(moment: datetime) -> str:
    """A time as the API wants it: UTC, to the minute."""
    return require_aware(moment).strftime("%Y-%m-%dT%H:%MZ")


def rows_of(answer: RawAnswer, region_id: int | None, where: str) -> list[Row]:
    """The rows in an answer, whichever of the API's shapes it has; an answer without rows, such as ``{}``, has none.

    ``data`` is a list of rows (national), an object or a list of one object that holds them (one region), or an object
    that is the one row (the present generation mix). An answer about a region other than ``region_id`` is refused.
    """
    data = mapping(json_of(answer, where), where).get("data", [])
    if isinstance(data, list) and data and "data" in mapping(data[0], where):
        data = data[0]
    if isinstance(data, list):
        return rows(data, where)
    held = mapping(data, where)
    if region_id is None and "from" in held:
        return [held]
    if held.get("regionid") != region_id:
        raise FeedInvalid(f"{where} is about region {held.get('regionid')!r}, {region_id!r} was asked for.")
    return rows(held.get("data"), where)


def within(found: Sequence[Row], ask: Ask, where: str) -> tuple[IntArray, list[Row]]:
    """Those rows that begin within the slots asked for, with their slot indexes, (n,), in the order answered.

    The time of the answer's rows is all that is gone by: the newest row of the API is often of the slot before.
    """
    begins = np.array([slot_of(row.get("from"), f"{where} from") for row in found], dtype=np.int64)
    ends = np.array([slot_of(row.get("to"), f"{where} to") for row in found], dtype=np.int64)
    odd = np.flatnonzero(ends - begins != 1)
    if odd.size:
        row = found[int(odd[0])]
        raise FeedInvalid(f"{where} row from {row.get('from')} to {row.get('to')} is not one half-hour.")
    kept = np.flatnonzero((begins >= slot_index(ask.start)) & (begins < slot_index(slot_ceil(ask.end))))
    return begins[kept], [found[position] for position in kept.tolist()]


def shares_of(found: Sequence[Row], where: str) -> FloatArray:
    """The generation mix of each row, (n, 9) in percent, in the order of ``FUELS``; NaN where a fuel is not named."""
    flat: list[Any] = []
    try:
        for row in found:
            told = {entry["fuel"]: entry["perc"] for entry in row.get("generationmix") or ()}
            flat += map(told.get, FUELS)
    except (TypeError, KeyError) as error:
        raise FeedInvalid(f"{where} a generation mix is not a list of fuels with their percentages.") from error
    return numbers(flat, 0, 100, f"{where} share (%)").reshape(-1, len(FUELS))


def chosen(index: IntArray, kinds: KindArray, values: FloatArray) -> tuple[IntArray, IntArray]:
    """Of several rows for one slot the firmest, and of equally firm ones the one answered last.

    :param index: slot of each row, (n,).
    :param kinds: how firm its figure is, (n,).
    :param values: its figures, (n,) or (n, k).
    :return: the positions chosen, in order of their slots; the slots whose equally firm rows differ.
    """
    order = np.lexsort((np.arange(index.size), -kinds.astype(np.int64), index))
    slots, firmness, figures = index[order], kinds[order], values.reshape(index.size, -1)[order]
    again = slots[1:] == slots[:-1]
    unequal = (figures[1:] != figures[:-1]) & ~(np.isnan(figures[1:]) & np.isnan(figures[:-1]))
    disputed = again & (firmness[1:] == firmness[:-1]) & unequal.any(axis=1)
    last = np.append(~again, True)[: order.size]
    return order[last], np.unique(slots[1:][disputed])
