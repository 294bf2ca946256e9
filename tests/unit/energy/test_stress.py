from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.energy.stress import REFERENCE, Signs, grid_stress, reasons
from core.series import Kind, Series, Unit
from core.slots import SLOT

START = datetime(2026, 11, 20, 10, tzinfo=UTC)
PAST = REFERENCE // SLOT
SLOTS = 6
NAMES = ("demand", "wind", "frequency_deviation", "imbalance_price")
UNITS = dict(zip(NAMES, (Unit.MW, Unit.MW, Unit.HERTZ, Unit.GBP_PER_KWH), strict=True))
RANDOM = np.random.default_rng(7)
HISTORY = {
    "demand": RANDOM.uniform(20_000, 40_000, PAST),
    "wind": RANDOM.uniform(0, 15_000, PAST),
    "frequency_deviation": RANDOM.uniform(0, 0.2, PAST),
    "imbalance_price": RANDOM.uniform(-0.05, 0.3, PAST),
}
FIGURES = {"demand": 33_000.0, "wind": 6_000.0, "frequency_deviation": 0.15, "imbalance_price": 0.2}
HIGHEST = {"demand": 99_000.0, "wind": 0.0, "frequency_deviation": 0.7, "imbalance_price": 9.0}
CALMEST = {"demand": 1_000.0, "wind": 30_000.0, "frequency_deviation": 0.0, "imbalance_price": -1.0}


def series_of(name, now, kind=Kind.ESTIMATE, history=PAST):
    """The last ``history`` figures before the start, then ``now`` for each slot."""
    past = HISTORY[name][PAST - history :]
    values = np.concatenate((past, np.broadcast_to(now, SLOTS)))
    series = Series.of(START - history * SLOT, values, Kind.SETTLED, UNITS[name], name, START)
    kinds = np.where(np.arange(len(series)) >= history, kind, series.kinds)
    return replace(series, kinds=np.where(np.isnan(values), Kind.MISSING, kinds).astype(np.int8))


def signs(**figures):
    return Signs(**{name: series_of(name, now) for name, now in (FIGURES | figures).items()})


def index(given_signs):
    return grid_stress(START, SLOTS, given_signs, START)


def test_everything_at_its_worst_is_1_and_everything_calm_is_0():
    assert index(signs(**HIGHEST)).values.tolist() == [1.0] * SLOTS
    assert index(signs(**CALMEST)).values.tolist() == [0.0] * SLOTS


def test_the_weights_are_those_documented():
    calm = {**CALMEST, "demand": HIGHEST["demand"], "wind": HIGHEST["wind"]}
    assert index(signs(**calm)).values[0] == pytest.approx(0.5)
    assert index(signs(**{**CALMEST, "imbalance_price": 9.0})).values[0] == pytest.approx(0.3)
    assert index(signs(**{**CALMEST, "frequency_deviation": 0.5})).values[0] == pytest.approx(0.2)


def test_the_operational_limit_of_frequency_is_half_way_and_an_ordinary_deviation_is_nothing():
    alone = [Signs(frequency_deviation=series_of("frequency_deviation", hertz)) for hertz in (0.1, 0.2, 0.35, 0.5)]
    assert [index(each).values[0] for each in alone] == pytest.approx([0.0, 0.5, 0.75, 1.0])


def test_the_median_of_the_days_before_is_no_stress_and_the_third_quartile_half_of_it():
    residual = HISTORY["demand"] - HISTORY["wind"]
    for quantile, expected in ((0.3, 0.0), (0.5, 0.0), (0.75, 0.5)):
        demand = series_of("demand", np.quantile(residual, quantile) + FIGURES["wind"])
        stress = index(Signs(demand=demand, wind=series_of("wind", FIGURES["wind"])))
        assert stress.values[0] == pytest.approx(expected, abs=0.01)


figures = st.fixed_dictionaries(
    {
        "demand": st.floats(0, 60_000),
        "wind": st.floats(0, 25_000),
        "frequency_deviation": st.floats(0, 1),
        "imbalance_price": st.floats(-1, 6),
    }
)


@given(figures, st.sampled_from(NAMES), st.floats(0, 1), st.sets(st.sampled_from(NAMES)))
def test_no_sign_that_worsens_lowers_the_index_which_stays_within_0_and_1(now, name, by, missing):
    step = by * (HIGHEST[name] - CALMEST[name])
    worse = now | {name: now[name] + step}
    gone = dict.fromkeys(missing - {name}, np.nan)
    before, after = index(signs(**now | gone)), index(signs(**worse | gone))
    if not np.isnan(before.values).any():
        assert np.all(after.values >= before.values)
        assert np.all((before.values >= 0) & (before.values <= 1))


