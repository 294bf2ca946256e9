"""Points 3, 5 and 29: checkpoints that were kept, cut or torn, and leaves in place of lines."""

from __future__ import annotations

import errno
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from audit.checkpoint import CheckpointFile
from audit.keys import read_vkeys, signing_key
from audit.log import AuditLog
from audit.segments import Keeping
from audit.storage import beside
from audit.verifier import cli, notes
from audit.verifier.files import Evidence, check_log
from audit.verifier.lines import Head
from audit.verifier.notes import Key, note_of
from audit.verifier.tree import leaf_hash
from audit.verify import verify
from core.clock import ManualClock
from core.errors import LogUnavailable
from tests.evidence.crashes import power_cut
from tests.unit.audit.samples import BUILD, NOON, delivery, open_log, write_log

SMALL = Keeping(segment_bytes=4000, retention_days=30)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log" / "decisions.jsonl"


@pytest.fixture
def signed(path):
    """A log with checkpoints over three and five records."""
    write_log(path, 3)
    log = open_log(path)
    for number in range(2):
        log.append("delivery", delivery(f"later-{number}"))
    log.close()
    return path


def audit(capsys, *asked):
    status = cli.main([str(each) for each in asked])
    return status, capsys.readouterr().out


def cut_of_its_anchors(path):
    """The log without its last record, its head and its checkpoints."""
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    for suffix in (".head", ".checkpoints"):
        beside(path, suffix).unlink()


HANDED_OVER = {
    "as it was": lambda note: note,
    "without its last newline": lambda note: note.rstrip(b"\n"),
    "with CRLF": lambda note: note.replace(b"\n", b"\r\n"),
    "among empty lines": lambda note: b"\n\n" + note + b"\n\n",
}


@pytest.mark.parametrize("how", HANDED_OVER)
def test_point_03_a_held_checkpoint_counts_however_it_was_handed_over(signed, tmp_path, capsys, how):
    held = tmp_path / "held"
    held.write_bytes(HANDED_OVER[how](note_of(CheckpointFile(signed).all[-1]).encode()))
    cut_of_its_anchors(signed)
    assert verify(signed).ok
    status, said = audit(capsys, signed, "--key", read_vkeys(signed)[-1], "--checkpoint", held)
    assert (status, "missing: a checkpoint was signed over 5 records, 4 are here" in said) == (1, True)


NOT_ONE = {
    "empty": lambda note: b"",
    "blank": lambda note: b"\n\n",
    "text alone": lambda note: note.split(b"\n\n")[0] + b"\n",
    "more than a note": lambda note: note + b"\nand more\n",
    "binary": lambda note: b"\xff\xfe" + note,
}


@pytest.mark.parametrize("what", NOT_ONE)
def test_point_03_a_held_file_that_is_no_checkpoint_is_refused(signed, tmp_path, capsys, what):
    held = tmp_path / "held"
    held.write_bytes(NOT_ONE[what](note_of(CheckpointFile(signed).all[-1]).encode()))
    assert audit(capsys, signed, "--checkpoint", held)[0] == 1


def test_a_log_whose_live_file_is_gone_is_missing_it(path, capsys):
    log = AuditLog.open(path, clock=ManualClock(NOON), build=BUILD, keeping=SMALL)
    for number in range(12):
        log.append("delivery", delivery(f"job-{number}"))
    log.close()
    assert audit(capsys, path)[0] == 0
    path.unlink()
    status, said = audit(capsys, path)
    assert (status, "missing: decisions.jsonl is not there" in said) == (1, True)
    assert "missing: decisions.jsonl is not there" in verify(path).reason


def segmented(path):
    """A closed log of two sealed segments and a live file, and its clock."""
    clock = ManualClock(NOON)
    log = AuditLog.open(path, clock=clock, build=BUILD, keeping=SMALL)
    for number in range(12):
        log.append("delivery", delivery(f"job-{number}"))
    log.close()
    return clock, sorted(path.parent.glob("decisions-*.jsonl"))


def to_leaves(segment):
    leaves = b"".join(map(leaf_hash, segment.read_bytes().splitlines()))
    segment.with_suffix(".leaves").write_bytes(leaves)
    segment.unlink()


def test_point_29_leaves_without_a_record_of_the_removal_do_not_pass(path):
    _, sealed = segmented(path)
    to_leaves(sealed[0])
    assert "missing: no record says that" in verify(path).reason


def test_point_29_leaves_alone_do_not_pass(path):
    _, sealed = segmented(path)
    for segment in sealed:
        to_leaves(segment)
    to_leaves(path)
    leaves = sorted(path.parent.glob("decisions-*.leaves"))
    assert "missing: no lines follow" in check_log(leaves, Evidence()).reason


def test_point_29_leaves_that_are_cut_do_not_pass(path):
    clock, sealed = segmented(path)
    clock.advance(timedelta(days=31))
    AuditLog.open(path, clock=clock, build=BUILD, keeping=SMALL).close()
    leaves = sealed[-1].with_suffix(".leaves")
    leaves.write_bytes(leaves.read_bytes()[:-1])
    assert "torn: " in verify(path).reason


def test_point_29_the_outcome_says_how_many_records_stand_as_hashes_alone(path, capsys):
    clock, sealed = segmented(path)
    lines = sum(len(each.read_bytes().splitlines()) for each in sealed)
    clock.advance(timedelta(days=31))
    AuditLog.open(path, clock=clock, build=BUILD, keeping=SMALL).close()
    assert verify(path).hashed_only == lines
    status, said = audit(capsys, path)
    assert (status, f"(of {lines} that were removed, the hashes)" in said) == (0, True)


