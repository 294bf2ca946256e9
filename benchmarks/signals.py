"""``make bench-signals``: forecasts of recorded figures, walking forward, against what came.

Every forecast is made from what was known at its hour, by models that learnt from nothing later. Prints, by model and
day ahead, the mean absolute error, the share of outturns inside the 90 % interval, and the *regret*: by how much more
than the best eight half-hours of a day those cost on average that the forecast says are the cheapest. Fails when
Slackwater's forecaster misses what is promised of it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.signals_data import (
    DAYS_AHEAD,
    Case,
    Issue,
    agile_case,
    carbon_case,
    day_of,
    going_on_as_published,
    published_carbon,
    read_weather,
    with_neighbours,
    with_published_carbon,
    with_weather,
)
from benchmarks.signals_models import TWO_YEARS_DAYS, YEAR_DAYS, Model, Own, PlainRidge, Published, baselines
from core.series import LEVEL_SIGMAS, FloatArray
from core.slots import SLOTS_PER_DAY
from core.threads import one_thread
from forecasting.history import History

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MARKER = "<!-- signals-table -->"
CHEAPEST = 8
LAGS = (1, 2, 4, 8, 16, 48)
MOST_SHOCK = 5.0
"""standard deviations; beyond this one price spike would decide a correlation"""
NAIVE, SLOT_MEAN = "seasonal naive, a week before", "7-day slot mean"
RIDGE_YEAR, RIDGE_TWO_YEARS = "plain asinh ridge, one year", "plain asinh ridge, two years"
OWN_ALONE, OWN = "Slackwater, own history", "Slackwater, and neighbours' day-ahead prices"
OWN_PUBLISHED = "Slackwater, and pseudo-published forecast (*)"
OWN_AFTER_PUBLISHED = "Slackwater, after the pseudo-published forecast (*)"
OWN_NEIGHBOURS_WEATHER = "Slackwater, one year, neighbours and pseudo-forecast weather (**)"
OWN_WEATHER = "Slackwater, and pseudo-forecast weather (**)"
PROMISED_GAIN = 0.03
PROMISED_COVERAGE = (0.88, 0.92)
PROMISED_FIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Result:
    """One model on one case; NaN where it gave no figures.

    :param mae: (issues, 7) mean absolute error by day ahead.
    :param inside: (issues, 7) share of outturns inside the interval.
    :param regret: (issues, 7) extra cost of the eight half-hours that the forecast says are the day's cheapest.
    :param next_day: (issues,) the same over the 24 hours from the issue, of which some are known.
    :param shocks: for each issue its first slot and, slot by slot, by how many standard deviations of a normal error
        within its interval the outturn was off; NaN without interval or outturn.
    """

    name: str
    mae: FloatArray
    inside: FloatArray
    regret: FloatArray
    next_day: FloatArray
    fit_s: FloatArray
    shocks: tuple[tuple[int, FloatArray], ...] = ()

    def means(self, measure: str) -> FloatArray:
        """(7,) or () mean over the issues that were judged."""
        values: FloatArray = getattr(self, measure)
        judged = np.isfinite(values)
        total, count = np.where(judged, values, 0.0).sum(axis=0), judged.sum(axis=0)
        return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def regret(forecast: FloatArray, outturn: FloatArray, chosen: int = CHEAPEST) -> float:
    """Mean cost of the ``chosen`` slots with the lowest forecast, less that of the cheapest; the unit of ``outturn``.

    Slots without an outturn are not chosen among; ties go to the earlier slot. NaN where no figure was forecast.
    """
    known = np.isfinite(outturn)
    if np.isnan(forecast[known]).any() or known.sum() < chosen:
        return float("nan")
    picked = np.argsort(forecast[known], kind="stable")[:chosen]
    return float(outturn[known][picked].mean() - np.sort(outturn[known])[:chosen].mean())


def _next_day(case: Case, issue: Issue, forecast: FloatArray) -> float:
    """Regret over the 24 hours from the present: known figures as known, the rest as forecast."""
    start, end = issue.now, issue.now + SLOTS_PER_DAY
    believed = case.target.between(start, end)
    unknown = max(0, issue.known_until - start)
    skipped = max(0, start - issue.known_until)
    believed[unknown:] = forecast[skipped : skipped + SLOTS_PER_DAY - unknown]
    return regret(believed, case.target.between(start, end))


def _judge_day(case: Case, issue: Issue, ahead: int, found: tuple[FloatArray, ...]) -> tuple[float, float, float]:
    start, end = issue.days[ahead], issue.days[ahead + 1]
    cut = slice(start - issue.known_until, end - issue.known_until)
    outturn = case.target.between(start, end)
    mean, low, high = (part[cut] for part in found)
    known = np.isfinite(outturn)
    if start < case.first_judged or end > case.end_judged or not known.any():
        return (float("nan"),) * 3
    error = float(np.abs(mean - outturn)[known].mean())
    bounded = known & np.isfinite(low)
    inside = ((outturn >= low) & (outturn <= high))[bounded].mean() if bounded.sum() > known.sum() / 2 else np.nan
    return error, float(inside), regret(mean, outturn)


def evaluate(case: Case, model: Model) -> Result:
    """Let ``model`` forecast each issue of ``case`` in order of time, and judge it."""
    days, next_day, shocks = [], [], []
    for number, issue in enumerate(case.issues):
        slots = issue.days[-1] - issue.known_until
        mean, low, high = model.forecast(case, number, slots)
        nothing = np.full(slots, np.nan)
        found = (mean, nothing if low is None else low, nothing if high is None else high)
        shocks.append((issue.known_until, _shocks(case, issue, found)))
        days.append([_judge_day(case, issue, ahead, found) for ahead in range(DAYS_AHEAD)])
        judged = issue.now >= case.first_judged and issue.now + SLOTS_PER_DAY <= case.end_judged
        next_day.append(_next_day(case, issue, mean) if judged else float("nan"))
    table = np.array(days)
    fit_s = np.array(getattr(model, "fit_s", []))
    measures = (table[:, :, 0], table[:, :, 1], table[:, :, 2])
    return Result(model.name, *measures, np.array(next_day), fit_s, tuple(shocks))


def _shocks(case: Case, issue: Issue, found: tuple[FloatArray, ...]) -> FloatArray:
    mean, low, high = found
    error = case.target.between(issue.known_until, issue.known_until + mean.size) - mean
    half = np.where(error > 0, high - mean, mean - low)
    return np.asarray(np.clip(LEVEL_SIGMAS * error / np.where(half > 0, half, np.nan), -MOST_SHOCK, MOST_SHOCK))


def persistence(result: Result) -> list[float]:
    """Correlation of shocks of one issue that are ``LAGS`` slots apart."""
    found = []
    for lag in LAGS:
        pairs = [np.array([shock[:-lag], shock[lag:]]) for _, shock in result.shocks]
        found.append(_correlation(np.concatenate(pairs, axis=1)))
    return found


def alike(one: Result, other: Result) -> float:
    """Correlation of two results' shocks of one slot, where both were issued within twelve hours."""
    others = dict(other.shocks)
    pairs = []
    for first, shock in one.shocks:
        second = min(others, key=lambda start: abs(start - first))
        start = max(first, second)
        end = min(first + shock.size, second + others[second].size)
        if abs(second - first) <= SLOTS_PER_DAY // 2:
            pairs.append(np.array([shock[start - first : end - first], others[second][start - second : end - second]]))
    return _correlation(np.concatenate(pairs, axis=1))


