from __future__ import annotations

from datetime import timedelta

import numpy as np

from agents.energy.calibration import LEAD_EDGES, UNKNOWN_SHARE, Calibration, errors_of
from core.halfhours import slot_index
from core.series import Kind, Series, Unit
from core.slots import SLOT
from tests.unit.energy.fakes import utc

NOW = utc(2026, 11, 20, 12)


def truth(start, slots):
    index = slot_index(start) + np.arange(slots)
    return 150 + 50 * np.sin(2 * np.pi * index / 48)


def outturn(zone, quantity, start, slots, now):
    return Series.of(start, truth(start, slots), Kind.ESTIMATE, Unit.G_PER_KWH, "outturn", now)


class Publisher:
    """Forecasts two days ahead whose error is normal with a deviation that grows with lead."""

    def __init__(self):
        self.random = np.random.default_rng(3)

    def __call__(self, zone, quantity, at):
        deviation = 5 + 20 * np.arange(96) / 96
        values = truth(at, 96) + self.random.normal(0, 1, 96) * deviation
        return Series.of(at, values, Kind.FORECAST, Unit.G_PER_KWH, "told", at)


def test_intervals_grow_with_lead_and_hold_nine_errors_of_ten():
    errors = errors_of(Publisher(), outturn, "GB", "carbon", NOW)
    known = errors.half_width[~np.isnan(errors.half_width)]
    assert known.size == len(LEAD_EDGES) - 1
    assert (np.diff(known) > 0).all()
    assert known[0] < 15
    assert known[-1] > 30
    calibration = Calibration()
    calibration.learn("GB", "carbon", errors)
    told, inside = Publisher(), []
    for day in range(40):
        at = NOW + timedelta(days=day)
        series = calibration.with_interval(told("GB", "carbon", at), "GB", "carbon", at)
        low, high = series.interval
        inside.append((low <= truth(at, 96)) & (truth(at, 96) <= high))
    assert 0.87 <= np.mean(inside) <= 0.94


def test_without_outturns_the_interval_is_the_assumed_share_of_the_level():
    series = Series.of(NOW, np.full(96, 100.0), Kind.FORECAST, Unit.G_PER_KWH, "told", NOW)
    low, high = Calibration().with_interval(series, "GB", "carbon", NOW).interval
    assert np.allclose(low, 100 * (1 - UNKNOWN_SHARE))
    assert np.allclose(high, 100 * (1 + UNKNOWN_SHARE))
    nothing = errors_of(lambda *_: None, outturn, "GB", "carbon", NOW)
    assert np.isnan(nothing.half_width).all()


def test_what_is_known_keeps_its_value_as_both_ends_and_no_intensity_falls_below_zero():
    values = np.array([3.0, np.nan, 5.0])
    told = Series.of(NOW, values, Kind.FORECAST, Unit.G_PER_KWH, "told", NOW)
    settled = Series.of(NOW - SLOT, [7.0], Kind.ESTIMATE, Unit.G_PER_KWH, "told", NOW).window(NOW - SLOT, 4)
    calibration = Calibration()
    calibration.learn("GB", "carbon", errors_of(Publisher(), outturn, "GB", "carbon", NOW))
    low, high = calibration.with_interval(settled.overlay(told), "GB", "carbon", NOW).interval
    assert (low[0], high[0]) == (7.0, 7.0)
    assert low[1] == low[3] == 0.0
    assert np.isnan(low[2])
    negative = Series.of(NOW, [-0.05], Kind.FORECAST, Unit.GBP_PER_KWH, "told", NOW)
    assert Calibration().with_interval(negative, "GB", "price", NOW).interval[0][0] < -0.05
