"""Grid stress: one index from 0 to 1 of how hard pressed the grid of Great Britain is, half-hour by half-hour.

Three signs are scored from 0 to 1 and weighted; the weights and limits are assumptions, chosen for these reasons:

- *Residual demand* (national demand less metered wind), weight 0.5. It is what dispatchable plant must carry, the best
  sign of scarcity, and the only one that is forecast. Scored by its rank among the 28 days before: nothing up to the
  median, 1 at or beyond the highest. A rank follows the season, where a fixed number of megawatts would not. Embedded
  wind and solar have lowered national demand already and are not taken off again.
- *Imbalance price*, weight 0.3, scored by rank likewise. It is what the operator paid to balance, and shows scarcity
  that residual demand does not, such as plant that failed.
- *Frequency deviation*, weight 0.2: the largest distance from 50 Hz in the half-hour. 0.1 Hz is met in ordinary
  half-hours and scores 0, the operational limit of 0.2 Hz scores 0.5, the statutory limit of 0.5 Hz scores 1. It has
  the least weight, because it tells of a single event, and of half-hours that are over.

A sign without a figure, or without enough history to rank it in, is left out of that half-hour and the other weights
share its part: the index is then about fewer things, and :func:`reasons` says which. It never counts as calm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from core.series import FloatArray, Kind, KindArray, Series, Unit
from core.slots import SLOT, slot_floor, slots_between

RESIDUAL_WEIGHT, PRICE_WEIGHT, FREQUENCY_WEIGHT = 0.5, 0.3, 0.2
REFERENCE = timedelta(days=28)
REFERENCE_SLOTS = REFERENCE // SLOT
ENOUGH_REFERENCE = 7 * 48
"""Figures, a week of them, below which a rank says little."""
CALM_RANK = 0.5
ORDINARY_HZ, OPERATIONAL_HZ, STATUTORY_HZ = 0.1, 0.2, 0.5
MW_PER_GW = 1000.0
PENCE_PER_GBP = 100.0


@dataclass(frozen=True, slots=True)
class Signs:
    """What grid stress is made of; each series may be long or short, and None where there is no such feed.

    :param demand: national demand, MW.
    :param wind: metered wind, MW.
    :param frequency_deviation: largest distance from 50 Hz in a half-hour, Hz.
    :param imbalance_price: GBP/kWh.
    """

    demand: Series | None = None
    wind: Series | None = None
    frequency_deviation: Series | None = None
    imbalance_price: Series | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """One sign over the slots asked for: ``score`` (n,) is NaN where the sign is left out.

    :param words: what a figure and its rank (NaN if it has none) mean, for people.
    """

    name: str
    weight: float
    values: FloatArray
    kinds: KindArray
    rank: FloatArray
    score: FloatArray
    words: Callable[[float, float], str]


def grid_stress(start: datetime, slots: int, signs: Signs, issued_at: datetime) -> Series:
    """The index of ``slots`` slots from ``start``; its kind is the weakest of the figures behind it.

    Ranks are among the 28 days before ``start``. MISSING where no sign has a figure. The source names the signs used.
    """
    parts = _parts(slot_floor(start), slots, signs)
    scores = np.array([part.score for part in parts])
    used = ~np.isnan(scores)
    weights = np.where(used, np.array([[part.weight] for part in parts]), 0.0)
    total = weights.sum(axis=0)
    index = np.full(slots, np.nan)
    np.divide((weights * np.nan_to_num(scores)).sum(axis=0), total, out=index, where=total > 0)
    kinds = np.where(used, np.array([part.kinds for part in parts]), Kind.SETTLED).max(axis=0)
    return Series(
        slot_floor(start),
        np.clip(index, 0.0, 1.0),
        np.where(total > 0, kinds, Kind.MISSING).astype(np.int8),
        Unit.NONE,
        _source([part.name for part, each in zip(parts, used, strict=True) if each.any()]),
        issued_at,
    )


def reasons(at: datetime, start: datetime, signs: Signs) -> tuple[str, ...]:
    """Sentences for people on the slot ``at``, each sign's in turn, ranked as by :func:`grid_stress` from ``start``."""
    slot = slots_between(slot_floor(start), slot_floor(at))
    if slot < 0:
        raise ValueError(f"slot {at} is before {start}, from which stress is reckoned")
    return tuple(
        f"{part.name} is not counted: {'no figure' if np.isnan(part.values[slot]) else 'too little history'}."
        if np.isnan(part.score[slot])
        else part.words(float(part.values[slot]), float(part.rank[slot]))
        for part in _parts(slot_floor(start), slot + 1, signs)
    )


