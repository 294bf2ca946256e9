"""Orphans: only processes that certainly belong to a job are ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agents.site import orphans
from agents.site.orphans import ProcessIdentity
from tests.waiting import eventually


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "job1").mkdir()
    return tmp_path


def start(folder: Path, script: str, job_id: str = "job1") -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        ["/bin/sh", "-c", script],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        env={"PATH": os.defpath, "SLACKWATER_JOB_ID": job_id, "HOME": str(folder / "job1")},
    )
    orphans.remember(folder / "job1", process.pid)
    return process


@pytest.fixture
def sleeper(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = start(folder, "sleep 60 & wait", job_id="someone else")
    yield process
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def identity(folder: Path) -> ProcessIdentity:
    return orphans.remembered(folder)["job1"]


def test_an_orphan_and_its_children_are_ended(folder: Path, sleeper: subprocess.Popen[bytes]) -> None:
    found = orphans.remembered(folder)
    eventually(lambda: len(list(orphans.members(found["job1"], "job1"))) == 2)
    assert orphans.end_all(found, grace_s=1.0) == 2
    assert sleeper.wait(5) == -15
    assert list(orphans.members(found["job1"], "job1")) == []


def test_an_orphan_deaf_to_sigterm_is_killed(folder: Path) -> None:
    process = start(
        folder, "trap '' TERM; touch $0.ready; while :; do sleep 0.05; done".replace("$0", str(folder / "x"))
    )
    eventually((folder / "x.ready").exists)
    orphans.end_all(orphans.remembered(folder), grace_s=0.1)
    assert process.wait(5) == -9


def test_a_stopped_orphan_is_ended(folder: Path, sleeper: subprocess.Popen[bytes]) -> None:
    os.killpg(sleeper.pid, signal.SIGSTOP)
    orphans.end_all(orphans.remembered(folder), grace_s=2.0)
    assert sleeper.wait(5) == -15


@pytest.mark.parametrize("change", [{"start_ticks": 1}, {"boot_id": "another boot"}])
def test_a_process_that_only_shares_the_number_is_left_alone(
    folder: Path, sleeper: subprocess.Popen[bytes], change: dict[str, object]
) -> None:
    stranger = replace(identity(folder), **change)
    assert orphans.end_all({"job1": stranger}, grace_s=0.0) == 0
    assert sleeper.poll() is None


def test_children_are_found_by_their_environment_when_the_first_process_is_gone(folder: Path) -> None:
    process = start(folder, "sleep 60 & true")
    process.wait()
    found = identity(folder)
    assert list(orphans.members(found, "another job")) == []
    assert orphans.end_all({"job1": found}, grace_s=1.0) == 1
    assert list(orphans.members(found, "job1")) == []


def test_a_child_in_another_session_is_found_by_its_environment(folder: Path) -> None:
    process = start(folder, "setsid sleep 60 & wait")
    found = identity(folder)
    eventually(lambda: len({os.getsid(pid) for pid in orphans.members(found, "job1")}) == 2)
    assert orphans.end_all({"job1": found}, grace_s=1.0) == 2
    process.wait(5)
    assert list(orphans.members(found, "job1")) == []


def test_a_job_of_the_same_name_in_another_folder_is_left_alone(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    process = start(folder, "sleep 60")
    stranger = replace(identity(folder), pid=1, home=tmp_path_factory.mktemp("elsewhere") / "job1")
    assert orphans.end_all({"job1": stranger}, grace_s=0.0) == 0
    assert process.poll() is None
    orphans.end_all(orphans.remembered(folder), grace_s=1.0)
    process.wait(5)


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"pid": 1}), json.dumps({"pid": "x"})])
def test_a_torn_identity_file_names_nobody(folder: Path, text: str) -> None:
    (folder / "job1" / orphans.PROCESS_FILE).write_text(text)
    assert orphans.remembered(folder) == {}


def test_a_process_that_is_gone_leaves_no_identity(folder: Path) -> None:
    orphans.remember(folder / "job1", 2**22 + 1)
    assert orphans.remembered(folder) == {}
