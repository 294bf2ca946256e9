"""The least charges of mining, inference and batteries: worked out by hand, and by trying or solving them otherwise."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.exact import sites
from benchmarks.exact.program import Program
from benchmarks.referee import cheapest_terms
from benchmarks.referee.terms import mining_faults

charges = st.lists(st.integers(-9, 9), min_size=5, max_size=5).map(lambda row: np.array(row, dtype=float))


def mining(least: float, most: float, ramp: float | None = None, before: float = 0.0) -> dict[str, Any]:
    return {"min_kw": least, "max_kw": most, "ramp_kw": ramp, "initial_kw": before, "value_gbp_per_kwh": 0.0}


@pytest.mark.parametrize(
    ("term", "charge", "expected"),
    [
        (mining(2, 10), [-1, 3, -1], -20),
        (mining(2, 10, 3), [-1, -1, -1], -5 - 8 - 10),
        (mining(2, 10, 3), [-1, -1, -1, 50], -5 - 8 - 5),
        (mining(2, 10, 3, before=10), [1, 1, 1, 1], 7 + 4 + 0 + 0),
        (mining(2, 10, 3, before=10), [-4, 1, 1, 1], -40 + 7 + 4),
        (mining(2, 10, 3, before=3.5), [-1, -1], -6.5 - 9.5),
        (mining(0, 10, 4), [3, -1, -1], -4 - 8),
        (mining(5, 5, 1), [-1, 1, -1], -10),
    ],
    ids=[
        "without ramp",
        "starts at least power and a ramp",
        "stops from least power and a ramp",
        "is still ramping down",
        "stays up where that pays, but has to come down again",
        "climbs from where it was",
        "least power of nought",
        "one power",
    ],
)
def test_mining_takes_its_best_powers(term: dict[str, Any], charge: list[float], expected: float) -> None:
    assert cheapest_terms.mining(term, np.array(charge, dtype=float)) == pytest.approx(expected)


@given(
    charges,
    st.sampled_from([0.0, 2.0, 3.0]),
    st.sampled_from([0.0, 2.5, 6.0]),
    st.sampled_from([None, 1.0, 1.5, 4.0, 20.0]),
    st.sampled_from([0.0, 0.4, 1.0]),
)
@settings(max_examples=100, deadline=None)
def test_mining_agrees_with_an_integer_programme(
    charge: np.ndarray, least: float, span: float, ramp: float | None, share: float
) -> None:
    term = mining(least, least + span + 1, ramp, 0.0 if share == 0 else least + share * (span + 1))
    program = Program()
    power = sites.mining(program, term, 5)
    program.charge(np.bincount(power, charge, program.width))
    solved = program.solve(relaxed=False, time_limit_s=10)
    assert cheapest_terms.mining(term, charge) == pytest.approx(solved.value, abs=1e-6)


@given(charges, st.sampled_from([None, 1.0, 2.0]), st.sampled_from([0.0, 2.0, 4.0]))
@settings(max_examples=40, deadline=None)
def test_mining_agrees_with_every_course_that_the_limits_allow(
    charge: np.ndarray, ramp: float | None, before: float
) -> None:
    term = mining(2, 4, ramp, before)
    courses = [np.array(powers) for powers in itertools.product((0.0, 2.0, 3.0, 4.0), repeat=5)]
    allowed = [powers @ charge for powers in courses if not list(mining_faults(term, powers))]
    assert cheapest_terms.mining(term, charge) == pytest.approx(min(allowed))


def battery(capacity: float, power: float, **fields: float) -> dict[str, float]:
    default = {"efficiency": 0.5, "initial_kwh": 0.0, "final_kwh": 0.0, "wear_gbp_per_kwh": 0.0}
    return {"capacity_kwh": capacity, "power_kw": power} | default | fields


@pytest.mark.parametrize(
    ("term", "charge", "expected"),
    [
        (battery(10, 4), [1, 5], 4 * 1 - 2 * 5),
        (battery(10, 4), [1, 1.5], 0),
        (battery(0.5, 4), [1, 5], 2 * 1 - 1 * 5),
        (battery(10, 4, wear_gbp_per_kwh=4), [1, 5], 4 * 1 - 2 * (5 - 2)),
        (battery(10, 4, initial_kwh=1, final_kwh=1), [5, 1], -2 * 5 + 4 * 1),
        (battery(10, 4, final_kwh=1.5), [1, 3], 4 * 1 + 2 * 3),
        (battery(10, 4, initial_kwh=10), [-1], -4 * 1 + 2 * 1),
        (battery(10, 4), [-1, -1], -8),
    ],
    ids=[
        "buys low and sells high",
        "not where less is won than lost on the way",
        "no more than it holds",
        "wear",
        "what was taken is given back",
        "what must be there at last is bought where it is cheap",
        "a full battery turns over what it loses",
        "is paid to charge",
    ],
)
def test_a_battery_trades_its_best(term: dict[str, float], charge: list[float], expected: float) -> None:
    assert cheapest_terms.battery(term, np.array(charge, dtype=float)) == pytest.approx(expected)


def test_a_battery_that_cannot_reach_its_final_energy_is_refused() -> None:
    with pytest.raises(ValueError, match="the battery's least charge"):
        cheapest_terms.battery(battery(10, 4, final_kwh=3), np.array([1.0]))


def test_inference_is_served_where_it_pays() -> None:
    assert cheapest_terms.inference(np.array([2.0, 3.0, 4.0]), np.array([-1.0, 2.0, -0.5])) == -4.0
