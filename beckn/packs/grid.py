"""Half-hour grids as OpenADR 3.1 time series: what is asked, offered, promised and measured, column by column.

A grid starts on a UTC half-hour and has one interval per half-hour, so a local day of 46 or 50 settlement periods is a
grid of 46 or 50 intervals. Offer, commitment and telemetry of one contract bear the same grid and join on interval id.
Figures are decimals, and numbers on the wire.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beckn.packs.reading import at, duration, inner, instant, listing, mapping, member, number, text
from beckn.protocol.faults import Fault
from core.slots import SLOT, format_utc, require_aware, slot_floor

MOST_INTERVALS = 1500
"""31 days of half-hours are 1488"""
MOST_STEPS = 64
"""of a bid curve in one interval"""
_MOST_COLUMNS = 16
_EVENT = "EVENT_PAYLOAD_DESCRIPTOR"
_REPORT = "REPORT_PAYLOAD_DESCRIPTOR"
_MONEY = re.compile(r"[A-Z]{3}_PER_KWH")
_PRICES = frozenset({"PRICE", "SHORTFALL_PENALTY", "OFFER_PRICE", "CLEARING_PRICE"})
_CURVES = frozenset({"OFFER_PRICE", "CAPACITY_OFFERED"})
_UNITS: Mapping[str, tuple[str, ...]] = {
    "CAPACITY_REQUESTED": ("KW",),
    "CAPACITY_AVAILABLE": ("KW",),
    "CAPACITY_OFFERED": ("KW",),
    "CAPACITY_CLEARED": ("KW",),
    "BASELINE": ("KW",),
    "USAGE": ("KW",),
    "POWER": ("KW",),
    "SOC_END": ("PERCENT", "KWH"),
    "GPS_LAT": ("DEGREES",),
    "GPS_LON": ("DEGREES",),
    "CARBON_INTENSITY": ("G_PER_KWH",),
    "CARBON_AVOIDED": ("KG",),
}
CARBON_COLUMNS = frozenset({"CARBON_INTENSITY", "CARBON_AVOIDED"})
"""never in a grid that settles"""
_NOT_NEGATIVE = frozenset({"CAPACITY_REQUESTED", "CAPACITY_AVAILABLE", "CAPACITY_OFFERED", "CAPACITY_CLEARED"}) | {
    "SHORTFALL_PENALTY",
    "CARBON_INTENSITY",
}
Cell = tuple[Decimal, ...]


class Cardinality(StrEnum):
    """How often a column is told."""

    PER_INTERVAL = "PER_INTERVAL"
    PER_EVENT = "PER_EVENT"
    """once, with interval 0"""


@dataclass(frozen=True, slots=True)
class Column:
    """One payload type over a grid.

    :param cells: one per interval; a cell has one figure, several where it is a curve, none where nothing was measured.
    :param inserted_by: role that wrote it, in an event. :param reading_type: how it was measured, in a report.
    """

    units: str
    cells: tuple[Cell, ...]
    inserted_by: str | None = None
    reading_type: str | None = None
    cardinality: Cardinality = Cardinality.PER_INTERVAL

    @classmethod
    def of(
        cls,
        units: str,
        figures: Iterable[Decimal | None],
        inserted_by: str | None = None,
        reading_type: str | None = None,
    ) -> Column:
        """One figure per interval."""
        cells = tuple(() if figure is None else (figure,) for figure in figures)
        return cls(units, cells, inserted_by, reading_type)

    @property
    def figures(self) -> tuple[Decimal | None, ...]:
        """The first figure of each cell."""
        return tuple(cell[0] if cell else None for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Grid:
    """Half-hours from ``start``, and what is told of each.

    :raises ValueError: it starts between half-hours, has no column, or columns of different lengths.
    """

    start: datetime
    columns: Mapping[str, Column]

    def __post_init__(self) -> None:
        if require_aware(self.start) != slot_floor(self.start):
            raise ValueError(f"a grid starts on a half-hour of UTC, not at {self.start.isoformat()}")
        if len({len(column.cells) for column in self.columns.values()}) != 1 or not 0 < len(self) <= MOST_INTERVALS:
            raise ValueError(f"the columns of a grid have one length, 1 to {MOST_INTERVALS}")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).cells)

    @property
    def end(self) -> datetime:
        """When the last half-hour ends."""
        return self.start + SLOT * len(self)

    def figures(self, name: str) -> tuple[Decimal | None, ...]:
        """One column's figures; :class:`KeyError` where there is no such column."""
        return self.columns[name].figures


def same_grid(one: Grid, other: Grid) -> bool:
    """Whether two grids have the same half-hours."""
    return require_aware(one.start) == require_aware(other.start) and len(one) == len(other)


def decimals(figures: Sequence[float] | NDArray[np.float64], places: int) -> tuple[Decimal, ...]:
    """Figures of a computation, rounded to ``places``, without the noise of binary fractions."""
    return tuple(Decimal(repr(figure)) for figure in np.round(np.asarray(figures, float), places).tolist())


