"""The recorded figures that forecasts are judged on, and what of them was known at each hour.

Times of issue are those of live use: Agile prices of a day (23:00 to 23:00 in London) are forecast at 15:30 the day
before, just before they are published. Day-ahead prices of the neighbours for the same day (midnight to midnight in
Brussels, so 23:00 to 23:00 in London, summer and winter) have then been out for three hours.

The recorded neighbour prices are means of two hours each: those of a few days of May 2023 are, beside the exchange's
own. So the last hour of a day might hold something of the next one: it counts as unknown.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from agents.energy import noise
from core.halfhours import instant_of, slot_index
from core.series import FloatArray
from core.slots import LONDON, SLOTS_PER_DAY
from forecasting.history import History

DAYS_AHEAD = 7
AGILE_FILE = "gb_agile_J_2020_to_2023_sep_utc.csv.gz"
CARBON_FILE = "gb_joined_2023_jan_sep_halfhourly.csv.gz"
NEIGHBOURS_FILE = "zones_price_usd_mwh_hourly_2021_2023.csv.gz"
WEATHER_FILE = "weather_openmeteo_archive_GB_2023.json.gz"
NEIGHBOURS = ("FR", "BE", "NL", "DE-LU")
LAST_HOUR_SLOTS = 2
FIRST_DAY, LAST_DAY = date(2023, 1, 1), date(2023, 9, 30)
AGILE_ISSUED = (15, 30)
AGILE_DAY_ENDS_HOUR = 23
CARBON_FIRST_DAY = date(2023, 3, 1)
"""Carbon was recorded from January on: two months to learn from before the first forecast."""
CARBON_ISSUE_HOURS = (3, 9, 15, 21)
CARBON_KNOWN_AFTER_SLOTS = 1
"""The outturn of a slot is out half an hour after its end."""
CARBON_AHEAD_SLOTS = 96
SPURIOUS_ZERO_ABOVE_G = 20.0
NOISE_SEED = 20230101


@dataclass(frozen=True, slots=True)
class Figures:
    """Half-hourly figures from slot index ``first``, NaN where there are none."""

    first: int
    values: FloatArray

    def between(self, start: int, end: int) -> FloatArray:
        """Figures of the slots from ``start`` up to ``end``, NaN outside the record."""
        found = np.full(end - start, np.nan)
        low, high = max(start, self.first), min(end, self.first + self.values.size)
        if high > low:
            found[low - start : high - start] = self.values[low - self.first : high - self.first]
        return found


@dataclass(frozen=True, slots=True)
class ForecastError:
    """An AR(1) process that is put on what was recorded to make a forecast of it.

    :param spread: its standard deviation.
    :param phi: its coefficient a slot.
    """

    name: str
    spread: float
    phi: float


CARBON_ERROR = ForecastError("carbon", 28.0, 0.97)
"""What was recorded of the carbon forecast is its last revision: with its own error this makes about 24 g/kWh mean
absolute a day ahead."""
WEATHER_ERRORS = {
    "wind_speed": ForecastError("wind_speed", 11.0, 0.997),
    "temperature": ForecastError("temperature", 3.0, 0.997),
}
"""In km/h and °C: mean absolute 4.8 and 1.1 a day ahead, 8.4 and 2.4 a week ahead, where the wind in London has a
standard deviation of 7.7."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One forecast to be made.

    :param now: slot index of the present.
    :param known_until: index of the first slot that is not known.
    :param days: index at which each day ahead begins, and at which the seventh ends.
    """

    now: int
    known_until: int
    days: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One signal to be forecast.

    :param issues: a forecast a day, in order of time.
    :param covariates: figures by name, and by issue up to which slot each is known.
    :param origins_per_day: how many hours of the day forecasts are made at.
    """

    name: str
    unit: str
    target: Figures
    issues: tuple[Issue, ...]
    floor: float | None
    first_judged: int
    end_judged: int
    origins_per_day: int = 1
    neighbours: Mapping[str, Figures] = field(default_factory=dict)

    def history(self, issue: Issue, days: int) -> History:
        """What was known of the target alone."""
        first = max(self.target.first, issue.known_until - days * SLOTS_PER_DAY)
        return History(first, self.target.between(first, issue.known_until), {}, "Europe/London", self.floor)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def _column(rows: list[dict[str, str]], name: str) -> FloatArray:
    return np.array([row[name] or "nan" for row in rows], dtype=np.float64)


def _first(text: str) -> int:
    return slot_index(datetime.fromisoformat(text))


def read_agile(folder: Path) -> Figures:
    """Agile of region J, p/kWh with VAT."""
    rows = list(_rows(folder / AGILE_FILE))
    return Figures(_first(rows[0]["timestamp"]), _column(rows, "price"))


def read_neighbours(folder: Path) -> dict[str, Figures]:
    """Day-ahead prices of the neighbours, USD/MWh, hourly figures held; by name of covariate."""
    rows = list(_rows(folder / NEIGHBOURS_FILE))
    first = _first(rows[0]["utc"])
    return {f"price@{zone}": Figures(first, np.repeat(_column(rows, zone), 2)) for zone in NEIGHBOURS}


def read_carbon(folder: Path) -> tuple[Figures, Figures]:
    """Carbon intensity of Great Britain, g/kWh: as it was, and as last forecast."""
    rows = list(_rows(folder / CARBON_FILE))
    first, forecast = _first(rows[0]["utc"]), _column(rows, "ci_forecast")
    actual = _column(rows, "ci_actual")
    spurious = (actual == 0) & (forecast > SPURIOUS_ZERO_ABOVE_G)
    return Figures(first, np.where(spurious, np.nan, actual)), Figures(first, forecast)


