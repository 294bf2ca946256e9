"""Point 27: the verifier is one file that needs the log and the keys alone, and is quick."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys

import pytest

from audit import keys
from audit.bundle import verifier_source
from audit.checkpoint import note_text
from audit.proofs import consistency_proof, inclusion_proof
from audit.storage import beside
from audit.verifier import cli, files
from audit.verifier.ed25519 import ed25519_verifies
from audit.verifier.files import RANGE_BYTES, check_log
from audit.verifier.notes import BadEvidence, Key
from audit.verifier.proof_file import check_proof
from audit.verifier.tree import leaf_hash
from benchmarks.evidence import write_lines
from core.errors import NotFound
from tests.pace import paced_s
from tests.unit.audit.samples import delivery, open_log, write_log

TOP_LEVEL = re.compile(r"^(?:(?:def|class) (\w+)|(_?[A-Z]\w*)(?:: [^=\n]+)? =)", re.MULTILINE)


@pytest.fixture
def kept(tmp_path):
    """A log of seven records with checkpoints over three and all of them, its key, and proofs of both kinds."""
    path = tmp_path / "log" / "decisions.jsonl"
    write_log(path, 3)
    log = open_log(path)
    log.checkpoint()
    for number in range(4):
        log.append("delivery", delivery(f"later-{number}"))
    proofs = {"inclusion": inclusion_proof(log, 2), "consistency": consistency_proof(log, 3)}
    vkey = log.vkey()
    with pytest.raises(NotFound, match="the latest are of 3, 7"):
        consistency_proof(log, 5)
    log.close()
    return path, vkey, proofs


@pytest.fixture
def run(tmp_path):
    """The one file, in a folder of its own, run by a Python that sees nothing else."""
    file = tmp_path / "auditor" / "verifier.py"
    file.parent.mkdir()
    file.write_text(verifier_source(), encoding="utf-8")

    def call(*arguments):
        asked = [sys.executable, "-I", "-S", str(file), *map(str, arguments)]
        return subprocess.run(asked, cwd=file.parent, capture_output=True, text=True, check=False)

    return call


def test_point_27_a_sound_log_verifies_with_the_key(kept, run):
    path, vkey, _ = kept
    outcome = run(path, "--key", vkey, "--checkpoint", beside(path, ".checkpoints"))
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert "7 records verify; 4 signed checkpoints agree" in outcome.stdout


def test_point_27_a_changed_byte_is_named(kept, run):
    path, vkey, _ = kept
    path.write_bytes(path.read_bytes().replace(b"job-1", b"job-8"))
    outcome = run(path, "--key", vkey)
    assert outcome.returncode == 1
    assert "decisions.jsonl line 2 (seq 1) is bad: broken chain" in outcome.stdout


def test_point_27_proofs_are_checked_without_the_log(kept, run, tmp_path):
    _, vkey, proofs = kept
    for kind, text in proofs.items():
        file = tmp_path / f"{kind}.tlog-proof"
        file.write_text(text, encoding="utf-8")
        assert run("--proof", file, "--key", vkey).returncode == 0
        file.write_text(text.replace("\n3\n", "\n4\n"), encoding="utf-8")
        assert run("--proof", file, "--key", vkey).returncode == 1


@pytest.mark.parametrize("kind", ["inclusion", "consistency"])
def test_a_proof_with_any_line_changed_does_not_hold(kept, kind):
    _, vkey, proofs = kept
    lines, trusted = proofs[kind].split("\n"), [Key.parse(vkey)]
    assert check_proof(proofs[kind], trusted)
    for number, line in enumerate(lines):
        if line:
            flipped = line[:-5] + ("A" if line[-5] != "A" else "B") + line[-4:] if len(line) > 5 else f"1{line}"
            with pytest.raises(BadEvidence):
                check_proof("\n".join([*lines[:number], flipped, *lines[number + 1 :]]), trusted)


def test_a_proof_needs_a_key_of_its_log(kept):
    _, _, proofs = kept
    with pytest.raises(BadEvidence, match="signed by no key given"):
        check_proof(proofs["inclusion"], [])


def test_a_file_that_is_not_there_is_said_so(run):
    outcome = run("nowhere.jsonl")
    assert (outcome.returncode, outcome.stdout) == (2, "")


RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_the_signatures_of_rfc_8032_hold_and_others_do_not(public, message, signature):
    key, text, signed = (bytes.fromhex(part) for part in (public, message, signature))
    assert ed25519_verifies(key, signed, text)
    assert not ed25519_verifies(key, signed, text + b"x")
    assert not ed25519_verifies(key, signed[:63] + bytes([signed[63] ^ 1]), text)
    assert not ed25519_verifies(key[:31] + bytes([key[31] ^ 1]), signed, text)


def test_a_signature_of_the_library_holds_here():
    key = keys.SigningKey.new("slackwater/test")
    text = "slackwater/test\n1\nroot\n"
    assert Key.parse(key.vkey).verifies(key.private.sign(text.encode()), text)
    assert keys.SigningKey.parse(key.text()).vkey == key.vkey


def test_ranges_in_several_processes_find_what_one_finds(tmp_path):
    path = tmp_path / "decisions.jsonl"
    write_lines(path, 26_000)
    assert path.stat().st_size > 2 * RANGE_BYTES
    one, several = check_log([path], processes=1), check_log([path], processes=2)
    assert one == several
    assert one.ok
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"job-000000020000", b"job-000000020001", 1))
    assert check_log([path], processes=2).first_bad_seq == 20_000


def test_a_verifier_that_came_by_a_pipe_checks_in_one_process(tmp_path):
    path = tmp_path / "decisions.jsonl"
    write_lines(path, 10_000)
    assert path.stat().st_size > RANGE_BYTES
    source = verifier_source().encode()
    found = subprocess.run([sys.executable, "-", path], input=source, capture_output=True, timeout=60, check=False)
    assert found.returncode == 0, found.stderr
    assert b"10000 records" in found.stdout.replace(b",", b"")


def test_a_process_that_is_ended_is_said_and_nothing_waits_for_it(tmp_path, monkeypatch):
    path = tmp_path / "decisions.jsonl"
    write_lines(path, 10_000)
    monkeypatch.setattr(files.gc, "disable", os.abort)
    with pytest.raises(ChildProcessError, match="ended from outside"):
        check_log([path], processes=2)


@pytest.mark.slow
def test_point_27_a_million_lines_take_less_than_ten_seconds_of_one_processor(tmp_path):
    path = tmp_path / "decisions.jsonl"
    write_lines(path, 1_000_000)
    assert paced_s(lambda: check_log([path], processes=1), tries=1) < 10


def test_the_modules_of_the_one_file_share_no_name():
    names = [match[1] or match[2] for match in TOP_LEVEL.finditer(verifier_source())]
    assert sorted(names) == sorted(set(names))


def test_the_one_file_reads_characters_beyond_the_basic_plane(tmp_path, run):
    path = tmp_path / "decisions.jsonl"
    log = open_log(path)
    log.append("delivery", delivery("job-\U0001f30a"))
    log.close()
    assert run(path).returncode == 0


BROKEN = {
    "index of letters": lambda text: text.replace("\nindex 2\n", "\nindex x\n"),
    "index without end": lambda text: text.replace("\nindex 2\n", f"\nindex {'9' * 5000}\n"),
    "another index": lambda text: text.replace("\nindex 2\n", "\nindex 1\n"),
    "extra of nothing": lambda text: "\n".join(["c2sp.org/tlog-proof@v1", "extra !!", *text.split("\n")[2:]]),
    "no checkpoint": lambda text: text.partition("\n\n")[0],
    "a step too short": lambda text: text.replace("\nindex 2\n", "\nindex 2\nAAAA\n"),
    "the first line alone": lambda text: text.partition("\n")[0],
    "nothing": lambda text: "",
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_proof_that_cannot_be_read_is_a_verdict(kept, tmp_path, capsys, how):
    _, vkey, proofs = kept
    file = tmp_path / "proof"
    file.write_text(BROKEN[how](proofs["inclusion"]), encoding="utf-8")
    assert cli.main(["--proof", str(file), "--key", vkey]) == 1
    assert capsys.readouterr().out


def test_a_consistency_proof_of_one_checkpoint_is_a_verdict(kept):
    _, vkey, proofs = kept
    with pytest.raises(BadEvidence, match="1 checkpoints where 2 belong"):
        check_proof(proofs["consistency"].rpartition("\n\n\n")[0] + "\n", [Key.parse(vkey)])


def test_binary_files_and_keys_are_verdicts(kept, tmp_path):
    path, vkey, _ = kept
    file = tmp_path / "binary"
    file.write_bytes(b"\xff\xfe\x00")
    assert cli.main(["--proof", str(file), "--key", vkey]) == 1
    assert cli.main([str(path), "--checkpoint", str(file)]) == 1
    assert cli.main([str(path), "--key", "\udcff+00000000+AAAA"]) == 1


def proof_of(line, log_id):
    """A proof, by a key of ``log_id``, of a log whose one record is ``line``."""
    key = keys.SigningKey.new(f"slackwater/{log_id}")
    note = key.sign(note_text(key.name, 1, leaf_hash(line)))
    extra = base64.b64encode(line).decode()
    return f"c2sp.org/tlog-proof@v1\nextra {extra}\nindex 0\n\n{note}", [Key.parse(key.vkey)]


def test_a_record_must_call_itself_what_its_proof_calls_it(kept):
    lines = kept[0].read_bytes().splitlines()
    log_id = json.loads(lines[0])["log_id"]
    assert check_proof(*proof_of(lines[0], log_id))
    for line, told in ((lines[1], log_id), (lines[0], "0" * 32), (b'{"seq":0}', log_id), (b"\xff", log_id)):
        with pytest.raises(BadEvidence):
            check_proof(*proof_of(line, told))


def test_nothing_from_a_record_commands_the_terminal(tmp_path):
    path = tmp_path / "decisions.jsonl"
    log = open_log(path)
    log.append("delivery", delivery("job-\u009b2J\u202e\x7f"))
    proof, trusted = inclusion_proof(log, 0), [Key.parse(log.vkey())]
    log.close()
    said = check_proof(proof, trusted)
    assert said.isascii()
    assert said.isprintable()
    assert "job-\\u009b2J\\u202e\\u007f" in said
