from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from audit.record import digest
from audit.verify import verify
from core.errors import LogDamaged
from tests.unit.audit.samples import delivery, open_log, write_log

ROOT = Path(__file__).resolve().parents[3]


def _write(folder: Path, data: bytes, head: bytes | None) -> Path:
    path = folder / "decisions.jsonl"
    path.write_bytes(data)
    if head is not None:
        path.with_name("decisions.jsonl.head").write_bytes(head)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Lines of a log of three records, the head after two and after three of them."""
    path = tmp_path_factory.mktemp("whole") / "decisions.jsonl"
    log = open_log(path)
    heads = []
    for i in range(3):
        log.append("delivery", delivery(f"job-{i}"))
        heads.append(path.with_name("decisions.jsonl.head").read_bytes())
    log.close()
    return path.read_bytes().splitlines(keepends=True), heads


def _cuts(whole):
    return range(1, len(whole[0][2]))


def test_a_tail_torn_at_any_byte_is_moved_out_and_recorded(whole, tmp_path):
    lines, heads = whole
    for cut in _cuts(whole):
        folder = tmp_path / str(cut)
        folder.mkdir()
        torn = lines[2][:cut]
        path = _write(folder, lines[0] + lines[1] + torn, heads[1])
        assert verify(path).reason.startswith("torn tail")
        log = open_log(path)
        recovery = log.get(2)
        log.close()
        assert recovery.kind == "recovery"
        assert recovery.body == {
            "torn_bytes": cut,
            "torn_sha256": digest(torn),
            "quarantine_path": "decisions.jsonl.torn-1",
            "acknowledged": False,
        }
        assert path.with_name("decisions.jsonl.torn-1").read_bytes() == torn
        assert path.read_bytes().startswith(lines[0] + lines[1] + b"{")
        assert verify(path).ok


def test_an_acknowledged_line_that_the_storage_tore_is_recovered_and_said_so(whole, tmp_path):
    lines, heads = whole
    path = _write(tmp_path, lines[0] + lines[1] + lines[2][:-1], heads[2])
    log = open_log(path)
    assert log.get(2).body["acknowledged"] is True
    log.close()


def test_a_second_torn_tail_does_not_overwrite_the_first(whole, tmp_path):
    lines, _ = whole
    path = _write(tmp_path, lines[0] + b"first", None)
    open_log(path).close()
    with path.open("ab") as stream:
        stream.write(b"second")
    open_log(path).close()
    assert path.with_name("decisions.jsonl.torn-1").read_bytes() == b"first"
    assert path.with_name("decisions.jsonl.torn-2").read_bytes() == b"second"
    assert verify(path).records == 3


def test_a_log_that_is_nothing_but_a_torn_line_starts_anew(tmp_path):
    path = _write(tmp_path, b"\0" * 100, None)
    log = open_log(path)
    assert (log.head()[0], log.get(0).kind) == (1, "recovery")
    log.close()


def test_acknowledged_records_cut_off_whole_are_missed(whole, tmp_path):
    lines, heads = whole
    path = _write(tmp_path, lines[0] + lines[1], heads[2])
    with pytest.raises(LogDamaged, match="line 3: missing: 3 records were acknowledged, 2 are here") as caught:
        open_log(path)
    assert caught.value.line == 3


def test_a_torn_tail_does_not_hide_that_more_is_missing(whole, tmp_path):
    lines, heads = whole
    data = lines[0] + lines[1][:40]
    path = _write(tmp_path, data, heads[2])
    with pytest.raises(LogDamaged, match="3 records were acknowledged, 1 are here"):
        open_log(path)
    assert path.read_bytes() == data


def test_interior_damage_is_refused_and_left_as_it_is(whole, tmp_path):
    lines, heads = whole
    data = lines[0] + lines[1].replace(b"job-1", b"job-7") + lines[2]
    path = _write(tmp_path, data, heads[2])
    with pytest.raises(LogDamaged, match=r"decisions\.jsonl, line 2: broken chain") as caught:
        open_log(path)
    assert caught.value.line == 2
    assert "never repaired in place" in caught.value.diagnostics()
    assert path.read_bytes() == data
    assert open_log_after_repair(path, b"".join(lines)) == 3


def open_log_after_repair(path: Path, data: bytes) -> int:
    """Records of the log once the copy is put back: the refused opening must have let go of the lock."""
    path.write_bytes(data)
    log = open_log(path)
    log.close()
    return log.head()[0]


def test_an_unreadable_head_file_is_damage(whole, tmp_path):
    path = _write(tmp_path, b"".join(whole[0]), b"three records")
    with pytest.raises(LogDamaged, match="does not hold a count and a hash"):
        open_log(path)
    verification = verify(path)
    assert (verification.ok, verification.first_bad_line) == (False, None)


def test_a_log_without_its_head_file_opens_and_is_anchored_again(whole, tmp_path):
    path = _write(tmp_path, b"".join(whole[0]), None)
    assert not verify(path).anchored
    open_log(path).close()
    assert path.with_name("decisions.jsonl.head").read_bytes() == whole[1][2]


def test_an_empty_head_file_is_no_head_file(whole, tmp_path):
    path = _write(tmp_path, b"".join(whole[0]), b"")
    verification = verify(path)
    assert (verification.ok, verification.anchored) == (True, False)


CHILD = """
import sys
from pathlib import Path
from tests.unit.audit.samples import delivery, open_log
log = open_log(Path(sys.argv[1]))
for i in range(100_000):
    print(log.append("delivery", delivery(f"{sys.argv[2]}-{i}")).seq, flush=True)
"""


def test_kill_9_at_any_moment_loses_no_acknowledged_record(tmp_path):
    path = tmp_path / "decisions.jsonl"
    acknowledged: dict[int, str] = {}
    for life in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path), f"life{life}"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for i in range(60 + 7 * life):
            acknowledged[int(child.stdout.readline())] = f"life{life}-{i}"
        child.kill()
        for i, line in enumerate(child.stdout, start=60 + 7 * life):
            if line.endswith("\n"):
                acknowledged[int(line)] = f"life{life}-{i}"
        child.wait()
        child.stdout.close()
    log = open_log(path)
    assert {seq: log.get(seq).body["job_id"] for seq in acknowledged} == acknowledged
    log.close()
    assert verify(path).ok


def test_a_log_of_many_records_opens_with_all_of_them(tmp_path):
    path = tmp_path / "decisions.jsonl"
    write_log(path, 2500)
    log = open_log(path)
    assert log.records(limit=1)[1] == 2500
    log.close()
