"""From forecasts of unseen days: how far to lean on the baselines, how wide the interval must be, and the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.series import LEVEL, BoolArray, FloatArray, IntArray
from core.slots import SLOTS_PER_DAY
from forecasting.baselines import day_naive, seasonal_naive, slot_mean
from forecasting.blocks import Blocks
from forecasting.training import FOLDS, Unseen

BLENDS: FloatArray = np.array(
    [
        (1.0, 0.0, 0.0, 0.0),
        (0.8, 0.2, 0.0, 0.0),
        (0.8, 0.0, 0.2, 0.0),
        (0.6, 0.4, 0.0, 0.0),
        (0.6, 0.2, 0.2, 0.0),
        (0.6, 0.0, 0.0, 0.4),
        (0.3, 0.7, 0.0, 0.0),
        (0.3, 0.3, 0.4, 0.0),
        (0.0, 1.0, 0.0, 0.0),
        (0.0, 0.5, 0.5, 0.0),
        (0.0, 0.0, 1.0, 0.0),
        (0.0, 0.0, 0.0, 1.0),
    ]
)
"""Weights of regression, slot mean, seasonal naive and last day that may be chosen."""
PATIENCE = 0.05
"""The share by which a blend must have erred less than the first to be taken, where a year or more was learnt from.
It takes less where less was learnt from."""
PATIENT_DAYS = 365
DAY_PARTS = 8
"""Parts of the local day whose errors are gathered apart."""
LEAST_ERRORS = 60
"""With fewer errors than this a part of the day takes the interval of the whole day."""


@dataclass(frozen=True, slots=True)
class DayScore:
    """How well one day of lead was forecast, out of sample, walking forward within the history.

    A day of lead that the history is too short to judge has none.

    :param day_ahead: 1 for the first 48 slots that were not known, to 7.
    :param slots: number of figures compared.
    :param mae: mean absolute error in the unit of the target.
    :param naive_mae: of the same half-hour a week before.
    :param slot_mean_mae: of the mean of the same half-hour over the last 7 days.
    :param coverage: share of outturns inside the interval of probability ``level``.
    """

    day_ahead: int
    slots: int
    mae: float
    naive_mae: float
    slot_mean_mae: float
    coverage: float
    level: float = LEVEL


@dataclass(frozen=True, slots=True)
class Trial:
    """Forecasts of unseen days at one lead beside what came.

    :param candidates: (4, n, 48) as of :func:`candidates`.
    :param outturn: (n, 48) in the target's unit.
    :param known: (n, 48) False where no outturn is known.
    :param scale: (n,) scale of the target at each origin.
    :param fold: (n,) number of the refit that made the forecast.
    """

    lead: int
    candidates: FloatArray
    outturn: FloatArray
    known: BoolArray
    scale: FloatArray
    fold: IntArray

    def blended(self, weights: FloatArray) -> FloatArray:
        """(n, 48) forecast with ``weights`` (folds, 4), those of each row's fold."""
        return np.asarray(np.einsum("nk,knh->nh", weights[self.fold], self.candidates))


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the trials of a group of leads taught.

    :param blend: (4,) weights of the candidates.
    :param quantiles: (8, 2) by part of the local day: both ends of the interval, less the forecast, in scales.
    """

    blend: FloatArray
    quantiles: FloatArray


def candidates(blocks: Blocks, origins: IntArray, lead: int, normal: FloatArray) -> FloatArray:
    """(4, origins, 48) what regression, slot mean, seasonal naive and last day say, in the target's unit."""
    naive = seasonal_naive(blocks, origins, lead)
    regression = blocks.target.original(normal, origins)
    return np.stack([regression, slot_mean(blocks, origins), naive, day_naive(blocks, origins)])


def trial_of(blocks: Blocks, unseen: Unseen) -> Trial:
    """Set the forecasts of unseen days beside what came."""
    rows = unseen.origins + unseen.lead
    return Trial(
        unseen.lead,
        candidates(blocks, unseen.origins, unseen.lead, unseen.normal),
        blocks.target.values[rows],
        blocks.target.known[rows],
        blocks.target.scale[unseen.origins],
        unseen.fold,
    )


