"""The bytes of a log on disk: one writer, one write and one sync a batch, and what is kept beside the file.

Beside ``decisions.jsonl`` stand ``.lock`` (held while it is open), ``.head`` (how many records were acknowledged, and
the hash of the last), ``.salt`` (of the commitments; readable by the owner alone; deleting it makes every commitment of
the log unlinkable) and, after a crash in mid-write, ``.torn-1``, ``.torn-2`` with the bytes of unfinished lines.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

from audit.chain import Head
from core.errors import LogDamaged, LogUnavailable

SALT_BYTES = 32
_HEAD = re.compile(r"([0-9]{16}) ([0-9a-f]{64})\n")

_held: set[Path] = set()
_held_lock = threading.Lock()
"""POSIX locks do not exclude a second opening by the same process, and closing one drops the other: this set does"""


def beside(path: Path, suffix: str) -> Path:
    """The companion file of a log, such as ``decisions.jsonl.lock``."""
    return path.with_name(path.name + suffix)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each name synced; nothing when it is there."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def write_all(descriptor: int, data: bytes) -> None:
    """One write; a short one raises :class:`OSError` (ENOSPC), because a line cut in two is no line."""
    written = os.write(descriptor, data)
    if written != len(data):
        raise OSError(errno.ENOSPC, f"only {written} of {len(data)} bytes were written")


def create_durably(path: Path, data: bytes, mode: int) -> None:
    """Write a new file and sync it and its name; :class:`FileExistsError` when it is there already."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


def read_head(path: Path) -> Head | None:
    """The last acknowledged record of the log at ``path``; None when its ``.head`` is absent or empty.

    :raises LogDamaged: when the file holds anything else.
    """
    try:
        text = beside(path, ".head").read_bytes().decode("latin-1")
    except FileNotFoundError:
        return None
    if not text:
        return None
    match = _HEAD.fullmatch(text)
    if match is None:
        raise LogDamaged(f"{path.name}.head does not hold a count and a hash", line=0)
    return Head(int(match[1]), match[2])


def read_salt(path: Path) -> bytes:
    """The salt of the log at ``path``; a new one when there is none yet."""
    salt_path = beside(path, ".salt")
    with contextlib.suppress(FileExistsError):
        create_durably(salt_path, secrets.token_bytes(SALT_BYTES), 0o600)
    salt = salt_path.read_bytes()
    if len(salt) != SALT_BYTES:
        raise LogUnavailable(
            f"{salt_path.name} holds {len(salt)} bytes where {SALT_BYTES} belong",
            remedy="Restore it from a copy; or delete it, and new commitments will not match earlier ones.",
        )
    return salt


@contextlib.contextmanager
def _claimed(path: Path) -> Iterator[None]:
    """Hold ``path`` within this process."""
    with _held_lock:
        if path in _held:
            raise _second_writer(path, os.getpid())
        _held.add(path)
    try:
        yield
    finally:
        with _held_lock:
            _held.discard(path)


def _second_writer(path: Path, holder: object) -> LogUnavailable:
    return LogUnavailable(
        f"{path.name} is being written by process {holder}",
        remedy="Stop the other Slackwater, or give this one a DATA_DIR of its own; a log has one writer.",
    )


@contextlib.contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Be the one writer of the log at ``path``, across processes; not inherited by forked ones.

    :raises LogUnavailable: when another writer has it open.
    """
    with _claimed(path.resolve()), beside(path, ".lock").open("a+b", buffering=0) as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            lock.seek(0)
            raise _second_writer(path, lock.read(20).decode("latin-1").strip() or "unknown") from error
        lock.truncate(0)
        lock.write(b"%d\n" % os.getpid())
        yield


@contextlib.contextmanager
def _descriptor(path: Path, flags: int, mode: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CREAT, mode)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class LogFile:
    """An open log, held by this process alone. Methods raise :class:`OSError` as the system does.

    ``size`` counts the acknowledged bytes: what was written and synced.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._closed = False
        with contextlib.ExitStack() as held:
            held.enter_context(only_writer(path))
            self._log = held.enter_context(_descriptor(path, os.O_RDWR | os.O_APPEND, 0o640))
            self._head = held.enter_context(_descriptor(beside(path, ".head"), os.O_RDWR, 0o640))
            sync_folder(path.parent)
            self._identity = self._on_disk()
            self.size = os.fstat(self._log).st_size
            self._release = held.pop_all()

    def _on_disk(self) -> tuple[int, int]:
        stat = self.path.stat()
        return stat.st_dev, stat.st_ino

    def _require_untouched(self) -> None:
        """Refuse to write where the file was renamed, replaced, cut or written to by another program."""
        size = os.fstat(self._log).st_size
        if self._on_disk() != self._identity or size != self.size:
            raise OSError(errno.ESTALE, f"another program changed it (now {size} bytes, {self.size} were written)")

    def append(self, data: bytes, head: Head) -> None:
        """Write at the end in one write, sync, acknowledge; on failure cut the file back to ``size`` if possible."""
        self._require_untouched()
        try:
            write_all(self._log, data)
            os.fsync(self._log)
            self.acknowledge(head)
        except BaseException:
            with contextlib.suppress(OSError):
                os.ftruncate(self._log, self.size)
            raise
        self.size += len(data)

    def acknowledge(self, head: Head) -> None:
        """Keep the count and the hash of the last record beside the log.

        Not synced: after a power cut it may lag behind the log, it is never ahead of it.
        """
        os.pwrite(self._head, b"%016d %b\n" % (head.records, head.hash.encode()), 0)

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the log; safe beside a writer."""
        if self._closed:
            raise OSError(errno.EBADF, "it was closed")
        return os.pread(self._log, size, offset)

    def quarantine(self, offset: int) -> tuple[str, bytes]:
        """Copy what follows ``offset`` to ``<name>.torn-<n>``, then cut it off. Returns that name, and the bytes."""
        torn = self.read(offset, self.size - offset)
        number = 1
        while beside(self.path, f".torn-{number}").exists():
            number += 1
        target = beside(self.path, f".torn-{number}")
        create_durably(target, torn, 0o640)
        os.ftruncate(self._log, offset)
        os.fsync(self._log)
        self.size = offset
        return target.name, torn

    def close(self) -> None:
        """Let go of the files and the lock."""
        self._closed = True
        self._release.close()
