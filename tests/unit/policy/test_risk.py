from __future__ import annotations

import numpy as np
import pytest

from agents.policy.risk import RiskWeights
from core.instance import Risk

PROBABILITY = np.array([0.4, 0.3, 0.2, 0.1])


def cvar(cost: np.ndarray, level: float) -> float:
    """Rockafellar and Uryasev's own form: the least over z of z + E[(cost - z)+] / (1 - level)."""
    return min(float(z + PROBABILITY @ np.maximum(0, cost - z) / (1 - level)) for z in cost)


@pytest.mark.parametrize("seed", range(20))
def test_what_counts_is_the_expected_cost_and_the_mean_of_the_tail(seed: int):
    rng = np.random.default_rng(seed)
    cost, level, weight = rng.normal(10, 5, 4), float(rng.uniform(0, 0.99)), float(rng.uniform())
    risk = RiskWeights(PROBABILITY, Risk(level=level, weight=weight))
    expected = (1 - weight) * float(PROBABILITY @ cost) + weight * cvar(cost, level)
    assert risk.total_gbp(cost) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(20))
def test_any_weights_are_allowed_ones_and_never_count_more_than_the_worst(seed: int):
    rng = np.random.default_rng(seed)
    risk = RiskWeights(PROBABILITY, Risk(level=0.7, weight=0.6))
    for _ in range(5):
        risk.observe(rng.normal(10, 5, 4))
    for weights in (risk.weights, risk.mixed(rng.normal(0.3, 1, 4))):
        tail = (weights - 0.4 * PROBABILITY) / 0.6
        assert tail.sum() == pytest.approx(1)
        assert (tail >= -1e-12).all()
        assert (tail <= PROBABILITY / 0.3 + 1e-12).all()
        cost = rng.normal(10, 5, 4)
        assert weights @ cost <= risk.total_gbp(cost) + 1e-9


def test_weights_go_where_a_plan_stays_dear():
    risk, cost = RiskWeights(PROBABILITY, Risk(level=0.9, weight=1.0)), np.array([1.0, 1.0, 1.0, 9.0])
    for _ in range(200):
        risk.observe(cost)
    assert risk.weights @ cost == pytest.approx(risk.total_gbp(cost), rel=0.01)


def test_without_risk_the_probabilities_count_and_stay():
    risk = RiskWeights(2 * PROBABILITY, None)
    risk.observe(np.array([1.0, 2, 3, 99]))
    assert not risk.moves
    assert risk.weights == pytest.approx(PROBABILITY)
