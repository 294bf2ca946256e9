from __future__ import annotations

import numpy as np
import pytest

from agents.job.courses import runs_in, standing, told
from core.instance import JobInstance

SLOTS = 8
LADDER = [{"power_kw": 4, "work_per_slot": 0.6}, {"power_kw": 10, "work_per_slot": 1.0}]


def job(kind: str, runs: list[tuple[int, int, float]], **fields: object) -> JobInstance:
    common = {"id": "j", "earliest_slot": 0, "latest_slot": SLOTS, "sites": ["a"], "unserved_penalty_gbp": 1}
    wants = {"levels": LADDER, "work": 2.2} if kind == "elastic" else {"power_kw": 10, "duration_slots": 3}
    planned = {"planned": {"site": "a", "runs": runs}}
    return JobInstance.model_validate(common | wants | planned | {"kind": kind} | fields)


def kept(*jobs: JobInstance) -> list[bool]:
    ladders = [[4.0, 10.0] if one.kind == "elastic" else [10.0, np.inf] for one in jobs]
    work = [[0.6, 1.0] if one.kind == "elastic" else [1.0, 1.0] for one in jobs]
    return standing(jobs, np.array(ladders), np.array(work), SLOTS)[0].tolist()


def test_runs_are_the_longest_stretches_of_constant_level():
    level = np.array([[0, 2, 2, 0, 2, 1, 0, 1], [0] * 8, [1] * 8], dtype=np.int8)
    assert told(level, np.array([[3.0, 5.0]] * 3)) == [
        ((1, 3, 5.0), (4, 5, 5.0), (5, 6, 3.0), (7, 8, 3.0)),
        (),
        ((0, 8, 3.0),),
    ]
    assert runs_in(level).job.tolist() == [0, 0, 0, 0, 2]


def test_nothing_at_all_has_no_runs():
    assert told(np.zeros((0, 4), dtype=np.int8), np.zeros((0, 1))) == []
    assert told(np.zeros((2, 4), dtype=np.int8), np.ones((2, 1))) == [(), ()]


@pytest.mark.parametrize("seed", range(10))
def test_runs_written_out_give_the_levels_again(seed: int):
    rng = np.random.default_rng(seed)
    level = rng.integers(0, 4, (30, 20)).astype(np.int8)
    powers = np.cumsum(rng.uniform(1, 5, (30, 3)), axis=1)
    again = np.zeros_like(level)
    for row, runs in enumerate(told(level, powers)):
        for start, end, power_kw in runs:
            again[row, start:end] = 1 + np.flatnonzero(powers[row] == power_kw)[0]
            assert end == 20 or level[row, end] != level[row, start]
    assert (again == level).all()


@pytest.mark.parametrize(
    ("course", "fits"),
    [
        (job("block", [(1, 4, 10.0)]), True),
        (job("block", [(1, 3, 10.0), (3, 4, 10.0)]), True),  # touching runs are one
        (job("block", [(1, 3, 10.0)]), False),  # too short
        (job("block", [(1, 2, 10.0), (4, 6, 10.0)]), False),  # blocks do not pause
        (job("block", [(1, 4, 9.0)]), False),  # another power
        (job("block", []), False),
        (job("pausable", [(1, 2, 10.0), (4, 6, 10.0)]), True),
        (job("pausable", [(1, 2, 10.0), (4, 6, 10.0)], max_pauses=0), False),
        (job("pausable", [(1, 2, 10.0), (4, 6, 10.0)], min_run_slots=2), False),
        (job("pausable", [(0, 2, 10.0), (4, 6, 10.0)], restart_slots=1), True),  # 3 slots of work and a restart
        (job("pausable", [(1, 2, 10.0), (4, 6, 10.0)], restart_slots=1), False),
        (job("pausable", [(0, 3, 10.0), (4, 5, 10.0)], restart_slots=1), False),  # a run that is all restart
        (job("elastic", [(0, 2, 10.0), (5, 6, 4.0)]), True),
        (job("elastic", [(0, 2, 10.0)]), False),
        (job("elastic", [(0, 2, 10.0), (5, 6, 5.0)]), False),  # no such level
    ],
)  # fmt: skip
def test_a_standing_course_is_kept_only_where_it_still_does_what_the_job_asks(course: JobInstance, fits: bool):
    assert kept(course) == [fits]


def test_levels_stand_by_job_and_slot_whatever_else_is_asked():
    jobs = [job("elastic", [(0, 2, 10.0), (5, 6, 4.0)]), job("block", [(1, 4, 10.0)])]
    _, level = standing(jobs, np.array([[4.0, 10.0], [10.0, np.inf]]), np.array([[0.6, 1.0], [1.0, 1.0]]), SLOTS)
    assert level.tolist() == [[2, 2, 0, 0, 0, 1, 0, 0], [0, 1, 1, 1, 0, 0, 0, 0]]
