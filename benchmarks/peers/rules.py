"""Rules of thumb: run now, take the cheapest window, or the same one after the other where there is still room."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from benchmarks.peers.courses import Room, cheapest, earliest
from benchmarks.peers.forms import Json, full_power, plan_file, require_plain
from benchmarks.peers.problem import Course, Problem, rows_of

Rule = Callable[[Problem, int, Room | None], Course | None]
Order = Callable[[Json], tuple[float, ...]]


def first_come(job: Json) -> tuple[float, ...]:
    """In the order in which jobs may start."""
    return (job["earliest_slot"],)


def due_first(job: Json) -> tuple[float, ...]:
    """Earliest deadline first."""
    return (job["latest_slot"],)


def largest_first(job: Json) -> tuple[float, ...]:
    """Most kW times slots first."""
    kw, slots = full_power(job)
    return (-kw * slots,)


def follow(instance: Json, method: str, rule: Rule, order: Order | None) -> Json:
    """Each job by itself where ``order`` is None: capacity is ignored. Else one by one, in what room is left."""
    require_plain(instance)
    began = time.perf_counter()
    problem = Problem(instance)
    jobs = problem.jobs
    room = None if order is None else Room(problem)
    numbers: Iterable[int] = range(len(jobs))
    if order is not None:
        numbers = sorted(numbers, key=lambda number: order(jobs[number]))
    courses = []
    for number in numbers:
        course = rule(problem, number, room)
        if course is not None:
            courses.append(course)
            if room is not None:
                room.take(course)
    return plan_file(instance, method, rows_of(problem, courses), began)


def run_now(instance: Json, _time_limit_s: float) -> Json:
    """Every job starts at once at the first of its sites; capacity is ignored."""
    return follow(instance, "run now, no capacity", earliest, None)


def run_now_in_room(instance: Json, _time_limit_s: float) -> Json:
    """First come, first served: every job as early as there is room for it."""
    return follow(instance, "run now", earliest, first_come)


def cheapest_window(instance: Json, _time_limit_s: float) -> Json:
    """Every job takes what is cheapest for itself; capacity is ignored."""
    return follow(instance, "cheapest window, no capacity", cheapest, None)


def greedy_due_first(instance: Json, _time_limit_s: float) -> Json:
    """What is cheapest in the room that is left, earliest deadline first."""
    return follow(instance, "greedy, earliest deadline first", cheapest, due_first)


def greedy_largest_first(instance: Json, _time_limit_s: float) -> Json:
    """What is cheapest in the room that is left, largest job first."""
    return follow(instance, "greedy, largest first", cheapest, largest_first)
