from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounting.volumes import PairVolume, Total, from_meter, recorded, to_meter

KWH = st.decimals(0, 100_000, places=3)
MWH = st.decimals(-100, 100, places=7)


def pair(metered, baseline=None, submitted=None, indicator="B"):
    return PairVolume(indicator, *(None if v is None else Decimal(v) for v in (metered, baseline, submitted)))


@given(KWH)
def test_import_is_negative_and_comes_back(kwh):
    assert from_meter(kwh) == -kwh / 1000
    assert to_meter(from_meter(kwh)) == (kwh, 0)
    assert to_meter(from_meter(Decimal(0), kwh)) == (0, kwh)


def test_a_meter_does_not_count_backwards():
    with pytest.raises(ValueError, match="at least 0"):
        from_meter(Decimal(-1))


def test_using_less_than_the_baseline_deviates_upwards():
    assert pair("-0.3", "-0.5").deviation_mwh == Decimal("0.2000")
    assert pair("-0.628", "-0.42").deviation_mwh == Decimal("-0.2080")


def test_a_half_is_rounded_to_the_even_figure_and_zero_has_no_sign():
    assert [str(recorded(Decimal(figure))) for figure in ("0.00005", "0.00015", "-0.00001")] == [
        "0.0000",
        "0.0002",
        "0.0000",
    ]


def test_nothing_is_rounded_before_the_difference():
    thirds = PairVolume("B", Decimal("-0.30004"), Decimal("-0.50006"))
    assert thirds.deviation_mwh == Decimal("0.2000")
    assert recorded(thirds.metered_mwh) - recorded(thirds.baseline_mwh) == Decimal("0.2001")


def test_a_submitted_pair_is_measured_against_what_was_submitted():
    assert pair("-0.3", "-0.9", "-0.5", "S").deviation_mwh == Decimal("0.2000")


def test_without_an_expected_volume_the_deviation_is_lost():
    lost = pair("-0.3", "-0.9", None, "S")
    assert (lost.expected_mwh, lost.deviation_mwh) == (None, None)
    assert Total.of([lost.deviation_mwh, pair("-0.3", "-0.5").deviation_mwh]) == Total(Decimal("0.2000"), 2, 1)


@given(st.lists(st.tuples(MWH, MWH), max_size=20))
def test_a_sum_is_that_of_the_figures_as_recorded(volumes):
    pairs = [PairVolume("B", *each) for each in volumes]
    assert Total.of(p.deviation_mwh for p in pairs).mwh == sum((p.deviation_mwh for p in pairs), Decimal(0))
    assert Total.of(p.expected_mwh for p in pairs).mwh == sum((p.expected_mwh for p in pairs), Decimal(0))
