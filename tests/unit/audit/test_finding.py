"""Finding records by what they are about, and reading lines as they stand in the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit.bodies.log import CorrectionBody
from audit.contents import row_of
from audit.index import Index, Query
from audit.log import AuditLog
from audit.record import Record
from audit.segments import Keeping
from audit.verifier.lines import NO_HASH
from core.clock import ManualClock
from core.errors import NotFound
from tests.unit.audit.samples import BUILD, NOON, decision, delivery, open_log

MINE, OTHERS = "a" * 64, "b" * 64


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "decisions.jsonl"


def seqs(log: AuditLog, **query: object) -> list[int]:
    return [record.seq for record in log.records(**query)[0]]  # type: ignore[arg-type]


def test_records_are_found_by_tenant_round_and_settlement_date_also_after_reopening(path: Path) -> None:
    log = open_log(path)
    log.append("decision", decision("job-1", tenant_commit=MINE))
    log.append("decision", decision("job-2", tenant_commit=OTHERS))
    log.append("delivery", delivery("job-1"))
    assert_found(log)
    log.close()
    reopened = open_log(path)
    assert_found(reopened)
    reopened.close()


def assert_found(log: AuditLog) -> None:
    assert seqs(log, tenant_commits=[MINE]) == [0]
    assert seqs(log, tenant_commits=[MINE, OTHERS]) == [1, 0]
    assert seqs(log, tenant_commits=[]) == []
    assert seqs(log, round_id="r-1") == [1, 0]
    assert seqs(log, settlement_date="2026-03-01") == [1, 0]
    assert seqs(log, settlement_date="2026-03-01", tenant_commits=[OTHERS]) == [1]
    assert seqs(log, settlement_date="2026-03-02") == []


@pytest.mark.parametrize(
    ("body", "date"),
    [
        ({"settlement_date": "2026-10-20", "start": "2026-10-25T12:00:00Z"}, "2026-10-20"),
        ({"runs": [{"start": "2026-06-30T23:00:00Z"}]}, "2026-07-01"),
        ({"runs": [], "start": "2026-12-31T23:30:00Z"}, "2026-12-31"),
        ({"decision_seq": 0}, "2026-02-02"),
    ],
)
def test_the_date_of_a_record_is_that_of_the_settlement_day_in_london(body: dict[str, Any], date: str) -> None:
    index = Index()
    for each in ({"settlement_date": "2026-02-02"}, body, {"decision_seq": None}, {"decision_seq": 9}):
        index.add(row_of(0, Record(0, NO_HASH, NO_HASH, "delivery", NOON, each, b"{}")))
    found = index.find(Query(settlement_date=date)).tolist()
    assert 1 in found
    assert not {2, 3} & set(found)


def test_a_correction_is_found_by_what_it_corrects_and_lies_on_its_day(path: Path) -> None:
    log = open_log(path)
    log.append("decision", decision("job-1"))
    delivered = log.append("delivery", delivery("job-1").model_copy(update={"decision_seq": 0}))
    log.append("decision", decision("job-2"))
    told = {"changes": [], "reason": "restated", "job_id": "job-1", "site_id": "site-1"}
    log.append("correction", CorrectionBody(corrected_seq=delivered.seq, corrected_leaf=delivered.leaf, **told))
    assert_found_by_what_it_corrects(log)
    log.close()
    reopened = open_log(path)
    assert_found_by_what_it_corrects(reopened)
    reopened.close()


def assert_found_by_what_it_corrects(log: AuditLog) -> None:
    assert seqs(log, kind="correction", follows=1) == [3]
    assert seqs(log, follows=0) == [1]
    assert seqs(log, follows=2) == []
    assert seqs(log, kind="correction", job_id="job-1", settlement_date="2026-03-01") == [3]


def test_records_are_counted_by_kind_under_the_other_filters(path: Path) -> None:
    log = open_log(path)
    for job in ("job-1", "job-1", "job-2"):
        log.append("decision", decision(job))
    log.append("delivery", delivery("job-1"))
    assert log.counts("kind") == {("decision",): 3, ("delivery",): 1}
    assert log.counts("kind", job_id="job-1") == {("decision",): 2, ("delivery",): 1}
    assert log.counts("kind", text="cheapest CLEAN") == {("decision",): 3}
    assert log.counts("kind", job_id="job-9") == {}
    assert log.counts("site_id", "settlement_date") == {("site-1", "2026-03-01"): 3, ("site-1", None): 1}
    log.close()


def test_a_line_comes_as_the_file_holds_it_changed_or_not(path: Path) -> None:
    log = open_log(path)
    for number in range(3):
        log.append("delivery", delivery(f"job-{number}"))
    whole = path.read_bytes()
    assert b"".join(map(log.stored, range(3))) == whole
    path.write_bytes(whole.replace(b"job-2", b"job-X"))
    assert b"job-X" in log.stored(2)
    log.close()


@pytest.fixture
def expiring(path: Path) -> Iterator[AuditLog]:
    """A log of several segments, the first of which holds records 0 to 3 or more and may be removed."""
    log = AuditLog.open(path, clock=ManualClock(NOON), build=BUILD, keeping=Keeping(segment_bytes=4000))
    for number in range(12):
        log.append("delivery", delivery(f"job-{number}"))
    yield log
    log.close()


class Meanwhile:
    """Stands in for the readers' lock: what happens just before a reader gets it."""

    def __init__(self, log: AuditLog) -> None:
        self.log = log

    def __enter__(self) -> None:
        self.log._segments.remove_oldest()

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""


def test_a_record_whose_segment_goes_just_before_it_is_read_is_not_found(
    expiring: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for read in (expiring.get, expiring.stored):
        first = expiring.first_seq
        with monkeypatch.context() as patched:
            patched.setattr(expiring._reader, "_still", Meanwhile(expiring))
            with pytest.raises(NotFound, match=f"record {first} was removed with its segment"):
                read(first)
        assert expiring.first_seq > first


def test_records_that_go_while_they_are_handed_on_are_left_out(expiring: AuditLog) -> None:
    found = expiring.matching(kind="delivery")
    assert next(found).seq == 0
    expiring._segments.remove_oldest()
    assert [record.seq for record in found] == seqs(expiring, kind="delivery")[::-1]


@pytest.mark.parametrize("text", [None, "JOB-"])
def test_a_search_beside_a_removal_finds_what_is_left(
    expiring: AuditLog, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    real = expiring._contents.index.find

    def find(query: Query) -> Any:
        found = real(query)
        expiring._segments.remove_oldest()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(expiring._contents.index, "find", find)
        counted = expiring.counts("kind", kind="delivery", text=text)
        assert counted == {("delivery",): len(seqs_left(expiring))}
        records, _ = expiring.records(kind="delivery", text=text)
        assert [record.seq for record in records] == seqs_left(expiring)


def seqs_left(log: AuditLog) -> list[int]:
    """Deliveries from the oldest record on that is still there, newest first."""
    kept = range(log.first_seq, log.head()[0])
    return [seq for seq in reversed(kept) if log.get(seq).kind == "delivery"]
