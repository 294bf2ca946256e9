from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from audit.record import BODIES, Entry, Ref, Trace, digest
from audit.verifier.lines import MAX_LINE_BYTES, NO_HASH
from audit.verify import verify
from core.clock import ManualClock
from core.errors import LogDamaged, LogUnavailable, NotFound
from tests.unit.audit.samples import BUILD, NOON, decision, delivery, one_of_each_kind, open_log, write_log

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "decisions.jsonl"


@pytest.fixture
def log(path):
    log = open_log(path)
    yield log
    log.close()


def test_a_record_is_one_canonical_line_chained_to_the_one_before(log, path):
    first = log.append("delivery", delivery())
    second = log.append("decision", decision())
    lines = path.read_bytes().splitlines()
    assert [first.line, second.line] == lines
    assert (first.seq, first.prev, second.seq, second.prev) == (0, NO_HASH, 1, first.hash)
    assert second.hash == digest(lines[1])
    envelope = json.loads(lines[1])
    assert " ".join(envelope) == "actor body commit kind log_id prev recorded_at refs schema seq trace"
    assert envelope["actor"] == BUILD.actor("slackwater")
    assert (envelope["schema"], envelope["recorded_at"]) == ("slackwater.audit/2", "2026-03-01T12:00:00Z")
    assert log.head() == (2, second.hash)


def test_a_record_names_its_agent_what_it_rests_on_and_the_message_it_answers(log):
    snapshot, booking = (one_of_each_kind()[kind] for kind in ("feed_snapshot", "booking"))
    base = log.append("feed_snapshot", snapshot, agent="energy")
    first, second = log.append_all(
        [
            Entry("decision", decision(), "policy", [base.ref]),
            Entry("booking", booking, "beckn", [0, base.ref], Trace("txn-1"), {"buyer": "a" * 64}),
        ]
    )
    read = log.get(second.seq)
    assert read == second
    assert (read.refs, read.trace, read.commit) == ((first.ref, base.ref), Trace("txn-1"), {"buyer": "a" * 64})
    assert [log.get(seq).actor["agent"] for seq in range(3)] == ["energy", "policy", "beckn"]
    assert read.refs[0] == Ref(1, first.leaf)


@pytest.mark.parametrize("ref", [1, 2, -1])
def test_a_record_rests_on_earlier_ones_only(log, ref):
    with pytest.raises(ValueError, match="refers to one that does not come before it"):
        log.append_all([Entry("delivery", delivery()), Entry("delivery", delivery(), refs=[ref])])
    assert log.head()[0] == 0


def test_a_log_goes_on_where_it_was_closed(path):
    write_log(path, 3)
    log = open_log(path)
    fourth = log.append("delivery", delivery("job-9"))
    assert fourth.seq == 3
    assert json.loads(fourth.line)["log_id"] == json.loads(log.get(0).line)["log_id"]
    log.close()
    assert verify(path).records == 4


def test_records_are_found_newest_first_with_the_number_of_matches(path):
    clock = ManualClock(NOON)
    log = open_log(path, clock)
    for i in range(10):
        log.append("delivery", delivery(f"job-{i % 2}", f"site-{i % 5}", method=f"Meter £{i}"))
        clock.advance(timedelta(hours=1))
    log.append("decision", decision("job-1"))

    def seqs(**query):
        found, total = log.records(**query)
        assert total >= len(found)
        return [record.seq for record in found], total

    assert seqs() == (list(range(10, -1, -1)), 11)
    assert seqs(limit=3, offset=2) == ([8, 7, 6], 11)
    assert seqs(kind="decision") == ([10], 1)
    assert seqs(job_id="job-1", limit=2) == ([10, 9], 6)
    assert seqs(job_id="job-1", site_id="site-3") == ([3], 1)
    assert seqs(site_id="nowhere") == ([], 0)
    assert seqs(start=NOON + timedelta(hours=2), end=NOON + timedelta(hours=4)) == ([3, 2], 2)
    assert seqs(text="mETER £7") == ([7], 1)
    assert seqs(text="£", kind="decision") == ([], 0)
    log.close()
    reopened = open_log(path)
    assert reopened.records(job_id="job-1")[1] == 6
    assert reopened.get(7).body["method"] == "Meter £7"
    assert reopened.get(7).recorded_at == NOON + timedelta(hours=7)
    reopened.close()


@pytest.mark.parametrize("seq", [-1, 1, 99])
def test_a_record_that_is_not_there_is_not_found(log, seq):
    log.append("delivery", delivery())
    with pytest.raises(NotFound, match=f"no record {seq} in the decision log; it holds 1"):
        log.get(seq)


