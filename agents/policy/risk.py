"""Risk: how much each scenario counts, and what a plan's energy costs over all of them.

With weight w and level a, ``(1 - w) * expected + w * CVaR_a`` is the greatest value of ``sum_k q_k cost_k`` over
``q = (1 - w) p + w r`` with ``0 <= r <= p / (1 - a)`` adding up to 1 (the dual of Rockafellar and Uryasev 2000). So the
weights q are prices like others: any of them prove a bound, and they rise where a plan turns out dear.
"""

from __future__ import annotations

import numpy as np

from core.instance import Risk
from core.series import FloatArray

STEP = 0.5


class RiskWeights:
    """The scenarios' weights, moved towards those in which the plan is dear.

    :ivar probability: (K,) adding up to 1; ``most`` (K,) how much each may count in the tail.
    :ivar weight: of the tail.
    """

    def __init__(self, probability: FloatArray, risk: Risk | None) -> None:
        self.probability = probability / probability.sum()
        self.weight = 0.0 if risk is None else risk.weight
        self.most = self.probability / (1 - (risk.level if risk is not None else 0.0))
        self._tail = self.probability.copy()
        self._moves = 0

    @property
    def moves(self) -> bool:
        """Whether the weights depend on the plan."""
        return self.weight > 0 and len(self.probability) > 1

    @property
    def weights(self) -> FloatArray:
        """(K,) q."""
        return self.mixed(self._tail)

    def mixed(self, tail: FloatArray) -> FloatArray:
        """(K,) the weights to which a tail belongs; one that is a little off, from a solver, is put right."""
        tail = np.clip(tail, 0.0, self.most)
        tail = tail + (self.most - tail) * max(0.0, 1 - tail.sum()) / max(float((self.most - tail).sum()), 1e-300)
        return np.asarray((1 - self.weight) * self.probability + self.weight * tail / tail.sum())

    def worst(self, cost_gbp: FloatArray) -> FloatArray:
        """(K,) the r that makes the tail dearest: dear scenarios first, each as far as it may count."""
        tail, left = np.zeros_like(cost_gbp), 1.0
        for scenario in np.argsort(-cost_gbp, kind="stable").tolist():
            tail[scenario] = min(self.most[scenario], left)
            left -= tail[scenario]
        return tail

    def total_gbp(self, cost_gbp: FloatArray) -> float:
        """What costs (K,) in the scenarios count as."""
        tail = float(self.worst(cost_gbp) @ cost_gbp)
        return float((1 - self.weight) * (self.probability @ cost_gbp) + self.weight * tail)

    def observe(self, cost_gbp: FloatArray) -> None:
        """Move towards the weights that are worst for the present plan, by ever smaller steps."""
        if self.moves:
            self._moves += 1
            share = STEP / (1 + 0.5 * self._moves)
            self._tail = self._tail + share * (self.worst(cost_gbp) - self._tail)
