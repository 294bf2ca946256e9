"""FlexMeasures' scheduling core: ``device_scheduler``, below its API and database, on its default backend (HiGHS).

Every job is a device with a stock that has to be full by its deadline. The stock gathers flow a slot, not a kWh. Jobs
that may pause for nothing are on or off (power bands) and make a plan; blocks have no form there, so where there are
any, power is free up to the job's own and only the value is reported: what the relaxed problem costs.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd
from flask import Flask
from flexmeasures.data.models.planning.linear_optimization import device_scheduler

from benchmarks.peers.forms import (
    SLOT_HOURS,
    Json,
    NoAnswer,
    Unsuited,
    plan_file,
    rates_gbp_per_kwh,
    require_plain,
    run,
)

BOUNDS = ("equals", "max", "min", "derivative equals", "derivative max", "derivative min")
SETTINGS = {
    "FLEXMEASURES_LP_SOLVER": "highspy",
    "LOGGING_LEVEL": "WARNING",
}


def flexmeasures(instance: Json, time_limit_s: float) -> Json:
    """Schedule all jobs as devices of one site under its capacity."""
    require_plain(instance, kinds=("block", "pausable"), sites=1)
    jobs: list[Json] = instance["jobs"]
    if any(job.get("pause_cost_gbp") for job in jobs):
        raise Unsuited("its form has no price of a pause between runs")
    began = time.perf_counter()
    (site,) = instance["sites"]
    index = pd.date_range(instance["start"], periods=instance["slots"], freq="30min")
    rates = pd.Series(np.array(rates_gbp_per_kwh(instance, site)) * SLOT_HOURS, index=index)
    whole = all(job["kind"] == "pausable" for job in jobs)
    capacity = pd.DataFrame(
        {"derivative max": np.array(site["headroom_kw"]) / np.array(site["pue"]), "derivative min": 0.0}, index=index
    )
    app = Flask(__name__)
    app.config.update(SETTINGS, FLEXMEASURES_LP_SOLVER_OPTIONS={"time_limit": time_limit_s})
    with app.app_context():
        powers, cost, answer, _ = device_scheduler(
            [_device(job, index) for job in jobs],
            capacity,
            commitment_quantities=[pd.Series(0.0, index=index)],
            commitment_upwards_deviation_price=[rates],
            commitment_downwards_deviation_price=[rates],
            device_power_bands=[[(0.0, 0.0), (job["power_kw"],) * 2] for job in jobs] if whole else None,
        )
    if answer.solver.termination_condition != "optimal":
        raise NoAnswer(f"it says {answer.solver.termination_condition}")
    if whole:
        return plan_file(
            instance, "FlexMeasures", [_row(job, power) for job, power in zip(jobs, powers, strict=True)], began
        )
    wall_s = time.perf_counter() - began
    return {"instance": instance["name"], "method": "FlexMeasures", "fractional_gbp": float(cost), "wall_s": wall_s}


def _device(job: Json, index: pd.DatetimeIndex) -> pd.DataFrame:
    """Flow within the window, and the whole stock by its end."""
    stock = job["power_kw"] * job["duration_slots"]
    device = pd.DataFrame(np.nan, index=index, columns=list(BOUNDS))
    inside = np.zeros(len(index))
    inside[job["earliest_slot"] : job["latest_slot"]] = job["power_kw"]
    device["derivative max"], device["derivative min"] = inside, 0.0
    device["max"], device["min"] = stock, np.where(np.arange(len(index)) >= job["latest_slot"] - 1, stock, 0.0)
    return device


def _row(job: Json, power_kw: pd.Series[float]) -> Json:
    on = np.asarray(power_kw) > job["power_kw"] / 2
    edges = np.flatnonzero(np.diff(on.astype(int), prepend=0, append=0)).tolist()
    runs = [[start, end, job["power_kw"]] for start, end in zip(edges[::2], edges[1::2], strict=True)]
    return {"job": job["id"], "site": job["sites"][0], "runs": runs}


if __name__ == "__main__":
    sys.exit(run(flexmeasures, sys.argv[1:]))
