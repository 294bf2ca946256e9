"""``replay``: the whole system at speed over recorded figures and a recorded job trace, against run-now.

The clock is moved slot by slot; in each slot the jobs that have arrived are submitted, the loop ticks and the
dispatcher runs, as they would live. Forecasts are what could be known at the time; settled figures are the recorded
outturn. Only GB sites take part, because only GB has recorded price and carbon in the data.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit
from tqdm import tqdm

from accounting.baselines import POLICY
from accounting.savings import JobSavings, portfolio, savings_by_job
from accounting.settlement import ESTIMATE_FINAL_AFTER
from agents.site.profiles import load_sites
from agents.solver import InlineSolver
from commands.house import Compose, House
from core.clock import ManualClock
from core.errors import InputError
from core.job import Job, JobRequest, JobStatus
from core.ledger import Leg, TickRecord, Totals
from core.settings import Settings
from core.slots import SLOT, SLOT_HOURS, SLOTS_PER_DAY, slot_ceil

KINDS = {"deferrable": 0.5, "pausable": 0.25, "throttlable": 0.15, "fixed": 0.1}
TIERS = {"standard": 0.6, "premium": 0.15, "flexible": 0.25}
TAIL_SLOTS = 7 * SLOTS_PER_DAY


@dataclass(frozen=True, slots=True)
class Arrival:
    """A job of the trace, and when it arrives."""

    at: datetime
    request: JobRequest


@dataclass(slots=True)
class Observed:
    """What the replay saw on its way: forecasts of each slot at its start, ticks, and power by slot."""

    ticks: list[TickRecord] = field(default_factory=list)
    forecast: dict[Leg, list[Totals]] = field(default_factory=lambda: defaultdict(list))
    refused: int = 0


def replay(arguments: argparse.Namespace, compose: Compose) -> int:
    """Run, then print the table; 1 when a job missed its deadline."""
    began = time.monotonic()
    start = _first_day(arguments.start)
    arrivals = read_trace(_trace_path(arguments), start, arguments)
    folder = _new_folder(arguments.keep)
    try:
        settings = Settings(
            data_dir=folder,
            database_url=None,
            signals=f"replay:{arguments.data}",
            clock_start=start,
            seed=arguments.seed,
        )
        sites = tuple(site for site in load_sites(settings.sites_file) if site.country == "GB")
        house = compose(settings, ManualClock(start), InlineSolver(), sites)
        try:
            seen = _run(house, arrivals, start, arguments.days * SLOTS_PER_DAY, quiet=arguments.json)
            result = _result(house, seen, arrivals)
        finally:
            house.close()
    finally:
        if arguments.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    result["wall_s"] = round(time.monotonic() - began, 1)
    print(json.dumps(result) if arguments.json else table(result))
    return 1 if result["slackwater"]["deadline_misses"] else 0


def _first_day(text: str) -> datetime:
    try:
        day = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no date", field="--from", value=text, remedy="Write 2023-03-01.") from error
    return slot_ceil(day if day.tzinfo else day.replace(tzinfo=UTC))


def _trace_path(arguments: argparse.Namespace) -> Path:
    for path in (Path(arguments.jobs), arguments.data / arguments.jobs):
        if path.is_file():
            return path
    raise InputError(
        f"no trace {arguments.jobs}", field="--jobs", value=arguments.jobs, remedy="Name a CSV file, or one in --data."
    )


def _new_folder(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="slackwater-replay-"))
    if keep.exists() and any(keep.iterdir()):
        raise InputError(f"{keep} is not empty", field="--keep", value=str(keep), remedy="Name a new folder.")
    return keep


def read_trace(path: Path, start: datetime, arguments: argparse.Namespace) -> list[Arrival]:
    """The trace's jobs in order of arrival, within the days replayed; kinds and tiers are drawn by seed."""
    rng = np.random.default_rng(arguments.seed)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    missing = {"arrival_time", "length", "cpus"} - set(rows[0] if rows else ())
    if missing:
        raise InputError(
            f"{path} has no column {sorted(missing)[0]}",
            field="--jobs",
            value=str(path),
            remedy="A trace has the columns arrival_time (s), length (s) and cpus.",
        )
    kinds = rng.choice(list(KINDS), len(rows), p=list(KINDS.values()))
    tiers = rng.choice(list(TIERS), len(rows), p=list(TIERS.values()))
    end = start + timedelta(days=arguments.days)
    arrivals = []
    for number, (row, kind, tier) in enumerate(zip(rows, kinds, tiers, strict=True)):
        try:
            at = start + timedelta(seconds=float(row["arrival_time"]))
            if at < end:
                arrivals.append(Arrival(at, _request(row, number, str(kind), str(tier), at, arguments)))
        except (ArithmeticError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}, line {number + 2} is no job: {row}",
                field="--jobs",
                value=str(path),
                remedy="A job has an arrival_time and a length in seconds, up to a week, and one cpu or more.",
            ) from error
    return sorted(arrivals, key=lambda arrival: arrival.at)