def _source(names: list[str]) -> str:
    return f"Grid stress GB from {', '.join(names).lower()}" if names else "Grid stress GB (no sign of it is known)"


def _parts(start: datetime, slots: int, signs: Signs) -> tuple[_Part, _Part, _Part]:
    return (
        _ranked("Residual demand", RESIDUAL_WEIGHT, _residual(start, slots, signs), _residual_words),
        _ranked(
            "Imbalance price",
            PRICE_WEIGHT,
            _history_and_slots(start, slots, signs.imbalance_price, Unit.GBP_PER_KWH),
            _price_words,
        ),
        _deviated(_history_and_slots(start, slots, signs.frequency_deviation, Unit.HERTZ)),
    )


@dataclass(frozen=True, slots=True)
class _Figures:
    """Figures of the slots asked for, and those of the time before that they are ranked among (no NaN)."""

    values: FloatArray
    kinds: KindArray
    reference: FloatArray


def _history_and_slots(start: datetime, slots: int, series: Series | None, unit: Unit) -> _Figures:
    if series is None:
        return _Figures(np.full(slots, np.nan), np.full(slots, Kind.MISSING, dtype=np.int8), np.empty(0))
    if series.unit is not unit:
        raise ValueError(f"{series.source} is in {series.unit}, grid stress needs {unit}")
    whole = series.window(start - REFERENCE, REFERENCE_SLOTS + slots)
    past = whole.values[:REFERENCE_SLOTS]
    return _Figures(whole.values[REFERENCE_SLOTS:], whole.kinds[REFERENCE_SLOTS:], past[~np.isnan(past)])


def _residual(start: datetime, slots: int, signs: Signs) -> _Figures:
    """Demand less wind, where both are known; of the weaker kind."""
    if signs.demand is None or signs.wind is None:
        return _history_and_slots(start, slots, None, Unit.MW)
    if not signs.demand.unit is signs.wind.unit is Unit.MW:
        raise ValueError(f"demand in {signs.demand.unit} and wind in {signs.wind.unit}: grid stress needs {Unit.MW}")
    demand, wind = (each.window(start - REFERENCE, REFERENCE_SLOTS + slots) for each in (signs.demand, signs.wind))
    values, kinds = demand.values - wind.values, np.maximum(demand.kinds, wind.kinds)
    past = values[:REFERENCE_SLOTS]
    return _Figures(values[REFERENCE_SLOTS:], kinds[REFERENCE_SLOTS:], past[~np.isnan(past)])


def _ranked(name: str, weight: float, figures: _Figures, words: Callable[[float, float], str]) -> _Part:
    """Scored by the share of the reference that lies below: 0 up to the median, 1 above all of it."""
    rank = np.full_like(figures.values, np.nan)
    if figures.reference.size >= ENOUGH_REFERENCE:
        ordered = np.sort(figures.reference)
        known = ~np.isnan(figures.values)
        below, not_above = (np.searchsorted(ordered, figures.values[known], side) for side in ("left", "right"))
        rank[known] = (below + not_above) / 2 / ordered.size
    score = np.clip((rank - CALM_RANK) / (1 - CALM_RANK), 0.0, 1.0)
    return _Part(name, weight, figures.values, figures.kinds, rank, score, words)


def _deviated(figures: _Figures) -> _Part:
    score = np.interp(figures.values, [ORDINARY_HZ, OPERATIONAL_HZ, STATUTORY_HZ], [0.0, 0.5, 1.0])
    score = np.where(np.isnan(figures.values), np.nan, score)
    rank = np.full_like(figures.values, np.nan)
    return _Part("Frequency", FREQUENCY_WEIGHT, figures.values, figures.kinds, rank, score, _frequency_words)


def _place(rank: float) -> str:
    before = f"of the {REFERENCE.days} days before"
    if rank in {0.0, 1.0}:
        return f"{'above' if rank else 'below'} all {before}"
    percent = int(rank * 100 + 1e-9)
    ending = "th" if percent in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(percent % 10, "th")
    return f"at the {percent}{ending} percentile {before}"


def _residual_words(megawatts: float, rank: float) -> str:
    return f"Residual demand of {megawatts / MW_PER_GW:.1f} GW is {_place(rank)}."


def _price_words(gbp_per_kwh: float, rank: float) -> str:
    return f"Imbalance price of {gbp_per_kwh * PENCE_PER_GBP:.1f} p/kWh is {_place(rank)}."


def _frequency_words(hertz: float, _: float) -> str:
    limit = "beyond" if hertz > OPERATIONAL_HZ else "within"
    return f"Frequency strayed {hertz:.2f} Hz from 50 Hz, {limit} the operational limit of {OPERATIONAL_HZ} Hz."