def _blend_errors(trials: Sequence[Trial]) -> FloatArray:
    """(blends, folds) sum of absolute errors in scales."""
    errors = np.zeros((len(BLENDS), FOLDS))
    for trial in trials:
        missed = np.einsum("bk,knh->bnh", BLENDS, trial.candidates) - trial.outturn
        daily = (np.abs(missed) * trial.known).sum(axis=2) / trial.scale
        for fold in range(FOLDS):
            errors[:, fold] += daily[:, trial.fold == fold].sum(axis=1)
    return errors


def _choose(errors: FloatArray, days: int) -> FloatArray:
    best, patience = int(np.argmin(errors)), PATIENCE * min(1.0, days / PATIENT_DAYS)
    return np.asarray(BLENDS[best if errors[best] < (1 - patience) * errors[0] else 0])


def day_part(half_hour: IntArray) -> IntArray:
    """Which of the ``DAY_PARTS`` each local half-hour belongs to."""
    return half_hour * DAY_PARTS // SLOTS_PER_DAY


def _tails(days: int) -> tuple[float, float]:
    """Ranks of both ends among the errors of ``days`` days, so that the next day's are as likely between them as asked.

    That is (days + 1) / days of the rank sought: the slots of a day err alike, so the days are what counts.
    """
    upper = min(1.0, (1 + LEVEL) / 2 * (days + 1) / days)
    return 1 - upper, upper


def _quantiles(errors: FloatArray, known: BoolArray, part: IntArray, days: int) -> FloatArray:
    """(8, 2) both ends by part of the day; 0 where there are no errors at all."""
    pooled = errors[known]
    if pooled.size == 0:
        return np.zeros((DAY_PARTS, 2))
    tails = _tails(days)
    found = np.tile(np.quantile(pooled, tails), (DAY_PARTS, 1))
    for number in range(DAY_PARTS):
        own = errors[:, part == number][known[:, part == number]]
        if own.size >= LEAST_ERRORS:
            found[number] = np.quantile(own, tails)
    return np.stack([np.minimum(found[:, 0], 0.0), np.maximum(found[:, 1], 0.0)], axis=1)


def calibrate(trials: Sequence[Trial], half_hour: IntArray, days: int) -> tuple[Calibration, tuple[DayScore, ...]]:
    """Blend and intervals for the leads of ``trials``, and the score of each.

    :param half_hour: (48,) local half-hour of each column.
    :param days: length of the history that was learnt from.

    The score of a refit uses the blend and the intervals that the refits before it would have chosen.
    """
    errors = _blend_errors(trials)
    weights = np.stack([_choose(errors[:, :fold].sum(axis=1), days) for fold in range(FOLDS + 1)])
    part = day_part(half_hour)
    missed = [(trial.outturn - trial.blended(weights)) / trial.scale[:, None] for trial in trials]

    def ends(before: int) -> FloatArray:
        chosen = [trial.fold < before for trial in trials]
        past = np.concatenate([m[c] for m, c in zip(missed, chosen, strict=True)])
        known = np.concatenate([t.known[c] for t, c in zip(trials, chosen, strict=True)])
        return _quantiles(past, known, part, max(int(known.any(axis=1).sum()) // len(trials), 1))

    by_fold = np.stack([ends(fold) for fold in range(FOLDS + 1)])
    scores = [_score(t, m, by_fold[:, part], weights) for t, m in zip(trials, missed, strict=True)]
    judged = tuple(score for score in scores if np.isfinite((score.mae, score.coverage)).all())
    return Calibration(weights[FOLDS], by_fold[FOLDS]), judged


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else float("nan")


def _score(trial: Trial, missed: FloatArray, ends: FloatArray, weights: FloatArray) -> DayScore:
    """:param ends: (folds + 1, 48, 2) both ends by fold and column."""
    low, high = ends[trial.fold, :, 0], ends[trial.fold, :, 1]
    judged = trial.known & (trial.fold > 0)[:, None]
    wrong = np.abs(trial.outturn - trial.blended(weights))
    baseline = np.abs(trial.outturn - trial.candidates)
    return DayScore(
        day_ahead=trial.lead,
        slots=int(trial.known.sum()),
        mae=_mean(wrong[trial.known]),
        naive_mae=_mean(baseline[2][trial.known]),
        slot_mean_mae=_mean(baseline[1][trial.known]),
        coverage=_mean(((missed >= low) & (missed <= high))[judged].astype(np.float64)),
    )