def read_weather(folder: Path) -> dict[str, Figures]:
    """Analysed weather in London, km/h and °C, hourly figures held; times are UTC. By name of covariate."""
    with gzip.open(folder / WEATHER_FILE, "rt", encoding="utf-8") as body:
        hourly = json.load(body)["hourly"]
    first = _first(f"{hourly['time'][0]}Z")
    names = {"wind_speed": "windspeed_10m", "temperature": "temperature_2m"}
    return {name: Figures(first, np.repeat(np.array(hourly[there], float), 2)) for name, there in names.items()}


def london_slot(day: date, hour: int, minute: int = 0) -> int:
    """Slot of a local time in London."""
    return slot_index(datetime(day.year, day.month, day.day, hour, minute, tzinfo=LONDON).astimezone(UTC))


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def agile_case(folder: Path) -> Case:
    """A forecast each day at 15:30 of the seven days from 23:00 on."""
    issues = []
    for day in _days(FIRST_DAY - timedelta(days=DAYS_AHEAD), LAST_DAY - timedelta(days=1)):
        ends = tuple(london_slot(day + timedelta(days=ahead), AGILE_DAY_ENDS_HOUR) for ahead in range(DAYS_AHEAD + 1))
        issues.append(Issue(london_slot(day, *AGILE_ISSUED), ends[0], ends))
    return Case(
        "Agile, region J",
        "p/kWh",
        read_agile(folder),
        tuple(issues),
        None,
        london_slot(FIRST_DAY - timedelta(days=1), AGILE_DAY_ENDS_HOUR),
        london_slot(LAST_DAY, AGILE_DAY_ENDS_HOUR),
        neighbours=read_neighbours(folder),
    )


def with_neighbours(case: Case, history: History, issue: Issue) -> History:
    """The same with the neighbours' day-ahead prices of the day that begins where the target ends."""
    until = issue.days[1] - LAST_HOUR_SLOTS
    covariates = {name: figures.between(history.first, until) for name, figures in case.neighbours.items()}
    return replace(history, covariates={**history.covariates, **covariates})


def carbon_case(folder: Path) -> tuple[Case, Figures]:
    """A forecast each day, at four hours of the day in turn, of the seven days ahead; and the recorded forecast."""
    actual, forecast = read_carbon(folder)
    issues = []
    for number, day in enumerate(_days(CARBON_FIRST_DAY - timedelta(days=DAYS_AHEAD), LAST_DAY)):
        now = london_slot(day, CARBON_ISSUE_HOURS[number % len(CARBON_ISSUE_HOURS)], 30)
        known = now - CARBON_KNOWN_AFTER_SLOTS
        issues.append(Issue(now, known, tuple(known + SLOTS_PER_DAY * ahead for ahead in range(DAYS_AHEAD + 1))))
    case = Case(
        "Carbon, Great Britain, recorded from January 2023 on",
        "g/kWh",
        actual,
        tuple(issues),
        0.0,
        london_slot(CARBON_FIRST_DAY, 0),
        actual.first + actual.values.size,
        origins_per_day=len(CARBON_ISSUE_HOURS),
    )
    return case, forecast


def published(figures: Figures, error: ForecastError, issue: Issue, start: int, end: int) -> FloatArray:
    """What a forecaster whose error grows with lead would have published by ``issue``, for the slots from ``start`` on.

    Slots before the issue hold what was published a day before each. The error is an AR(1) process: an issue knows it
    up to its own slot and lets it decay from there.
    """
    index = np.arange(start - SLOTS_PER_DAY, end, dtype=np.int64)
    process = error.spread * noise.autoregressive(noise.key_of(NOISE_SEED, error.name), index, error.phi)
    slots = index[SLOTS_PER_DAY:]
    issued = np.where(slots < issue.now, slots - SLOTS_PER_DAY, issue.now)
    missed = process[SLOTS_PER_DAY:] - error.phi ** (slots - issued) * process[issued - index[0]]
    return np.asarray(figures.between(start, end) + missed)


def published_carbon(forecast: Figures, issue: Issue, start: int) -> FloatArray:
    """The carbon forecast as of ``issue``, 48 hours ahead."""
    return np.maximum(published(forecast, CARBON_ERROR, issue, start, issue.now + CARBON_AHEAD_SLOTS), 0.0)


def with_published_carbon(forecast: Figures, history: History, issue: Issue) -> History:
    """The same with the published carbon forecast."""
    covariates = {**history.covariates, "carbon_forecast": published_carbon(forecast, issue, history.first)}
    return replace(history, covariates=covariates)


def going_on_as_published(forecast: Figures, history: History, issue: Issue) -> History:
    """The history with the published carbon forecast after it, as if that had happened."""
    told = published_carbon(forecast, issue, issue.known_until)
    return replace(history, values=np.concatenate([history.values, told]))


def with_weather(weather: Mapping[str, Figures], history: History, issue: Issue) -> History:
    """The same with a forecast of the weather as of ``issue``, seven days ahead."""
    forecasts = {
        name: published(figures, WEATHER_ERRORS[name], issue, history.first, issue.days[-1])
        for name, figures in weather.items()
    }
    return replace(history, covariates={**history.covariates, **forecasts})


def day_of(slot: int) -> str:
    """A slot's UTC day, for people."""
    return f"{instant_of(slot):%-d %B %Y}"
