"""The decision log: append-only, hash-chained, and durable before anyone acts on what it says.

``append`` returns once the record is on disk. Calls from several threads that wait at the same time share one write
and one sync. After any failure to write or sync the log refuses further records until it is opened again.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from audit.canonical import canonical, parse_canonical
from audit.chain import MAX_LINE_BYTES, Head, Line, LineFault, TornTail, scan
from audit.fields import Body
from audit.index import Index, Query
from audit.record import NO_HASH, Record, RecoveryBody, body_bytes, digest, envelope_line, read_record
from audit.storage import LogFile, make_folder, read_head, read_salt
from audit.verify import Progress, Verification, verify_up_to
from core.clock import Clock
from core.errors import LogDamaged, LogUnavailable, NotFound
from core.slots import format_utc


@dataclass(slots=True)
class _Batch:
    """Bodies of one caller, waiting to be written together."""

    bodies: list[tuple[str, bytes]]
    records: list[Record] = field(default_factory=list)


class AuditLog:
    """The log of one server, open for writing. Make one with :meth:`open`; all methods are thread-safe."""

    def __init__(self, file: LogFile, salt: bytes, clock: Clock, actor: str) -> None:
        self._file = file
        self._salt = salt
        self._clock = clock
        self._actor = actor
        self._process = os.getpid()
        self._index = Index()
        self._log_id = uuid.uuid4().hex
        self._head = Head(0, NO_HASH)
        self._fault = ""
        self._waiting: deque[_Batch] = deque()
        self._writer = threading.Lock()

    @classmethod
    def open(cls, path: Path, *, clock: Clock, actor: str) -> AuditLog:
        """Open the log at ``path``, creating it and its folder if need be, and check all that it holds.

        An unfinished last line is moved to ``<name>.torn-<n>`` and a ``recovery`` record says so.

        :param actor: who writes, such as ``slackwater/0.1.0``; part of every record.
        :raises LogDamaged: a finished line does not verify (named), or an acknowledged record is missing.
        :raises LogUnavailable: another process writes this log, or the files cannot be read or synced.
        """
        try:
            make_folder(path.parent)
            file = LogFile(path)
            try:
                log = cls(file, read_salt(path), clock, actor)
                log._load()
            except BaseException:
                file.close()
                raise
        except OSError as error:
            raise _unavailable(path, _cause(error)) from error
        return log

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def _load(self) -> None:
        """Check the file, build the index, and recover from a write that was cut short."""
        head = read_head(self.path)
        try:
            with self.path.open("rb") as stream:
                for line in scan(stream, head=head):
                    self._note(line)
        except TornTail as torn:
            self._recover(torn, head)
        except LineFault as fault:
            raise _damaged(self.path, fault) from fault
        self._file.acknowledge(self._head)

    def _recover(self, torn: TornTail, head: Head | None) -> None:
        acknowledged = 0 if head is None else head.records
        if acknowledged > torn.number:
            reason = f"{acknowledged} records were acknowledged, {torn.number - 1} are here whole"
            raise _damaged(self.path, LineFault(torn.number, f"missing: {reason}")) from torn
        name, tail = self._file.quarantine(torn.offset)
        body = RecoveryBody(
            torn_bytes=len(tail),
            torn_sha256=digest(tail),
            quarantine_path=name,
            acknowledged=acknowledged == torn.number,
        )
        self.append("recovery", body)

    def _note(self, line: Line) -> None:
        self._log_id = line.envelope["log_id"]
        self._index.add(line.offset, len(line.raw), line.hash, line.envelope)
        self._head = Head(line.number, line.hash)

    def append(self, kind: str, body: Body) -> Record:
        """Append one record and return it once it is durable; see :meth:`append_all`."""
        return self.append_all([(kind, body)])[0]

    def append_all(self, bodies: Sequence[tuple[str, Body]]) -> list[Record]:
        """Append records, in order and together, with one write and one sync; returns them once they are durable.

        :raises ValueError: an unknown kind, another kind's body, a float, or a body of more than 8 MB; none is written.
        :raises LogUnavailable: nothing was acknowledged; every later call fails too until the log is opened again.
        """
        batch = _Batch([(kind, _bounded(body_bytes(kind, body))) for kind, body in bodies])
        if not bodies:
            return []
        self._waiting.append(batch)
        with self._writer:
            if not batch.records:
                self._write_waiting()
        if not batch.records:
            raise _unavailable(self.path, self._fault)
        return batch.records

    def _write_waiting(self) -> None:
        """Write all batches that wait. The caller holds the writer's lock."""
        batches = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if self._process != os.getpid():
            self._fault = "a forked process may not write its parent's log"
        if self._fault:
            return
        try:
            self._commit(batches)
        except BaseException as error:
            self._fault = _cause(error)
            if not isinstance(error, OSError):
                raise

    def _commit(self, batches: list[_Batch]) -> None:
        lines = list(self._chained([body for batch in batches for body in batch.bodies]))
        self._file.append(b"".join(line.raw + b"\n" for line in lines), Head(lines[-1].number, lines[-1].hash))
        for line in lines:
            self._note(line)
        records = iter([read_record(line.raw, line.envelope) for line in lines])
        for batch in batches:
            batch.records = [next(records) for _ in batch.bodies]

    def _chained(self, bodies: list[tuple[str, bytes]]) -> Iterator[Line]:
        """The lines of the next records."""
        recorded_at = format_utc(self._clock.now())
        seq, offset, prev = self._head.records, self._file.size, self._head.hash
        for kind, body in bodies:
            raw = envelope_line(
                body,
                actor=self._actor,
                kind=kind,
                log_id=self._log_id,
                prev=prev,
                recorded_at=recorded_at,
                seq=seq,
            )
            line = Line(seq + 1, offset, raw, digest(raw), parse_canonical(raw))
            yield line
            seq, offset, prev = seq + 1, offset + len(raw) + 1, line.hash

    def records(
        self,
        *,
        kind: str | None = None,
        job_id: str | None = None,
        site_id: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        text: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[list[Record], int]:
        """One page of the records that match, newest first, and how many match in all.

        :param start: recorded at or after. :param end: recorded before.
        :param text: occurs in the record's line, whatever the case; the one filter that reads the file.
        """
        seqs = self._index.find(Query(kind, job_id, site_id, start, end)).tolist()
        if text:
            needle = text.casefold()
            seqs = [seq for seq in seqs if needle in self._line(seq).decode().casefold()]
        return [self.get(seq) for seq in seqs[offset : offset + limit]], len(seqs)

    def get(self, seq: int) -> Record:
        """Record ``seq``, read from the file.

        :raises NotFound: there is none. :raises LogDamaged: its bytes changed since they were written or checked.
        """
        if not 0 <= seq < self._head.records:
            raise NotFound(f"no record {seq} in the decision log; it holds {self._head.records}")
        line = self._line(seq)
        return read_record(line, parse_canonical(line))

    def _line(self, seq: int) -> bytes:
        offset, size, expected = self._index.where(seq)
        try:
            line = self._file.read(offset, size)
        except OSError as error:
            raise _unavailable(self.path, _cause(error)) from error
        if digest(line) != expected:
            raise _damaged(self.path, LineFault(seq + 1, "changed since it was written"))
        return line

    def verify(self, progress: Progress | None = None) -> Verification:
        """Check the acknowledged part of the file from its beginning, while others go on appending."""
        with self._writer:
            head, end = self._head, self._file.size
        try:
            return verify_up_to(self.path, head, end, progress)
        except OSError as error:
            raise _unavailable(self.path, _cause(error)) from error

    def commit(self, value: str) -> str:
        """Commitment to ``value``: hex HMAC-SHA256 of its canonical JSON under this log's salt, kept off the log."""
        return hmac.new(self._salt, canonical(value), hashlib.sha256).hexdigest()

    def healthy(self) -> tuple[bool, str]:
        """Whether records can be appended, and if not, why."""
        return not self._fault, self._fault

    def head(self) -> tuple[int, str]:
        """How many records there are, and the hash of the last (64 zeros when there is none)."""
        head = self._head
        return head.records, head.hash

    def close(self) -> None:
        """Finish the write under way, then let go of the file and its lock."""
        with self._writer:
            self._fault = self._fault or "it was closed"
            self._file.close()


def _bounded(body: bytes) -> bytes:
    if len(body) > MAX_LINE_BYTES - 4096:
        raise ValueError(f"a body of {len(body)} bytes is too large for the log ({MAX_LINE_BYTES} bytes a line)")
    return body


def _cause(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or f"{type(error).__name__}: {error}"


def _unavailable(path: Path, cause: str) -> LogUnavailable:
    return LogUnavailable(f"the decision log {path.name} cannot be used: {cause}")


def _damaged(path: Path, fault: LineFault) -> LogDamaged:
    return LogDamaged(f"{path.name}, line {fault.number}: {fault.reason}", line=fault.number)
