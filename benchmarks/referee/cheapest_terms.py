"""The least charge of what sites do themselves, at given charges; all figures (T,) are of one site."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from benchmarks.referee.figures import SLOT_HOURS
from benchmarks.referee.verdict import Array, Json

SAME = 1e-9
"""kW, relative to the largest power: figures that differ by less are one step of the ladder of powers"""


def inference(demand_kw: Array, charge: Array) -> float:
    """Serve where it pays: ``charge`` is per IT kW and slot, less what it earns."""
    return float(np.minimum(charge, 0.0) @ demand_kw)


def mining(term: Json, charge: Array) -> float:
    """The cheapest powers by a dynamic programme over those that an optimal course can have; ``charge`` as above.

    Between starts and stops a course solves a linear programme whose limits are bounds and differences of neighbours.
    At its corners each power is a limit (least, most, or that before the first slot) and a number of whole ramps.
    """
    powers = _powers(term, charge.size)
    least, ramp = term["min_kw"], term.get("ramp_kw") or np.inf
    rounding = SAME * max(1.0, term["max_kw"])
    gate = powers <= least + ramp + rounding
    initial = term.get("initial_kw") or 0.0
    cost = np.where(np.abs(powers - initial) <= ramp + rounding, 0.0, np.inf)
    if initial == 0:
        cost = np.where(gate, 0.0, np.inf)
    off = 0.0 if initial <= least + ramp + rounding else np.inf
    low = np.searchsorted(powers, powers - ramp - rounding)
    high = np.searchsorted(powers, powers + ramp + rounding, side="right")
    for price in charge[:-1]:
        cost += price * powers
        on = np.minimum(_lowest(cost, low, high), np.where(gate, off, np.inf))
        cost, off = on, min(off, cost[gate].min())
    return float(min(off, (cost + charge[-1] * powers).min()))


def _powers(term: Json, slots: int) -> Array:
    """Ascending powers while on."""
    least, most, ramp = term["min_kw"], term["max_kw"], term.get("ramp_kw")
    initial = term.get("initial_kw") or 0.0
    corners = np.array([least, most] + [initial] * (initial > 0))
    steps = np.arange(-slots, slots + 1) * (ramp or 0.0)
    powers = np.sort((corners[:, None] + steps).ravel())
    powers = powers[(powers >= least) & (powers <= most)]
    return np.asarray(powers[np.append(True, np.diff(powers) > SAME * max(1.0, most))])


def _lowest(cost: Array, low: Array, high: Array) -> Array:
    """Minimum of ``cost[low:high]`` for each pair of ends, by a table of minima over powers of two."""
    table, width = [cost], 1
    while 2 * width <= cost.size:
        table.append(np.minimum(table[-1][:-width], table[-1][width:]))
        width *= 2
    size = np.frexp(high - low)[1] - 1
    padded = np.full((len(table), cost.size), np.inf)
    for row, minima in enumerate(table):
        padded[row, : minima.size] = minima
    return np.asarray(np.minimum(padded[size, low], padded[size, high - 2**size]))


def battery(term: Json, charge: Array) -> float:
    """A linear programme over charging, discharging and energy stored; ``charge`` is per kW at the meter and slot.

    :class:`ValueError` where the battery cannot reach its final energy.
    """
    slots = charge.size
    one = sparse.eye_array(slots)
    stored = one - sparse.eye_array(slots, k=-1)
    balance = sparse.hstack([-SLOT_HOURS * term["efficiency"] * one, SLOT_HOURS * one, stored])
    wear = (term.get("wear_gbp_per_kwh") or 0.0) * SLOT_HOURS
    upper = np.repeat([term["power_kw"], term["power_kw"], term["capacity_kwh"]], slots)
    lower = np.zeros(3 * slots)
    lower[-1] = term["final_kwh"]
    found = linprog(
        np.concatenate([charge, wear - charge, np.zeros(slots)]),
        A_eq=balance,
        b_eq=np.append(term["initial_kwh"], np.zeros(slots - 1)),
        bounds=np.stack([lower, upper], axis=1),
        method="highs",
    )
    if not found.success:
        raise ValueError(f"the battery's least charge: {found.message}")
    return float(found.fun)
