"""Point 12: nothing is done about a decision before that decision is on the disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beckn.desk import SlotFilter
from core.job import JobStatus
from store.bookings import BookingRepository
from store.jobs import JobRepository
from tests.house import Bench


class Disk:
    """What a log's file is known to keep through a power cut: the bytes before its last sync."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.synced = 0

    def note(self, descriptor: int) -> None:
        stat = os.fstat(descriptor)
        if self.path.exists() and os.path.samestat(stat, self.path.stat()):
            self.synced = stat.st_size

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_bytes()[: self.synced].splitlines()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench.build(tmp_path)
    yield made
    made.house.close()


@pytest.fixture
def disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Disk:
    found, sync = Disk(bench.folder / "decisions.jsonl"), os.fsync

    def fsync(descriptor: int) -> None:
        sync(descriptor)
        found.note(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def before(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, check: Callable[..., None]) -> None:
    """Have ``check`` look at the arguments before the method does anything."""
    method = getattr(owner, name)

    def checked(self: object, *arguments: Any, **named: Any) -> Any:
        check(*arguments, **named)
        return method(self, *arguments, **named)

    monkeypatch.setattr(owner, name, checked)


def test_point_12_no_job_is_scheduled_or_started_without_a_durable_decision(
    bench: Bench, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    acted: list[JobStatus] = []

    def check(job_id: str, status: JobStatus, *_others: Any, **_named: Any) -> None:
        if status in (JobStatus.SCHEDULED, JobStatus.RUNNING):
            told = [each["body"] for each in disk.records() if each["kind"] == "decision"]
            assert any(body["job_id"] == job_id and body["verdict"] == "award" for body in told)
            acted.append(status)

    before(monkeypatch, JobRepository, "transition", check)
    jobs = [bench.submit(kind, duration_hours=1) for kind in ("deferrable", "pausable", "fixed")]
    bench.tick()
    for slot in range(50):
        bench.at(slot)
        bench.house.dispatcher.dispatch()
    assert {bench.status(job) for job in jobs} == {JobStatus.COMPLETED}
    assert acted.count(JobStatus.RUNNING) >= len(jobs)


def test_point_12_no_booking_is_confirmed_without_a_durable_record(
    bench: Bench, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmed: list[str] = []

    def check(booking_id: str, log_seq: int) -> None:
        kept = disk.records()[log_seq]
        assert (kept["kind"], kept["body"]["booking_id"]) == ("booking", booking_id)
        confirmed.append(booking_id)

    before(monkeypatch, BookingRepository, "confirm", check)
    bench.submit()
    bench.tick()
    (slot,) = bench.house.desk.search(SlotFilter(limit=1))
    booking = bench.house.desk.confirm(slot.slot_id, "buyer-1", 1.0)
    assert confirmed == [booking.booking_id]
