"""A forecaster for any half-hourly series that people's days and weeks shape: prices, carbon, load, demand.

A ridge regression by local half-hour on lags, levels, calendar and covariates, in units that a running median and
deviation set; blended with the baselines as far as those did better on days that the regression had not seen; with
intervals from its errors on those days (rolling split conformal).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from core.halfhours import wall_index
from core.score import Score
from core.series import LEVEL, FloatArray, IntArray
from core.slots import SLOTS_PER_DAY
from core.vintage import Quantity
from forecasting.blocks import MOST_DAYS_AHEAD, Blocks, blocks_of
from forecasting.calibration import Calibration, DayScore, calibrate, candidates, day_part, trial_of
from forecasting.features import LEADS, LONGEST_LAG_DAYS, WEEK, Ahead, group_of
from forecasting.history import History
from forecasting.training import WINDOW_DAYS, regress, rows_of, walk_forward, with_covariates

MODEL = "asinh-ridge-1"
LEAST_DAYS = 14
FIT_DAYS = WINDOW_DAYS + LONGEST_LAG_DAYS
PREDICT_DAYS = 2 * LONGEST_LAG_DAYS
"""Days of history that a forecast looks back on."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Figures of slots that are not known yet.

    :param first: index of the first slot.
    :param mean: (slots,) the forecast, in the target's unit.
    :param low: (slots,) lower end of the central interval of probability ``level``.
    :param high: (slots,) upper end.
    """

    first: int
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    level: float
    model: str


@dataclass(frozen=True, slots=True)
class Learnt:
    """What forecasts the days of one group of leads.

    :param coefficients: (48, p) by local half-hour.
    """

    coefficients: FloatArray
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class Variant:
    """A forecaster for one set of covariates.

    :param ahead: by covariate, days that must be known after the target's last.
    :param groups: by group of leads.
    """

    ahead: Ahead
    groups: tuple[Learnt, ...]

    def serves(self, blocks: Blocks) -> bool:
        """Whether all that it asks for is known."""
        known = blocks.covariates
        return all(name in known and known[name].ahead >= days for name, days in self.ahead.items())


@dataclass(frozen=True, slots=True)
class Fitted:
    """A forecaster that has learnt from one history.

    :param model: stable name with version.
    :param variants: richest first; the last asks for no covariate.
    :param scores: out of sample, by day ahead, with what was known ahead at the end of that history.
    """

    model: str
    variants: tuple[Variant, ...]
    scores: tuple[DayScore, ...]

    def predict(self, history: History, slots: int) -> Prediction:
        """The ``slots`` after the last known one, with the covariates that ``history`` has.

        Beyond seven days the week repeats, with intervals as wide as those of its last day.

        :raises ValueError: where less than a week of the last eight is known.
        """
        recent = history.last(PREDICT_DAYS)
        _require(recent, WEEK)
        blocks = blocks_of(recent)
        variant = next(variant for variant in self.variants if variant.serves(blocks))
        days = np.concatenate([_day(blocks, variant, lead) for lead in range(1, MOST_DAYS_AHEAD + 1)], axis=1)
        wall = wall_index(np.arange(history.end, history.end + slots, dtype=np.int64), history.timezone)
        mean, low, high = _above(_at(days, np.maximum(wall - wall[:1], 0)), history.floor)
        return Prediction(history.end, mean, low, high, LEVEL, self.model)

    def scored(self, zone: str, quantity: Quantity, scored_at: datetime) -> tuple[Score, ...]:
        """Its scores under the name of what it forecasts, those of days ahead that could be judged."""
        return tuple(
            Score(model=self.model, zone=zone, quantity=quantity, scored_at=scored_at, **asdict(day))
            for day in self.scores
            if day.slots
        )

    def to_json(self) -> dict[str, Any]:
        """Itself as JSON values, without loss."""
        return {
            "model": self.model,
            "variants": [
                {"ahead": dict(variant.ahead), "groups": [_held(learnt) for learnt in variant.groups]}
                for variant in self.variants
            ],
            "scores": [asdict(score) for score in self.scores],
        }

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> Fitted:
        """The inverse of :meth:`to_json`."""
        return cls(
            held["model"],
            tuple(Variant(one["ahead"], tuple(_learnt(group) for group in one["groups"])) for one in held["variants"]),
            tuple(DayScore(**score) for score in held["scores"]),
        )


def _day(blocks: Blocks, variant: Variant, lead: int) -> FloatArray:
    """(3, 48) forecast, low and high of one day of lead."""
    origin = np.array([blocks.count - 1])
    learnt = variant.groups[group_of(lead)]
    normal = regress(blocks, learnt.coefficients, origin, lead, variant.ahead)
    mean = np.einsum("k,knh->nh", learnt.calibration.blend, candidates(blocks, origin, lead, normal))[0]
    ends = learnt.calibration.quantiles[day_part(blocks.half_hour)] * blocks.target.scale[origin]
    return np.stack([mean, mean + ends[:, 0], mean + ends[:, 1]])


def _at(days: FloatArray, position: IntArray) -> FloatArray:
    """Forecast, low and high at ``position`` in half-hours of the week, (3, n), from the (3, 336) of its days."""
    week = days.shape[1]
    mean = days[0, position % week]
    spread = np.where(position < week, position, week - SLOTS_PER_DAY + position % SLOTS_PER_DAY)
    return np.stack([mean, mean + (days[1] - days[0])[spread], mean + (days[2] - days[0])[spread]])


def _held(learnt: Learnt) -> dict[str, Any]:
    calibration = learnt.calibration
    arrays = {"coefficients": learnt.coefficients, "blend": calibration.blend, "quantiles": calibration.quantiles}
    return {name: _packed(array) for name, array in arrays.items()}


def _learnt(held: Mapping[str, Any]) -> Learnt:
    calibration = Calibration(_unpacked(held["blend"]), _unpacked(held["quantiles"]))
    return Learnt(_unpacked(held["coefficients"]), calibration)


def _packed(array: FloatArray) -> dict[str, Any]:
    body = base64.b64encode(np.ascontiguousarray(array, dtype="<f8").tobytes()).decode()
    return {"shape": list(array.shape), "float64": body}


def _unpacked(held: Mapping[str, Any]) -> FloatArray:
    flat = np.frombuffer(base64.b64decode(held["float64"]), dtype="<f8")
    return flat.reshape(held["shape"]).astype(np.float64)


def _above(figures: FloatArray, floor: float | None) -> FloatArray:
    return figures if floor is None else np.maximum(figures, floor)


def _require(history: History, days: int) -> None:
    known = int(np.isfinite(history.values).sum())
    if known < days * SLOTS_PER_DAY:
        raise ValueError(f"{known / SLOTS_PER_DAY:.1f} days of figures are known; a forecast takes {days}")


def _variants_asked(now: Mapping[str, int]) -> list[dict[str, int]]:
    """Sets of covariates worth coefficients, the richest first: known a day ahead, as ``now``, not ahead, none."""
    asked = [{name: max(days, 1) for name, days in now.items()}, dict(now), dict.fromkeys(now, 0), {}]
    return [wanted for number, wanted in enumerate(asked) if wanted not in asked[:number]]


def fit(history: History, origins_per_day: int = 1) -> Fitted:
    """Learn from ``history``; under a second for a year.

    :param origins_per_day: from how many hours of the day forecasts will be made: 1 where the last known slot is
        always at the same local hour (prices published once a day), more where it moves on with the clock.
    :raises ValueError: where fewer than 14 days are known.
    """
    kept = history.last(FIT_DAYS)
    _require(kept, LEAST_DAYS)
    step = SLOTS_PER_DAY // origins_per_day
    layouts = [blocks_of(kept, back_slots=step * turn) for turn in range(origins_per_day)]
    now = {name: found.ahead for name, found in layouts[0].covariates.items()}
    asked = _variants_asked(now)
    groups: list[list[Learnt]] = [[] for _ in asked]
    scores: list[DayScore] = []
    for group, leads in enumerate(LEADS):
        past = rows_of(layouts, leads)
        for ahead, learnt in zip(asked, groups, strict=True):
            rows = with_covariates(past, layouts, leads, ahead)
            coefficients, unseen = walk_forward(layouts[0], rows, group, ahead)
            trials = [trial_of(layouts[0], one) for one in unseen]
            calibration, judged = calibrate(trials, layouts[0].half_hour, layouts[0].count)
            learnt.append(Learnt(coefficients, calibration))
            scores += judged if ahead == now else ()
    variants = tuple(Variant(ahead, tuple(learnt)) for ahead, learnt in zip(asked, groups, strict=True))
    return Fitted(MODEL, variants, tuple(scores))