def _correlation(pairs: FloatArray) -> float:
    known = np.isfinite(pairs).all(axis=0)
    return float(np.asarray(np.corrcoef(pairs[:, known]))[0, 1]) if known.sum() > 1 else float("nan")


def hanging_together(price: Result, carbon: Result) -> list[str]:
    """Markdown lines on how errors hang together, which is what scenarios are drawn by."""
    lags = " | ".join(f"{lag / 2:g} h" for lag in LAGS)
    return [
        f"| correlation of errors that are so far apart | {lags} |",
        "|---" + "|--:" * len(LAGS) + "|",
        *(
            f"| {name} | {_cells(np.array(persistence(of)), '{:.2f}')} |"
            for name, of in (("price", price), ("carbon", carbon))
        ),
        "",
        f"Errors of price and carbon in the same half-hour: correlation {alike(price, carbon):.2f}.",
    ]


def _alone(history: History, _: Issue) -> History:
    return history


def agile_models(case: Case, folder: Path) -> list[Model]:
    """Everything that is compared on Agile."""
    weather = read_weather(folder)

    def with_all(history: History, issue: Issue) -> History:
        return with_weather(weather, with_neighbours(case, history, issue), issue)

    return [
        *baselines(),
        PlainRidge(RIDGE_YEAR, YEAR_DAYS),
        PlainRidge(RIDGE_TWO_YEARS, TWO_YEARS_DAYS),
        Own(OWN_ALONE, TWO_YEARS_DAYS, _alone),
        Own(OWN, TWO_YEARS_DAYS, lambda history, issue: with_neighbours(case, history, issue)),
        Own(OWN_NEIGHBOURS_WEATHER, YEAR_DAYS, with_all),
    ]


