"""The verifier's command line."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from audit.verifier.files import Evidence, Verification, check_log, parts_of
from audit.verifier.lines import Head
from audit.verifier.notes import (
    BadEvidence,
    Checkpoint,
    Key,
    decoded,
    note_of,
    read_checkpoints,
    read_own_checkpoints,
    shown,
)
from audit.verifier.proof_file import check_proof

_HEAD = re.compile(rb"([0-9]{16}) ([0-9a-f]{64})\n")


def read_head(path: Path) -> Head | None:
    """The last acknowledged record of the log at ``path``; None when its ``.head`` is absent or empty.

    :raises BadEvidence: when the file holds anything else.
    """
    beside = path.with_name(path.name + ".head")
    data = beside.read_bytes() if beside.exists() else b""
    match = _HEAD.fullmatch(data)
    if data and match is None:
        raise BadEvidence(f"{beside.name} does not hold a count and a hash")
    return Head(int(match[1]), match[2].decode()) if match else None


def checkpoints_beside(path: Path) -> list[Checkpoint]:
    """The checkpoints kept beside the log at ``path``."""
    beside = path.with_name(path.name + ".checkpoints")
    return read_own_checkpoints(beside.read_bytes())[0] if beside.exists() else []


def stamps_beside(path: Path) -> list[tuple[int, Path, Checkpoint | None]]:
    """The time-stamps kept beside the log at ``path``: size of the checkpoint of each, its file, and the checkpoint.

    What is stamped is the checkpoint as the log signed it, which stands first of its size; None: it is not there.
    """
    named = re.compile(re.escape(path.name) + r"\.tsr-([0-9]{12,16})")
    found = ((named.fullmatch(each.name), each) for each in path.parent.iterdir())
    stamps = sorted((int(match[1]), each) for match, each in found if match)
    stamped = {checkpoint.size: checkpoint for checkpoint in reversed(checkpoints_beside(path) if stamps else [])}
    return [(size, file, stamped.get(size)) for size, file in stamps]


def evidence_of(
    path: Path, parts: Sequence[Path], held: Sequence[Checkpoint], keys: Sequence[Key], *, keys_given: bool = True
) -> Evidence:
    """What the log at ``path`` is held against; :class:`BadEvidence` when ``parts`` lack the live file itself."""
    if path not in parts:
        raise BadEvidence(f"missing: {path.name} is not there, although segments of it are")
    return Evidence(read_head(path), checkpoints_beside(path), keys, held, keys_given and bool(keys))


def in_words(path: Path, found: Verification) -> str:
    """An outcome for people."""
    if found.ok:
        removed = f" (of {found.hashed_only} that were removed, the hashes)" if found.hashed_only else ""
        end = "" if found.anchored else "the end is not anchored, there is no .head; "
        return f"{path}: {found.records} records verify{removed}; {_agreed(found)}; {end}head {found.head_hash}"
    if found.first_bad_line is None:
        return f"{path}: {found.reason}"
    return f"{path}: {found.file} line {found.first_bad_line} (seq {found.first_bad_seq}) is bad: {found.reason}"


def _agreed(found: Verification) -> str:
    """How many checkpoints agree, who signed them, and whose word that is."""
    if found.checkpoints == 0:
        return "no checkpoint"
    if found.signed is None:
        return f"{_checkpoints(found.checkpoints, '')}, signatures not checked; no auditor's key given"
    own = "" if found.keys_given else "; no auditor's key given, the keys were taken from beside the log"
    if not found.not_counted:
        return _checkpoints(found.signed, "signed ") + own
    others = f"{found.checkpoints - found.signed} more not counted as signed: no key given leads to"
    return f"{_checkpoints(found.signed, 'signed ')}; {others} {', '.join(found.not_counted)}{own}"


def _checkpoints(count: int, how: str) -> str:
    return f"1 {how}checkpoint agrees" if count == 1 else f"{count} {how}checkpoints agree"


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Check a Slackwater decision log, or proofs out of one, offline.")
    parser.add_argument("log", type=Path, nargs="*", help="decisions.jsonl (segments beside it are found)")
    parser.add_argument("--key", action="append", default=[], help="verifier key, name+hash+base64; repeatable")
    parser.add_argument("--checkpoint", type=Path, action="append", default=[], help="one that you kept; repeatable")
    parser.add_argument("--proof", type=Path, action="append", default=[], help="proof file to check; repeatable")
    parser.add_argument("--json", action="store_true", help="print JSON for a program to read")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Check what is asked; the exit status."""
    asked = _arguments().parse_args(argv)
    try:
        keys = [Key.parse(vkey) for vkey in asked.key]
        for proof in asked.proof:
            _say(f"{proof}: {check_proof(decoded(proof.read_bytes()), keys)}")
        return _check_files(asked, keys) if asked.log else 0 if asked.proof else 2
    except BadEvidence as error:
        _say(str(error))
        return 1
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
        return 2


def _say(text: str) -> None:
    sys.stdout.write(shown(text) + "\n")


def _check_files(asked: argparse.Namespace, keys: Sequence[Key]) -> int:
    path = asked.log[-1]
    parts = asked.log if len(asked.log) > 1 else parts_of(path)
    if not parts:
        raise FileNotFoundError(2, "no such file", str(path))
    held = [checkpoint for file in asked.checkpoint for checkpoint in read_checkpoints(decoded(file.read_bytes()))]
    found = check_log(parts, evidence_of(path, parts, held, keys))
    _say(json.dumps(asdict(found)) if asked.json else in_words(path, found))
    if found.ok and not asked.json:
        _say_how_to_check_stamps(path)
    return 0 if found.ok else 1


def _say_how_to_check_stamps(path: Path) -> None:
    """A time-stamp needs more than the standard library; openssl checks it by the digest of what was stamped."""
    for size, file, checkpoint in stamps_beside(path):
        if checkpoint is None:
            _say(f"{file}: not checked, its checkpoint of {size} records is not beside the log")
            continue
        digest = hashlib.sha256(note_of(checkpoint).encode()).hexdigest()
        command = f"openssl ts -verify -digest {digest} -in {shlex.quote(str(file))} -CAfile CA.pem"
        _say(f"time-stamp of {size} records not checked here; with the authority's root as CA.pem: {command}")
