"""A small folder of recorded figures in the shape of the real one."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path

from agents.energy.recorded import CARBON_FILE, GB_FILE, PRICE_FILE

Cell = Callable[[int], object]


def write(path: Path, lines: Iterable[str]) -> None:
    path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%MZ")


def write_gb(
    folder: Path,
    start: datetime,
    slots: int,
    *,
    forecast: Cell = lambda i: 150.0 + 50 * (i % 48 > 23),
    actual: Cell = lambda i: 140.0 + 50 * (i % 48 > 23),
    price: Cell = lambda i: 10.5 + i % 48,
) -> None:
    rows = (
        f"{_text(start + timedelta(minutes=30 * i))},{forecast(i)},{actual(i)},low,{price(i)},0,0" for i in range(slots)
    )
    header = "utc,ci_forecast,ci_actual,ci_index,agile_J_inc_vat,agile_import_D2.1,agile_export_D2.1"
    write(folder / GB_FILE, [header, *rows])


def write_zones(folder: Path, start: datetime, hours: int) -> None:
    stamps = [_text(start + timedelta(hours=i)) for i in range(hours)]
    carbon = [f"{at},{300 + 100 * (i % 24 > 11)},{200 + i % 24}" for i, at in enumerate(stamps)]
    write(folder / CARBON_FILE, ["utc,DE-LU,CL-SIC", *carbon])
    prices = [f"{at},{100 + i % 24},55" for i, at in enumerate(stamps)]
    write(folder / PRICE_FILE, ["utc,DE-LU,CL-SIC", *prices])


def write_folder(folder: Path, start: datetime, days: int) -> Path:
    write_gb(folder, start, 48 * days)
    write_zones(folder, start, 24 * days)
    return folder
