"""Expected arrivals: habits are found, noise is not taken for one, and nothing is expected out of too little."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.job.arrivals import (
    BLOCK_SLOTS,
    BLOCKS_PER_DAY,
    HISTORY_DAYS,
    MOST_LOADS,
    ArrivalForecaster,
    arrival_scores,
    expected_arrivals,
    score_daily,
)
from agents.site.profiles import load_sites
from core.slots import SLOT
from store.jobs import Submission
from tests.pace import paced_s

SITES = load_sites()
ALL = tuple(site.site_id for site in SITES)
NOW = datetime(2023, 3, 1, 7, 10, tzinfo=UTC)
"""A Wednesday, in the block from 06:00 to 08:00."""
DAY = timedelta(days=1)


def a_submission(at: datetime, **changes: Any) -> Submission:
    """20 kW for two hours within a day."""
    facts: dict[str, Any] = {
        "tenant": "physics",
        "submitted_at": at,
        "earliest_start": at,
        "latest_finish": at + DAY,
        "power_kw": 20.0,
        "duration_hours": 2.0,
        "allowed_regions": (),
    }
    return Submission(**facts | changes)


def daily(days: int, hour: float = 9.5, **changes: Any) -> list[Submission]:
    """One a day, the last of them yesterday."""
    midnight = NOW.replace(hour=0, minute=0)
    return [a_submission(midnight - DAY * back + timedelta(hours=hour), **changes) for back in range(days, 0, -1)]


def mondays(weeks: int, **changes: Any) -> list[Submission]:
    """A batch of ten on each Monday at 09:30, and one small job two weeks before all of them."""
    monday = datetime(2023, 2, 27, 9, 30, tzinfo=UTC)
    first = a_submission(monday - DAY * 7 * (weeks + 1), power_kw=1.0)
    return [first, *(a_submission(monday - DAY * 7 * week, **changes) for week in range(weeks) for _ in range(10))]


def test_a_daily_habit_is_expected_at_its_hour_and_nowhere_else() -> None:
    loads = expected_arrivals(daily(30), SITES, NOW, 96)
    assert [load.slot_start for load in loads] == [datetime(2023, 3, day, 8, tzinfo=UTC) for day in (1, 2)]
    for load in loads:
        assert (load.tenant, load.site_ids) == ("physics", ALL)
        assert load.power_kw * load.duration_slots / 2 == pytest.approx(40.0)
        assert (load.power_kw, load.duration_slots, load.deadline_slots) == (20.0, 4, 48)
        assert load.usual_kw == 20.0
        assert not load.spike


def test_a_weekly_batch_is_a_spike_on_its_day_only() -> None:
    loads = expected_arrivals(mondays(6), SITES, NOW, 336)
    assert {load.slot_start for load in loads} == {datetime(2023, 3, 6, 8, tzinfo=UTC)}
    assert all(load.spike for load in loads)
    assert sum(load.power_kw * load.duration_slots / 2 for load in loads) == pytest.approx(400.0)
    assert all(load.usual_kw == 0 for load in loads)
    assert all(0.5 < load.probability <= 1 for load in loads)


def test_a_day_that_is_twice_the_usual_is_a_spike_and_less_is_not() -> None:
    grown = [*daily(60), *(a_submission(one.submitted_at) for one in daily(60) if one.submitted_at.weekday() == 3)]
    spikes = {load.slot_start: load.spike for load in expected_arrivals(grown, SITES, NOW, 144)}
    thursday = datetime(2023, 3, 2, 8, tzinfo=UTC)
    assert spikes[thursday]
    assert not spikes[thursday - DAY]


def test_of_a_few_weeks_the_largest_is_expected() -> None:
    weeks = [*mondays(8), *mondays(8)[-10:]]
    loads = expected_arrivals(weeks, SITES, NOW, 336)
    assert {load.slot_start for load in loads} == {datetime(2023, 3, 6, 8, tzinfo=UTC)}
    assert sum(load.power_kw * load.duration_slots / 2 for load in loads) == pytest.approx(800.0)


def test_one_giant_in_the_past_does_not_make_a_usual_load_surer() -> None:
    giant = a_submission(NOW - DAY * 14 + timedelta(hours=2), power_kw=400.0)
    (load,) = expected_arrivals([*daily(40), giant], SITES, NOW, 24, 0.5)
    assert load.power_kw * load.duration_slots / 2 == 40.0
    assert load.probability == pytest.approx(1.0)


def test_less_than_a_week_of_history_gives_no_expectation() -> None:
    assert expected_arrivals(daily(7)[:1] + daily(6), SITES, NOW, 96) == expected_arrivals([], SITES, NOW, 96) == ()
    assert expected_arrivals(daily(8), SITES, NOW, 96)


def test_a_new_tenant_waits_for_its_own_week() -> None:
    history = [*daily(30), *daily(5, tenant="new")]
    assert {load.tenant for load in expected_arrivals(history, SITES, NOW, 96)} == {"physics"}


def test_the_future_is_not_looked_at() -> None:
    later = [a_submission(NOW + timedelta(minutes=1 + i), power_kw=5000.0, duration_hours=9.0) for i in range(50)]
    assert expected_arrivals([*daily(30), *later], SITES, NOW, 96) == expected_arrivals(daily(30), SITES, NOW, 96)


def test_the_block_under_way_is_left_out_and_the_horizon_is_kept() -> None:
    busy = [one for hour in range(0, 24, 2) for one in daily(30, hour=hour + 0.5)]
    starts = [load.slot_start for load in expected_arrivals(busy, SITES, NOW, 10)]
    assert starts == [datetime(2023, 3, 1, hour, tzinfo=UTC) for hour in (8, 10, 12)]
    on_the_hour = datetime(2023, 3, 1, 8, tzinfo=UTC)
    starts = [load.slot_start for load in expected_arrivals(busy, SITES, on_the_hour, 8)]
    assert starts == [datetime(2023, 3, 1, 10, tzinfo=UTC)]


def test_a_load_begins_as_long_after_its_block_as_its_jobs_usually_do() -> None:
    evening = [a_submission(one.submitted_at, earliest_start=one.submitted_at + SLOT * 20) for one in daily(30)]
    loads = expected_arrivals(evening, SITES, NOW, 48)
    assert [(load.slot_start.hour, load.deadline_slots) for load in loads] == [(18, 28)]
    assert expected_arrivals(evening, SITES, NOW, 20) == ()


def test_loads_are_told_apart_by_tenant_and_by_the_sites_they_may_use() -> None:
    history = [*daily(30), *daily(30, allowed_regions=("GB",)), *daily(30, tenant="b", allowed_regions=("GB-C",))]
    found = {(load.tenant, load.site_ids) for load in expected_arrivals(history, SITES, NOW, 24)}
    assert found == {("physics", ALL), ("physics", ("london", "manchester", "scotland")), ("b", ("london",))}


def test_jobs_that_no_site_may_take_are_left_out() -> None:
    assert expected_arrivals(daily(30, allowed_regions=("ATLANTIS",)), SITES, NOW, 96) == ()


def test_a_load_too_large_for_one_place_comes_in_equal_parts() -> None:
    loads = expected_arrivals(daily(30, power_kw=900.0, allowed_regions=("london",)), SITES, NOW, 24)
    assert [load.power_kw for load in loads] == pytest.approx([180.0] * 5)
    assert loads[0].usual_kw == pytest.approx(180.0)


def test_the_deadline_leaves_room_for_the_work() -> None:
    long = daily(30, duration_hours=40.0)
    (load,) = expected_arrivals(long, SITES, NOW, 24)
    assert (load.duration_slots, load.deadline_slots, load.power_kw) == (80, 80, 20.0)


def test_no_more_than_fifty_are_given_spikes_first() -> None:
    steady = [one for hour in range(0, 24, 2) for one in daily(60, hour=hour + 0.5, power_kw=90.0)]
    loads = expected_arrivals([*steady, *mondays(6, tenant="weekly", power_kw=2.0)], SITES, NOW, 336)
    assert len(loads) == MOST_LOADS
    assert [load.tenant for load in loads if load.spike] == ["weekly"]
    assert [load.slot_start for load in loads] == sorted(load.slot_start for load in loads)


def test_noise_is_not_taken_for_a_habit() -> None:
    sums = [np.random.default_rng(seed).exponential(10.0, (70, BLOCKS_PER_DAY)) for seed in range(6)]
    scores = [score_daily(each, 0.9) for each in sums]
    assert np.mean([score.pinball / score.constant_pinball for score in scores]) < 1.005
    assert 0.88 < np.mean([score.coverage for score in scores]) < 0.93


def test_a_habit_is_foretold_far_better_than_by_a_constant() -> None:
    draws = np.random.default_rng(3)
    rate = np.full((70, BLOCKS_PER_DAY), 0.3)
    rate[np.arange(70) % 7 < 5, 4:6] = 4.0
    sums = 10.0 * draws.poisson(rate)
    score = score_daily(sums, 0.9)
    assert score.pinball < 0.75 * score.constant_pinball
    assert 0.84 < score.coverage < 0.97


def test_a_score_uses_nothing_of_its_own_day() -> None:
    sums = np.random.default_rng(3).exponential(10.0, (40, BLOCKS_PER_DAY))
    changed = sums.copy()
    changed[-1] *= 100
    plain, other = score_daily(sums, 0.99), score_daily(changed, 0.99)
    grown = 0.99 * (changed[-1] - sums[-1]).sum() / plain.blocks
    assert other.pinball - plain.pinball == pytest.approx(grown, rel=0.1)
    assert other.constant_pinball - plain.constant_pinball == pytest.approx(grown, rel=0.1)


def test_scores_are_kept_by_tenant_where_the_history_is_long_enough() -> None:
    scores = arrival_scores([*daily(30), *daily(10, tenant="new")], SITES, NOW)
    assert [(score.tenant, score.site_ids) for score in scores] == [("physics", ALL)]
    assert scores[0].pinball == 0.0
    assert scores[0].constant_pinball > 0
    assert scores[0].coverage == 1.0
    assert scores[0].blocks == (29 - 14) * BLOCKS_PER_DAY


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 200),
    quantile=st.sampled_from([0.5, 0.8, 0.95]),
    slots=st.integers(1, 400),
)
def test_what_is_expected_is_sound_whatever_came(seed: int, count: int, quantile: float, slots: int) -> None:
    draws = np.random.default_rng(seed)
    history = [
        a_submission(
            NOW - timedelta(hours=float(draws.uniform(0, 24 * 70))),
            tenant=f"t{draws.integers(3)}",
            power_kw=float(draws.lognormal(3, 2)),
            duration_hours=float(draws.uniform(0.1, 30)),
            allowed_regions=(("GB",), ())[draws.integers(2)],
        )
        for _ in range(count)
    ]
    loads = expected_arrivals(history, SITES, NOW, slots, quantile)
    assert len(loads) <= MOST_LOADS
    for load in loads:
        assert 0 < load.power_kw <= 500.0 + 1e-9
        assert 0 < load.probability <= 1 + 1e-12
        assert 1 <= load.duration_slots <= load.deadline_slots
        assert NOW < load.slot_start < NOW + SLOT * slots
        assert load.usual_kw >= 0


@dataclass
class CountedSubmissions:
    history: list[Submission]
    asked: list[datetime] = field(default_factory=list)

    def submissions(self, since: datetime) -> list[Submission]:
        self.asked.append(since)
        return self.history


def test_the_store_is_read_once_in_a_block() -> None:
    jobs = CountedSubmissions(daily(30))
    forecaster = ArrivalForecaster(jobs)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(forecaster.expected, SITES, NOW + timedelta(minutes=i), 96) for i in range(4)]
        assert {task.result() for task in asked} == {expected_arrivals(daily(30), SITES, NOW, 96)}
    assert len(jobs.asked) == 1
    assert forecaster.expected(SITES[:3], NOW, 96)[0].site_ids == ALL[:3]
    forecaster.expected(SITES[:3], NOW + SLOT * BLOCK_SLOTS, 96)
    assert jobs.asked[-1] == NOW + SLOT * BLOCK_SLOTS - DAY * HISTORY_DAYS
    assert len(jobs.asked) == 3


def test_scores_are_of_what_is_in_the_store() -> None:
    assert ArrivalForecaster(CountedSubmissions(daily(30))).scores(SITES, NOW) == arrival_scores(daily(30), SITES, NOW)


def test_a_hundred_thousand_submissions_take_seconds_at_most() -> None:
    draws = np.random.default_rng(5)
    hours = np.sort(draws.uniform(0, 24 * 56, 100_000))
    history = [
        a_submission(NOW - timedelta(hours=float(back)), tenant=f"t{i % 20}") for i, back in enumerate(hours[::-1])
    ]
    assert len(expected_arrivals(history, SITES, NOW, 336)) == MOST_LOADS
    assert paced_s(lambda: expected_arrivals(history, SITES, NOW, 336), tries=1) < 5.0


@pytest.mark.shared
def test_the_recorded_trace_is_covered_and_foretold_no_worse_than_by_a_constant(shared_data: Path) -> None:
    """A year of one cluster without tenants or time of day: counts and power drift, energies are nearly noise."""
    with gzip.open(shared_data / "jobs_pai_100k.csv.gz", "rt") as lines:
        hours, length, cpus = np.loadtxt(lines, delimiter=",", skiprows=1, unpack=True)
    block = (hours // (BLOCK_SLOTS / 2)).astype(np.int64)
    whole = block < block.max() // BLOCKS_PER_DAY * BLOCKS_PER_DAY

    def score(weights: np.ndarray) -> tuple[float, float]:
        sums = np.bincount(block[whole], weights=weights[whole]).reshape(-1, BLOCKS_PER_DAY)
        found = score_daily(sums, 0.9)
        return found.pinball / found.constant_pinball, found.coverage

    (energy, covered), (count, counted) = score(length * cpus), score(np.ones_like(hours))
    assert energy < 1.01
    assert count < 0.98
    assert 0.88 <= covered <= 0.92
    assert 0.88 <= counted <= 0.92