def wire_number(figure: Decimal) -> int | float:
    """A decimal as a JSON number: whole ones without a fraction."""
    number_of = float(figure)
    return int(figure) if number_of.is_integer() else number_of


def write_event(grid: Grid) -> dict[str, Any]:
    """A grid of terms, as ``intervalPeriod``, ``payloadDescriptors`` and ``intervals``."""
    return _write(
        grid,
        lambda name, column: {
            "objectType": _EVENT,
            "payloadType": name,
            "units": column.units,
            **({} if column.inserted_by is None else {"insertedBy": column.inserted_by}),
        },
    )


def write_report(grid: Grid) -> dict[str, Any]:
    """A grid of readings, as :func:`write_event`."""
    return _write(
        grid,
        lambda name, column: {
            "objectType": _REPORT,
            "payloadType": name,
            "units": column.units,
            "readingType": column.reading_type or "DIRECT_READ",
            **({} if column.cardinality is Cardinality.PER_INTERVAL else {"cardinality": column.cardinality.value}),
        },
    )


def _write(grid: Grid, describe: Any) -> dict[str, Any]:
    """The three parts of a time series."""
    told = [
        (name, [[wire_number(figure) for figure in cell] for cell in column.cells])
        for name, column in grid.columns.items()
    ]
    return {
        "intervalPeriod": {"start": format_utc(grid.start), "duration": "PT30M"},
        "payloadDescriptors": [describe(name, column) for name, column in grid.columns.items()],
        "intervals": [
            {"id": i, "payloads": [{"type": name, "values": cells[i]} for name, cells in told if cells[i]]}
            for i in range(len(grid))
        ],
    }


def read_grid(attributes: Any, path: str, allowed: Collection[str] | None = None) -> Grid:
    """Read a time series that somebody sent.

    :param allowed: payload types that may be in it; without it all that are known here.
    :raises Fault: ``SCH_``, with the JSONPath of the field: it is not aligned to half-hours of UTC, a payload type is
        not declared, not known, not allowed, in other units or twice; an id is out of order; a figure is not finite;
        a cell lacks in an event, or a column that is told once is told again.
    """
    found = mapping(attributes, path)
    start = _start(inner(found, "intervalPeriod", path), at(path, "intervalPeriod"))
    declared = _descriptors(listing(found, "payloadDescriptors", path, _MOST_COLUMNS), path, allowed)
    rows = listing(found, "intervals", path, MOST_INTERVALS)
    cells: dict[str, list[Cell]] = {name: [] for name in declared}
    for i, row in enumerate(rows):
        here = f"{path}.intervals[{i}]"
        told = _row(mapping(row, here), i, start, here, declared)
        for name, column in declared.items():
            _require_told(name, column, told.get(name), i, here)
            cells[name].append(told.get(name, ()))
    columns = {
        name: Column(column.units, tuple(cells[name]), column.inserted_by, column.reading_type, column.cardinality)
        for name, column in declared.items()
    }
    _require_curves(columns, path)
    return Grid(start, columns)


def require_columns(grid: Grid, wanted: Collection[str], path: str) -> None:
    """Return if a grid has all of the columns; :class:`Fault` names the first that lacks."""
    for name in wanted:
        if name not in grid.columns:
            raise Fault("SCH_REQUIRED_FIELD_MISSING", f"column {name} is missing", at(path, "payloadDescriptors"))


def require_same(grid: Grid, terms: Grid, path: str) -> None:
    """Return if a grid has the half-hours of the terms; :class:`Fault` otherwise."""
    if not same_grid(grid, terms):
        raise Fault(
            "SCH_ATTRIBUTE_PACK_INVALID",
            f"its half-hours are not the {len(terms)} from {format_utc(terms.start)} of the terms",
            at(path, "intervalPeriod"),
        )


def _start(period: Mapping[str, Any], path: str) -> datetime:
    start = instant(period, "start", path)
    if not 2000 <= start.year < 2200 or start != slot_floor(start):
        raise Fault("SCH_INVALID_FORMAT", "the grid does not start on a half-hour of UTC", at(path, "start"))
    if duration(period, "duration", path) != SLOT:
        raise Fault("SCH_INVALID_FORMAT", "the intervals are not of half an hour, PT30M", at(path, "duration"))
    if period.get("randomizeStart") is not None:
        raise Fault("SCH_FIELD_NOT_ALLOWED", "a random start cannot be settled", at(path, "randomizeStart"))
    return start


