"""Our own forecasts beyond what is published: fitted on schedule, issued anew with new figures, kept with their inputs.

A forecast is stored like the answer of any feed: its bytes are the fitted model and the figures that it was given, so
that reading it again is working it out again.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import numpy as np
from loguru import logger

from agents.energy.book import Book
from agents.energy.calibration import Published
from agents.energy.feed import FetchStore
from agents.energy.forecast import profile_forecast
from core.clock import Clock
from core.errors import FeedInvalid
from core.halfhours import instant_of, london_half_hour, slot_index, utc_half_hour
from core.score import Score
from core.series import FloatArray, Kind, Series
from core.slots import LONDON, SLOT, SLOTS_PER_DAY, slot_floor, slots_between
from core.threads import one_thread
from core.vintage import OWN_FORECASTS, UNITS, Fetch, Quantity, RawAnswer
from forecasting.forecaster import FIT_DAYS, PREDICT_DAYS, Fitted, fit
from forecasting.history import History

HORIZON_SLOTS = 8 * SLOTS_PER_DAY
"""A day more than the seven that are promised: a forecast is in use for some hours after its issue."""
SEARCHED_BACK = timedelta(days=2)
LEAST_DAYS = 14
"""History from which a model is fitted; of less, last week's profile is the forecast."""
PROFILE = {"model": "7-day-profile"}
FORECASTS_KEPT = timedelta(days=60)
FORECAST_LEAD_SLOTS = SLOTS_PER_DAY // 2
"""A past forecast stands for the day that begins half a day after its issue."""
INPUT_DAYS, INPUT_SHARE = 28, 0.8
"""An input takes part once so much of so many days, or of all the target's, is known: of less nothing is learnt."""
ISSUED_ANEW = timedelta(hours=3)
RETRIED_AFTER = timedelta(hours=1)


class ScoreStore(Protocol):
    """Where scores are kept; :class:`store.scores.ScoreRepository` is one."""

    def add(self, scores: Sequence[Score], /) -> object: ...


class Known(Protocol):
    """Everything known of a zone's quantity at ``now``: past, published, MISSING elsewhere."""

    def __call__(self, zone: str, quantity: Quantity, start: datetime, slots: int, now: datetime, /) -> Series: ...


