from __future__ import annotations

import json
import shutil
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.canonical import canonical
from audit.record import digest
from audit.verifier.files import check_log
from audit.verifier.lines import MAX_LINE_BYTES, NO_HASH
from audit.verify import verify
from benchmarks.evidence import write_lines
from core.errors import LogUnavailable, NotFound
from tests.unit.audit.samples import write_log

RECORDS = 12
INDEX = st.integers(0, RECORDS - 1)
EXAMPLES = settings(max_examples=60, deadline=None)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Path of a sound log, and its lines."""
    path = tmp_path_factory.mktemp("verify") / "decisions.jsonl"
    return path, write_log(path, RECORDS)


def _verify(log, lines, *, head=True):
    """Verify ``lines`` as if they were the log's."""
    path, _ = log
    forged = path.with_name("forged.jsonl")
    forged.write_bytes(b"".join(lines))
    head_path = path.with_name("forged.jsonl.head")
    head_path.unlink(missing_ok=True)
    if head:
        shutil.copy(path.with_name("decisions.jsonl.head"), head_path)
    return verify(forged)


def test_a_sound_log_verifies(log):
    path, lines = log
    verification = verify(path)
    assert verification.ok
    assert (verification.records, verification.first_bad_line, verification.reason) == (RECORDS, None, "")
    assert verification.head_hash == digest(lines[-1][:-1])
    assert verification.anchored


def test_an_empty_log_verifies(tmp_path):
    path = tmp_path / "decisions.jsonl"
    path.touch()
    verification = verify(path)
    assert (verification.ok, verification.records, verification.head_hash) == (True, 0, NO_HASH)


@EXAMPLES
@given(data=st.data(), index=INDEX)
def test_any_flipped_byte_is_found_in_its_line(log, data, index):
    lines = list(log[1])
    position = data.draw(st.integers(0, len(lines[index]) - 2))
    bit = data.draw(st.integers(0, 7))
    line = bytearray(lines[index])
    line[position] ^= 1 << bit
    lines[index] = bytes(line)
    verification = _verify(log, lines)
    assert not verification.ok
    assert verification.first_bad_line == index + 1


@EXAMPLES
@given(index=INDEX)
def test_a_lost_line_end_is_found(log, index):
    lines = list(log[1])
    lines[index] = lines[index][:-1]
    assert _verify(log, lines).first_bad_line == index + 1


@EXAMPLES
@given(index=INDEX)
def test_any_deleted_line_is_found_where_it_is_missing(log, index):
    lines = list(log[1])
    del lines[index]
    assert _verify(log, lines).first_bad_line == index + 1


@EXAMPLES
@given(count=st.integers(1, RECORDS))
def test_a_log_cut_short_at_a_line_end_is_found(log, count):
    verification = _verify(log, log[1][:-count])
    assert verification.first_bad_line == RECORDS - count + 1
    assert f"{RECORDS} records were acknowledged" in verification.reason


@EXAMPLES
@given(index=INDEX)
def test_any_duplicated_line_is_found(log, index):
    lines = list(log[1])
    lines.insert(index, lines[index])
    verification = _verify(log, lines)
    assert (verification.first_bad_line, verification.reason[:9]) == (index + 2, "wrong seq")


@EXAMPLES
@given(first=INDEX, second=INDEX)
def test_any_two_swapped_lines_are_found(log, first, second):
    lines = list(log[1])
    lines[first], lines[second] = lines[second], lines[first]
    verification = _verify(log, lines)
    assert verification.ok == (first == second)
    if first != second:
        assert verification.first_bad_line == min(first, second) + 1


@EXAMPLES
@given(index=INDEX, unlinked=st.booleans())
def test_an_inserted_line_is_found(log, index, unlinked):
    lines = list(log[1])
    forged = json.loads(lines[index])
    forged["body"]["cost_gbp"] = "0.0001"
    if unlinked:
        forged["prev"] = "e" * 64
    lines.insert(index, canonical(forged) + b"\n")
    expected = index + 1 if unlinked or index == RECORDS - 1 else index + 2
    assert _verify(log, lines).first_bad_line == expected


@EXAMPLES
@given(index=INDEX)
def test_a_body_rewritten_in_place_is_blamed_on_its_own_line(log, index):
    lines = list(log[1])
    lines[index] = lines[index].replace(b'"1.2500"', b'"0.0100"')
    verification = _verify(log, lines)
    assert verification.first_bad_line == index + 1


@EXAMPLES
@given(index=INDEX.filter(lambda i: i < RECORDS - 2))
def test_a_rewritten_body_is_blamed_on_its_own_line_without_the_head_file_too(log, index):
    lines = list(log[1])
    lines[index] = lines[index].replace(b'"1.2500"', b'"0.0100"')
    verification = _verify(log, lines, head=False)
    assert (verification.first_bad_line, verification.anchored) == (index + 1, False)


