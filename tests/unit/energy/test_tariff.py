from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.energy.tariff import VAT_FREE_FROM, VAT_FREE_TO, region_price_p, vat_rate, wholesale_p, with_vat_gbp
from agents.energy.zones import REGIONS
from core.halfhours import indexes, instant_of
from core.slots import LONDON


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_vat_is_nil_between_october_2026_and_march_2027_local_time_and_five_percent_otherwise():
    around_start = vat_rate(indexes(utc(2026, 9, 30, 22, 30), 2))
    around_end = vat_rate(indexes(utc(2027, 3, 31, 22, 30), 2))
    assert around_start.tolist() == [0.05, 0.0]
    assert around_end.tolist() == [0.0, 0.05]


@given(st.integers(VAT_FREE_FROM - 20_000, VAT_FREE_TO + 20_000), st.floats(-50, 95))
def test_vat_is_decided_by_the_local_day_of_each_slot_alone(slot, price_p):
    index = np.array([slot])
    day = instant_of(slot).astimezone(LONDON).date()
    free = date(2026, 10, 1) <= day < date(2027, 4, 1)
    assert vat_rate(index)[0] == (0 if free else 0.05)
    assert with_vat_gbp(np.array([price_p]), index)[0] == pytest.approx(price_p * (1 if free else 1.05) / 100)


def test_negative_prices_stay_negative_and_carry_vat():
    assert with_vat_gbp(np.array([-10.0, 20.0]), indexes(utc(2023, 1, 1), 2)).tolist() == pytest.approx([-0.105, 0.21])


def test_the_peak_adder_applies_from_16_to_19_local_in_summer_and_winter():
    for day, first in ((utc(2023, 7, 3), 30), (utc(2023, 1, 3), 32)):
        prices = region_price_p(np.full(48, 10.0), REGIONS["GB-C"], indexes(day, 48))
        assert np.flatnonzero(prices > 20).tolist() == list(range(first, first + 6))
        assert prices.max() == pytest.approx(32.0)


def test_the_price_is_capped_and_the_levy_cut_counts_from_april_2026():
    assert region_price_p(np.array([90.0]), REGIONS["GB-J"], indexes(utc(2023, 1, 1), 1))[0] == 95
    after = region_price_p(np.array([10.0, 10.0]), REGIONS["GB-C"], indexes(utc(2026, 3, 31, 22, 30), 2))
    assert after.tolist() == pytest.approx([20.0, 16.667])


@settings(max_examples=40)
@given(st.sampled_from(sorted(REGIONS)), st.floats(-20, 30), st.integers(0, 47))
def test_the_wholesale_price_is_recovered_from_any_region_below_the_cap(zone, wholesale, slot):
    index = indexes(utc(2023, 5, 1), 48)[slot : slot + 1]
    price = region_price_p(np.array([wholesale]), REGIONS[zone], index)
    assert wholesale_p(price, REGIONS[zone], index)[0] == pytest.approx(wholesale)