@dataclass(frozen=True, slots=True)
class Input:
    """A figure that helps to forecast others.

    :param forecast: True where it is a forecast itself, such as that of the wind: a model must then learn from what
        had been forecast the day before, not from what happened.
    """

    zone: str
    quantity: Quantity
    forecast: bool = False

    @property
    def name(self) -> str:
        """How models call it."""
        return f"{self.quantity}@{self.zone}"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is forecast, in whose clock, with which inputs."""

    zone: str
    quantity: Quantity
    timezone: str
    inputs: tuple[Input, ...] = ()


@dataclass(slots=True)
class _Line:
    """The state of one subject; ``model`` is what was fitted as it is stored with every forecast."""

    fitted: Fitted | None = None
    model: RawAnswer | None = None
    fit_due: datetime | None = None
    issued: Book | None = None
    issued_from: int = -1
    issued_at: datetime | None = None


class Outlook:
    """Forecasts of every subject watched.

    :param known: where figures are looked up.
    :param published: where past publications are looked up.
    :param retrain: age at which a fitted model is replaced.
    :param store: keeps each forecast with its inputs.
    :param scores: keeps the scores of models fitted anew.
    """

    def __init__(
        self,
        known: Known,
        published: Published,
        clock: Clock,
        retrain: timedelta,
        store: FetchStore,
        scores: ScoreStore,
    ) -> None:
        self._known = known
        self._published = published
        self._clock = clock
        self._retrain = retrain
        self._store = store
        self._scores = scores
        self._lines: dict[Subject, _Line] = {}
        self._lock = threading.Lock()
        self._working = threading.Lock()

    def watch(self, subjects: Sequence[Subject]) -> None:
        """Forecast these too."""
        with self._lock:
            for subject in subjects:
                self._lines.setdefault(subject, _Line())

    def refresh(self) -> None:
        """Fit what is due and issue what is outdated.

        Takes up to a second a subject where a model is fitted, else milliseconds.
        """
        with self._working:
            with self._lock:
                lines = list(self._lines.items())
            with one_thread():
                for subject, line in lines:
                    try:
                        self._refresh(subject, line)
                    except ValueError as error:  # too little is known: the forecast in force stays
                        logger.warning("no forecast of {} {}: {}", subject.zone, subject.quantity, error)

    def issued(self, zone: str, quantity: Quantity) -> Book | None:
        """The forecast in force; None before the first."""
        with self._lock:
            found = (line.issued for s, line in self._lines.items() if (s.zone, s.quantity) == (zone, quantity))
            return next(found, None)

    def _refresh(self, subject: Subject, line: _Line) -> None:
        now = self._clock.now()
        fit_due = line.fit_due is None or now >= line.fit_due
        if not fit_due and (line.fitted is None or not self._outdated(subject, line, now)):
            return
        history = self._history(subject, now, FIT_DAYS if fit_due else PREDICT_DAYS)
        if fit_due:
            line.fit_due = now + RETRIED_AFTER
        if history is None:
            return
        if fit_due and history.values.size >= LEAST_DAYS * SLOTS_PER_DAY:
            self._fit(subject, line, history, now)
        self._issue(subject, line, history, now)

    def _outdated(self, subject: Subject, line: _Line, now: datetime) -> bool:
        """Whether more is known than the forecast in force was made from, and it is old or much is new."""
        if line.issued_at is None or now < line.issued_at + SLOT:
            return line.issued_at is None
        start = slot_floor(now - SEARCHED_BACK)
        series = self._known(subject.zone, subject.quantity, start, SEARCHED_BACK // SLOT + HORIZON_SLOTS, now)
        found = np.flatnonzero(series.kinds < np.int8(Kind.SIMULATED))
        more = slot_index(start) + int(found[-1]) + 1 - line.issued_from if found.size else 0
        return more > SLOTS_PER_DAY // 2 or (more != 0 and now >= line.issued_at + ISSUED_ANEW)

    def _fit(self, subject: Subject, line: _Line, history: History, now: datetime) -> None:
        """Fit anew and keep the scores; where the history does not carry a model, the profile serves."""
        began = time.perf_counter()
        try:
            fitted = fit(history)
        except ValueError as error:
            logger.warning("no model of {} {}: {}", subject.zone, subject.quantity, error)
            return
        line.fitted, line.fit_due = fitted, now + self._retrain
        line.model = _answer(subject, f"model/{fitted.model}", fitted.to_json())
        took = time.perf_counter() - began
        logger.debug("fitted {} to {} {} in {:.2f} s", fitted.model, subject.zone, subject.quantity, took)
        self._scores.add(fitted.scored(subject.zone, subject.quantity, now))

    def _issue(self, subject: Subject, line: _Line, history: History, now: datetime) -> None:
        """Make a forecast by the model, or by last week's profile while there is none, and keep it."""
        recent = _recent(history)
        series = _predicted(line.fitted, recent, subject.quantity, now)
        if series is None:
            return
        model = line.model or _answer(subject, f"model/{PROFILE['model']}", PROFILE)
        answers = (model, _answer(subject, "inputs", _inputs_of(recent)))
        fetch = Fetch(OWN_FORECASTS, subject.zone, now, series.start, series.end, answers, {subject.quantity: series})
        self._store.add(fetch)
        book = Book.of(fetch.fetch_id, series)
        with self._lock:
            line.issued, line.issued_at = book, now
            line.issued_from = history.first + history.values.size

    def _history(self, subject: Subject, now: datetime, days: int) -> History | None:
        """Up to the last known slot, inputs running ahead of it; None where less than a day is known."""
        start = slot_floor(now - timedelta(days=days))
        slots = slot_index(now) - slot_index(start) + HORIZON_SLOTS
        target = self._known(subject.zone, subject.quantity, start, slots, now)
        found = np.flatnonzero(target.kinds < np.int8(Kind.SIMULATED))
        if found.size < SLOTS_PER_DAY:
            return None
        first, end = int(found[0]), int(found[-1]) + 1
        values = _real(target)[first:end]
        covariates: dict[str, FloatArray] = {}
        for each in subject.inputs:
            column = self._covariate(each, start, slots, now)[first:]
            if np.isfinite(column[: end - first]).sum() >= INPUT_SHARE * min(end - first, INPUT_DAYS * SLOTS_PER_DAY):
                covariates[each.name] = column
        return History(slot_index(start) + first, values, covariates, subject.timezone, _floor(subject.quantity))

    def _covariate(self, each: Input, start: datetime, slots: int, now: datetime) -> FloatArray:
        """Figures of an input from ``start`` on, (slots,); NaN where they were not known at the time."""
        series = self._known(each.zone, each.quantity, start, slots, now)
        values = _real(series)
        if not each.forecast:
            return values
        present = slots_between(start, slot_floor(now))
        values[:present] = np.nan
        for day in range(FORECASTS_KEPT.days, 0, -1):
            at = slot_floor(now - timedelta(days=day))
            told = self._published(each.zone, each.quantity, at)
            first = slots_between(start, at) + FORECAST_LEAD_SLOTS
            if told is not None and first >= 0:
                last = min(first + SLOTS_PER_DAY, present)
                values[first:last] = told.window(start + SLOT * first, last - first).values
        return values


