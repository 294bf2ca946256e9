"""Mining: ASICs as filler, off or between two powers, with a ramp while they are on.

Best schedules are found by a dynamic programme over powers. At a linear charge the powers that matter are nought and
whole ramps up from the least or down from the greatest power: every corner of the feasible powers is one of these, so
the programme over them is exact, and its value a proof.
"""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np
import scipy.sparse as sp

from agents.policy.terms.term import Schedule
from core.instance import Mining
from core.market import TOLERANCE_KW, timed
from core.series import BoolArray, FloatArray
from core.slots import SLOT_HOURS

STEPS = 24
"""further powers tried when headroom, not a limit of its own, decides"""


class MiningTerm:
    """Semi-continuous power with a ramp."""

    def __init__(self, site: int, given: Mining, pue: FloatArray, slots: int) -> None:
        self.site = site
        self._given = given
        self._pue = pue
        self._earned_gbp_per_kw = timed(given.value_gbp_per_kwh, slots) * SLOT_HOURS
        self._corners = self._powers(steps=0)
        self._between = self._powers(steps=STEPS)

    def respond(self, rate: FloatArray) -> Schedule:
        return self._best(self._pue * rate - self._earned_gbp_per_kw, self._corners)[0]

    def floor_gbp(self, rate: FloatArray) -> float:
        return self._best(self._pue * rate - self._earned_gbp_per_kw, self._corners)[1]

    def least_kw(self) -> FloatArray:
        return self._stopped().draw_kw

    def fit(self, rate: FloatArray, room_kw: FloatArray) -> Schedule:
        room = np.maximum(room_kw, 0.0) / self._pue
        charge = self._pue * rate - self._earned_gbp_per_kw
        if self._given.ramp_kw is None:
            power = np.minimum(self._given.max_kw, room)
            power[(power < self._given.min_kw) | (charge >= 0)] = 0.0
            return self._schedule(power)
        schedule, least = self._best(charge, self._between, room)
        return schedule if np.isfinite(least) else self._stopped()

    def expression(self, rate: FloatArray) -> tuple[Any, Any, list[Any]]:
        power = cp.Variable(len(self._pue), nonneg=True)
        limits = [power <= self._given.max_kw]
        charge = (self._pue * rate - self._earned_gbp_per_kw) @ power
        return sp.diags(self._pue) @ power, charge, limits

    def _stopped(self) -> Schedule:
        """Off as soon as the ramp allows."""
        power, ramp = np.zeros(len(self._pue)), self._given.ramp_kw
        before = self._given.initial_kw
        for slot in range(len(power)):
            if ramp is None or before <= self._given.min_kw + ramp + 1e-9:
                break
            power[slot] = before = before - ramp
        return self._schedule(power)

    def _powers(self, steps: int) -> FloatArray:
        """(N,) powers to choose from, nought among them."""
        given = self._given
        low, high, ramp = given.min_kw, given.max_kw, given.ramp_kw
        found = [0.0, low, high, given.initial_kw, *np.linspace(low, high, steps).tolist()]
        if ramp is not None:
            count = int((high - low) / ramp) + 1
            reach = ramp * np.arange(count)
            starts = np.array([low, high, given.initial_kw, low + ramp])
            found += [*(starts[:, None] + reach).ravel(), *(starts[:, None] - reach).ravel()]
        powers = np.unique(np.round(found, 9))
        on = (powers >= max(low, 1e-9) - 1e-9) & (powers <= high + 1e-9)
        return np.concatenate([[0.0], powers[on]])

    def _may_follow(self, powers: FloatArray) -> BoolArray:
        """(N, N) whether the power of the column may follow that of the row."""
        ramp = self._given.ramp_kw
        if ramp is None:
            return np.ones((len(powers), len(powers)), dtype=np.bool_)
        one, other = powers[:, None], powers[None, :]
        both = (one > 0) & (other > 0)
        least = self._given.min_kw + ramp + 1e-9
        return np.where(both, np.abs(one - other) <= ramp + 1e-9, np.maximum(one, other) <= least)

    def _best(self, charge: FloatArray, powers: FloatArray, room: FloatArray | None = None) -> tuple[Schedule, float]:
        """The schedule of least charge among ``powers`` (N,), and that charge; ``charge`` (T,) is GBP per IT kW."""
        barred = np.where(self._may_follow(powers), 0.0, np.inf)
        value = barred[np.argmin(np.abs(powers - self._given.initial_kw))]
        came = np.zeros((len(charge), len(powers)), dtype=np.int64)
        for slot, gbp in enumerate(charge):
            if slot:
                reached = value[:, None] + barred
                came[slot] = np.argmin(reached, axis=0)
                value = np.min(reached, axis=0)
            value = value + gbp * powers
            if room is not None:
                value[powers > room[slot] + TOLERANCE_KW] = np.inf
        at = int(np.argmin(value))
        least, chosen = float(value[at]), np.zeros(len(charge))
        for slot in range(len(charge) - 1, -1, -1):
            chosen[slot] = powers[at]
            at = int(came[slot, at])
        return self._schedule(chosen), least

    def _schedule(self, power_kw: FloatArray) -> Schedule:
        earned = float(self._earned_gbp_per_kw @ power_kw)
        return Schedule(self._pue * power_kw, -earned, {"mining_kw": power_kw})
