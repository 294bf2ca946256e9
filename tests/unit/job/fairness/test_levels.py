from __future__ import annotations

import numpy as np
import pytest

from agents.job.fairness.levels import CYCLE, WEIGHTS, Stride, aged, dequeued
from agents.job.fairness.shares import jain
from agents.job.fairness.tree import tree_of

LEVELS = tuple(range(10))
ONE = np.array([1.0])


def test_over_10_000_dequeues_every_level_is_served_by_its_weight():
    stride = Stride()
    served = np.bincount([stride.take(LEVELS) for _ in range(10_000)], minlength=10)
    assert served / 10_000 == pytest.approx(np.array(WEIGHTS) / CYCLE, rel=0.05)


def test_the_head_of_a_level_waits_103_dequeues_at_most():
    stride = Stride()
    turns = [stride.take(LEVELS) for _ in range(5_000)]
    for level in LEVELS:
        at = [-1, *np.flatnonzero(np.array(turns) == level).tolist()]
        assert np.diff(at).max() <= CYCLE == 103


@pytest.mark.parametrize("seed", range(20))
def test_levels_that_stand_empty_for_a_while_make_no_other_wait_longer(seed: int):
    rng, stride = np.random.default_rng(seed), Stride()
    waits = dict.fromkeys(LEVELS, 0)
    for _ in range(3_000):
        waiting = {9, *np.flatnonzero(rng.random(10) < 0.6).tolist()}
        taken = stride.take(sorted(waiting))
        waits = {level: waits[level] + 1 if level in waiting and level != taken else 0 for level in LEVELS}
        assert max(waits.values()) < CYCLE


def test_a_level_that_stood_empty_has_saved_nothing_up():
    stride = Stride()
    for _ in range(1_000):
        stride.take((0, 9))
    assert [stride.take((0, 1)) for _ in range(9)].count(1) <= 4


def order(level: list[int], tenant: list[int], names: list[str], used: list[float] | None = None, **weights: float):
    counts = np.full(len(level), 0.01)
    before = np.array(used or [0.0] * len(names))
    return dequeued(tree_of(names, weights), np.array(level), np.array(tenant), counts, before).tolist()


def test_every_job_is_taken_once_and_the_same_jobs_in_the_same_order():
    rng = np.random.default_rng(1)
    level, tenant = rng.integers(0, 10, 2_000).tolist(), rng.integers(0, 7, 2_000).tolist()
    names = [*list("abcdef"), "a/x"]
    found = order(level, tenant, names)
    assert sorted(found) == list(range(2_000))
    assert found == order(level, tenant, names)


def test_of_one_tenant_and_level_first_come_first_served():
    assert order([1] * 50, [0] * 50, ["a"]) == list(range(50))


def test_tenants_of_one_level_are_served_by_weight_within_5_percent_over_10_000_dequeues():
    tenant = [number for number in range(3) for _ in range(10_000)]
    found = np.array(tenant)[order([1] * 30_000, tenant, list("abc"), a=1.0, b=2.0, c=5.0)[:10_000]]
    served = np.bincount(found, minlength=3)
    assert served / 10_000 == pytest.approx([0.125, 0.25, 0.625], rel=0.05)
    assert jain(served / np.array([1.0, 2.0, 5.0])) >= 0.95


def test_a_whale_is_taken_in_turn_with_a_tenant_of_few_jobs():
    found = order([1] * 10_010, [0] * 10_000 + [1] * 10, ["whale", "minnow"])
    assert max(found.index(job) for job in range(10_000, 10_010)) < 21


def test_who_used_more_of_late_is_taken_later():
    assert order([1, 1, 1, 1], [0, 0, 1, 1], ["a", "b"], [0.5, 0.0]) == [2, 3, 0, 1]


def test_parts_of_a_tenant_share_its_turns():
    tenant = [number for number in range(3) for _ in range(1_000)]
    found = np.array(tenant)[order([1] * 3_000, tenant, ["acme/x", "acme/y", "beta"])[:1_000]]
    assert np.bincount(found) / 1_000 == pytest.approx([0.25, 0.25, 0.5], abs=0.01)


def test_waiting_lifts_a_job_level_by_level_to_the_first():
    levels = np.array([9, 9, 9, 2, 0])
    assert aged(levels, np.array([0.0, 11.9, 24.5, 100.0, 500.0])).tolist() == [9, 9, 7, 0, 0]
