from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from agents.energy import quality
from agents.energy.feed import Flag
from core.series import Kind, Series
from core.slots import SLOT
from core.vintage import UNITS
from tests.unit.energy.fakes import utc

NOW = utc(2026, 11, 20, 12)
START = NOW - timedelta(days=9)
SLOTS = 11 * 48
NAN = float("nan")


def wave(quantity="carbon"):
    """Eleven days, nine of them past, with a daily swing and a little noise."""
    slots = np.arange(SLOTS)
    values = 150 + 60 * np.sin(2 * np.pi * slots / 48) + np.random.default_rng(1).normal(0, 8, SLOTS)
    return values / (500 if quantity == "price" else 1)


def series(values, quantity="carbon", kind=Kind.ESTIMATE):
    return Series.of(START, values, kind, UNITS[quantity], "source", NOW)


def flags(values, quantity="carbon"):
    return [finding.flag for finding in quality.findings(quantity, series(values, quantity), NOW)]


@pytest.mark.parametrize("quantity", ["price", "carbon"])
def test_ordinary_figures_are_not_flagged(quantity):
    assert flags(wave(quantity), quantity) == []


def test_a_figure_far_from_the_usual_of_its_half_hour_is_an_outlier_and_named():
    values = wave()
    values[-40] = 900.0
    (finding,) = quality.findings("carbon", series(values), NOW)
    assert finding.flag is Flag.OUTLIER
    assert finding.start == START + SLOT * (SLOTS - 40)
    assert "900 gCO2/kWh" in finding.detail


def test_an_outlier_of_long_ago_was_looked_at_when_it_was_new():
    values = wave()
    values[10] = 900.0
    assert flags(values) == []


def test_repeated_figures_are_frozen_unless_the_quantity_may_stay_at_zero():
    values = wave()
    values[-20:] = 123.0
    (finding,) = quality.findings("carbon", series(values), NOW)
    assert finding.flag is Flag.FROZEN
    assert (finding.start, finding.end) == (START + SLOT * (SLOTS - 20), START + SLOT * SLOTS)
    values[-20:] = 0.0
    assert Flag.FROZEN not in flags(values), "a region without emissions"
    assert Flag.FROZEN in flags(values, "price")


def test_a_gap_between_figures_is_flagged_and_their_end_is_not():
    values = wave()
    values[-30:-25] = NAN
    values[-3:] = NAN
    (finding,) = quality.findings("carbon", series(values), NOW)
    assert finding.flag is Flag.GAP
    assert (finding.end - finding.start) // SLOT == 5


def test_nothing_is_said_of_a_series_without_figures():
    empty = Series.missing(START, SLOTS, UNITS["carbon"], "source", NOW)
    assert quality.findings("carbon", empty, NOW) == ()


def test_a_revised_forecast_is_no_finding():
    before, after = series(wave(), kind=Kind.FORECAST), series(wave() + 5, kind=Kind.FORECAST)
    assert quality.revisions("carbon", before, after) == ()


def test_two_sources_that_tell_different_stories_disagree():
    mine, near, far = series(wave()), series(wave() * 1.1), series(wave() * 1.6)
    assert quality.disagreement("carbon", mine, near, NOW) == ()
    (finding,) = quality.disagreement("carbon", mine, far, NOW)
    assert finding.flag is Flag.DISAGREES
    assert finding.start == NOW


def test_a_clock_an_hour_apart_is_a_finding_and_a_minute_is_not():
    assert quality.skew("carbon", 60.0, NOW) == quality.skew("carbon", None, NOW) == ()
    (finding,) = quality.skew("carbon", -3600.0, NOW)
    assert finding.flag is Flag.CLOCK_SKEW
    assert "60 minutes behind" in finding.detail
