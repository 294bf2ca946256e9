"""CATS (climate-aware-task-scheduler): for one job, the window with the lowest mean intensity by the trapezoid rule.

It knows no capacity and no other jobs, so each job asks alone, and each runs in one piece at full power. Where it
expects carbon intensity it is given the cost of a kWh, so that it seeks what the others seek. Its window limits the
start: the deadline less the duration.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta

from cats.forecast import PointEstimate, WindowedForecast

from benchmarks.peers.forms import Json, Unsuited, full_power, plan_file, rates_gbp_per_kwh, require_plain, run

SLOT = timedelta(minutes=30)
LIMITS = ("max_price_gbp_per_kwh", "max_carbon_g_per_kwh")


def cats(instance: Json, _time_limit_s: float) -> Json:
    """Ask CATS for every job's start."""
    require_plain(instance)
    if any(len(job["sites"]) != 1 or any(job.get(limit) is not None for limit in LIMITS) for job in instance["jobs"]):
        raise Unsuited("it schedules at one place, without price or carbon limits")
    began = time.perf_counter()
    forecasts = {site["id"]: _points(instance, site) for site in instance["sites"]}
    first = datetime.fromisoformat(instance["start"])
    rows = [_row(job, forecasts[job["sites"][0]], first) for job in instance["jobs"]]
    return plan_file(instance, "CATS", [row for row in rows if row is not None], began)


def _points(instance: Json, site: Json) -> list[PointEstimate]:
    """One a half-hour and one for the end of the horizon."""
    first, rates = datetime.fromisoformat(instance["start"]), rates_gbp_per_kwh(instance, site)
    return [PointEstimate(rate, first + SLOT * slot) for slot, rate in enumerate([*rates, rates[-1]])]


def _row(job: Json, points: list[PointEstimate], first: datetime) -> Json | None:
    kw, slots = full_power(job)
    spare = job["latest_slot"] - slots - job["earliest_slot"]
    if spare < 0:
        return None
    begin = first + SLOT * job["earliest_slot"]
    windows = WindowedForecast(points, 30 * slots, begin, max_window_minutes=30 * spare)
    start = (min(windows).start - first) // SLOT
    return {"job": job["id"], "site": job["sites"][0], "runs": [[start, start + slots, kw]]}


if __name__ == "__main__":
    sys.exit(run(cats, sys.argv[1:]))
