"""Inference: requests that earn as long as power costs less than they are worth."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np
import scipy.sparse as sp

from agents.policy.terms.term import Schedule
from core.instance import Inference
from core.market import timed
from core.series import FloatArray
from core.slots import SLOT_HOURS


class InferenceTerm:
    """Up to the demand of each slot is served; slots are independent of one another."""

    def __init__(self, site: int, given: Inference, pue: FloatArray, slots: int) -> None:
        self.site = site
        self._pue = pue
        self._demand_kw = np.asarray(given.demand_kw, dtype=np.float64)
        self._earned_gbp_per_kw = timed(given.value_gbp_per_kwh, slots) * SLOT_HOURS

    def respond(self, rate: FloatArray) -> Schedule:
        return self._schedule(np.where(self._pue * rate < self._earned_gbp_per_kw, self._demand_kw, 0.0))

    def floor_gbp(self, rate: FloatArray) -> float:
        return float(np.minimum(0.0, (self._pue * rate - self._earned_gbp_per_kw) * self._demand_kw).sum())

    def least_kw(self) -> FloatArray:
        return np.zeros(len(self._pue))

    def fit(self, rate: FloatArray, room_kw: FloatArray) -> Schedule:
        wanted = self.respond(rate).power_kw["inference_kw"]
        return self._schedule(np.minimum(wanted, np.maximum(room_kw, 0.0) / self._pue))

    def expression(self, rate: FloatArray) -> tuple[Any, Any, list[Any]]:
        power = cp.Variable(len(self._pue), nonneg=True)
        charge = (self._pue * rate - self._earned_gbp_per_kw) @ power
        return sp.diags(self._pue) @ power, charge, [power <= self._demand_kw]

    def _schedule(self, power_kw: FloatArray) -> Schedule:
        earned = float(self._earned_gbp_per_kw @ power_kw)
        return Schedule(self._pue * power_kw, -earned, {"inference_kw": power_kw})
