"""Segments: when the live file is sealed, and how long sealed ones are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from audit.bodies.log import DeletionBody, SegmentBody
from audit.contents import Contents
from audit.index import Row
from audit.storage import LogFile, replace_durably, sealed_path
from audit.verifier.lines import Head
from core.clock import Clock
from core.slots import format_utc


@dataclass(frozen=True, slots=True)
class Keeping:
    """When the log is sealed, signed and let go of. Whole segments are removed, never single records."""

    segment_bytes: int = 64 * 1024 * 1024
    segment_days: float = 31.0
    retention_days: int = 2557
    checkpoint_records: int = 10_000
    checkpoint_seconds: float = 600.0

    def checkpoint_due(self, fresh: int, since: timedelta) -> bool:
        """Whether ``fresh`` records, not covered by a checkpoint for ``since``, want one."""
        return fresh >= self.checkpoint_records or (fresh > 0 and since.total_seconds() >= self.checkpoint_seconds)


class Segments:
    """The files of one open log. Called by its writer; ``reading`` keeps readers out while names change."""

    def __init__(
        self,
        file: LogFile,
        contents: Contents,
        keeping: Keeping,
        clock: Clock,
        reading: AbstractContextManager[object],
    ) -> None:
        self._file, self._contents, self._clock, self._reading = file, contents, clock, reading
        self.keeping = keeping
        if not contents.parts:
            contents.begin(file.path)

    def due(self) -> bool:
        """Whether the live file is to be sealed before the next record: it is large, or begins long ago."""
        first = self._contents.first_seq
        if self._contents.head.records - first <= (1 if first else 0):
            return False
        begun = self._contents.index.recorded_at(first)
        old = self._clock.now() - begun >= timedelta(days=self.keeping.segment_days)
        return old or self._file.size >= self.keeping.segment_bytes

    def opening(self) -> SegmentBody:
        """The first record of the file that follows the live one."""
        head, first = self._contents.head, self._contents.first_seq
        return SegmentBody(
            name=sealed_path(self._file.path, first).name,
            first_seq=first,
            records=head.records - first,
            size_bytes=self._file.size,
            sha256=self._contents.live_sha256,
            tree_size=head.records,
            root=self._contents.tree.root().hex(),
        )

    def rotate(self, raw: bytes, row: Row, leaf: bytes) -> None:
        """Seal the live file; ``raw`` is the first line of the next."""
        sealed = sealed_path(self._file.path, self._contents.first_seq)
        with self._reading:
            self._file.rotate(sealed, raw + b"\n", Head(self._contents.head.records + 1, row.digest.hex()))
            self._contents.sealed(sealed)
            self._contents.add(raw, row, leaf)

    def expired(self) -> DeletionBody | None:
        """The oldest segment, when all of it is older than the retention; its leaf hashes are kept durably by now."""
        if len(self._contents.parts) < 2:
            return None
        (first, part), (following, _) = self._contents.parts[:2]
        last = self._contents.index.recorded_at(following - 1)
        if self._clock.now() - last < timedelta(days=self.keeping.retention_days):
            return None
        leaves, kept = self._contents.tree.leaves(first, following), sealed_path(self._file.path, first, ".leaves")
        replace_durably(kept, leaves, 0o640)
        return DeletionBody(
            name=part.name,
            first_seq=first,
            records=following - first,
            size_bytes=part.stat().st_size,
            sha256=_sha256(part),
            last_recorded_at=format_utc(last),
            retention_days=self.keeping.retention_days,
            leaves_name=kept.name,
            leaves_sha256=hashlib.sha256(leaves).hexdigest(),
        )

    def remove_oldest(self) -> None:
        """Remove the oldest segment, which the log says is removed."""
        with self._reading:
            _, part = self._contents.parts[0]
            self._contents.forget_oldest()
            self._file.remove(part)

    def finish_removals(self) -> None:
        """Remove what the log says is removed, where a crash came in between."""
        for _ in self._removed_but_there():
            self.remove_oldest()

    def _removed_but_there(self) -> Iterator[Path]:
        while len(self._contents.parts) > 1 and self._contents.parts[0][1].name in self._contents.deleted:
            yield self._contents.parts[0][1]


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