def derived_again(fetch: Fetch) -> Mapping[Quantity, Series]:
    """Work a stored forecast out again from its model and inputs; :class:`FeedInvalid` where it is not one."""
    try:
        model, inputs = (json.loads(answer.body) for answer in fetch.answers)
        quantity: Quantity = inputs["quantity"]
        covariates = {name: _array(values) for name, values in inputs["covariates"].items()}
        values = _array(inputs["values"])
        history = History(inputs["first"], values, covariates, inputs["timezone"], inputs["floor"])
        fitted = None if model == PROFILE else Fitted.from_json(model)
        series = _predicted(fitted, history, quantity, fetch.fetched_at)
    except (KeyError, TypeError, ValueError) as error:
        raise FeedInvalid(f"{fetch.fetch_id} does not hold a forecast of ours: {error}.") from error
    return {} if series is None else {quantity: series}


def _real(series: Series) -> FloatArray:
    """The figures that were not simulated; NaN elsewhere."""
    return np.asarray(np.where(series.kinds < np.int8(Kind.SIMULATED), series.values, np.nan))


def _floor(quantity: Quantity) -> float | None:
    """Prices may be negative; nothing else may."""
    return None if quantity in ("price", "export_price", "wholesale_price") else 0.0


def _recent(history: History) -> History:
    """The end of a history: what a prediction is made from."""
    recent = history.last(PREDICT_DAYS)
    ahead = recent.values.size + HORIZON_SLOTS
    covariates = {name: values[:ahead] for name, values in recent.covariates.items()}
    return replace(recent, covariates=covariates)


def _predicted(fitted: Fitted | None, recent: History, quantity: Quantity, now: datetime) -> Series | None:
    """The slots after a history, by the model or by last week's profile; None where that cannot be made."""
    if fitted is None:
        return _by_profile(recent, quantity, now)
    predicted = fitted.predict(recent, HORIZON_SLOTS)
    source = f"slackwater forecast {predicted.model}"
    start = instant_of(predicted.first)
    series = Series.of(start, predicted.mean, Kind.FORECAST, UNITS[quantity], source, now)
    return series.with_interval(predicted.low, predicted.high)


def _by_profile(recent: History, quantity: Quantity, now: datetime) -> Series | None:
    known = Series.of(instant_of(recent.first), recent.values, Kind.ESTIMATE, UNITS[quantity], "known", now)
    half_hour = london_half_hour if recent.timezone == LONDON.key else utc_half_hour
    return profile_forecast(known, known.end, HORIZON_SLOTS, half_hour, now)


def _answer(subject: Subject, what: str, value: Any) -> RawAnswer:
    if what == "inputs":
        value = {"quantity": subject.quantity, **value}
    body = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return RawAnswer.of(f"slackwater:forecast/{subject.zone}/{subject.quantity}/{what}", "application/json", body)


def _inputs_of(history: History) -> dict[str, Any]:
    return {
        "first": history.first,
        "values": _listed(history.values),
        "covariates": {name: _listed(values) for name, values in history.covariates.items()},
        "timezone": history.timezone,
        "floor": history.floor,
    }


def _listed(values: FloatArray) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]


def _array(values: Sequence[float | None]) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
