"""EMHASS: every job a deferrable load of one household; blocks run as a single constant, pausable jobs on and off.

Its relative MIP gap is left at its default of 1 %. Where its solver fails it answers with a relaxed plan: the referee
sees what is wrong with that one.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import emhass
import numpy as np
import pandas as pd
from emhass.optimization import Optimization

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

WATTS = 1000
NAMES = {
    "sensor_power_photovoltaics": "pv",
    "sensor_power_load_no_var_loads": "load",
    "time_zone": "UTC",
}


def emhass_plan(instance: Json, time_limit_s: float) -> Json:
    """Optimise all jobs as deferrable loads under a limit of the grid connection."""
    require_plain(instance, kinds=("block", "pausable"), sites=1)
    if any(job.get("pause_cost_gbp") for job in instance["jobs"]):
        raise Unsuited("its form has no price of a pause between runs")
    began = time.perf_counter()
    (site,), jobs = instance["sites"], instance["jobs"]
    index = pd.date_range(instance["start"], periods=instance["slots"], freq="30min")
    rates = np.array(rates_gbp_per_kwh(instance, site))
    optimisation = Optimization(
        {**NAMES, "optimization_time_step": pd.Timedelta(minutes=30)},
        _loads(jobs, instance["slots"], time_limit_s),
        _plant(np.array(site["headroom_kw"]) / np.array(site["pue"])),
        "cost",
        "price",
        "cost",
        {"data_path": Path()},
        logging.getLogger("emhass"),
        num_timesteps=instance["slots"],
    )
    nothing = np.zeros(instance["slots"])
    frame = pd.DataFrame({"pv": 0.0, "load": 0.0, "cost": rates, "price": 0.0}, index=index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = optimisation.perform_optimization(frame, nothing, nothing, rates, nothing)
    if "P_deferrable0" not in found or not str(optimisation.optim_status).startswith("Optimal"):
        raise NoAnswer(f"it says {optimisation.optim_status}")
    return plan_file(instance, "EMHASS", [_row(job, found[f"P_deferrable{k}"]) for k, job in enumerate(jobs)], began)


def _defaults() -> dict[str, Any]:
    text = (Path(emhass.__file__).parent / "data" / "config_defaults.json").read_text()
    defaults: dict[str, Any] = json.loads(text)
    return defaults


def _loads(jobs: list[Json], slots: int, time_limit_s: float) -> dict[str, Any]:
    """Its defaults, with one deferrable load a job."""
    each = len(jobs)
    return _defaults() | {
        "number_of_deferrable_loads": each,
        "nominal_power_of_deferrable_loads": [WATTS * job["power_kw"] for job in jobs],
        "minimum_power_of_deferrable_loads": [0.0] * each,
        "operating_hours_of_each_deferrable_load": [SLOT_HOURS * job["duration_slots"] for job in jobs],
        "start_timesteps_of_each_deferrable_load": [job["earliest_slot"] for job in jobs],
        "end_timesteps_of_each_deferrable_load": [job["latest_slot"] for job in jobs],
        "treat_deferrable_load_as_semi_cont": [True] * each,
        "set_deferrable_load_single_constant": [job["kind"] == "block" for job in jobs],
        "set_deferrable_startup_penalty": [0.0] * each,
        "set_deferrable_max_startups": [0] * each,
        "def_minimum_on_time": [0] * each,
        "def_minimum_off_time": [0] * each,
        "deferrable_load_max_cost": [0.0] * each,
        "cost_forecast_per_deferrable_load": [None] * each,
        "is_electric_load": [True] * each,
        "delta_forecast_daily": slots * SLOT_HOURS / 24,
        "lp_solver_timeout": time_limit_s,
    }


def _plant(most_kw: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    return _defaults() | {"maximum_power_from_grid": (WATTS * most_kw).tolist(), "maximum_power_to_grid": 0}


def _row(job: Json, power_w: pd.Series[float]) -> Json:
    """The slots in which a load is nearer to its power than to nought."""
    on = np.asarray(power_w) > WATTS * job["power_kw"] / 2
    edges = np.flatnonzero(np.diff(on.astype(int), prepend=0, append=0)).tolist()
    runs = [[start, end, job["power_kw"]] for start, end in zip(edges[::2], edges[1::2], strict=True)]
    return {"job": job["id"], "site": job["sites"][0], "runs": runs}


if __name__ == "__main__":
    sys.exit(run(emhass_plan, sys.argv[1:]))