def test_a_missing_sign_is_left_out_of_the_weighting_and_of_the_source():
    stress = index(replace(signs(**HIGHEST), imbalance_price=None))
    assert stress.values.tolist() == [1.0] * SLOTS
    assert stress.source == "Grid stress GB from residual demand, frequency"
    calm_but_for_price = signs(**{**CALMEST, "imbalance_price": 9.0})
    assert index(replace(calm_but_for_price, frequency_deviation=None)).values[0] == pytest.approx(0.3 / 0.8)


def test_a_sign_missing_in_one_slot_is_left_out_of_that_slot_alone():
    price = np.where(np.arange(SLOTS) == 2, np.nan, 9.0)
    values = index(signs(**{**CALMEST, "imbalance_price": price})).values
    assert values.tolist() == pytest.approx([0.3, 0.3, 0.0, 0.3, 0.3, 0.3])


def test_nothing_known_is_missing_and_not_calm():
    stress = index(Signs())
    assert stress.kinds_used() == (Kind.MISSING,)
    assert len(stress) == SLOTS
    assert "no sign" in stress.source
    assert index(Signs(demand=series_of("demand", 1.0))).kinds_used() == (Kind.MISSING,)


def test_too_little_history_ranks_nothing():
    week = timedelta(days=7) // SLOT
    for history, expected in ((week - 1, Kind.MISSING), (week, Kind.ESTIMATE)):
        stress = index(Signs(imbalance_price=series_of("imbalance_price", 9.0, history=history)))
        assert stress.kinds_used() == (expected,)


def test_the_index_is_as_weak_as_the_weakest_figure_in_it():
    settled = {name: series_of(name, FIGURES[name], Kind.SETTLED) for name in NAMES}
    assert index(Signs(**settled)).kinds_used() == (Kind.SETTLED,)
    for name in NAMES:
        weak = settled | {name: series_of(name, FIGURES[name], Kind.FORECAST)}
        assert index(Signs(**weak)).kinds_used() == (Kind.FORECAST,)
    gone = settled | {"imbalance_price": series_of("imbalance_price", np.nan)}
    assert index(Signs(**gone)).kinds_used() == (Kind.SETTLED,)


def test_the_slots_to_be_ranked_are_not_part_of_what_they_are_ranked_among():
    rising = np.linspace(0.1, 0.25, SLOTS)
    together = index(Signs(imbalance_price=series_of("imbalance_price", rising))).values
    alone = [index(Signs(imbalance_price=series_of("imbalance_price", each))).values[0] for each in rising]
    assert together.tolist() == pytest.approx(alone)


def test_a_series_in_another_unit_is_refused():
    with pytest.raises(ValueError, match=r"needs GBP/kWh"):
        index(Signs(imbalance_price=series_of("demand", 1.0)))
    with pytest.raises(ValueError, match=r"grid stress needs MW"):
        index(Signs(demand=series_of("demand", 1.0), wind=series_of("imbalance_price", 1.0)))


def test_the_reasons_say_where_each_figure_stands():
    price = float(np.sort(HISTORY["imbalance_price"])[int(PAST * 0.97) + 3])
    told = reasons(START + 2 * SLOT, START, signs(demand=99_000.0, imbalance_price=price, frequency_deviation=0.213))
    assert told == (
        "Residual demand of 93.0 GW is above all of the 28 days before.",
        f"Imbalance price of {price * 100:.1f} p/kWh is at the 97th percentile of the 28 days before.",
        "Frequency strayed 0.21 Hz from 50 Hz, beyond the operational limit of 0.2 Hz.",
    )


@pytest.mark.parametrize(("rank", "words"), [(0.01, "1st"), (0.11, "11th"), (0.22, "22nd"), (0.93, "93rd")])
def test_percentiles_are_worded_as_people_say_them(rank, words):
    ordered = np.sort(HISTORY["imbalance_price"])
    at = int(np.ceil(rank * PAST)) + 3
    told = reasons(START, START, Signs(imbalance_price=series_of("imbalance_price", ordered[at])))
    assert f"at the {words} percentile" in told[1]


def test_what_is_not_counted_is_named_with_its_reason():
    short = series_of("imbalance_price", 0.1, history=48)
    told = reasons(
        START, START, Signs(frequency_deviation=series_of("frequency_deviation", 0.05), imbalance_price=short)
    )
    assert told == (
        "Residual demand is not counted: no figure.",
        "Imbalance price is not counted: too little history.",
        "Frequency strayed 0.05 Hz from 50 Hz, within the operational limit of 0.2 Hz.",
    )


def test_reasons_of_a_slot_before_the_reckoning_are_refused():
    with pytest.raises(ValueError, match="before"):
        reasons(START - SLOT, START, Signs())
