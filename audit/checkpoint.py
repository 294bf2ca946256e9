"""Checkpoints: signed statements of how many records the log has and which root its tree has (C2SP tlog-checkpoint).

They stand in ``decisions.jsonl.checkpoints``, which only grows. What is about to be signed is made durable first, in
``decisions.jsonl.signing``: whatever happens after that, nothing inconsistent with it is ever signed.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
from pathlib import Path

from audit.keys import SigningKey, settle_key, signing_key, stage_key, staged_vkey
from audit.merkle import MerkleIndex
from audit.storage import beside, replace_durably, sync_folder, write_all
from audit.verifier.notes import BadEvidence, Checkpoint, note_of, read_own_checkpoints
from core.errors import LogDamaged

_INTENT = re.compile(r"([0-9]+) ([0-9a-f]{64})\n")


def origin_of(log_id: str) -> str:
    """The name of a log on its checkpoints."""
    return f"slackwater/{log_id}"


def note_text(origin: str, size: int, root: bytes) -> str:
    """The text of a checkpoint, unsigned."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


class CheckpointFile:
    """The checkpoints of one log, on disk. Methods raise :class:`OSError` as the system does."""

    def __init__(self, path: Path) -> None:
        self._path = beside(path, ".checkpoints")
        data = self._path.read_bytes() if self._path.exists() else b""
        self.all, whole = read_own_checkpoints(data)
        self._first_of_size: dict[int, Checkpoint] = {}
        self.largest = 0
        for checkpoint in self.all:
            self._note(checkpoint)
        if whole < len(data):  # a crash cut the last one short; it is signed anew
            os.truncate(self._path, whole)

    def _note(self, checkpoint: Checkpoint) -> None:
        self._first_of_size.setdefault(checkpoint.size, checkpoint)
        self.largest = max(self.largest, checkpoint.size)

    def of_size(self, size: int) -> Checkpoint | None:
        """The one over ``size`` records as the log signed it; None when there is none."""
        return self._first_of_size.get(size)

    def add(self, checkpoint: Checkpoint) -> None:
        """Append one, durably; what cannot be written whole is cut off again."""
        new = not self._path.exists()
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            _append_whole(descriptor, f"{note_of(checkpoint)}\n".encode())
        finally:
            os.close(descriptor)
        if new:
            sync_folder(self._path.parent)
        self.all.append(checkpoint)
        self._note(checkpoint)


def _append_whole(descriptor: int, data: bytes) -> None:
    size = os.fstat(descriptor).st_size
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, size)
        raise


class Checkpointer:
    """Signs the tree of the log at ``path``. Not for several threads at once: the log's writer calls it."""

    def __init__(self, path: Path, origin: str, tree: MerkleIndex) -> None:
        self._path, self._origin, self._tree = path, origin, tree
        self._key: SigningKey | None = None
        self._intent = _read_intent(path)
        try:
            self.file = CheckpointFile(path)
        except BadEvidence as error:
            raise LogDamaged(f"{path.name}.checkpoints cannot be read: {error}", line=0) from error
        self._require_consistent()

    @property
    def signed_size(self) -> int:
        """Records that the last checkpoint covers."""
        return self.file.largest

    @property
    def key(self) -> SigningKey:
        """The key in force, made on first use."""
        if self._key is None:
            self._key = signing_key(self._path, self._origin)
        return self._key

    def sign(self) -> Checkpoint:
        """Sign the tree as it stands, durably; the last checkpoint again when nothing was added since.

        :raises LogDamaged: the tree does not continue what was signed, or about to be signed, before.
        """
        size = self._tree.size
        if (signed := self.file.of_size(size)) is not None:
            return signed
        self._require_consistent()
        root = self._tree.root(size)
        replace_durably(beside(self._path, ".signing"), f"{size} {root.hex()}\n".encode(), 0o644)
        self._intent = (size, root)
        checkpoint = Checkpoint.parse(self.key.sign(note_text(self._origin, size, root)))
        self.file.add(checkpoint)
        return checkpoint

    def stage(self) -> SigningKey:
        """A new key, kept aside until :meth:`change_key`."""
        key = SigningKey.new(self._origin)
        stage_key(self._path, key)
        return key

    def change_key(self, key: SigningKey) -> None:
        """Sign with ``key``, which was staged and recorded, from now on."""
        settle_key(self._path, key.vkey)
        self._key = key

    def settle(self, recorded_vkey: str | None) -> None:
        """Finish a change of key that a crash cut short: the key before signs the record of it, if there is one."""
        if recorded_vkey is not None and staged_vkey(self._path) == recorded_vkey:
            self.sign()
            self._key = None
        settle_key(self._path, recorded_vkey)

    def _require_consistent(self) -> None:
        """That the tree continues the one that was signed last, or was about to be when a crash came."""
        if self._intent is None:
            return
        size, root = self._intent
        if size > self._tree.size:
            raise LogDamaged(f"a checkpoint was signed over {size} records, {self._tree.size} are here", line=0)
        if self._tree.root(size) != root:
            raise LogDamaged(f"the first {size} records are not those that a checkpoint was signed over", line=0)


def _read_intent(path: Path) -> tuple[int, bytes] | None:
    file = beside(path, ".signing")
    if not file.exists():
        return None
    match = _INTENT.fullmatch(file.read_text(encoding="latin-1"))
    if match is None:
        raise LogDamaged(f"{file.name} does not hold a size and a root", line=0)
    return int(match[1]), bytes.fromhex(match[2])
