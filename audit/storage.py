"""The bytes of a log on disk: one writer, one write and one sync a batch, and what is kept beside the file.

Beside ``decisions.jsonl`` stand ``.lock`` (held while it is open), ``.head`` (how many records were acknowledged, and
the hash of the last), after a crash in mid-write ``.torn-1``, ``.torn-2`` with the bytes of unfinished lines, and the
sealed segments ``decisions-<first seq>.jsonl``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from audit.verifier.lines import Head
from core.errors import LogUnavailable

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


def replace_durably(path: Path, data: bytes, mode: int) -> None:
    """Put a file in the place of another, or make it, so that after a crash there is the old one or the new one."""
    part = beside(path, ".part")
    part.unlink(missing_ok=True)
    create_durably(part, data, mode)
    part.replace(path)
    sync_folder(path.parent)


def sealed_path(path: Path, first_seq: int, suffix: str = ".jsonl") -> Path:
    """The file of a sealed segment of the log at ``path``, or of its leaf hashes."""
    return path.with_name(f"{path.stem}-{first_seq:012d}{suffix}")


def settle_rotation(path: Path) -> None:
    """Undo a rotation that a crash cut short: the live file is what it was, under one name."""
    beside(path, ".next").unlink(missing_ok=True)
    for sealed in path.parent.glob(f"{path.stem}-*.jsonl"):
        if path.exists() and sealed.samefile(path):
            sealed.unlink()
            sync_folder(path.parent)


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

    ``size`` counts the acknowledged bytes of the live file: what was written and synced.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._closed = False
        self._sealed: dict[Path, int] = {}
        with contextlib.ExitStack() as held:
            held.enter_context(only_writer(path))
            settle_rotation(path)
            self._log = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
            held.callback(self._close_files)
            self._head = held.enter_context(_descriptor(beside(path, ".head"), os.O_RDWR, 0o640))
            sync_folder(path.parent)
            self._identity = self._on_disk()
            self.size = os.fstat(self._log).st_size
            self._release = held.pop_all()

    def _close_files(self) -> None:
        for descriptor in (self._log, *self._sealed.values()):
            os.close(descriptor)

    def _on_disk(self) -> tuple[int, int]:
        stat = self.path.stat()
        return stat.st_dev, stat.st_ino

    def _require_untouched(self) -> None:
        """Refuse to write where the file was renamed, replaced, cut or written to by another program."""
        size = os.fstat(self._log).st_size
        if self._on_disk() != self._identity or size != self.size:
            raise OSError(errno.ESTALE, f"another program changed it (now {size} bytes, {self.size} were written)")

    def append(self, data: bytes, head: Head) -> None:
        """Write at the end in one write, sync, acknowledge; what cannot be written or synced is cut off if possible.

        What is on the disk stays there, even if it cannot be acknowledged: the head may have gone ahead already.
        """
        self._require_untouched()
        try:
            write_all(self._log, data)
            os.fsync(self._log)
        except BaseException:
            with contextlib.suppress(OSError):
                os.ftruncate(self._log, self.size)
            raise
        self.size += len(data)
        self.acknowledge(head)

    def acknowledge(self, head: Head) -> None:
        """Keep the count and the hash of the last record beside the log.

        Not synced: after a power cut it may lag behind the log, it is never ahead of it.
        """
        os.pwrite(self._head, b"%016d %b\n" % (head.records, head.hash.encode()), 0)

    def rotate(self, sealed: Path, opening: bytes, head: Head) -> None:
        """Seal the live file under the name ``sealed`` and go on in a new one that begins with ``opening``.

        The new file is whole and synced before it takes the live one's name, and the old one has its second name by
        then: at every moment both names lead to what they promise, and :func:`settle_rotation` undoes a half.
        """
        self._require_untouched()
        following = beside(self.path, ".next")
        create_durably(following, opening, 0o640)
        os.link(self.path, sealed)
        sync_folder(self.path.parent)
        following.replace(self.path)
        sync_folder(self.path.parent)
        self._sealed[sealed] = self._log
        self._log = os.open(self.path, os.O_RDWR | os.O_APPEND)
        self._identity, self.size = self._on_disk(), len(opening)
        self.acknowledge(head)

    def read(self, part: Path, offset: int, size: int) -> bytes:
        """Bytes of the live file or of a sealed segment; safe beside a writer."""
        if self._closed:
            raise OSError(errno.EBADF, "it was closed")
        if part == self.path:
            return os.pread(self._log, size, offset)
        if part not in self._sealed:
            self._sealed[part] = os.open(part, os.O_RDONLY)
        return os.pread(self._sealed[part], size, offset)

    def remove(self, sealed: Path) -> None:
        """Remove a sealed segment."""
        if sealed in self._sealed:
            os.close(self._sealed.pop(sealed))
        sealed.unlink(missing_ok=True)
        sync_folder(self.path.parent)

    def torn_tail(self) -> int:
        """Bytes after the last line end."""
        offset, block = self.size, 1 << 16
        while offset > 0:
            start = max(0, offset - block)
            found = os.pread(self._log, offset - start, start).rfind(b"\n")
            if found >= 0:
                return self.size - (start + found + 1)
            offset = start
        return self.size

    def quarantine(self, offset: int) -> tuple[str, bytes]:
        """Copy what follows ``offset`` to ``<name>.torn-<n>``, then cut it off. Returns that name, and the bytes."""
        torn = self.read(self.path, offset, self.size - offset)
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