def test_a_batch_is_written_once_and_synced_once(log, monkeypatch):
    writes, syncs = [], []
    real_write, real_fsync = os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda fd, data: writes.append(len(data)) or real_write(fd, data))
    monkeypatch.setattr(os, "fsync", lambda fd: syncs.append(fd) or real_fsync(fd))
    records = log.append_all([Entry("delivery", delivery(f"job-{i}")) for i in range(50)])
    assert [record.seq for record in records] == list(range(50))
    assert (len(writes), len(syncs)) == (1, 1)
    assert log.append_all([]) == []
    assert len(writes) == 1


def test_the_sync_comes_after_the_write_and_before_the_return(log, monkeypatch):
    steps = []
    real_write, real_fsync = os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda fd, data: steps.append("write") or real_write(fd, data))
    monkeypatch.setattr(os, "fsync", lambda fd: steps.append("sync") or real_fsync(fd))
    log.append("delivery", delivery())
    assert steps == ["write", "sync"]


@pytest.fixture
def folder_syncs(monkeypatch):
    """For each sync of a folder: the folder and the names in it at that moment."""
    seen = []
    real = os.fsync

    def fsync(fd):
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            folder = Path(f"/proc/self/fd/{fd}").readlink()
            seen.append((folder, {entry.name for entry in folder.iterdir()}))
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    return seen


def test_a_new_log_syncs_its_name_and_that_of_each_new_folder(tmp_path, folder_syncs):
    path = tmp_path / "a" / "b" / "decisions.jsonl"
    path.parent.mkdir(parents=True)
    path.with_name("decisions.jsonl.salt").write_bytes(b"s" * 32)
    open_log(path).close()
    first, second = folder_syncs
    assert first == (path.parent, {f"decisions.jsonl{suffix}" for suffix in ("", ".head", ".lock", ".salt")})
    assert "decisions.jsonl.vault" in second[1]
    deep = tmp_path / "c" / "d" / "decisions.jsonl"
    open_log(deep).close()
    assert [folder for folder, _ in folder_syncs[2:4]] == [tmp_path, tmp_path / "c"]


def test_quarantined_bytes_are_synced_before_they_leave_the_log(path, folder_syncs):
    write_log(path, 1)
    with path.open("ab") as stream:
        stream.write(b"torn")
    del folder_syncs[:]
    open_log(path).close()
    assert "decisions.jsonl.torn-1" in folder_syncs[-1][1]


def test_a_record_of_every_kind_is_kept_whole(log):
    for kind, body in one_of_each_kind().items():
        record = log.append(kind, body)
        assert log.get(record.seq).body == body.model_dump()
        assert (record.kind, log.records(kind=kind)[1]) == (kind, 1)
    assert {record.kind for record in log.records()[0]} == set(BODIES)


def test_a_forked_process_does_not_write_its_parents_log(log, path):
    child = os.fork()
    if child == 0:
        try:
            log.append("delivery", delivery())
        except LogUnavailable:
            os._exit(7)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert path.read_bytes() == b""
    assert log.append("delivery", delivery()).seq == 0


def test_a_bad_body_in_a_batch_writes_none_of_it(log):
    with pytest.raises(ValueError, match="is a float"):
        log.append_all(
            [Entry("delivery", delivery()), Entry("decision", decision().model_copy(update={"cost_gbp": 0.5}))]
        )
    with pytest.raises(ValueError, match="too large for a line"):
        log.append("delivery", delivery(method="x" * MAX_LINE_BYTES))
    assert log.head() == (0, NO_HASH)
    assert log.healthy() == (True, "")


def test_eight_threads_leave_no_gap_and_the_order_of_the_file_is_the_order_of_seq(log, path):
    acknowledged: list[list[int]] = [[] for _ in range(8)]

    def work(number):
        for i in range(500):
            acknowledged[number].append(log.append("delivery", delivery(f"job-{number}-{i}")).seq)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seq for own in acknowledged for seq in own) == list(range(4000))
    assert all(own == sorted(own) for own in acknowledged)
    assert [json.loads(line)["seq"] for line in path.read_bytes().splitlines()] == list(range(4000))
    assert verify(path).ok
    assert log.get(acknowledged[3][77]).body["job_id"] == "job-3-77"


def test_appends_that_wait_together_share_one_sync(log, monkeypatch):
    inside, go, syncs = threading.Event(), threading.Event(), []
    real = os.fsync

    def slow_first_fsync(fd):
        syncs.append(fd)
        if len(syncs) == 1:
            inside.set()
            assert go.wait(10)
        real(fd)

    monkeypatch.setattr(os, "fsync", slow_first_fsync)
    threads = [threading.Thread(target=log.append, args=("delivery", delivery(f"job-{n}"))) for n in range(9)]
    threads[0].start()
    assert inside.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(log._group) < 8:
        pass
    go.set()
    for thread in threads:
        thread.join()
    assert log.head()[0] == 9
    assert len(syncs) == 2