def carbon_models(folder: Path) -> tuple[Case, list[Model]]:
    """The carbon case and everything that is compared on it."""
    case, forecast = carbon_case(folder)
    weather = read_weather(folder)
    models: list[Model] = [
        *baselines(),
        PlainRidge(RIDGE_YEAR, YEAR_DAYS),
        Own(OWN_ALONE, YEAR_DAYS, _alone),
        Own(OWN_WEATHER, YEAR_DAYS, lambda history, issue: with_weather(weather, history, issue)),
        Published("pseudo-published forecast (*)", lambda issue: published_carbon(forecast, issue, issue.known_until)),
        Own(OWN_PUBLISHED, YEAR_DAYS, lambda history, issue: with_published_carbon(forecast, history, issue)),
        Own(OWN_AFTER_PUBLISHED, YEAR_DAYS, lambda history, issue: going_on_as_published(forecast, history, issue)),
    ]
    return case, models


def _cells(values: FloatArray, form: str) -> str:
    return " | ".join("" if np.isnan(value) else form.format(value) for value in values)


def _measure(results: Sequence[Result], measure: str, title: str, form: str) -> list[str]:
    days = " | ".join(f"day {ahead}" for ahead in range(1, DAYS_AHEAD + 1))
    extra = measure == "regret"
    lines = [f"| {title} | {days} | mean |{' next 24 h |' if extra else ''}"]
    lines.append("|---" + "|--:" * (DAYS_AHEAD + 1 + extra) + "|")
    for result in results:
        means = result.means(measure)
        if np.isfinite(means).any():
            cells = [*means, means.mean(), *([result.means("next_day")] if extra else [])]
            lines.append(f"| {result.name} | {_cells(np.array(cells, dtype=np.float64), form)} |")
    return lines


def report(case: Case, results: Sequence[Result]) -> list[str]:
    """Markdown lines on one case: error, coverage and regret by model and day ahead."""
    fits = [result.fit_s for result in results if result.fit_s.size]
    judged = int(np.isfinite(results[0].mae[:, 0]).sum())
    lines = [
        f"**{case.name}**, {day_of(case.first_judged)} to {day_of(case.end_judged - 1)}, {judged} days.",
        "",
        *_measure(results, "mae", f"mean absolute error, {case.unit}", "{:.2f}"),
        "",
        *_measure(results, "inside", "outturns inside the 90 % interval", "{:.1%}"),
        "",
        *_measure(results, "regret", f"regret, {case.unit}", "{:.2f}"),
    ]
    if fits:
        every = np.concatenate(fits)
        lines += ["", f"A fit of Slackwater's took {np.median(every):.2f} s of CPU (median of {every.size})."]
    return lines


