"""Points 2, 3, 5, 7, 8, 9, 11 and 29: the log against damage, forgery, crashes and time."""

from __future__ import annotations

import itertools
import json
import os
import stat
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from audit.canonical import canonical
from audit.keys import SigningKey, read_vkeys
from audit.log import AuditLog
from audit.record import Entry, digest
from audit.segments import Keeping
from audit.storage import beside
from audit.verifier.lines import NO_HASH
from audit.verifier.notes import Key, note_of
from audit.verify import records_in, verify
from core.clock import ManualClock
from core.errors import LogDamaged, NotFound
from tests.evidence.crashes import let_go, power_cut
from tests.unit.audit.samples import BUILD, NOON, delivery, open_log, write_log

ROOT = Path(__file__).resolve().parents[2]
SMALL = Keeping(segment_bytes=4000, retention_days=30)
"""a file is sealed after five records or so"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "decisions.jsonl"


def opened(path, clock=None, keeping=SMALL):
    return AuditLog.open(path, clock=clock or ManualClock(NOON), build=BUILD, keeping=keeping)


def verifier_says(path, *more):
    asked = [sys.executable, "app.py", "audit", "verify", str(path), *more]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)


DAMAGES = {
    "flipped": lambda lines: [*lines[:4], lines[4].replace(b"job-4", b"job-5"), *lines[5:]],
    "deleted": lambda lines: [*lines[:4], *lines[5:]],
    "inserted": lambda lines: [*lines[:4], lines[9], *lines[4:]],
    "swapped": lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]],
    "duplicated": lambda lines: [*lines[:4], lines[3], *lines[4:]],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_point_02_the_verifier_exits_non_zero_and_names_the_seq(path, damage):
    lines = write_log(path, 10)
    path.write_bytes(b"".join(DAMAGES[damage](lines)))
    outcome = verifier_says(path)
    assert outcome.returncode == 1
    assert "line 5 (seq 4) is bad" in outcome.stdout


def test_point_03_a_log_rewritten_and_signed_again_fails_against_a_checkpoint_kept_elsewhere(path):
    write_log(path, 10)
    log = open_log(path)
    held = log.checkpoint()
    log.close()
    vkeys = [Key.parse(vkey) for vkey in read_vkeys(path)]
    lines, prev = [], NO_HASH
    for raw in path.read_bytes().splitlines():
        envelope = json.loads(raw) | {"prev": prev}
        envelope["body"]["cost_gbp"] = "0.0100"
        lines.append(canonical(envelope))
        prev = digest(lines[-1])
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    for suffix in (".head", ".checkpoints", ".signing"):
        beside(path, suffix).unlink()
    owner = open_log(path)
    owner.checkpoint()
    owner.close()
    assert verify(path, keys=vkeys).ok
    outcome = verify(path, held=[held], keys=vkeys)
    assert not outcome.ok
    assert outcome.reason == "rewritten: records 0 to 9 are not those a checkpoint was signed over"


def test_point_03_a_checkpoint_signed_by_another_key_is_refused(path):
    write_log(path, 3)
    log = open_log(path)
    stranger = Key.parse(SigningKey.new(f"slackwater/{log.log_id}").vkey)
    log.close()
    assert "signed by no key given" in verify(path, keys=[stranger]).reason


def test_point_05_nothing_inconsistent_with_what_was_about_to_be_signed_is_ever_signed(path, monkeypatch):
    for step in itertools.count():
        folder = path.parent / str(step)
        folder.mkdir()
        here = folder / path.name
        log = open_log(here)
        log.append_all([Entry("delivery", delivery(f"job-{i}")) for i in range(3)])
        with power_cut(step, monkeypatch) as asked:
            log.checkpoint()
        let_go(log)
        intent = beside(here, ".signing")
        shorter = b"".join(here.read_bytes().splitlines(keepends=True)[:2])
        if intent.exists():
            beside(here, ".head").unlink()
            whole = here.read_bytes()
            here.write_bytes(shorter)
            with pytest.raises(LogDamaged, match="over 3 records, 2 are here"):
                open_log(here)
            here.write_bytes(whole)
        again = open_log(here)
        again.append("delivery", delivery())
        again.close()
        assert verify(here, keys=[Key.parse(vkey) for vkey in read_vkeys(here)]).ok
        if len(asked) <= step:
            break
    assert step >= 8


def test_point_05_a_tree_that_was_replaced_is_not_signed(path):
    write_log(path, 4)
    for suffix in (".head", ".checkpoints"):
        beside(path, suffix).unlink()
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    lines[3]["body"]["cost_gbp"] = "0.0100"
    path.write_bytes(b"".join(canonical(line) + b"\n" for line in lines))
    with pytest.raises(LogDamaged, match="the first 4 records are not those that a checkpoint was signed over"):
        open_log(path)


def test_point_07_kill_at_every_byte_loses_no_acknowledged_record(path):
    whole = write_log(path, 3)
    head = b"%016d %b\n" % (2, digest(whole[1][:-1]).encode())
    for cut in range(len(whole[2])):
        folder = path.parent / str(cut)
        folder.mkdir()
        here = folder / path.name
        here.write_bytes(b"".join(whole[:2]) + whole[2][:cut])
        beside(here, ".head").write_bytes(head)
        log = open_log(here)
        kinds = [log.get(seq).kind for seq in range(log.head()[0])]
        assert kinds == ["delivery", "delivery"] + ["recovery"] * (cut > 0)
        let_go(log)


def test_point_08_interior_corruption_refuses_to_start_and_changes_nothing(path):
    lines = write_log(path, 5)
    damaged = b"".join([*lines[:2], lines[2].replace(b"12.500", b"99.500"), *lines[3:]])
    path.write_bytes(damaged)
    with pytest.raises(LogDamaged, match=r"decisions\.jsonl, line 3: broken chain"):
        open_log(path)
    assert path.read_bytes() == damaged


def test_point_09_a_rotation_cut_short_at_any_step_loses_nothing(path, monkeypatch):
    for step in itertools.count():
        folder = path.parent / str(step)
        folder.mkdir()
        here = folder / path.name
        log = opened(here, keeping=Keeping(segment_bytes=1))
        kept = [log.append("delivery", delivery("job-0"))]
        with power_cut(step, monkeypatch) as asked:
            kept.append(log.append("delivery", delivery("job-1")))
        let_go(log)
        again = opened(here, keeping=Keeping(segment_bytes=1))
        assert [again.get(record.seq).hash for record in kept] == [record.hash for record in kept]
        again.append("delivery", delivery("job-2"))
        again.close()
        assert verify(here).ok
        assert not beside(here, ".next").exists()
        if len(asked) <= step:
            break
    assert step >= 8


def test_point_09_the_folder_is_synced_after_each_name_and_the_next_file_holds_the_root(path, monkeypatch):
    log = opened(path, keeping=Keeping(segment_bytes=1))
    log.append("delivery", delivery("job-0"))
    root, steps = log.root(), []

    def traced(name, real):
        def call(first, *rest, **named):
            folder = name == "fsync" and stat.S_ISDIR(os.fstat(first).st_mode)
            steps.append("fsync folder" if folder else name)
            return real(first, *rest, **named)

        return call

    with monkeypatch.context() as patched:
        for name in ("write", "fsync", "link", "replace"):
            patched.setattr(os, name, traced(name, getattr(os, name)))
        log.append("delivery", delivery("job-1"))
    rotation = ["write", "fsync", "fsync folder", "link", "fsync folder", "replace", "fsync folder"]
    assert steps == [*rotation, "write", "fsync"]
    sealed = path.with_name("decisions-000000000000.jsonl")
    opening = json.loads(path.read_bytes().splitlines()[0])
    assert (opening["kind"], opening["seq"], opening["body"]["root"]) == ("segment", 1, root)
    assert opening["body"]["sha256"] == digest(sealed.read_bytes())
    log.close()


def test_point_09_numbers_and_proofs_go_on_through_the_segments(path):
    log = opened(path)
    for number in range(30):
        log.append("delivery", delivery(f"job-{number}"))
    count = log.head()[0]
    assert len(list(path.parent.glob("decisions-*.jsonl"))) > 3
    assert [log.get(seq).seq for seq in range(count)] == list(range(count))
    assert log.records(job_id="job-2")[1] == 1
    log.close()
    reopened = opened(path)
    assert reopened.records(job_id="job-2")[0][0].body["job_id"] == "job-2"
    assert reopened.verify().ok
    reopened.close()
    assert [record.seq for record in records_in(path)] == list(range(count))


@pytest.mark.parametrize("which", [0, 1])
def test_point_09_a_sealed_segment_that_was_changed_or_taken_away_is_named(path, which):
    log = opened(path)
    for number in range(20):
        log.append("delivery", delivery(f"job-{number}"))
    log.close()
    sealed = sorted(path.parent.glob("decisions-*.jsonl"))[which]
    whole = sealed.read_bytes()
    sealed.write_bytes(whole.replace(b'"12.500"', b'"99.500"', 1))
    outcome = verify(path)
    assert (outcome.ok, outcome.file) == (False, sealed.name)
    sealed.unlink()
    assert not verify(path).ok
    sealed.write_bytes(whole)
    assert verify(path).ok


@pytest.mark.parametrize("each", [250, pytest.param(10_000, marks=pytest.mark.slow)])
def test_point_11_eight_writers_leave_no_gap(path, each):
    log = opened(path, keeping=Keeping(segment_bytes=800 * each))

    def work(number):
        for i in range(each):
            log.append("delivery", delivery(f"job-{number}-{i}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    records = list(records_in(path))
    assert [record.seq for record in records] == list(range(len(records)))
    assert sum(record.kind == "delivery" for record in records) == 8 * each
    assert verify(path).ok


def aged(path, days=31):
    """A log of several segments, closed, whose clock then stands ``days`` later."""
    clock = ManualClock(NOON)
    log = opened(path, clock)
    for number in range(12):
        log.append("delivery", delivery(f"job-{number}"))
    log.close()
    clock.advance(timedelta(days=days))
    return clock


def test_point_29_retention_removes_whole_sealed_segments_and_leaves_their_leaves_and_a_record(path):
    clock = aged(path)
    sealed = sorted(path.parent.glob("decisions-*.jsonl"))
    log = opened(path, clock)
    roots = {each.size: each.root for each in log.checkpoints()}
    removed, _ = log.records(kind="deletion")
    assert {record.body["name"] for record in removed} == {each.name for each in sealed}
    assert not any(each.exists() for each in sealed)
    assert all(each.with_suffix(".leaves").exists() for each in sealed)
    with pytest.raises(NotFound, match="was removed with its segment"):
        log.get(0)
    assert log.get(log.head()[0] - 1).kind == "deletion"
    assert all(bytes.fromhex(log.root(size)) == root for size, root in roots.items())
    log.close()
    assert verify(path).ok
    again = opened(path, clock)
    assert again.verify().ok
    again.close()


def test_point_29_the_live_file_and_younger_segments_stay(path):
    clock = aged(path, days=29)
    sealed = sorted(path.parent.glob("decisions-*.jsonl"))
    log = opened(path, clock)
    assert log.records(kind="deletion")[1] == 0
    assert all(each.exists() for each in sealed)
    log.close()


def test_point_29_a_removal_cut_short_at_any_step_is_finished_or_was_not_begun(path, monkeypatch):
    for step in itertools.count():
        folder = path.parent / str(step)
        folder.mkdir()
        here = folder / path.name
        clock = aged(here)
        log = opened(here, clock, Keeping(segment_bytes=4000, retention_days=3000))
        log._segments.keeping = SMALL
        with power_cut(step, monkeypatch) as asked, log._writer:
            log._remove_expired()
        let_go(log)
        again = opened(here, clock)
        assert not list(folder.glob("decisions-*.jsonl"))
        assert again.records(kind="deletion")[1] == len(list(folder.glob("*.leaves")))
        again.close()
        assert verify(here).ok
        if len(asked) <= step:
            break
    assert step >= 8


def test_a_checkpoint_is_one_that_others_can_read(path):
    write_log(path, 3)
    log = open_log(path)
    note = note_of(log.checkpoint())
    origin, size, _, empty, signature, end = note.split("\n")
    assert (origin, size, empty, end) == (f"slackwater/{log.log_id}", "3", "", "")
    assert signature.startswith(f"— {origin} ")
    assert beside(path, ".checkpoints").read_text(encoding="utf-8") == note + "\n"
    assert stat.S_IMODE(beside(path, ".key").stat().st_mode) == 0o600
    log.close()