def _fail_with(number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    return fail


def _short_write(real):
    return lambda fd, data: real(fd, data[: len(data) // 2])


@pytest.mark.parametrize(
    ("function", "fault", "cause"),
    [
        ("write", _fail_with(28), "No space left on device"),
        ("write", _short_write(os.write), "bytes were written"),
        ("fsync", _fail_with(5), "Input/output error"),
    ],
)
def test_after_a_failed_write_or_sync_nothing_is_kept_and_nothing_more_is_taken(
    path, monkeypatch, function, fault, cause
):
    log = open_log(path)
    kept = log.append("delivery", delivery("job-kept"))
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, function, fault)
        with pytest.raises(LogUnavailable, match=cause) as caught:
            log.append("delivery", delivery("job-lost"))
    assert "Free space" in caught.value.diagnostics()
    assert path.read_bytes() == before
    healthy, why = log.healthy()
    assert not healthy
    assert cause in why
    with pytest.raises(LogUnavailable, match=cause):
        log.append("delivery", delivery("job-later"))
    assert log.get(0).hash == kept.hash
    log.close()
    reopened = open_log(path)
    assert reopened.healthy() == (True, "")
    assert reopened.append("delivery", delivery()).seq == 1
    reopened.close()
    assert verify(path).ok


def test_a_short_write_that_cannot_be_cut_back_is_recovered_on_opening(path, monkeypatch):
    log = open_log(path)
    log.append("delivery", delivery())
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", _short_write(os.write))
        patch.setattr(os, "ftruncate", _fail_with(5))
        with pytest.raises(LogUnavailable):
            log.append("delivery", delivery())
    log.close()
    reopened = open_log(path)
    recovery = reopened.get(1)
    assert (recovery.kind, recovery.body["acknowledged"]) == ("recovery", False)
    reopened.close()


def test_all_who_waited_for_a_failed_sync_are_told(log, monkeypatch):
    monkeypatch.setattr(os, "fsync", _fail_with(5))
    told = []

    def work():
        try:
            log.append("delivery", delivery())
        except LogUnavailable as error:
            told.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 8
    assert log.head()[0] == 0


def test_a_second_writer_is_refused_with_the_remedy(log, path):
    with pytest.raises(LogUnavailable, match=f"being written by process {os.getpid()}") as caught:
        open_log(path)
    assert "a DATA_DIR of its own" in caught.value.diagnostics()
    log.append("delivery", delivery())


def test_a_second_process_is_refused_until_the_first_lets_go(log, path):
    code = f"""
from pathlib import Path
from core.errors import LogUnavailable
from tests.unit.audit.samples import open_log
try:
    open_log(Path({str(path)!r})).close()
    print("opened")
except LogUnavailable as error:
    print(error)
"""

    def other():
        return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert f"being written by process {os.getpid()}" in other()
    log.close()
    assert other() == "opened\n"


def test_another_program_that_changes_the_file_stops_the_log(log, path):
    log.append("delivery", delivery())
    with path.open("ab") as stranger:
        stranger.write(b"hello\n")
    with pytest.raises(LogUnavailable, match="another program changed it"):
        log.append("delivery", delivery())


def test_a_log_that_was_moved_away_is_not_written_on(log, path):
    log.append("delivery", delivery())
    path.rename(path.with_suffix(".old"))
    with pytest.raises(LogUnavailable, match="No such file"):
        log.verify()
    with pytest.raises(LogUnavailable, match="No such file"):
        log.append("delivery", delivery())


def test_a_record_changed_under_an_open_log_is_not_shown(log, path):
    log.append("delivery", delivery(method="meter A"))
    path.write_bytes(path.read_bytes().replace(b"meter A", b"meter B"))
    with pytest.raises(LogDamaged, match="line 1: changed since it was written") as caught:
        log.get(0)
    assert caught.value.line == 1


def test_a_closed_log_neither_writes_nor_reads(path):
    log = open_log(path)
    log.append("delivery", delivery())
    log.close()
    log.close()
    assert log.healthy() == (False, "it was closed")
    with pytest.raises(LogUnavailable, match="it was closed"):
        log.append("delivery", delivery())
    with pytest.raises(LogUnavailable, match="it was closed"):
        log.get(0)


def test_the_open_log_verifies_itself(log, path):
    log.append_all([Entry("delivery", delivery(f"job-{i}", method="meter A")) for i in range(5)])
    seen = []
    assert log.verify(lambda done, total: seen.append((done, total))).records == 5
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)
    path.write_bytes(path.read_bytes().replace(b'"job-2"', b'"job-3"'))
    assert log.verify().first_bad_line == 3


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LogUnavailable, match=r"File exists|Not a directory"):
        open_log(tmp_path / "file" / "decisions.jsonl")
