from __future__ import annotations

import numpy as np
import pytest

from agents.job.fairness.claims import BEYOND, LATE, LEAST_SIZE, LENT
from tests.unit.job.fairness.worlds import GBP_PER_KW_SLOT, asks, claims

WHALE = [0] * 1_000


def test_where_there_is_room_for_all_nothing_is_weighed():
    found = claims(asks([0] * 50 + [1] * 50))
    assert not found.beyond.any()
    assert found.penalty_gbp.tolist() == [80.0] * 100


def test_a_whale_is_beyond_its_share_and_the_few_jobs_of_another_are_not():
    found = claims(asks(WHALE + [1] * 5))
    assert not found.beyond[1_000:].any()
    assert 1_000 - found.beyond[:1_000].sum() == pytest.approx(60, abs=1)
    lent = found.factor[:1_000] > LENT * LATE
    assert lent.sum() == pytest.approx(120 - 5, abs=1), "what the other leaves is lent to the whale"
    assert (found.asked[0], found.due[0]) == (pytest.approx(1_000 / 120), pytest.approx(0.5))


def test_any_job_within_a_share_is_worth_more_than_any_of_its_size_beyond_one():
    spot, premium = 0.5 * 20, 10.0 * 20
    penalty = np.array([premium] * 1_000 + [spot] * 5)
    found = claims(asks(WHALE + [1] * 5, penalty_gbp=penalty))
    energy_gbp = 40 * 0.05
    worth = found.penalty_gbp - energy_gbp
    assert worth[1_000:].min() > worth[:1_000][found.beyond[:1_000]].max()


def test_a_larger_job_beyond_its_share_counts_for_less_than_its_size():
    kw_slots = np.array([400.0] * 100 + [40.0] * 5)
    found = claims(asks([0] * 100 + [1] * 5, kw_slots=kw_slots, penalty_gbp=2 * kw_slots))
    assert found.beyond[:100].any()
    assert found.penalty_gbp[:100][found.beyond[:100]].max() - 400 * 0.05 < found.penalty_gbp[100:].min()
    assert found.factor[:100][found.beyond[:100]].max() <= LENT * LEAST_SIZE


def test_what_a_job_is_worth_above_its_energy_is_never_taken_away_whole():
    found = claims(asks(WHALE + [1] * 5))
    assert (found.penalty_gbp > 40 * 0.05).all()
    assert found.factor.min() > BEYOND * LATE * LEAST_SIZE


@pytest.mark.parametrize("penalty_gbp", [0.0, 1.0, 2.1, 80.0])
def test_no_job_counts_for_more_than_leaving_it_out_costs(penalty_gbp: float):
    penalty = np.where(np.arange(1_005) % 2, penalty_gbp, 80.0)
    found = claims(asks(WHALE + [1] * 5, penalty_gbp=penalty))
    assert (found.penalty_gbp <= penalty + 1e-12).all()
    assert (found.penalty_gbp >= 0).all()


def test_beyond_its_share_a_job_is_still_worth_its_energy_in_the_dearest_half_hour():
    cost = np.full((2, 24), GBP_PER_KW_SLOT)
    cost[1, 20] = 0.15
    found = claims(asks(WHALE + [1] * 5), cost_gbp=cost)
    assert (found.penalty_gbp > 40 * 0.15).all()
    near = np.ones((1_005, 2), dtype=bool)
    near[:, 1] = False
    assert claims(asks(WHALE + [1] * 5, sites=near), cost_gbp=cost).penalty_gbp.min() < 40 * 0.15


def test_energy_that_is_dearer_than_the_least_job_is_worth_does_not_lift_a_job_beyond_its_share_over_it():
    penalty = np.array([400.0] * 1_000 + [20.0] * 5)
    found = claims(asks(WHALE + [1] * 5, penalty_gbp=penalty), cost_gbp=np.full((2, 24), 0.6))
    assert found.penalty_gbp[:1_000][found.beyond[:1_000]].max() < found.penalty_gbp[1_000:].min()


def test_alone_nobody_is_beyond_a_share_and_jobs_alike_count_in_order_of_the_queue():
    level = np.where(np.arange(1_000) < 500, 5, 0)
    found = claims(asks(WHALE, level=level), "a")
    assert not found.beyond.any()
    assert found.factor.min() > LATE
    assert np.median(found.factor[500:]) > np.median(found.factor[:500])


def test_what_has_begun_or_is_planned_keeps_what_it_counts_for():
    begun, planned = np.zeros(1_005, dtype=bool), np.zeros(1_005, dtype=bool)
    begun[990:1_000], planned[:10] = True, True
    found = claims(asks(WHALE + [1] * 5, begun=begun, planned=planned))
    assert (found.penalty_gbp[begun] == 80.0).all()
    assert not found.beyond[begun].any()
    assert found.factor[:10].tolist() == [1.0] * 10


def test_what_is_under_way_counts_first_against_the_share():
    begun = np.arange(1_060) < 200
    found = claims(asks([0] * 1_000 + [1] * 60, begun=begun))
    assert found.beyond[200:1_000].all(), "200 jobs under way are more than half of the room"
    assert not found.beyond[:200].any()


def test_weights_divide_what_is_scarce():
    found = claims(asks([0] * 500 + [1] * 500), a=3.0)
    within = np.bincount(np.array([0] * 500 + [1] * 500)[~found.beyond])
    assert within.tolist() == [pytest.approx(90, abs=1), pytest.approx(30, abs=1)]


def test_who_used_much_of_late_is_due_less():
    found = claims(asks([0] * 500 + [1] * 500), usage=(0.5, 0.0))
    within = np.bincount(np.array([0] * 500 + [1] * 500)[~found.beyond])
    assert within.tolist() == [pytest.approx(40, abs=1), pytest.approx(80, abs=1)]


def test_jobs_elsewhere_or_at_another_time_are_not_weighed():
    first, last = np.zeros(1_010, dtype=int), np.full(1_010, 12)
    first[1_005:], last[1_005:] = 12, 24
    found = claims(asks(WHALE + [1] * 10, first=first, last=last))
    assert (found.factor[1_005:] == 1.0).all()
    assert (found.factor[1_000:1_005] < 1.0).all()
    here = np.ones((1_010, 2), dtype=bool)
    here[:1_005, 1], here[1_005:, 0] = False, False
    apart = claims(asks(WHALE + [1] * 10, sites=here))
    assert (apart.factor[1_005:] == 1.0).all()
    assert (int(apart.site[0]), int(apart.period[0])) == (0, 0)


def test_asking_for_more_or_less_does_not_bring_more_jobs_within_the_share():
    honest = claims(asks([0] * 200 + [1] * 200))
    split = claims(asks([0] * 400 + [1] * 200, kw_slots=np.array([20.0] * 400 + [40.0] * 200)))
    more = claims(asks([0] * 5_000 + [1] * 200))
    within = 40.0 * (~honest.beyond[:200]).sum()
    assert 20.0 * (~split.beyond[:400]).sum() <= within + 20
    assert 40.0 * (~more.beyond[:5_000]).sum() <= within
