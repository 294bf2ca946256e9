"""The referee's cheapest profiles agree with trying every profile there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.cheapest import Array, Mask, least_block, least_elastic, least_pausable

SLOTS = 6
charges = st.lists(st.integers(-4, 9), min_size=2 * SLOTS, max_size=2 * SLOTS).map(
    lambda values: np.array(values, dtype=float).reshape(2, SLOTS)
)
masks = st.lists(st.booleans(), min_size=2 * SLOTS, max_size=2 * SLOTS).map(
    lambda values: np.array(values).reshape(2, SLOTS)
)


def cheapest_pattern(charge: Array, permitted: Mask, length: int, pause_gbp: float, contiguous: bool) -> float:
    """Try every set of ``length`` slots at every site, at 2 kW."""
    best = float("inf")
    for site, slots in itertools.product(range(2), itertools.combinations(range(SLOTS), length)):
        gaps = sum(b - a > 1 for a, b in itertools.pairwise(slots))
        if permitted[site, list(slots)].all() and not (contiguous and gaps):
            best = min(best, 2.0 * charge[site, list(slots)].sum() + gaps * pause_gbp)
    return best


@given(charges, masks, st.integers(1, SLOTS))
@settings(max_examples=60, deadline=None)
def test_the_cheapest_block_is_the_best_of_all_blocks(charge: Array, permitted: Mask, length: int) -> None:
    job = {"power_kw": 2.0, "duration_slots": length}
    assert least_block(job, charge, permitted) == cheapest_pattern(charge, permitted, length, 0.0, contiguous=True)


@given(charges, masks, st.integers(1, SLOTS), st.sampled_from([0.0, 1.0, 7.0]))
@settings(max_examples=60, deadline=None)
def test_the_cheapest_pausable_pattern_is_the_best_of_all(
    charge: Array, permitted: Mask, length: int, pause_gbp: float
) -> None:
    job = {"power_kw": 2.0, "duration_slots": length, "pause_cost_gbp": pause_gbp}
    expected = cheapest_pattern(charge, permitted, length, pause_gbp, contiguous=False)
    assert least_pausable(job, charge, permitted) == expected


LADDERS = [
    [(3.0, 1.0)],
    [(1.0, 0.6), (2.0, 1.0)],
    [(1.0, 0.5), (2.0, 0.8), (3.0, 1.0)],
    [(1.0, 0.4), (2.0, 0.7), (3.0, 0.9), (4.0, 1.0)],
]


def best_levels(charge: Array, permitted: Mask, ladder: list[tuple[float, float]], work: float) -> float:
    """Try every level or none in every slot of every site."""
    power, done = np.array([(0.0, 0.0), *ladder]).T
    choices = np.array(list(itertools.product(range(len(power)), repeat=SLOTS)))
    enough = choices[done[choices].sum(axis=1) >= work - 1e-9]
    best = float("inf")
    for site in range(2):
        mine = enough[~power[enough][:, ~permitted[site]].any(axis=1)]
        best = min(best, (power[mine] @ charge[site]).min(initial=np.inf))
    return best


@given(charges, masks, st.sampled_from(LADDERS[:3]), st.sampled_from([0.5, 1.6, 3.0, 5.3, 6.0, 7.0]))
@settings(max_examples=60, deadline=None)
def test_the_cheapest_elastic_levels_are_the_best_of_all(
    charge: Array, permitted: Mask, ladder: list[tuple[float, float]], work: float
) -> None:
    job = {"levels": [{"power_kw": p, "work_per_slot": w} for p, w in ladder], "work": work}
    assert least_elastic(job, charge, permitted) == pytest.approx(best_levels(charge, permitted, ladder, work))


@given(charges, masks, st.sampled_from([0.5, 1.6, 3.0, 6.0, 7.0]))
@settings(max_examples=15, deadline=None)
def test_with_more_than_three_levels_the_answer_is_a_lower_bound(charge: Array, permitted: Mask, work: float) -> None:
    job = {"levels": [{"power_kw": p, "work_per_slot": w} for p, w in LADDERS[3]], "work": work}
    best = best_levels(charge, permitted, LADDERS[3], work)
    found = least_elastic(job, charge, permitted)
    assert found <= best + 1e-9
    assert np.isinf(found) == np.isinf(best)


def test_a_step_may_be_taken_in_part_where_there_are_more_than_three_levels() -> None:
    levels = [(1.0, 0.4), (2.0, 0.7), (3.0, 0.9), (4.0, 1.0)]
    job = {"levels": [{"power_kw": p, "work_per_slot": w} for p, w in levels], "work": 0.5}
    # 0.4 units at 3, then a third of the next step, 0.1 of 0.3 units at 3.
    assert least_elastic(job, np.array([[3.0]]), np.ones((1, 1), dtype=bool)) == pytest.approx(4.0)


def test_a_job_with_no_permitted_site_costs_infinity() -> None:
    nothing, mask = np.empty((0, 4)), np.empty((0, 4), dtype=bool)
    levels = [{"power_kw": 1.0, "work_per_slot": 1.0}]
    assert least_block({"power_kw": 1.0, "duration_slots": 2}, nothing, mask) == float("inf")
    assert least_pausable({"power_kw": 1.0, "duration_slots": 2}, nothing, mask) == float("inf")
    assert least_elastic({"levels": levels, "work": 1.0}, nothing, mask) == float("inf")
