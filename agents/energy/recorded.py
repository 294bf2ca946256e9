"""Reading a folder of recorded figures into arrays.

The folder's README names the columns; times are UTC. Hourly figures are held for both half-hours of their hour.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from agents.energy.reading import SPURIOUS_ZERO_ABOVE_G
from core.errors import InputError
from core.halfhours import instant_of, slot_index
from core.series import FloatArray
from core.slots import require_aware

GB_FILE = "gb_joined_2023_jan_sep_halfhourly.csv.gz"
CARBON_FILE = "zones_carbon_direct_hourly_2021_2023.csv.gz"
PRICE_FILE = "zones_price_usd_mwh_hourly_2021_2023.csv.gz"


@dataclass(frozen=True, slots=True)
class Recorded:
    """Figures from slot index ``first`` on, NaN where there are none."""

    first: int
    values: FloatArray

    @property
    def end(self) -> int:
        """Index after the last slot."""
        return self.first + self.values.size

    def window(self, first: int, count: int, outside: float = np.nan) -> FloatArray:
        """``count`` figures from slot index ``first``, ``outside`` where nothing was recorded."""
        found = np.full(count, outside)
        low, high = max(first, self.first), min(first + count, self.end)
        if high > low:
            found[low - first : high - first] = self.values[low - self.first : high - self.first]
        return found


@dataclass(frozen=True, slots=True)
class GbRecords:
    """Great Britain: carbon in g/kWh as last forecast and as it was, and Agile of region J in p/kWh with VAT."""

    forecast_g: Recorded
    actual_g: Recorded
    agile_j_p: Recorded


def _lines(path: Path) -> Iterator[list[str]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            yield from csv.reader(lines)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(
            f"recorded figures {path} cannot be read: {error}",
            field="SIGNALS",
            value=str(path),
            remedy="Give replay:PATH the folder that holds the recorded figures.",
        ) from error


def _start(text: str, path: Path) -> datetime:
    try:
        return require_aware(datetime.fromisoformat(text))
    except ValueError as error:
        raise InputError(f"{path}: {text!r} is not a UTC time", field="SIGNALS", value=str(path)) from error


def _columns(path: Path, names: Sequence[str], step: timedelta) -> dict[str, Recorded]:
    """Columns ``names`` of a file whose rows follow each other by ``step``; names that the file lacks are left out."""
    lines = _lines(path)
    header = next(lines, [])
    wanted = [(name, header.index(name)) for name in names if name in header]
    body = list(lines)
    if not body:
        raise InputError(f"{path} holds no rows", field="SIGNALS", value=str(path))
    start, end = _start(body[0][0], path), _start(body[-1][0], path)
    if end - start != step * (len(body) - 1):
        raise InputError(f"{path} has gaps or doubled rows", field="SIGNALS", value=str(path))
    repeat = step // timedelta(minutes=30)
    return {
        name: Recorded(slot_index(start), np.repeat(_numbers([row[at] for row in body], path), repeat))
        for name, at in wanted
    }


def _numbers(texts: Sequence[str], path: Path) -> FloatArray:
    try:
        return np.array([text or "nan" for text in texts], dtype=np.float64)
    except ValueError as error:
        raise InputError(f"{path}: {error}", field="SIGNALS", value=str(path)) from error


def read_gb(folder: Path) -> GbRecords:
    """Great Britain's figures; null actuals and zeros beside a forecast above 20 g/kWh are not figures."""
    names = ("ci_forecast", "ci_actual", "agile_J_inc_vat")
    found = _columns(folder / GB_FILE, names, timedelta(minutes=30))
    if missing := [name for name in names if name not in found]:
        raise InputError(f"{folder / GB_FILE} has no column {missing[0]}", field="SIGNALS", value=str(folder))
    forecast, actual, agile = (found[name] for name in names)
    spurious = (actual.values == 0) & (forecast.values > SPURIOUS_ZERO_ABOVE_G)
    return GbRecords(forecast, Recorded(actual.first, np.where(spurious, np.nan, actual.values)), agile)


def read_carbon(folder: Path, zones: Sequence[str]) -> dict[str, Recorded]:
    """Direct carbon intensity, g/kWh, of those of ``zones`` that were recorded."""
    return _columns(folder / CARBON_FILE, zones, timedelta(hours=1))


def read_prices_usd(folder: Path, zones: Sequence[str]) -> dict[str, Recorded]:
    """Wholesale prices, USD/MWh, of those of ``zones`` that were recorded."""
    return _columns(folder / PRICE_FILE, zones, timedelta(hours=1))


def recorded_span(folder: Path) -> tuple[datetime, datetime]:
    """First instant and end of the recorded GB figures: the time that can be replayed."""
    forecast = read_gb(folder).forecast_g
    return instant_of(forecast.first), instant_of(forecast.end)