def _request(
    row: dict[str, str], number: int, kind: str, tier: str, at: datetime, arguments: argparse.Namespace
) -> JobRequest:
    hours = max(SLOT_HOURS, float(row["length"]) / 3600)
    latest = at + timedelta(hours=hours + max(arguments.slack_hours, 1.0))
    return JobRequest.model_validate(
        {
            "job_name": f"trace {number}",
            "flexibility_type": kind,
            "tier": tier,
            "duration_hours": hours,
            "latest_finish": min(latest, at + timedelta(days=7)).isoformat(),
            "power_kw": float(row["cpus"]) * arguments.kw_per_cpu,
            "pause_cost_gbp": 0.5 if kind == "pausable" else 0.0,
        }
    )


def _run(house: House, arrivals: list[Arrival], start: datetime, slots: int, *, quiet: bool) -> Observed:
    """Move the clock over the days replayed, on until every job has ended, and on until its figures are final."""
    seen, waiting = Observed(), list(reversed(arrivals))
    with tqdm(total=slots, unit=" slots", disable=quiet, leave=False) as bar:
        for number in range(slots + TAIL_SLOTS):
            slot = start + SLOT * number
            while waiting and waiting[-1].at <= slot:
                _submit(house, waiting.pop(), seen)
            _set(house, slot)
            house.energy.learn()
            seen.ticks.append(house.loop.tick("replay"))
            for leg in Leg:
                seen.forecast[leg].append(Totals.of(house.ledger.entries(leg=leg, start=slot, end=slot + SLOT)))
            house.dispatcher.dispatch()
            bar.update(number < slots)
            if number >= slots and not house.jobs.open_jobs():
                break
    _set(house, slot + ESTIMATE_FINAL_AFTER + timedelta(hours=2))
    house.loop.tick("replay")
    return seen


def _set(house: House, instant: datetime) -> None:
    clock = house.clock
    if isinstance(clock, ManualClock):
        clock.set(instant)


def _submit(house: House, arrival: Arrival, seen: Observed) -> None:
    _set(house, max(arrival.at, house.clock.now()))
    try:
        house.jobs.submit(arrival.request)
    except InputError:
        seen.refused += 1


def _result(house: House, seen: Observed, arrivals: list[Arrival]) -> dict[str, Any]:
    """The figures of the table."""
    planned = [tick for tick in seen.ticks if tick.outcome == "planned"]
    gaps = np.array([tick.gap for tick in planned if tick.gap is not None]) * 100
    counts = house.jobs.counts()
    baseline = house.ledger.totals(Leg.BASELINE)
    jobs = _jobs(house)
    return {
        "jobs": len(arrivals),
        "refused": seen.refused,
        "completed": counts.get(JobStatus.COMPLETED, 0),
        "failed": counts.get(JobStatus.FAILED, 0),
        "ticks": len(seen.ticks),
        "ticks_planned": len(planned),
        "ticks_failed": sum(tick.outcome in ("failed", "late") for tick in seen.ticks),
        "records": house.log.head()[0],
        "log_verifies": house.log.verify().ok,
        "gap_percent": _quantiles(gaps),
        "solve_s": _quantiles(np.array([tick.wall_s for tick in planned])),
        "churn_percent": round(100 * float(np.mean([tick.churn for tick in planned])), 2) if planned else 0.0,
        "carbon_saved": carbon_saved(jobs, savings_by_job(house.ledger.totals_by_job())),
        "run_now": _leg(seen, Leg.BASELINE, baseline) | {"deadline_misses": _late_baselines(house, jobs)},
        "slackwater": _leg(seen, Leg.PLAN, house.ledger.totals(Leg.PLAN))
        | {"deadline_misses": counts.get(JobStatus.FAILED, 0) + seen.refused},
    }


def _quantiles(values: np.ndarray) -> dict[str, float]:
    if not values.size:
        return {"p5": 0.0, "median": 0.0, "p95": 0.0}
    low, middle, high = np.percentile(values, [5, 50, 95])
    return {"p5": round(float(low), 4), "median": round(float(middle), 4), "p95": round(float(high), 4)}


def _leg(seen: Observed, leg: Leg, settled: Totals) -> dict[str, Any]:
    slots = seen.forecast[leg]
    return {
        "energy_kwh": round(settled.energy_kwh, 1),
        "cost_gbp": round(settled.cost_gbp, 2),
        "carbon_forecast_kg": round(sum(slot.carbon_kg for slot in slots), 1),
        "carbon_settled_kg": round(settled.carbon_kg, 1),
        "settled_share": round(settled.settled_rows / settled.rows, 4) if settled.rows else 0.0,
        "peak_kw": round(max((slot.energy_kwh for slot in slots), default=0.0) / SLOT_HOURS, 1),
    }


