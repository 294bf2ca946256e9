"""``python -m benchmarks.comparison.judging INSTANCE PLAN --out FILE``: the referee's verdict and what it means.

A peer's plan comes without prices: it proves nothing, and its certificate is filled in with a bound that is none.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from benchmarks import referee
from benchmarks.peers.forms import SLOT_HOURS, Json, full_power
from benchmarks.peers.problem import Array, Problem, objective_gbp

NO_BOUND_GBP = -1e15
ROUNDING_KW = 1e-6


def judgement(instance: Json, plan: Json) -> Json:
    """Objective, carbon, energy cost, jobs left out, what is over capacity, pauses, and the tenants' shares."""
    problem = Problem(instance)
    proves = "prices" in plan
    verdict = referee.judge(instance, plan if proves else _filled_in(problem, plan))
    load_kw = _load_kw(problem, plan["assignments"])
    over_kw = np.maximum(0.0, load_kw * problem.pue - problem.headroom_kw)
    over = over_kw > ROUNDING_KW * np.maximum(1.0, problem.headroom_kw)
    return {
        "placed": verdict.placed,
        "unserved": verdict.unserved,
        "objective_gbp": verdict.objective_gbp,
        "bound_gbp": verdict.bound_gbp if proves else None,
        "carbon_kg": verdict.carbon_kg,
        "energy_gbp": float((load_kw * problem.pue * SLOT_HOURS * problem.price).sum()),
        "violations": len(verdict.violations),
        "first_violation": next(iter(verdict.violations), ""),
        "over_slots": int(over.sum()),
        "over_kw_slots": float(over_kw[over].sum()),
        "peak_kw": float((load_kw * problem.pue).sum(axis=0).max(initial=0.0)),
        "pauses": sum(
            len({run[0] for run in row["runs"]} - {run[1] for run in row["runs"]}) - 1 for row in plan["assignments"]
        ),
        **_shares(instance, plan),
    }


def _filled_in(problem: Problem, plan: Json) -> Json:
    """The plan with its objective and a certificate of prices of nought."""
    objective = objective_gbp(problem, plan["assignments"])
    free = [0.0] * problem.slots
    return plan | {
        "objective_gbp": objective,
        "bound_gbp": NO_BOUND_GBP,
        "gap": referee.relative_gap(objective, NO_BOUND_GBP),
        "prices": [{"site": site, "headroom_gbp_per_kw_slot": free} for site in problem.site_ids],
        "carbon_cap_price_gbp_per_kg": 0.0,
    }


def _load_kw(problem: Problem, assignments: list[Json]) -> Array:
    """(S, T) IT power of all jobs."""
    row = {site: number for number, site in enumerate(problem.site_ids)}
    runs = [(row[one["site"]], *run) for one in assignments for run in one["runs"]]
    steps = np.zeros((len(row), problem.slots + 1))
    if runs:
        site, start, end, kw = np.array(runs, dtype=np.float64).T
        np.add.at(steps, (site.astype(int), start.astype(int)), kw)
        np.subtract.at(steps, (site.astype(int), end.astype(int)), kw)
    return np.asarray(np.cumsum(steps, axis=1)[:, :-1])


def _shares(instance: Json, plan: Json) -> Json:
    """Energy served of what each tenant asked for: the least share, and Jain's index of all."""
    served = {row["job"] for row in plan["assignments"]}
    asked: dict[str, float] = {}
    given: dict[str, float] = {}
    for job in instance["jobs"]:
        kw, slots = full_power(job)
        tenant, kwh = job.get("tenant", "default"), kw * slots * SLOT_HOURS
        asked[tenant] = asked.get(tenant, 0.0) + kwh
        given[tenant] = given.get(tenant, 0.0) + (kwh if job["id"] in served else 0.0)
    share = np.array([given[tenant] / kwh for tenant, kwh in asked.items()] or [1.0])
    return {
        "unserved_kwh": sum(asked.values()) - sum(given.values()),
        "least_share": float(share.min()),
        "jain": float(share.sum() ** 2 / (share.size * (share**2).sum())) if share.any() else 1.0,
    }


def main(arguments: list[str]) -> int:
    """Write the judgement; a file that holds only a value or a bound is passed on."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparison.judging", description=__doc__)
    parser.add_argument("instance", type=Path)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    plan = referee.read(options.plan)
    figures: Json = {name: plan[name] for name in ("wall_s", "fractional_gbp", "solver_bound_gbp") if name in plan}
    if "assignments" in plan:
        figures |= judgement(referee.read(options.instance), plan)
    options.out.write_text(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
