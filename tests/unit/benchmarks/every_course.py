"""Every course that a job could run in a few slots, read straight off the words of docs/planner.md."""

from __future__ import annotations

import itertools
import json
from functools import cache
from typing import Any

import numpy as np

Json = dict[str, Any]


def stretches(power: np.ndarray) -> list[tuple[int, int]]:
    """Start and end of each run, whatever its power."""
    edges = np.flatnonzero(np.diff((power > 0).astype(int), prepend=0, append=0))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def serves(job: Json, power: np.ndarray) -> bool:
    """Whether a course at the job's own powers does what it asks for."""
    runs = stretches(power)
    lengths = [end - start for start, end in runs]
    match job["kind"]:
        case "block":
            return lengths == [job["duration_slots"]]
        case "pausable":
            restart, least = job.get("restart_slots") or 0, job.get("min_run_slots") or 1
            return bool(
                runs
                and sum(lengths) == job["duration_slots"] + (len(runs) - 1) * restart
                and all(length >= least for length in lengths)
                and all(length > restart for length in lengths[1:])
                and (job.get("max_pauses") is None or len(runs) - 1 <= job["max_pauses"])
            )
        case _:
            work = {level["power_kw"]: level["work_per_slot"] for level in job["levels"]}
            return sum(work.get(kw, 0.0) for kw in power.tolist()) >= job["work"] - 1e-9


def every_course(job: Json, slots: int) -> np.ndarray:
    """(n, T) the powers of every course inside the job's window."""
    return _every_course(json.dumps(job, sort_keys=True), slots)


@cache
def _every_course(text: str, slots: int) -> np.ndarray:
    job, found = json.loads(text), []
    first, last = job.get("earliest_slot", 0), job.get("latest_slot", slots)
    powers = [level["power_kw"] for level in job["levels"]] if job["kind"] == "elastic" else [job["power_kw"]]
    for choice in itertools.product((0.0, *powers), repeat=last - first):
        power = np.zeros(slots)
        power[first:last] = choice
        if serves(job, power):
            found.append(power)
    return np.array(found).reshape(-1, slots)


def spent(courses: np.ndarray, charge: np.ndarray) -> np.ndarray:
    """(n,) what courses pay at charges (T,) per kW, of which some may be infinite."""
    return np.where(courses > 0, courses * np.where(courses > 0, charge, 0.0), 0.0).sum(axis=1)


def pause_gbp(job: Json, courses: np.ndarray) -> np.ndarray:
    """(n,) what the pauses of courses cost."""
    starts = np.count_nonzero(np.diff((courses > 0).astype(int), prepend=0, axis=1) > 0, axis=1)
    return (starts - 1) * (job.get("pause_cost_gbp") or 0.0)