def carbon_saved(jobs: Sequence[Job], savings: Sequence[JobSavings]) -> dict[str, Any]:
    """kg saved by the jobs that can be compared, with a 95 % interval from the spread between days of arrival.

    Each job counts on the day (UTC) on which it arrived. The interval is that of the sum of so many days, if they are
    independent and alike, by Student's t; null for less than two.
    """
    day_of = {job.job_id: job.submitted_at.date() for job in jobs}
    by_day: dict[date, float] = defaultdict(float)
    for each in savings:
        if each.comparable:
            by_day[day_of[each.job_id]] += each.carbon_saved_kg
    days = np.array(list(by_day.values()))
    saved, count = float(days.sum()), len(days)
    half = float(stdtrit(count - 1, 0.975) * days.std(ddof=1) * np.sqrt(count)) if count > 1 else None
    compared = portfolio(savings)
    return {
        "kg": round(saved, 1),
        "low_kg": None if half is None else round(saved - half, 1),
        "high_kg": None if half is None else round(saved + half, 1),
        "days": count,
        "jobs": compared.compared,
        "baseline_policy": POLICY,
        "state": compared.state,
    }


def _jobs(house: House) -> list[Job]:
    _, total = house.jobs.find(limit=1)
    jobs, _ = house.jobs.find(limit=max(total, 1))
    return jobs


def _late_baselines(house: House, jobs: Sequence[Job]) -> int:
    """Jobs that run-now would have finished after their deadline."""
    ends: dict[str, datetime] = {}
    for row in house.ledger.entries(leg=Leg.BASELINE):
        ends[row.job_id] = max(ends.get(row.job_id, row.slot_start), row.slot_start + SLOT)
    return sum(job.job_id not in ends or ends[job.job_id] > job.latest_finish for job in jobs)


def table(result: dict[str, Any]) -> str:
    """The result as a Markdown table, with what it rests on below; carbon changes in kg, as a share has no interval."""
    now, own = result["run_now"], result["slackwater"]
    lines = ["| | run now | Slackwater | change |", "|---|--:|--:|--:|"]
    for name, key, unit in (
        ("energy at the meter", "energy_kwh", "kWh"),
        ("cost", "cost_gbp", "GBP"),
        ("carbon, forecast at slot start", "carbon_forecast_kg", "kg"),
        ("carbon, settled on actuals", "carbon_settled_kg", "kg"),
        ("peak power", "peak_kw", "kW"),
    ):
        share = f"{100 * (own[key] / now[key] - 1):+.1f} %" if now[key] else ""
        change = f"{own[key] - now[key]:+,.1f} kg" if unit == "kg" else share
        lines.append(f"| {name}, {unit} | {now[key]:,.1f} | {own[key]:,.1f} | {change} |")
    lines.append(f"| deadlines missed | {now['deadline_misses']} | {own['deadline_misses']} | |")
    lines.append(f"\n{saved_words(result['carbon_saved'])}")
    gap, solve = result["gap_percent"], result["solve_s"]
    verdict = "verifies" if result["log_verifies"] else "DOES NOT VERIFY"
    lines.append(
        f"\n{result['jobs']} jobs, {result['completed']} completed, {result['failed']} failed, "
        f"{result['refused']} refused; {result['ticks']} ticks, {result['ticks_planned']} of them planned, "
        f"{result['ticks_failed']} failed; {result['records']} records, log {verdict}."
    )
    lines.append(
        f"Certified gap per tick: P5 {gap['p5']:.3f} %, median {gap['median']:.3f} %, P95 {gap['p95']:.3f} %. "
        f"Solve: median {solve['median']:.2f} s, P95 {solve['p95']:.2f} s. Plan churn {result['churn_percent']:.2f} % "
        f"of planned job-slots a tick. {own['settled_share']:.1%} of the plan's slots settled. "
        f"Wall {result['wall_s']:.0f} s."
    )
    return "\n".join(lines)


def saved_words(saved: dict[str, Any]) -> str:
    """What was saved of carbon, with its interval and where that comes from."""
    told = f"Carbon saved: {saved['kg']:,.1f} kg against {saved['baseline_policy']}, {saved['state']}"
    if saved["low_kg"] is None:
        return f"{told}; on fewer than two days, so without an interval."
    return (
        f"{told}; 95 % {saved['low_kg']:,.1f} to {saved['high_kg']:,.1f} kg, by Student's t from the spread between "
        f"the {saved['days']} days on which the {saved['jobs']} jobs arrived, taken as independent and alike."
    )