def _named(results: Sequence[Result], name: str) -> Result:
    return next(result for result in results if result.name == name)


def shortfalls(results: Sequence[Result], own: str, bars: Sequence[str], gain: float) -> list[str]:
    """What ``own`` misses: ``gain`` on the mean error and regret of ``bars``, its coverage, its speed.

    Coverage is judged on the days for which it gives an interval.
    """
    mine, found = _named(results, own), []
    for bar in bars:
        for measure in ("mae", "regret"):
            reached, theirs = mine.means(measure).mean(), _named(results, bar).means(measure).mean()
            if reached > (1 - gain) * theirs:
                found.append(f"{own}: {measure} {reached:.3f} is not {gain:.0%} below the {theirs:.3f} of {bar}")
    covered = np.nanmean(mine.means("inside"))
    if not PROMISED_COVERAGE[0] <= covered <= PROMISED_COVERAGE[1]:
        found.append(f"{own}: {covered:.1%} of outturns inside the 90 % interval")
    if np.median(mine.fit_s) > PROMISED_FIT_S:
        found.append(f"{own}: a fit takes {np.median(mine.fit_s):.2f} s of CPU")
    return found


NOTE = (
    "(*) What was recorded of the published carbon forecast is its last revision. Here it is given an error that grows "
    "with lead to 24 g/kWh a day ahead: these rows say what such a forecast would be worth, not what the real one was. "
    "(**) Likewise: what was recorded of wind and temperature in London are analyses, from 2023 on. They are given "
    "errors that grow from nothing to 4.8 km/h and 1.1 °C a day ahead and to 8.4 km/h and 2.4 °C a week ahead. No "
    "promise rests on these rows."
)


def run(folder: Path) -> tuple[list[str], list[str]]:
    """Markdown lines of all cases, and what was promised but missed."""
    agile = agile_case(folder)
    carbon, models = carbon_models(folder)
    agile_results = [evaluate(agile, model) for model in agile_models(agile, folder)]
    carbon_results = [evaluate(carbon, model) for model in models]
    missed = shortfalls(agile_results, OWN, (RIDGE_YEAR, RIDGE_TWO_YEARS), PROMISED_GAIN)
    missed += shortfalls(agile_results, OWN_ALONE, (NAIVE, SLOT_MEAN), 0.0)
    missed += shortfalls(carbon_results, OWN_ALONE, (NAIVE, SLOT_MEAN), 0.0)
    missed += shortfalls(carbon_results, OWN_AFTER_PUBLISHED, (NAIVE, SLOT_MEAN), 0.0)
    together = hanging_together(_named(agile_results, OWN), _named(carbon_results, OWN_ALONE))
    return [*report(agile, agile_results), "", *report(carbon, carbon_results), "", *together, "", NOTE], missed


def written(text: str, table: str) -> str:
    """``text`` with ``table`` between its two markers.

    :raises ValueError: where the text has not exactly two.
    """
    parts = text.split(MARKER)
    if len(parts) != 3:
        raise ValueError(f"{len(parts) - 1} lines {MARKER} where the table goes between two")
    return f"{parts[0]}{MARKER}\n{table}\n{MARKER}{parts[2]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; 1 when a promise is not kept, 0 also where there is nothing recorded to judge on."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.signals", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the recorded figures")
    parser.add_argument("--write", type=Path, help=f"put the tables into this file, between two lines {MARKER}")
    options = parser.parse_args(arguments)
    if not options.data.is_dir():
        print(f"No recorded figures in {options.data}: nothing to judge forecasts on. --data names another folder.")
        return 0
    started = time.perf_counter()
    with one_thread():
        lines, missed = run(options.data)
    print("\n".join(lines))
    print(f"\n{time.perf_counter() - started:.0f} s on {os.cpu_count()} cores")
    if options.write:
        text = options.write.read_text(encoding="utf-8")
        options.write.write_text(written(text, "\n".join(lines)), encoding="utf-8")
    for text in missed:
        print(f"missed: {text}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
