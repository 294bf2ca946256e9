"""Which checkpoints count as signed: by a key that was given, or by one that the log's records of changes lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from audit.verifier.lines import LineFault
from audit.verifier.notes import BadEvidence, Checkpoint, Key


class Signed(NamedTuple):
    """How many checkpoints count as signed, and who signed the others."""

    checkpoints: int
    others: tuple[str, ...]


class Change(NamedTuple):
    """A record of kind ``key``: checkpoints are signed with ``new`` instead of ``former`` from now on."""

    seq: int
    new: Key
    former: Key


def changes_of(envelopes: Iterable[dict[str, Any]]) -> Iterator[Change]:
    """The changes that records of kind ``key`` tell; :class:`LineFault` where one names no keys."""
    for envelope in envelopes:
        body, seq = envelope["body"], envelope["seq"]
        try:
            yield Change(seq, Key.parse(str(body.get("vkey"))), Key.parse(str(body.get("supersedes"))))
        except BadEvidence as error:
            raise LineFault(seq, f"a change of key that names none: {error}") from error


def check_signatures(
    beside: Sequence[Checkpoint],
    held: Sequence[Checkpoint],
    keys: Sequence[Key],
    changes: Sequence[Change],
    each: Callable[..., Any],
) -> Signed:
    """Hold checkpoints whose roots are known to be right against ``keys`` and those that ``changes`` lead to.

    :param beside: from beside the log. :param held: kept elsewhere. :param each: a ``map``.
    :raises LineFault: a change that the key before did not sign.
    :raises BadEvidence: a signature does not hold; a held checkpoint, or every one, is by another key.
    """
    named = list({*keys, *(key for change in changes for key in change[1:])})
    asked = _to_be_checked(beside, held)
    for fault in filter(None, each(_note_fault, [(checkpoint, named) for checkpoint in asked])):
        raise BadEvidence(fault)
    trusted = _led_to(keys, changes, asked, max((checkpoint.size for checkpoint in beside), default=0))
    others = [checkpoint for checkpoint in beside if not _is_by(checkpoint, trusted)]
    strange = [checkpoint for checkpoint in held if not _is_by(checkpoint, trusted)]
    if strange or (others and len(others) == len(beside) + len(held)):
        worst = (strange or others)[-1]
        why = f"the checkpoint of {worst.size} records is signed by no key given, nor by one that the log leads to"
        raise BadEvidence(f"{why}, but by {', '.join(_names(worst))}")
    told = dict.fromkeys(name for checkpoint in others for name in _names(checkpoint))
    return Signed(len(beside) + len(held) - len(others), tuple(told))


def _led_to(keys: Sequence[Key], changes: Iterable[Change], signed: Iterable[Checkpoint], known: int) -> set[Key]:
    """``keys``, and each that follows one of them by changes that the key before signed while it was in force.

    :param signed: checkpoints whose signatures hold. :param known: records that checkpoints beside the log cover.
    """
    trusted, in_force, reach = set(keys), set(keys), list(signed)
    for seq, new, former in changes:
        if any(checkpoint.size > seq and _is_by(checkpoint, {former}) for checkpoint in reach):
            if former in in_force:
                trusted.add(new)
                in_force = in_force - {former} | {new}
        elif known > seq:
            raise LineFault(seq, f"unsigned change of key: no checkpoint by {_name(former)} covers this record")
    return trusted


def _is_by(checkpoint: Checkpoint, keys: Iterable[Key]) -> bool:
    """Whether one of ``keys`` is a key of the checkpoint's log, and one of those that it names as signing."""
    own = {(key.name, key.key_id) for key in keys if key.kind == 1 and key.name == checkpoint.origin}
    return any(signature[:2] in own for signature in checkpoint.signatures)


def _names(checkpoint: Checkpoint) -> list[str]:
    """Who signed a checkpoint, by name and key id."""
    return [f"{name}+{key_id.hex()}" for name, key_id, _ in checkpoint.signatures]


def _name(key: Key) -> str:
    return f"{key.name}+{key.key_id.hex()}"


def _note_fault(asked: tuple[Checkpoint, Sequence[Key]]) -> str:
    """Why the signatures of a checkpoint do not hold; empty when they do."""
    checkpoint, keys = asked
    try:
        checkpoint.signers(keys)
    except BadEvidence as error:
        return str(error)
    return ""


def _to_be_checked(beside: Sequence[Checkpoint], held: Sequence[Checkpoint]) -> list[Checkpoint]:
    """The checkpoints whose signatures count: those held, and of those beside the log the largest by each key.

    The roots bind the others: what stands under a signature that holds cannot have been otherwise before.
    """
    by_size = sorted(beside, key=lambda checkpoint: checkpoint.size)
    largest = {signature[:2]: checkpoint for checkpoint in by_size for signature in checkpoint.signatures}
    return [*held, *{id(checkpoint): checkpoint for checkpoint in largest.values()}.values()]
