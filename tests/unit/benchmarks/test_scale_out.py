"""Whoever works on the shards, the same plan comes out."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agents.job.crew import Crew
from agents.negotiation import Effort, negotiate
from benchmarks import scale_out
from benchmarks.instances import generate
from tests.worlds import world

EFFORT = Effort(time_limit_s=60, trials_a_job=20, shards=3)


@pytest.mark.parametrize("seed", range(0, 30, 3))
def test_threads_change_nothing_in_worlds_of_every_kind(seed: int):
    instance = world(seed)
    alone = negotiate(instance, seed, EFFORT, Crew()).plan
    with ThreadPoolExecutor(2) as threads:
        together = negotiate(instance, seed, EFFORT, Crew(threads)).plan
    assert scale_out.digest(alone) == scale_out.digest(together)


@pytest.mark.slow
def test_a_pool_of_processes_and_a_cluster_come_to_the_plan_of_one_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "instance.json"
    path.write_text(json.dumps(generate(jobs=60, sites=3, slots=48, utilisation=0.4).model_dump(mode="json")))
    assert scale_out.main([str(path), "--shards", "3"]) == 0
    told = capsys.readouterr().out
    assert [line.split()[0] for line in told.splitlines()] == ["one", "processes", "dask", "the"]
    assert "the plans are the same" in told


def test_plans_that_differ_are_told_and_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch):
    path = tmp_path / "instance.json"
    instance = generate(jobs=20, sites=2, slots=24, utilisation=0.4)
    path.write_text(json.dumps(instance.model_dump(mode="json")))
    plans = iter([negotiate(instance, seed, EFFORT).plan.model_copy(update={"seed": seed}) for seed in range(3)])
    monkeypatch.setattr(scale_out, "planned", lambda *_: (next(plans), 0.1))
    assert scale_out.main([str(path)]) == 1
    assert "DIFFER" in capsys.readouterr().out
