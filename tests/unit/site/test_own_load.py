"""Own load as simulated meters read it: a local day, within the site's capacity, the same for the same seed."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.site.own_load import SimulatedMeters, simulated_load_kw
from agents.site.profiles import load_sites
from core.clock import ManualClock
from core.series import Kind
from core.slots import SLOT, slot_starts

SITES = load_sites()
START = datetime(2023, 3, 1, tzinfo=UTC)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), share=st.floats(0, 1), swing=st.floats(0, 0.9), slots=st.integers(1, 100))
def test_own_load_is_between_nothing_and_the_capacity(seed: int, share: float, swing: float, slots: int) -> None:
    mean = SITES[0].capacity_kw * share / (1 + swing)
    site = SITES[0].model_copy(update={"own_load_kw": mean, "own_load_swing": swing})
    load = simulated_load_kw([site], seed, START, slots)
    assert load.shape == (1, slots)
    assert load.min() >= 0
    assert load.max() <= site.capacity_kw


def test_its_mean_is_the_profiles() -> None:
    load = simulated_load_kw(SITES, 1, START, 48 * 60)
    assert load.mean(axis=1) == pytest.approx([site.own_load_kw for site in SITES], rel=0.02)


def test_overlapping_windows_agree() -> None:
    whole, part = simulated_load_kw(SITES, 7, START, 96), simulated_load_kw(SITES, 7, START + SLOT * 10, 20)
    assert part == pytest.approx(whole[:, 10:30], abs=1e-6)


@pytest.mark.parametrize("site_id", ["london", "japan", "australia"])
def test_it_is_highest_in_the_local_afternoon(site_id: str) -> None:
    site = next(site for site in SITES if site.site_id == site_id)
    start = datetime(2023, 6, 1, tzinfo=UTC)
    day = simulated_load_kw([site], 1, start, 48 * 30).reshape(30, 48).mean(axis=0)
    busiest = (start + SLOT * int(np.argmax(day)) + SLOT / 2).astimezone(ZoneInfo(site.timezone))
    assert busiest.hour + busiest.minute / 60 == pytest.approx(15, abs=1)


def test_it_follows_the_clock_on_the_day_it_changes() -> None:
    site = next(site for site in SITES if site.site_id == "london").model_copy(update={"own_load_swing": 0.5})
    start = datetime(2023, 3, 25, tzinfo=UTC)
    load = simulated_load_kw([site], 1, start, 96)[0] / site.own_load_kw
    local = np.array([t.astimezone(ZoneInfo("Europe/London")).hour + t.minute / 60 for t in slot_starts(start, 96)])
    expected = 1 + 0.5 * np.cos(2 * np.pi * (local + 0.25 - 15) / 24)
    assert load == pytest.approx(expected, abs=0.08)


def test_no_sites_have_no_load() -> None:
    assert simulated_load_kw([], 1, START, 4).shape == (0, 4)


def test_meters_read_the_slot_under_way_and_the_past() -> None:
    meters = SimulatedMeters(ManualClock(START + SLOT * 10.5), 1)
    assert np.array_equal(meters.read(SITES, START, 11), simulated_load_kw(SITES, 1, START, 11))
    assert meters.kind is Kind.SIMULATED


def test_no_meter_reads_a_slot_that_has_not_begun() -> None:
    meters = SimulatedMeters(ManualClock(START + SLOT * 10.5), 1)
    with pytest.raises(ValueError, match="no meter has read the slot of 2023-03-01T05:30"):
        meters.read(SITES, START, 12)
