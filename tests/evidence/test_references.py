"""References: a record that names an earlier one by another leaf hash than that one has is forged, and is named."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from audit.canonical import canonical
from audit.log import AuditLog
from audit.record import Entry, Ref, digest
from audit.segments import Keeping
from audit.storage import beside
from audit.verifier.files import RANGE_BYTES, check_log
from audit.verifier.lines import LineFault, envelope_of
from audit.verifier.shapes import OFTEN, Shapes
from audit.verifier.tree import leaf_hash
from audit.verify import verify
from core.clock import ManualClock
from core.errors import LogDamaged
from tests.unit.audit.samples import BUILD, NOON, delivery, open_log

SMALL = Keeping(segment_bytes=4000, retention_days=30)


@pytest.fixture
def path(tmp_path):
    """A log of six records, each of which rests on the one before it and on the first."""
    path = tmp_path / "log" / "decisions.jsonl"
    log = open_log(path)
    refs = []
    for number in range(6):
        refs.append(log.append("delivery", delivery(f"job-{number}"), refs=refs[:1] + refs[1:][-1:]).ref)
    log.close()
    return path


def linked_anew(path, change):
    """Write a log anew with its envelopes as ``change(seq, envelope)`` leaves them, every link and the head true."""
    lines, prev = [], json.loads(path.read_bytes().splitlines()[0])["prev"]
    for seq, raw in enumerate(path.read_bytes().splitlines()):
        envelope = json.loads(raw)
        change(seq, envelope)
        envelope["prev"] = prev
        lines.append(canonical(envelope))
        prev = digest(lines[-1])
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    beside(path, ".head").write_bytes(b"%016d %b\n" % (len(lines), prev.encode()))
    for suffix in (".checkpoints", ".signing"):
        beside(path, suffix).unlink(missing_ok=True)
    return lines


def test_a_log_whose_references_hold_verifies(path):
    assert verify(path).ok


def test_a_record_written_anew_is_told_by_the_one_that_rests_on_it(path):
    def change(seq, envelope):
        if seq == 3:
            envelope["body"]["cost_gbp"] = "9.9999"
        if seq <= 3:
            envelope["refs"] = []

    lines = linked_anew(path, change)
    found = verify(path)
    assert (found.ok, found.first_bad_line, found.first_bad_seq) == (False, 5, 4)
    assert found.reason.startswith("forged reference: ")
    assert (found.records, found.head_hash) == (4, digest(lines[3]))
    with pytest.raises(LogDamaged, match="line 5: forged reference"):
        open_log(path)


NOT_REFERENCES = {
    "itself": {"seq": 2, "leaf": "a" * 64},
    "a later record": {"seq": 4, "leaf": "a" * 64},
    "a number below none": {"seq": -1, "leaf": "a" * 64},
    "a truth for a number": {"seq": True, "leaf": "a" * 64},
    "a text for a number": {"seq": "1", "leaf": "a" * 64},
    "a leaf too short": {"seq": 1, "leaf": "a" * 62},
    "a leaf in capitals": {"seq": 1, "leaf": "A" * 64},
    "no leaf": {"seq": 1},
    "more than a reference": {"seq": 1, "leaf": "a" * 64, "x": ""},
    "a number": 1,
}


@pytest.mark.parametrize("what", NOT_REFERENCES)
def test_what_is_no_reference_to_an_earlier_record_is_told(path, what):
    def change(seq, envelope):
        envelope["refs"] = [NOT_REFERENCES[what]] if seq == 2 else []

    linked_anew(path, change)
    found = verify(path)
    assert (found.first_bad_line, "refs do not name earlier records" in found.reason) == (3, True)


def test_a_line_of_a_known_shape_is_held_to_the_same(path):
    line = path.read_bytes().splitlines()[4]
    shapes = Shapes()
    for _ in range(OFTEN + 1):
        assert shapes.read(4, line).refs == tuple((ref["seq"], bytes.fromhex(ref["leaf"])) for ref in refs_of(line))
    for was, now in ((b'"seq":3}', b'"seq":4}'), (b'"seq":3}', b'"seq":-1}'), (b'[{"leaf":"', b'[{"leaf":"x')):
        forged = line.replace(was, now, 1)
        assert forged != line
        for read in (shapes.read, envelope_of):
            with pytest.raises(LineFault, match="refs do not name"):
                read(4, forged)


def refs_of(line):
    return json.loads(line)["refs"]


def test_references_across_ranges_in_several_processes_are_held_against_the_record(tmp_path):
    path = tmp_path / "decisions.jsonl"
    log = open_log(path)
    first = log.append("delivery", delivery()).ref
    while path.stat().st_size <= 2 * RANGE_BYTES:
        log.append_all([Entry("delivery", delivery(f"job-{number}"), refs=[first]) for number in range(500)])
    records = log.head()[0]
    log.close()
    assert check_log([path], processes=2) == check_log([path], processes=1)
    assert check_log([path], processes=2).ok
    forged = records - 3

    def change(seq, envelope):
        if seq >= forged:
            envelope["refs"] = [{"seq": 0, "leaf": "b" * 64}]

    linked_anew(path, change)
    for processes in (1, 2):
        found = check_log([path], processes=processes)
        assert (found.first_bad_seq, found.reason[:6]) == (forged, "forged")


@pytest.fixture
def removed(tmp_path):
    """A log whose first segment was removed, and a record after it that rests on one within; the number of that."""
    path = tmp_path / "removed" / "decisions.jsonl"
    clock = ManualClock(NOON)
    log = AuditLog.open(path, clock=clock, build=BUILD, keeping=SMALL)
    first = log.append("delivery", delivery()).ref
    for number in range(6):
        log.append("delivery", delivery(f"job-{number}"))
    clock.advance(timedelta(days=31))
    log.close()
    log = AuditLog.open(path, clock=clock, build=BUILD, keeping=SMALL)
    assert log.first_seq > 0
    number = log.append("delivery", delivery(), refs=[first]).seq
    log.close()
    return path, number


def test_a_reference_into_a_removed_segment_is_held_against_its_leaves(removed):
    path, number = removed
    found = verify(path)
    assert (found.ok, found.hashed_only > 0) == (True, True)
    lines = path.read_bytes().splitlines()
    place = next(place for place, line in enumerate(lines) if json.loads(line)["seq"] == number)

    def change(seq, envelope):
        if seq == place:
            envelope["refs"][0]["seq"] = 1

    linked_anew(path, change)
    beside(path, ".head").unlink()
    found = verify(path)
    assert (found.first_bad_seq, found.first_bad_line) == (number, place + 1)
    assert found.reason == "forged reference: record 1 has another leaf hash than this"


def test_a_record_is_not_written_that_would_be_called_forged(path):
    log = open_log(path)
    count, first = log.head()[0], log.get(0)
    for false in (Ref(0, "a" * 64), Ref(count, "a" * 64), Ref(-1, first.leaf), Ref(1, leaf_hash(b"").hex())):
        with pytest.raises(ValueError, match="by a leaf hash that it does not have"):
            log.append("delivery", delivery(), refs=[false])
    assert log.append("delivery", delivery(), refs=[first.ref]).seq == count
    log.close()
