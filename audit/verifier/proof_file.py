"""Proof files (C2SP tlog-proof, and the like for consistency), checked without the log."""

from __future__ import annotations

import re
from collections.abc import Sequence

from audit.verifier.lines import LineFault, envelope_of
from audit.verifier.notes import BadEvidence, Checkpoint, Key, read_checkpoints, shown, unbase64
from audit.verifier.tree import consistent, included, leaf_hash


def check_proof(text: str, keys: Sequence[Key]) -> str:
    """What a proof file proves, in words; :class:`BadEvidence` when it does not hold."""
    head, _, rest = text.partition("\n\n")
    kind, *lines = head.split("\n")
    if kind == "c2sp.org/tlog-proof@v1":
        return _check_inclusion(lines, rest, keys)
    if kind == "slackwater.consistency-proof@v1":
        return _check_consistency(lines, rest, keys)
    raise BadEvidence(f"no proof: {kind[:60]!r}")


def _check_inclusion(lines: Sequence[str], notes: str, keys: Sequence[Key]) -> str:
    extra, index, *path = [*lines, "", ""] if len(lines) < 2 else lines
    told = re.fullmatch(r"index (0|[1-9][0-9]{0,15})", index)
    if told is None or not extra.startswith("extra "):
        raise BadEvidence("no proof: it does not name a record and its index")
    (tree,), seq = _signed(notes, 1, keys), int(told[1])
    line = unbase64(extra.removeprefix("extra "))
    if not included(leaf_hash(line), seq, tree.size, _steps(path), tree.root):
        raise BadEvidence(f"record {seq} is not in the tree of {tree.size} records")
    _require_named(line, seq, tree.origin)
    return f"record {seq} is in the log of {tree.size} records of {shown(tree.origin)}: {shown(line.decode())}"


def _require_named(line: bytes, seq: int, origin: str) -> None:
    """That a record calls itself what its proof calls it."""
    try:
        envelope = envelope_of(seq, line)
    except LineFault as fault:
        raise BadEvidence(f"record {seq} is bad: {fault.reason}") from fault
    if envelope["seq"] != seq or not origin.endswith(f"/{envelope['log_id']}"):
        raise BadEvidence(f"the record at {seq} calls itself record {envelope['seq']} of {envelope['log_id']!r}")


def _check_consistency(lines: Sequence[str], notes: str, keys: Sequence[Key]) -> str:
    old, new = _signed(notes, 2, keys)
    if old.origin != new.origin or not consistent(old.size, new.size, old.root, new.root, _steps(lines)):
        raise BadEvidence(f"the log of {new.size} records does not continue that of {old.size}")
    return f"the log of {new.size} records of {shown(new.origin)} continues that of {old.size}"


def _signed(notes: str, count: int, keys: Sequence[Key]) -> list[Checkpoint]:
    found = read_checkpoints(notes)
    if len(found) != count:
        raise BadEvidence(f"no proof: {len(found)} checkpoints where {count} belong")
    for checkpoint in found:
        checkpoint.require_signed(keys)
    return found


def _steps(lines: Sequence[str]) -> list[bytes]:
    steps = [unbase64(line) for line in lines if line]
    if any(len(step) != 32 for step in steps):
        raise BadEvidence("no proof: a step is no hash")
    return steps
