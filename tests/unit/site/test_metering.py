"""Metering: energy from run time, simulated readings, and the work they stand for."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.site.metering import RunMeter, least_slots, shortfall, simulated_kwh, work_slots
from core.job import FlexibilityType, Level
from core.slots import SLOT
from tests.unit.site.fakes import LEVELS, START, make_job, make_row


@given(minutes=st.lists(st.integers(0, 40), min_size=1, max_size=12))
def test_slots_add_up_to_the_run_time(minutes: list[int]) -> None:
    meter, at, ran = RunMeter(), START, timedelta()
    for index, length in enumerate(minutes):
        span = timedelta(minutes=length)
        if index % 2 == 0:
            meter.begin(at)
            ran += span
        else:
            meter.end(at)
        at += span
    slots = [START + SLOT * n for n in range((at - START) // SLOT + 1)]
    assert sum((meter.running(slot, min(slot + SLOT, at)) for slot in slots if slot < at), timedelta()) == ran


def test_beginning_twice_and_ending_twice_count_once() -> None:
    meter = RunMeter()
    meter.begin(START)
    meter.begin(START + SLOT / 2)
    meter.end(START + SLOT)
    meter.end(START + SLOT * 2)
    assert meter.running(START, START + SLOT * 3) == SLOT


def test_simulated_readings_scatter_half_a_percent_around_the_truth() -> None:
    readings = np.array([simulated_kwh(1, "job1", START + SLOT * n, 10.0, START + SLOT * (n + 1)) for n in range(2000)])
    assert readings.mean() == pytest.approx(5.0, rel=0.001)
    assert readings.std() / 5.0 == pytest.approx(0.005, rel=0.1)
    assert simulated_kwh(2, "job1", START, 10.0, START + SLOT) != readings[0]
    assert simulated_kwh(1, "job2", START, 10.0, START + SLOT) != readings[0]


def test_nothing_is_drawn_before_the_slot() -> None:
    assert simulated_kwh(1, "job1", START + SLOT, 10.0, START) == 0


def test_work_counts_rows_by_their_level() -> None:
    rows = [make_row("job1", 0, 5.0), make_row("job1", 1)]
    throttlable = make_job(flexibility_type=FlexibilityType.THROTTLABLE, levels=LEVELS)
    assert work_slots(throttlable, rows) == pytest.approx(1.82)
    assert work_slots(make_job(), rows) == 2.0


def test_a_shortfall_names_missed_slots_before_missing_work() -> None:
    job = make_job()
    done = [make_row("job1", n, delivered_kwh=5.0) for n in range(2)]
    assert shortfall(job, done) is None
    assert shortfall(job, done[:1]) == "its awarded slots ended with 1 of 2 slots of work done"
    missed = [done[0], make_row("job1", 1, delivered_kwh=0.0)]
    assert shortfall(job, missed) == "missed 1 of 2 awarded slots while the server was down or late"


def test_a_fast_level_needs_fewer_slots() -> None:
    assert least_slots(make_job()) == 2
    assert least_slots(make_job(duration_hours=3, levels=(Level(power_kw=10, work_per_slot=2.5),))) == 3
