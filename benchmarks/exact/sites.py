"""Mining, inference and batteries as columns and rows."""

from __future__ import annotations

import numpy as np

from benchmarks.exact.jobs import Json
from benchmarks.exact.program import Ints, Program
from benchmarks.referee.figures import SLOT_HOURS, by_slot


def mining(program: Program, term: Json, slots: int) -> Ints:
    """Powers (T,), each with a binary for being on. The slot before the first counts as a neighbour."""
    least, most, ramp, before = term["min_kw"], term["max_kw"], term.get("ramp_kw"), term.get("initial_kw") or 0.0
    earned = by_slot(term["value_gbp_per_kwh"], slots) * SLOT_HOURS
    power = program.columns(slots, -earned, upper=most, whole=False)
    on = program.columns(slots)
    each, next_ = np.arange(slots), np.arange(slots - 1)
    program.rows(slots, (each, power, 1.0), (each, on, -most), upper=0.0)
    program.rows(slots, (each, on, least), (each, power, -1.0), upper=0.0)
    if ramp is None:
        return power
    up = ((next_, power[1:], 1.0), (next_, power[:-1], -1.0), (next_, on[:-1], least))
    down = ((next_, power[:-1], 1.0), (next_, power[1:], -1.0), (next_, on[1:], least))
    program.rows(slots - 1, *up, upper=ramp + least)
    program.rows(slots - 1, *down, upper=ramp + least)
    program.rows(1, (0, power[0], 1.0), upper=before + ramp if before > 0 else least + ramp)
    if before > 0:
        program.rows(1, (0, power[0], -1.0), (0, on[0], least), upper=ramp + least - before)
    return power


def inference(program: Program, term: Json, slots: int) -> Ints:
    """Powers (T,)."""
    earned = by_slot(term["value_gbp_per_kwh"], slots) * SLOT_HOURS
    return program.columns(slots, -earned, upper=by_slot(term["demand_kw"], slots), whole=False)


def battery(program: Program, term: Json, slots: int) -> tuple[Ints, Ints]:
    """Powers of charging and of discharging, each (T,)."""
    wear = (term.get("wear_gbp_per_kwh") or 0.0) * SLOT_HOURS
    charge = program.columns(slots, upper=term["power_kw"], whole=False)
    discharge = program.columns(slots, wear, upper=term["power_kw"], whole=False)
    final = np.where(np.arange(slots) == slots - 1, term["final_kwh"], 0.0)
    stored = program.columns(slots, lower=final, upper=term["capacity_kwh"], whole=False)
    each = np.arange(slots)
    flow = ((each, charge, -SLOT_HOURS * term["efficiency"]), (each, discharge, SLOT_HOURS), (each, stored, 1.0))
    held = np.where(each == 0, term["initial_kwh"], 0.0)
    program.rows(slots, *flow, (each[1:], stored[:-1], -1.0), lower=held, upper=held)
    return charge, discharge
