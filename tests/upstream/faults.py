"""How the upstream may misbehave, and what that does to rows of figures."""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from enum import Enum, auto
from typing import Any

Row = dict[str, Any]


class Fault(Enum):
    """A misbehaviour: first those of the wire, then those of the figures, then those of one API."""

    HTML = auto()  # 200 with an error page
    EMPTY_OBJECT = auto()  # 200 with {}
    EMPTY_LIST = auto()  # 200 with {"data":[]}, or the API's own envelope with nothing in it
    EMPTY_BODY = auto()  # 200 with nothing
    NOT_A_NUMBER = auto()  # 200 with a bare NaN, which is not JSON
    CUT_JSON = auto()  # a body that ends in the middle, with the right length
    TRUNCATED = auto()  # a body that ends before its Content-Length
    HUGE = auto()  # 100 MB
    BOMB = auto()  # 20 MB, compressed to a two-hundredth
    REDIRECT_LOOP = auto()
    TLS = auto()  # the plain port speaks TLS
    BUSY = auto()  # 429
    BUSY_RETRY_AFTER = auto()  # 429 with Retry-After in seconds
    BUSY_UNTIL = auto()  # 429 with Retry-After as a date
    BAD_REQUEST = auto()  # 400
    SERVER_ERROR = auto()  # 500 with the API's error in JSON
    SERVER_ERROR_HTML = auto()  # 502 of a proxy
    DRIP = auto()  # a byte a second
    SILENT = auto()  # the request is read and never answered
    RESET = auto()  # the connection is reset

    SPURIOUS_ZERO = auto()  # zeros where figures are
    ZEROS = auto()  # nothing but zeros: an outage that looks like very clean power
    NULLS = auto()
    DUPLICATES = auto()  # rows twice, the second with another figure
    GAP = auto()  # rows absent
    FROZEN = auto()  # the same figure again and again
    OUTLIER = auto()  # figures 8 times as large
    DISAGREE = auto()  # another revision of every figure
    LAST_WEEK = auto()  # the world as it was a week ago
    SKEW = auto()  # the Date header is an hour ahead

    RETIRED = auto()  # octopus: the product is gone (404), a successor is on sale
    RETIRED_STALE = auto()  # octopus: the product's rates ended two days ago, a successor is on sale
    LATE = auto()  # octopus: tomorrow's prices come at 18:30 local
    TWO_PAYMENTS = auto()  # octopus: each rate twice, dearer for those who do not pay by direct debit
    WRONG_REGION = auto()  # carbon: postcodes are answered with a regionid one too low
    UNFLOORED = auto()  # octopus: export prices below 0
    SHORT_HORIZON = auto()  # carbon: 30 rows ahead instead of 96
    OTHER_UNITS = auto()  # watttime, electricity_maps, energy_charts: the answer names another unit or kind of figure


WIRE = tuple(fault for fault in Fault if fault.value <= Fault.RESET.value)
"""Those that spoil the answer on the wire; of several the first in force acts."""


def affected(index: float) -> bool:
    """Whether rows of the slot ``index`` are those that data faults touch: 90 minutes of every six hours."""
    return int(index) % 12 in {4, 5, 6}


def _place(row: Row, figure: str) -> tuple[Row, str]:
    *outer, last = figure.split(".")
    for name in outer:
        row = row[name]
    return row, last


def _set(row: Row, figures: tuple[str, ...], change: Any) -> Row:
    """A copy of ``row`` with each of its figures changed; a figure that is null or absent stays so."""
    changed = deepcopy(row)
    for figure in figures:
        holder, last = _place(changed, figure)
        if holder.get(last) is not None:
            holder[last] = change(holder[last])
    return changed


def spoiled(rows: list[tuple[float, Row]], faults: Collection[Fault], *figures: str) -> list[Row]:
    """``rows``, each with its slot index, after the data faults in ``faults``.

    :param figures: the keys of the figures, with a dot before a key of an inner object.
    """
    changes = {
        Fault.SPURIOUS_ZERO: lambda figure: 0,
        Fault.NULLS: lambda figure: None,
        Fault.OUTLIER: lambda figure: round(8 * figure, 4),
    }
    if Fault.GAP in faults:
        rows = [(index, row) for index, row in rows if not affected(index)]
    if Fault.ZEROS in faults:
        rows = [(index, _set(row, figures, changes[Fault.SPURIOUS_ZERO])) for index, row in rows]
    for fault in changes.keys() & set(faults):
        rows = [(i, _set(row, figures, changes[fault]) if affected(i) else row) for i, row in rows]
    if Fault.FROZEN in faults and rows:
        rows = [(index, _frozen(row, rows[0][1], figures)) for index, row in rows]
    if Fault.DUPLICATES in faults:
        rows = [pair for index, row in rows for pair in _twice(index, row, figures)]
    return [row for _, row in rows]


def _frozen(row: Row, first: Row, figures: tuple[str, ...]) -> Row:
    frozen = deepcopy(row)
    for figure in figures:
        (holder, last), (origin, _) = _place(frozen, figure), _place(first, figure)
        if holder.get(last) is not None and origin.get(last) is not None:
            holder[last] = origin[last]
    return frozen


def _twice(index: float, row: Row, figures: tuple[str, ...]) -> list[tuple[float, Row]]:
    if not affected(index):
        return [(index, row)]
    return [(index, row), (index, _set(row, figures, lambda figure: round(figure * 1.5 + 1)))]
