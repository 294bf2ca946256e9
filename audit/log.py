"""The decision log: append-only, hash-chained, and durable before anyone acts on what it says.

``append`` returns once the record is on disk. Calls from several threads that wait at the same time share one write
and one sync. After any failure to write or sync the log refuses further records until it is opened again.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Unpack

from loguru import logger

from audit.bodies.log import KeyBody, RecoveryBody, RedactionBody
from audit.canonical import canonical
from audit.checkpoint import Checkpointer, origin_of
from audit.contents import Contents, row_of
from audit.envelope import Spelled, Speller, spelled_refs
from audit.fields import Body
from audit.group_commit import GroupCommit
from audit.index import Counts, Filters, Query, Row
from audit.keys import read_vkeys
from audit.opening import cause, load, unavailable
from audit.reading import Reader
from audit.record import Build, Entry, Record, Ref, Trace
from audit.segments import Keeping, Segments
from audit.storage import LogFile, make_folder
from audit.vault import Vault
from audit.verifier.files import Evidence, Progress, Verification, check_log, parts_of
from audit.verifier.lines import MAX_LINE_BYTES, Head
from audit.verifier.notes import Checkpoint, Key
from audit.verifier.tree import leaf_hash
from core.clock import Clock
from core.errors import LogDamaged, LogUnavailable
from core.slots import format_utc

LOG_AGENT = "log"


@dataclass(slots=True)
class _Batch:
    """Entries of one caller, waiting to be written together."""

    entries: list[Spelled]
    records: list[Record] = field(default_factory=list)


class AuditLog:
    """The log of one server, open for writing. Make one with :meth:`open`; all methods are thread-safe."""

    def __init__(
        self, file: LogFile, contents: Contents, vault: Vault, clock: Clock, build: Build, keeping: Keeping
    ) -> None:
        self._file = file
        self._contents = contents
        self._vault = vault
        self._clock = clock
        self._process = os.getpid()
        self._speller = Speller(contents.log_id or uuid.uuid4().hex, build)
        self._checkpointer = Checkpointer(file.path, origin_of(self._speller.log_id), contents.tree)
        self._checkpointed_at = clock.now()
        self._fault = ""
        self._writer = threading.Lock()
        self._group = GroupCommit(self._writer, self._write)
        files = threading.Lock()
        self._segments, self._reader = Segments(file, contents, keeping, clock, files), Reader(file, contents, files)
        self.on_checkpoint: Callable[[Checkpoint], None] | None = None

    @classmethod
    def open(
        cls, path: Path, *, clock: Clock, build: Build, keeping: Keeping | None = None, log_id: str | None = None
    ) -> AuditLog:
        """Open the log at ``path``, creating it and its folder if need be, and check all that it holds.

        An unfinished last line is moved to ``<name>.torn-<n>`` and a ``recovery`` record says so.

        :param build: which program writes; part of every record. :param keeping: when to seal, sign and remove.
        :param log_id: the identity of a new log; default: one never used before.
        :raises LogDamaged: a finished line does not verify (named), an acknowledged record is missing, or the records
            are not those that a checkpoint was signed over.
        :raises LogUnavailable: another process writes this log, or the files cannot be read or synced.
        """
        try:
            make_folder(path.parent)
            file = LogFile(path)
            try:
                contents, recovered = load(file)
                contents.log_id = contents.log_id or log_id
                log = cls(file, contents, Vault(path), clock, build, keeping or Keeping())
                log._settle(recovered)
            except BaseException:
                file.close()
                raise
        except OSError as error:
            raise unavailable(path, cause(error)) from error
        return log

    def _settle(self, recovered: RecoveryBody | None) -> None:
        """Finish what a crash cut short."""
        self._file.acknowledge(self._contents.head)
        self._vault.erase(self._contents.redacted)
        if recovered is not None:
            self.append("recovery", recovered, agent=LOG_AGENT)
        self._checkpointer.settle(self._contents.vkey)
        with self._writer:
            self._segments.finish_removals()
            self._remove_expired()

    @property
    def path(self) -> Path:
        """The live file."""
        return self._file.path

    @property
    def log_id(self) -> str:
        """The identity that every line carries."""
        return self._speller.log_id

    @property
    def first_seq(self) -> int:
        """Number of the oldest record that is still here: those before it were removed with their segments."""
        return self._contents.index.base

    def append(
        self,
        kind: str,
        body: Body,
        *,
        agent: str = "slackwater",
        refs: Sequence[Ref] = (),
        trace: Trace | None = None,
        commit: Mapping[str, str] | None = None,
    ) -> Record:
        """Append one record and return it once it is durable; see :class:`Entry` and :meth:`append_all`."""
        return self.append_all([Entry(kind, body, agent, refs, trace, commit or {})])[0]

    def append_all(self, entries: Sequence[Entry]) -> list[Record]:
        """Append records, in order and together, with one write and one sync; returns them once they are durable.

        :raises ValueError: an unknown kind, another kind's body, a float, a reference to a later entry or to no
            record that is here, or a body of more than 8 MB; none is written.
        :raises LogUnavailable: nothing was acknowledged; every later call fails too until the log is opened again.
        """
        batch = _Batch([self._spelled(place, entry) for place, entry in enumerate(entries)])
        if not entries:
            return []
        self._group.do(batch)
        if not batch.records:
            raise unavailable(self.path, self._fault)
        return batch.records

    def _spelled(self, place: int, entry: Entry) -> Spelled:
        self._contents.require_refs(place, entry.refs)
        spelled = self._speller.spell(entry)
        if len(spelled.head) > MAX_LINE_BYTES - 4096:
            raise ValueError(f"a body of {len(spelled.head)} bytes is too large for a line of {MAX_LINE_BYTES} bytes")
        return spelled

    def _write(self, batches: list[_Batch]) -> None:
        """Write batches unless there was a fault. The caller holds the writer's lock."""
        if self._process != os.getpid():
            self._fault = "a forked process may not write its parent's log"
        if self._fault:
            return
        try:
            if self._segments.due():
                self._rotate()
            self._commit(batches)
            if self._checkpoint_due():
                self._sign()
        except BaseException as error:
            self._fault = cause(error)
            if not isinstance(error, OSError | LogDamaged):
                raise

    def _commit(self, batches: list[_Batch]) -> None:
        """Write batches that the caller took, in one write, and give each its records."""
        now, at, offset = self._clock.now(), self._contents.head, self._file.size
        lines: list[tuple[bytes, Row, bytes]] = []
        written: list[list[Record]] = []
        for batch in batches:
            own: list[Record] = []
            for entry in batch.entries:
                record = self._record(entry, at, now, own)
                lines.append((record.line, row_of(offset, record), leaf_hash(record.line)))
                own.append(record)
                at, offset = Head(at.records + 1, record.hash), offset + len(record.line) + 1
            written.append(own)
        self._file.append(b"".join(raw + b"\n" for raw, _, _ in lines), at)
        for line in lines:
            self._contents.add(*line)
        for batch, own in zip(batches, written, strict=True):
            batch.records = own

    def _record(self, entry: Spelled, at: Head, now: datetime, own: Sequence[Record] = ()) -> Record:
        """The record that an entry becomes after ``at``; ``own`` are those before it in its batch."""
        refs = entry.resolved(own)
        raw = entry.line(at.hash, canonical(format_utc(now)), spelled_refs(refs), at.records)
        return entry.record(raw, at, now, self._speller.build.actor(entry.entry.agent), refs)

    def _rotate(self) -> None:
        """Seal the live file and begin the next with the record of it. The caller holds the writer's lock."""
        entry = self._speller.spell(Entry("segment", self._segments.opening(), LOG_AGENT))
        record = self._record(entry, self._contents.head, self._clock.now())
        self._segments.rotate(record.line, row_of(0, record), leaf_hash(record.line))
        self._remove_expired()

    def _remove_expired(self) -> None:
        """Remove sealed segments that are older than the retention. The caller holds the writer's lock."""
        while (body := self._segments.expired()) is not None:
            self._commit([_Batch([self._speller.spell(Entry("deletion", body, LOG_AGENT))])])
            self._segments.remove_oldest()

    def _checkpoint_due(self) -> bool:
        fresh = self._contents.head.records - self._checkpointer.signed_size
        return self._segments.keeping.checkpoint_due(fresh, self._clock.now() - self._checkpointed_at)

    def _sign(self) -> Checkpoint:
        checkpoint = self._checkpointer.sign()
        self._checkpointed_at = self._clock.now()
        if self.on_checkpoint is not None:
            self.on_checkpoint(checkpoint)
        return checkpoint

    def checkpoint(self) -> Checkpoint:
        """Sign the tree as it stands; the last checkpoint where nothing was added since.

        :raises LogUnavailable: it cannot be written, and nothing more is taken.
        :raises LogDamaged: the tree does not continue the one signed before.
        """
        with self._writer:
            if self._fault:
                raise unavailable(self.path, self._fault)
            try:
                return self._sign()
            except OSError as error:
                self._fault = cause(error)
                raise unavailable(self.path, self._fault) from error

    def checkpoints(self) -> list[Checkpoint]:
        """All that were signed, oldest first; cosigned ones once more after the plain one."""
        return list(self._checkpointer.file.all)

    def keep_cosigned(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint that others signed too, beside the plain one."""
        with self._writer:
            self._checkpointer.file.add(checkpoint)

    def rotate_key(self) -> str:
        """Sign with a new key from now on; the one before signs the record that says so. Returns the verifier key."""
        with self._writer:
            former, key = self._checkpointer.key, self._checkpointer.stage()
        self.append("key", KeyBody(vkey=key.vkey, supersedes=former.vkey), agent=LOG_AGENT)
        self.checkpoint()
        with self._writer:
            self._checkpointer.change_key(key)
        return key.vkey

    def vkey(self) -> str:
        """The verifier key in force; a key is made when there is none yet."""
        with self._writer:
            return self._checkpointer.key.vkey

    def inclusion(self, seq: int, size: int) -> list[bytes]:
        """Proof that record ``seq`` is in the tree of ``size`` records."""
        return self._contents.tree.inclusion(seq, size)

    def consistency(self, old: int, size: int) -> list[bytes]:
        """Proof that the tree of ``size`` records continues that of ``old``."""
        return self._contents.tree.consistency(old, size)

    def root(self, size: int | None = None) -> str:
        """Root of the tree over the first ``size`` records, hex; over all by default."""
        return self._contents.tree.root(size).hex()

    def records(
        self, *, text: str | None = None, limit: int = 50, offset: int = 0, **filters: Unpack[Filters]
    ) -> tuple[list[Record], int]:
        """One page of the records that match, newest first, and how many match in all: see :class:`Query`.

        :param text: occurs in the record's line, whatever the case; the one filter that reads the file.
        """
        found = self._reader.matching(Query(**filters), text)
        return list(self._reader.still_here(found[offset : offset + limit])), len(found)

    def counts(self, *by: str, text: str | None = None, **filters: Unpack[Filters]) -> Counts:
        """How many records :meth:`records` would find, ``by`` kind, site_id or settlement_date."""
        return self._contents.index.counts(self._reader.matching(Query(**filters), text), by)

    def matching(self, *, text: str | None = None, **filters: Unpack[Filters]) -> Iterator[Record]:
        """The records that :meth:`records` would find by the same criteria, oldest first, each read when it is due."""
        yield from self._reader.still_here(self._reader.matching(Query(**filters), text)[::-1])

    def get(self, seq: int) -> Record:
        """Record ``seq``, read from the file.

        :raises NotFound: there is none, or it was removed with its segment.
        :raises LogDamaged: its bytes changed since they were written or checked.
        """
        return self._reader.get(seq)

    def stored(self, seq: int) -> bytes:
        """The bytes of record ``seq`` as its file holds them now, unchecked, its line end with them.

        :raises NotFound: it was removed with its segment.
        """
        return self._reader.stored(seq)

    def verify(self, progress: Progress | None = None) -> Verification:
        """Check the acknowledged part of the log from its beginning, while others go on appending."""
        while True:
            with self._writer:
                head, end, parts = self._contents.head, self._file.size, len(self._contents.parts)
                keys = [Key.parse(vkey) for vkey in read_vkeys(self.path)]
                evidence = Evidence(head, self.checkpoints(), keys)
            try:
                self.path.stat()
                found = check_log(parts_of(self.path), evidence, end=end, progress=progress)
            except OSError as error:
                raise unavailable(self.path, cause(error)) from error
            if found.ok or parts == len(self._contents.parts):
                return found

    def commit(self, field_name: str, value: str) -> str:
        """Commitment to a value of a field, such as a tenant: see :mod:`audit.vault`."""
        return self._vault.commit(field_name, value)

    def known_as(self, field_name: str, value: str) -> list[str]:
        """Every commitment by which a value stands on this log."""
        return self._vault.known_as(field_name, value)

    def erase(self, field_name: str, value: str, reason: str) -> Record:
        """Record that a value is erased, then delete it and its salt: nobody can tell it from its commitment any more.

        :raises NotFound: the vault does not hold this value. :raises InputError: the reason names it.
        """
        self._vault.require_erasable(field_name, value, reason)
        made = self._vault.commit(field_name, value)
        body = RedactionBody(field=field_name, commitments=[made], reason=reason)
        record = self.append("redaction", body, agent=LOG_AGENT)
        self._vault.erase([made])
        return record

    def healthy(self) -> tuple[bool, str]:
        """Whether records can be appended, and if not, why."""
        return not self._fault, self._fault

    def head(self) -> tuple[int, str]:
        """How many records there are, and the hash of the last (64 zeros when there is none)."""
        head = self._contents.head
        return head.records, head.hash

    def close(self) -> None:
        """Finish the write under way, sign what is not signed yet, then let go of the files and the lock."""
        with self._writer:
            if not self._fault and self._contents.head.records:
                self._sign_last()
            self._fault = self._fault or "it was closed"
            self._vault.close()
            self._file.close()

    def _sign_last(self) -> None:
        """Sign what is not signed yet, where that can be: what was appended is durable without it."""
        try:
            self._sign()
        except (OSError, LogDamaged, LogUnavailable) as error:
            logger.error("the decision log was closed without a last checkpoint: {}", error)