def test_point_29_the_records_of_removals_may_be_removed_in_their_turn(path):
    clock, _ = segmented(path)
    for _ in range(3):
        clock.advance(timedelta(days=31))
        log = AuditLog.open(path, clock=clock, build=BUILD, keeping=SMALL)
        for number in range(6):
            log.append("delivery", delivery(f"job-{number}"))
        log.close()
    assert verify(path).ok
    AuditLog.open(path, clock=clock, build=BUILD, keeping=SMALL).close()


def test_point_05_checkpoints_torn_at_any_byte_are_mended_for_good(signed, tmp_path):
    whole = beside(signed, ".checkpoints").read_bytes()
    first = len(f"{note_of(CheckpointFile(signed).all[0])}\n".encode())
    for size in [*range(12), *range(first - 3, len(whole))]:
        here = shutil.copytree(signed.parent, tmp_path / str(size)) / signed.name
        beside(here, ".checkpoints").write_bytes(whole[:size])
        for _ in range(2):
            log = open_log(here)
            log.append("delivery", delivery())
            log.close()
        assert verify(here, keys=[Key.parse(vkey) for vkey in read_vkeys(here)]).ok, size
        shutil.rmtree(here.parent)


def test_checkpoints_beside_the_log_that_are_none_are_damage(signed):
    beside(signed, ".checkpoints").write_bytes(b"none\nof\nthese\n\n\n\n")
    assert "no checkpoint" in verify(signed).reason


def test_point_05_a_checkpoint_that_cannot_be_written_whole_is_cut_off_again(signed, monkeypatch):
    file = CheckpointFile(signed)
    before = beside(signed, ".checkpoints").read_bytes()
    real = os.write
    for write in (lambda fd, data: real(fd, data[:40]), refused(real)):
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", write)
            with pytest.raises(OSError, match=r"were written|the disk is gone"):
                file.add(file.all[-1])
        assert beside(signed, ".checkpoints").read_bytes() == before


def refused(real):
    def write(descriptor, data):
        real(descriptor, data[:7])
        raise OSError(errno.EIO, "the disk is gone")

    return write


def test_a_key_whose_writing_is_cut_short_at_any_step_bricks_nothing(tmp_path, monkeypatch):
    for step in range(40):
        path = tmp_path / str(step) / "decisions.jsonl"
        path.parent.mkdir()
        with power_cut(step, monkeypatch) as asked:
            signing_key(path, "slackwater/test")
        vkey = signing_key(path, "slackwater/test").vkey
        assert read_vkeys(path)[-1] == vkey
        if len(asked) <= step:
            break
    assert step >= 6


def test_what_is_on_the_disk_stays_there_when_it_cannot_be_acknowledged(path, monkeypatch):
    write_log(path, 2)
    log = open_log(path)

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "no head")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", fail)
        with pytest.raises(LogUnavailable):
            log.append("delivery", delivery())
    assert not log.healthy()[0]
    log.close()
    assert len(path.read_bytes().splitlines()) == 3
    assert verify(path).ok
    again = open_log(path)
    assert again.append("delivery", delivery()).seq == 3
    again.close()


def test_only_the_signatures_that_bind_the_others_are_checked(path, monkeypatch):
    write_log(path, 1)
    log = open_log(path)
    for _ in range(20):
        log.append("delivery", delivery())
        log.checkpoint()
    log.close()
    asked = []
    real = notes.ed25519_verifies
    monkeypatch.setattr(notes, "ed25519_verifies", lambda *told: asked.append(told) or real(*told))
    found = verify(path, keys=[Key.parse(read_vkeys(path)[-1])])
    assert (found.ok, found.checkpoints, len(asked) <= 4) == (True, 21, True)
    held = CheckpointFile(path).all[3]
    forged = notes.Checkpoint.parse(note_of(held).replace(note_of(held)[-9:-4], "AAAAA"))
    assert "does not hold" in verify(path, held=[forged], keys=[Key.parse(read_vkeys(path)[-1])]).reason


def test_a_checkpoint_of_no_records_with_another_root_is_told_as_such(path):
    write_log(path, 1)
    other = notes.Checkpoint.parse(f"slackwater/{'0' * 32}\n0\n{'A' * 43}=\n")
    log_id = open_then_close(path)
    reason = verify(path, held=[notes.Checkpoint(other.text, f"slackwater/{log_id}", 0, other.root, ())]).reason
    assert reason == "a checkpoint of no records has another root than the tree without leaves"


def open_then_close(path: Path) -> str:
    log = open_log(path)
    log.close()
    return log.log_id


def test_what_was_not_anchored_is_said(signed, capsys):
    for suffix in (".head", ".checkpoints"):
        beside(signed, suffix).unlink()
    status, said = audit(capsys, signed, "--key", read_vkeys(signed)[-1])
    assert (status, "no checkpoint; the end is not anchored" in said) == (0, True)


def test_a_head_is_looked_for_beside_the_log_that_was_named(signed, capsys):
    assert cli.read_head(signed) == Head(5, verify(signed).head_hash)
    beside(signed, ".head").write_bytes(b"%016d %b\n" % (6, b"0" * 64))
    assert audit(capsys, signed)[0] == 1
