"""Changes of key: an auditor's key leads to later ones by records that the key before signed, and by nothing else."""

from __future__ import annotations

import pytest

from audit.checkpoint import CheckpointFile, note_text
from audit.keys import SigningKey, read_vkeys
from audit.record import digest
from audit.storage import beside
from audit.verifier import cli
from audit.verifier.notes import Checkpoint, Key, note_of
from audit.verify import verify
from tests.evidence.test_references import linked_anew
from tests.unit.audit.samples import delivery, open_log, write_log


@pytest.fixture
def changed(tmp_path):
    """A log whose key was changed twice, with records and checkpoints before, between and after."""
    path = tmp_path / "log" / "decisions.jsonl"
    write_log(path, 2)
    log = open_log(path)
    for _ in range(2):
        log.rotate_key()
        log.append("delivery", delivery())
        log.checkpoint()
    log.close()
    return path


def key_of(path, place):
    return Key.parse(read_vkeys(path)[place])


def key_id(key):
    return f"{key.name}+{key.key_id.hex()}"


def keep(path, wanted):
    """Leave those checkpoints beside the log that are ``wanted``."""
    notes = [f"{note_of(each)}\n" for each in CheckpointFile(path).all if wanted(each)]
    beside(path, ".checkpoints").write_text("".join(notes), encoding="utf-8")


def is_by(checkpoint, key):
    return any(signature[1] == key.key_id for signature in checkpoint.signatures)


def signed_by(key, checkpoint):
    """The same tree, signed with another key."""
    return Checkpoint.parse(key.sign(note_text(checkpoint.origin, checkpoint.size, checkpoint.root)))


@pytest.mark.parametrize(("place", "signed"), [(0, 5), (1, 3), (2, 1)])
def test_a_key_leads_to_those_after_it_and_not_to_those_before(changed, place, signed):
    found = verify(changed, keys=[key_of(changed, place)])
    assert (found.ok, found.checkpoints, found.signed, found.keys_given) == (True, 5, signed, True)
    assert found.not_counted == tuple(key_id(key_of(changed, each)) for each in range(place))


def test_what_is_not_counted_is_said_with_who_signed_it(changed, capsys):
    assert cli.main([str(changed), "--key", read_vkeys(changed)[1]]) == 0
    said = capsys.readouterr().out
    who = key_id(key_of(changed, 0))
    assert f"3 signed checkpoints agree; 2 more not counted as signed: no key given leads to {who}; head" in said


def test_a_held_checkpoint_by_a_later_key_counts_with_the_first(changed):
    last = CheckpointFile(changed).all[-1]
    assert verify(changed, held=[last], keys=[key_of(changed, 0)]).signed == 6


def test_a_change_that_the_key_before_did_not_sign_is_named_by_its_line(changed):
    keep(changed, lambda each: not is_by(each, key_of(changed, 1)))
    found = verify(changed, keys=[key_of(changed, 0)])
    lines = changed.read_bytes().splitlines()
    place = next(
        place for place, line in enumerate(lines) if f'"supersedes":"{read_vkeys(changed)[1]}'.encode() in line
    )
    assert (found.first_bad_line, found.first_bad_seq, found.file) == (place + 1, place, changed.name)
    assert found.reason == f"unsigned change of key: no checkpoint by {key_id(key_of(changed, 1))} covers this record"
    assert (found.records, found.head_hash) == (place, digest(lines[place - 1]))


def test_a_checkpoint_by_the_key_before_must_cover_the_change_itself(changed):
    first = key_of(changed, 0)
    keep(changed, lambda each: not (is_by(each, first) and each.size > 2))
    assert verify(changed, keys=[first]).first_bad_seq == 2


def test_a_change_that_no_checkpoint_covers_yet_is_no_fault(changed):
    keep(changed, lambda each: each.size <= 2)
    beside(changed, ".signing").unlink()
    found = verify(changed, keys=[key_of(changed, 0)])
    assert (found.ok, found.signed, found.not_counted) == (True, 1, ())


def test_a_change_leads_nowhere_without_the_checkpoints_beside_the_log(changed):
    last = CheckpointFile(changed).all[-1]
    beside(changed, ".checkpoints").unlink()
    assert verify(changed, held=[last], keys=[key_of(changed, 2)]).signed == 1
    found = verify(changed, held=[last], keys=[key_of(changed, 0)])
    assert (found.ok, found.reason.endswith(f"but by {key_id(key_of(changed, 2))}")) == (False, True)


def test_a_key_that_stands_beside_the_log_alone_is_not_trusted_for_an_auditor(changed):
    stranger = SigningKey.new(key_of(changed, 0).name)
    file = CheckpointFile(changed)
    beside(changed, ".vkey").write_text("\n".join([*read_vkeys(changed), stranger.vkey]), encoding="utf-8")
    file.add(signed_by(stranger, file.all[-1]))
    found = verify(changed, keys=[key_of(changed, 0)])
    assert (found.ok, found.signed, found.not_counted) == (True, 5, (key_id(Key.parse(stranger.vkey)),))


def test_a_log_that_a_stranger_signed_alone_is_not_signed(tmp_path):
    path = tmp_path / "decisions.jsonl"
    write_log(path, 2)
    (first,), stranger = CheckpointFile(path).all, SigningKey.new(key_of(path, 0).name)
    beside(path, ".checkpoints").write_text(f"{note_of(signed_by(stranger, first))}\n", encoding="utf-8")
    found = verify(path, keys=[key_of(path, 0)])
    why = "the checkpoint of 2 records is signed by no key given, nor by one that the log leads to, but by "
    assert (found.ok, found.reason) == (False, why + key_id(Key.parse(stranger.vkey)))


def test_a_key_that_was_superseded_leads_to_no_second_one(tmp_path):
    path = tmp_path / "decisions.jsonl"
    write_log(path, 2)
    first = beside(path, ".key").read_text(encoding="utf-8")
    for _ in range(2):
        log = open_log(path)
        log.rotate_key()
        log.append("delivery", delivery())
        log.close()
        beside(path, ".key").write_text(first, encoding="utf-8")
    found = verify(path, keys=[key_of(path, 0)])
    assert (found.ok, found.not_counted) == (True, (key_id(key_of(path, 2)),))


def test_a_signature_under_the_largest_tree_of_a_key_is_checked_wherever_it_stands(changed):
    file = CheckpointFile(changed)
    former, last = (each for each in file.all if is_by(each, key_of(changed, 1)))
    forged = Checkpoint.parse(note_of(last).replace(note_of(last)[-9:-4], "AAAAA"))
    notes = [f"{note_of(each)}\n" for each in [*file.all[:3], forged, file.all[-1], former]]
    beside(changed, ".checkpoints").write_text("".join(notes), encoding="utf-8")
    assert "does not hold" in verify(changed, keys=[key_of(changed, 0)]).reason


def test_a_change_that_names_no_key_is_named_by_its_line(changed):
    def change(seq, envelope):
        if seq == 2:
            envelope["body"]["vkey"] = "slackwater/x+00000000+AQ=="

    linked_anew(changed, change)
    log_key = key_of(changed, 0)
    found = verify(changed, keys=[log_key])
    assert (found.first_bad_line, found.reason[:28]) == (3, "a change of key that names n")


def test_without_keys_changes_are_not_held_against_signatures(changed, capsys):
    keep(changed, lambda each: not is_by(each, key_of(changed, 1)))
    assert cli.main([str(changed)]) == 0
    assert "checkpoints agree, signatures not checked; no auditor's key given" in capsys.readouterr().out
