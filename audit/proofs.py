"""Portable proofs: files that the offline verifier checks without the log."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from audit.log import AuditLog
from audit.verifier.notes import Checkpoint, note_of
from core.errors import NotFound


def _steps(path: Iterable[bytes]) -> str:
    return "".join(f"{base64.b64encode(step).decode()}\n" for step in path)


def inclusion_proof(log: AuditLog, seq: int) -> str:
    """That record ``seq`` is in the log (C2SP tlog-proof); the record itself is the proof's extra data.

    The checkpoint is the newest; one is signed when none covers the record yet. :class:`NotFound`: no such record.
    """
    line, signed = log.get(seq).line, log.checkpoints()
    tree = signed[-1] if signed and signed[-1].size > seq else log.checkpoint()
    extra = base64.b64encode(line).decode()
    head = f"c2sp.org/tlog-proof@v1\nextra {extra}\nindex {seq}\n"
    return f"{head}{_steps(log.inclusion(seq, tree.size))}\n{note_of(tree)}"


def consistency_proof(log: AuditLog, old_size: int) -> str:
    """That the log as it is now continues the log that a checkpoint of ``old_size`` records was signed over.

    :raises NotFound: no checkpoint of that size was signed.
    """
    new = log.checkpoint()
    old = _of_size(log.checkpoints(), old_size)
    steps = _steps(log.consistency(old.size, new.size))
    return f"slackwater.consistency-proof@v1\n{steps}\n{note_of(old)}\n\n{note_of(new)}"


def _of_size(checkpoints: list[Checkpoint], size: int) -> Checkpoint:
    found = next((each for each in checkpoints if each.size == size), None)
    if found is None:
        sizes = ", ".join(str(known) for known in sorted({each.size for each in checkpoints})[-10:])
        raise NotFound(f"no checkpoint of {size} records was signed; the latest are of {sizes}")
    return found