def _descriptors(found: Sequence[Any], path: str, allowed: Collection[str] | None) -> dict[str, Column]:
    """Columns without cells, by payload type."""
    declared: dict[str, Column] = {}
    for i, each in enumerate(found):
        here = f"{path}.payloadDescriptors[{i}]"
        descriptor = mapping(each, here)
        name, kind = text(descriptor, "payloadType", here), text(descriptor, "objectType", here)
        if kind not in {_EVENT, _REPORT}:
            raise Fault("SCH_INVALID_ENUM", f"objectType {kind[:40]!r} is not known", at(here, "objectType"))
        if name in declared:
            raise Fault("SCH_FIELD_NOT_ALLOWED", f"{name} is declared twice", at(here, "payloadType"))
        if name not in (_UNITS.keys() | _PRICES if allowed is None else allowed):
            raise Fault("SCH_FIELD_NOT_ALLOWED", f"{name[:60]} is no column of this grid", at(here, "payloadType"))
        declared[name] = _declared(name, descriptor, kind, here)
    currencies = {column.units for name, column in declared.items() if name in _PRICES}
    if len(currencies) > 1:
        raise Fault("SCH_INVALID_FORMAT", "the prices of a grid are in one currency", at(path, "payloadDescriptors"))
    return declared


def _declared(name: str, descriptor: Mapping[str, Any], kind: str, path: str) -> Column:
    units = text(descriptor, "units", path)
    if not (_MONEY.fullmatch(units) if name in _PRICES else units in _UNITS[name]):
        known = "a currency PER_KWH" if name in _PRICES else " or ".join(_UNITS[name])
        raise Fault("SCH_INVALID_FORMAT", f"{name} is in {known}, not in {units[:40]}", at(path, "units"))
    cardinality = descriptor.get("cardinality", Cardinality.PER_INTERVAL.value)
    if not isinstance(cardinality, str) or cardinality not in set(Cardinality):
        raise Fault("SCH_INVALID_ENUM", "cardinality is PER_INTERVAL or PER_EVENT", at(path, "cardinality"))
    role = text(descriptor, "insertedBy", path) if descriptor.get("insertedBy") is not None else None
    reading = None
    if kind == _REPORT:
        told = descriptor.get("readingType") is not None
        reading = text(descriptor, "readingType", path) if told else "DIRECT_READ"
    return Column(units, (), role, reading, Cardinality(cardinality))


def _row(
    row: Mapping[str, Any], number_of: int, start: datetime, path: str, declared: Mapping[str, Column]
) -> dict[str, Cell]:
    """What one interval tells."""
    told_id = row.get("id")
    if isinstance(told_id, bool) or told_id != number_of or not isinstance(told_id, int):
        raise Fault("SCH_INVALID_FORMAT", f"the ids of intervals run from 0; here it is {number_of}", at(path, "id"))
    if row.get("intervalPeriod") is not None:
        own = inner(row, "intervalPeriod", path)
        if _start(own, at(path, "intervalPeriod")) != start + SLOT * number_of:
            raise Fault("SCH_INVALID_FORMAT", "the interval leaves the grid", at(path, "intervalPeriod"))
    payloads = member(row, "payloads", path)
    if not isinstance(payloads, list) or len(payloads) > _MOST_COLUMNS:
        raise Fault("SCH_SCHEMA_VALIDATION_FAILED", "payloads is not a short list", at(path, "payloads"))
    told: dict[str, Cell] = {}
    for i, each in enumerate(payloads):
        here = f"{path}.payloads[{i}]"
        payload = mapping(each, here)
        name = text(payload, "type", here)
        if name not in declared or name in told:
            why = "told twice" if name in told else "not declared"
            raise Fault("SCH_ATTRIBUTE_PACK_INVALID", f"{name[:60]} is {why}", at(here, "type"))
        told[name] = _cell(name, member(payload, "values", here), at(here, "values"))
    return told


def _cell(name: str, values: Any, path: str) -> Cell:
    most = MOST_STEPS if name in _CURVES else 1
    if not isinstance(values, list) or not 0 < len(values) <= most:
        raise Fault("SCH_SCHEMA_VALIDATION_FAILED", f"{name} has 1 to {most} values in an interval", path)
    cell = tuple(number(value, f"{path}[{i}]") for i, value in enumerate(values))
    if name in _NOT_NEGATIVE and min(cell) < 0:
        raise Fault("SCH_INVALID_FORMAT", f"{name} is below 0", path)
    return cell


def _require_told(name: str, column: Column, cell: Cell | None, number_of: int, path: str) -> None:
    """A column of an event is told in every interval, and one of a report where there was a reading."""
    once = column.cardinality is Cardinality.PER_EVENT
    if once and (cell is None) != (number_of > 0):
        raise Fault("SCH_ATTRIBUTE_PACK_INVALID", f"{name} is told once, with interval 0", at(path, "payloads"))
    if not once and cell is None and column.reading_type is None:
        raise Fault("SCH_REQUIRED_FIELD_MISSING", f"{name} is missing", at(path, "payloads"))


def _require_curves(columns: Mapping[str, Column], path: str) -> None:
    """Steps of a curve have a price each, and without prices there is one step."""
    prices, powers = columns.get("OFFER_PRICE"), columns.get("CAPACITY_OFFERED")
    for i, cell in enumerate(powers.cells if powers else ()):
        if len(cell) != (len(prices.cells[i]) if prices else 1):
            raise Fault(
                "SCH_ATTRIBUTE_PACK_INVALID",
                "CAPACITY_OFFERED and OFFER_PRICE have as many steps",
                f"{path}.intervals[{i}]",
            )