@EXAMPLES
@given(index=INDEX.filter(lambda i: i > 0))
def test_a_rewritten_link_is_blamed_on_its_own_line(log, index):
    lines = list(log[1])
    envelope = json.loads(lines[index])
    lines[index] = canonical(envelope | {"prev": "f" * 64}) + b"\n"
    verification = _verify(log, lines)
    assert (verification.first_bad_line, verification.reason[:12]) == (index + 1, "broken chain")


def _changed(lines, index, **changes):
    envelope = json.loads(lines[index])
    return [*lines[:index], canonical(envelope | changes) + b"\n", *lines[index + 1 :]]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema": "slackwater.audit/99"}, "unknown schema 'slackwater.audit/99'; this verifier knows"),
        ({"schema": None}, "unknown schema None"),
        ({"seq": 7}, "wrong seq: 7 where 4 belongs"),
        ({"seq": True}, "wrong type"),
        ({"log_id": "another"}, "another log"),
        ({"note": "psst"}, "its fields are"),
        ({"recorded_at": "2026-03-01T12:00:00"}, "wrong type"),
        ({"recorded_at": "noonZ"}, "wrong type"),
        ({"body": []}, "wrong type"),
        ({"actor": 1}, "wrong type"),
    ],
)
def test_a_bad_envelope_is_named_with_its_reason(log, changes, reason):
    verification = _verify(log, _changed(log[1], 4, **changes))
    assert (verification.ok, verification.first_bad_line, verification.records) == (False, 5, 4)
    assert reason in verification.reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\n", "not JSON"),
        (b"not json\n", "not JSON"),
        (b"[]\n", "not a JSON object"),
        (b'{"a":0.5}\n', "not an integer"),
        (b'{"b":1,"a":2}\n', "not canonical"),
    ],
)
def test_a_line_that_is_no_record_is_named_with_its_reason(log, line, reason):
    verification = _verify(log, [*log[1][:4], line, *log[1][5:]])
    assert verification.first_bad_line == 5
    assert reason in verification.reason


def test_a_line_spelled_otherwise_is_named_even_though_it_says_the_same(log):
    spaced = json.dumps(json.loads(log[1][4]), sort_keys=True, ensure_ascii=False).encode() + b"\n"
    verification = _verify(log, [*log[1][:4], spaced, *log[1][5:]])
    assert verification.first_bad_line == 5
    assert "not canonical" in verification.reason


def test_a_torn_tail_is_named(log):
    verification = _verify(log, [*log[1], b'{"actor":'])
    assert (verification.first_bad_line, verification.records) == (RECORDS + 1, RECORDS)
    assert verification.reason == "torn tail: 9 bytes without a line end"


def test_a_chain_rewritten_from_a_line_on_is_found_by_the_head_file(log):
    lines, prev = [], NO_HASH
    for raw in log[1]:
        envelope = json.loads(raw) | {"prev": prev}
        envelope["body"]["cost_gbp"] = "0.0100"
        lines.append(canonical(envelope) + b"\n")
        prev = digest(lines[-1][:-1])
    verification = _verify(log, lines)
    assert verification.first_bad_line == RECORDS
    assert "not the record that was acknowledged" in verification.reason
    assert _verify(log, lines, head=False).ok


def test_records_written_after_the_head_was_kept_are_fine(log):
    path, lines = log
    forged = path.with_name("ahead.jsonl")
    forged.write_bytes(b"".join(lines))
    forged.with_name("ahead.jsonl.head").write_bytes(b"%016d %b\n" % (5, digest(lines[4][:-1]).encode()))
    assert verify(forged).ok


def test_progress_ends_at_the_size_of_the_file(tmp_path):
    path = tmp_path / "decisions.jsonl"
    write_log(path, 2100)
    seen = []
    assert verify(path, lambda done, total: seen.append((done, total))).ok
    size = path.stat().st_size
    assert len(seen) == 2
    assert seen[-1] == (size, size)
    assert all(done <= total == size for done, total in seen)


def test_verifying_keeps_forty_bytes_of_a_record_at_most_however_long_the_log(tmp_path):
    peaks, sizes = [], (300, 40_000)
    for records in sizes:
        path = tmp_path / f"{records}.jsonl"
        write_lines(path, records)
        tracemalloc.start()
        assert check_log([path], processes=1).ok
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 40 * (sizes[1] - sizes[0]) + 400_000, "besides one range and the interpreter's own"


def test_a_line_without_end_does_not_fill_the_memory(tmp_path):
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(b"x" * (MAX_LINE_BYTES + 10) + b"\n")
    assert "a line of more than" in verify(path).reason


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="no decision log at"):
        verify(tmp_path / "nowhere.jsonl")


def test_a_folder_is_not_a_log(tmp_path):
    with pytest.raises(LogUnavailable, match="cannot be read: Is a directory"):
        verify(tmp_path)
