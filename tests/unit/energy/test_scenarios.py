from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agents.energy.scenarios import ALIKE, PERSISTENCE, drawn
from agents.messages import EnergyQuote
from core.series import Kind, Series, Unit
from core.slots import SLOT
from tests.unit.energy.fakes import utc

START = utc(2026, 11, 21)
SLOTS = 96
ZONES = ("GB-A", "GB-B", "IS")


def quote(start=START, slots=SLOTS, half=(2.0, 6.0), zones=ZONES) -> EnergyQuote:
    """Prices of 10 and carbon of 100 with intervals that reach ``half`` below and above."""

    def series(value: float, unit: Unit) -> Series:
        values = np.full(slots, value)
        bare = Series.of(start, values, Kind.FORECAST, unit, "feed", start)
        return bare.with_interval(values - half[0], values + half[1])

    price = {zone: series(10.0, Unit.GBP_PER_KWH) for zone in zones}
    carbon = {zone: series(100.0, Unit.G_PER_KWH) for zone in zones}
    return EnergyQuote(start, start, slots, price, carbon)


def test_the_mean_of_all_scenarios_is_what_is_quoted():
    found = drawn(quote(), 16, seed=3)
    for zone in ZONES:
        assert found.price[zone].shape == found.carbon[zone].shape == (16, SLOTS)
        assert found.price[zone].mean(axis=0) == pytest.approx(np.full(SLOTS, 10.0))
        assert found.carbon[zone].mean(axis=0) == pytest.approx(np.full(SLOTS, 100.0))


def test_nine_outcomes_of_ten_lie_within_intervals_of_either_skew():
    found = drawn(quote(slots=2000), 200, seed=3).price["IS"]
    error = found - 10.0
    assert np.mean(error > 0) == pytest.approx(0.5, abs=0.2), "centred, not one-sided"
    plain = drawn(quote(slots=2000, half=(1.6449, 1.6449)), 200, seed=3).price["IS"]
    assert np.mean(np.abs(plain - 10.0) <= 1.6449) == pytest.approx(0.9, abs=0.01)
    assert np.quantile(error, 0.95) / -np.quantile(error, 0.05) > 1.5, "the wide side stays the wide one"


def test_published_figures_do_not_vary_and_missing_ones_stay_missing():
    base = quote()
    known = Series.of(START, np.full(SLOTS, 10.0), Kind.SETTLED, Unit.GBP_PER_KWH, "feed", START)
    gone = Series.of(START, np.full(SLOTS, np.nan), Kind.MISSING, Unit.G_PER_KWH, "feed", START)
    found = drawn(replace(base, price={**base.price, "IS": known}, carbon={**base.carbon, "IS": gone}), 4, seed=3)
    assert (found.price["IS"] == 10.0).all()
    assert np.isnan(found.carbon["IS"]).all()


def test_carbon_is_never_below_nought():
    found = drawn(quote(half=(400.0, 400.0)), 16, seed=3)
    assert found.carbon["IS"].min() == 0
    assert found.price["IS"].min() < 0, "prices may be"


@pytest.mark.parametrize("quantity", ["price", "carbon"])
def test_errors_fade_from_slot_to_slot_as_they_were_measured(quantity):
    found = getattr(drawn(quote(slots=4000, half=(1.6449, 1.6449)), 100, seed=3), quantity)["GB-A"][:50]
    errors = found - (10.0 if quantity == "price" else 100.0)
    kept = PERSISTENCE[quantity]
    for lag in (1, 8, 48):
        expected = kept.lasting + (1 - kept.lasting) * kept.phi**lag
        assert np.corrcoef(errors[:, :-lag].ravel(), errors[:, lag:].ravel())[0, 1] == pytest.approx(expected, abs=0.06)


def test_price_and_carbon_err_alike_and_zones_of_one_country_as_one():
    found = drawn(quote(slots=4000, half=(1.6449, 1.6449)), 100, seed=3)
    price, carbon, other = (
        table[:50].ravel() for table in (found.price["GB-A"], found.carbon["GB-A"], found.price["IS"])
    )
    assert np.corrcoef(price, carbon)[0, 1] == pytest.approx(ALIKE, abs=0.06)
    assert (found.price["GB-A"] == found.price["GB-B"]).all()
    assert abs(np.corrcoef(price, other)[0, 1]) < 0.1


def test_half_an_hour_later_the_same_scenarios_are_met_again():
    now, later = drawn(quote(), 8, seed=3), drawn(quote(start=START + SLOT), 8, seed=3)
    assert now.price["IS"][:, 1:] == pytest.approx(later.price["IS"][:, :-1])
    assert now.price["IS"] != pytest.approx(drawn(quote(), 8, seed=4).price["IS"])


@pytest.mark.parametrize("count", [0, 1, 7, -2])
def test_scenarios_come_in_pairs(count):
    with pytest.raises(ValueError, match="opposite pairs"):
        drawn(quote(), count, seed=3)
