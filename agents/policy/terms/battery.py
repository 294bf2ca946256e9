"""A battery behind the meter: buys when power is cheap and saves it when it is dear, as a linear programme."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog

from agents.policy.terms.term import Schedule
from core.errors import PlanError
from core.instance import Battery
from core.series import FloatArray
from core.slots import SLOT_HOURS

INFEASIBLE = 2
OVERDRAWN = 1e4
"""times the dearest rate: what drawing beyond the room is charged, so that it is done only where it must be"""


class BatteryTerm:
    """Charging and discharging (2 T variables) under limits of power and stored energy."""

    def __init__(self, site: int, given: Battery, pue: FloatArray, slots: int) -> None:
        self.site = site
        self._given = given
        self._slots = slots
        running = sp.csr_matrix(np.tril(np.ones((slots, slots)))) * SLOT_HOURS
        stored = sp.hstack([given.efficiency * running, -running]).tocsr()
        last = stored[slots - 1] if slots else stored[:0]
        self._limits = sp.vstack([stored, -stored, -last]).tocsr()
        self._most = np.concatenate(
            [
                np.full(slots, given.capacity_kwh - given.initial_kwh),
                np.full(slots, given.initial_kwh),
                [given.initial_kwh - given.final_kwh],
            ]
        )
        del pue  # a battery draws at the meter itself

    def respond(self, rate: FloatArray) -> Schedule:
        return self._solved(rate, None)[0]

    def floor_gbp(self, rate: FloatArray) -> float:
        value = self._solved(rate, None)[1]
        return value - 1e-7 * (1 + abs(value))  # what the solver may be off

    def least_kw(self) -> FloatArray:
        return np.zeros(self._slots)

    def fit(self, rate: FloatArray, room_kw: FloatArray) -> Schedule:
        return self._solved(rate, room_kw)[0]

    def expression(self, rate: FloatArray) -> tuple[Any, Any, list[Any]]:
        flow = cp.Variable(2 * self._slots, nonneg=True)
        draw = flow[: self._slots] - flow[self._slots :]
        limits = [self._limits @ flow <= self._most, flow <= self._given.power_kw]
        return draw, self._charges(rate) @ flow, limits

    def _charges(self, rate: FloatArray) -> FloatArray:
        """(2 T,) GBP per kW charged and discharged in each slot."""
        return np.concatenate([rate, SLOT_HOURS * self._given.wear_gbp_per_kwh - rate])

    def _solved(self, rate: FloatArray, room_kw: FloatArray | None) -> tuple[Schedule, float]:
        limits, most, charges = self._limits, self._most, self._charges(rate)
        upper = np.full(2 * self._slots, self._given.power_kw)
        if room_kw is not None:
            beyond = OVERDRAWN * (1 + float(np.abs(charges).max(initial=0.0)))
            net = sp.hstack([sp.identity(self._slots), -sp.identity(self._slots), -sp.identity(self._slots)])
            none = sp.csr_matrix((limits.shape[0], self._slots))
            limits = sp.vstack([sp.hstack([limits, none]), net]).tocsr()
            most, upper = np.concatenate([most, room_kw]), np.concatenate([upper, np.full(self._slots, np.inf)])
            charges = np.concatenate([charges, np.full(self._slots, beyond)])
        answer = linprog(charges, limits, most, bounds=np.stack([np.zeros_like(upper), upper], 1), method="highs")
        if answer.status == INFEASIBLE:
            raise PlanError(
                f"the battery of site {self.site} cannot keep its limits: {self._given.initial_kwh:g} kWh at first, "
                f"{self._given.final_kwh:g} kWh at last, {self._given.power_kw:g} kW"
            )
        if answer.x is None:
            raise PlanError(f"the battery of site {self.site} could not be scheduled: {answer.message}")
        charged, discharged = answer.x[: self._slots], answer.x[self._slots : 2 * self._slots]
        wear = SLOT_HOURS * self._given.wear_gbp_per_kwh * float(discharged.sum())
        schedule = Schedule(charged - discharged, wear, {"charge_kw": charged, "discharge_kw": discharged})
        return schedule, float(answer.fun)
