"""A whole log checked: its files in order, by ranges in several processes, against head, segments and checkpoints."""

from __future__ import annotations

import errno
import gc
import hashlib
import multiprocessing
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from audit.verifier.lines import MAX_LINE_BYTES, NO_HASH, Head, LineFault, Place, follow, scan
from audit.verifier.notes import BadEvidence, Checkpoint, Key
from audit.verifier.shapes import Shapes
from audit.verifier.spelling import NotCanonical, parse_canonical
from audit.verifier.tree import Node, leaf_hash, push, root_of

RANGE_BYTES = 8 * 1024 * 1024
"""what one process checks at a time; a log below it is checked in this process"""
_SHAPES = Shapes()
"""of this process, for every range that it checks"""
_DELETION = b'"kind":"deletion"'
Progress = Callable[[int, int], None]
"""called with bytes checked and bytes in all"""


@dataclass(frozen=True)
class Verification:
    """Outcome of a verification.

    :param records: good records read before a fault was met, or all of them.
    :param first_bad_line: 1-based in ``file``; None when ``ok``, and when what is bad is not one line.
    :param reason: what is wrong, empty when ``ok``.
    :param head_hash: hash of the last good record, 64 zeros when there is none.
    :param anchored: whether the last acknowledged record was known, so that a cut or changed end would have shown.
    :param root: of the tree over all records, hex. :param checkpoints: how many agree with it.
    :param signed: whether signatures were checked: see :func:`_to_be_checked`.
    :param hashed_only: how many records were removed after the retention, so that their leaf hashes alone are here.
    """

    ok: bool
    records: int
    first_bad_line: int | None
    reason: str
    head_hash: str
    anchored: bool
    first_bad_seq: int | None = None
    file: str = ""
    root: str = ""
    checkpoints: int = 0
    signed: bool = False
    hashed_only: int = 0


@dataclass(frozen=True)
class Evidence:
    """What a log is held against besides itself.

    :param head: the last acknowledged record, where known.
    :param checkpoints: from beside the log. :param keys: none: signatures are not checked.
    :param held: checkpoints that were kept elsewhere.
    """

    head: Head | None = None
    checkpoints: Sequence[Checkpoint] = ()
    keys: Sequence[Key] = ()
    held: Sequence[Checkpoint] = ()

    @property
    def all(self) -> list[Checkpoint]:
        """Every checkpoint, smallest tree first."""
        return sorted([*self.checkpoints, *self.held], key=lambda checkpoint: checkpoint.size)


class Task(NamedTuple):
    """A range of one file, cut at line ends."""

    path: str
    start: int
    end: int
    wanted: frozenset[int]
    head: Head | None


class Span(NamedTuple):
    """What a range was found to hold; ``opening`` is the first line's envelope. Ranges that do not hold have none.

    :param deletions: number and body of each record of that kind.
    """

    first: Place
    after: Place
    nodes: list[Node]
    at_sizes: dict[int, list[Node]]
    opening: dict[str, Any]
    deletions: list[tuple[int, dict[str, Any]]]


class Leaves(NamedTuple):
    """A file of leaf hashes in place of a removed segment."""

    path: Path
    first_seq: int
    records: int
    sha256: str

    def removed_by(self, seq: int, body: dict[str, Any]) -> bool:
        """Whether the ``deletion`` with this number and body is the record of the removal."""
        told = (body.get("name"), body.get("first_seq"), body.get("records"), body.get("leaves_sha256"))
        known = (f"{self.path.stem}.jsonl", self.first_seq, self.records, self.sha256)
        return seq >= self.first_seq + self.records and told == known


def parts_of(path: Path) -> list[Path]:
    """The files of the log at ``path`` in order: sealed segments beside it (of removed ones the leaves), then itself.

    A segment that still is the live file under a second name (a rotation cut short) is left out.
    """
    named = re.compile(re.escape(path.stem) + r"-([0-9]{12})\.(jsonl|leaves)")
    found: dict[str, Path] = {}
    for each in sorted(path.parent.iterdir()):
        match = named.fullmatch(each.name)
        if match and match[1] not in found and not (path.exists() and each.samefile(path)):
            found[match[1]] = each
    return [*found.values(), *([path] if path.exists() else [])]


def check_range(task: Task) -> Span | None:
    """Check a range by what its first line says of itself; None when it does not hold."""
    nodes: list[Node] = []
    at_sizes: dict[int, list[Node]] = {}
    deletions: list[tuple[int, dict[str, Any]]] = []
    with Path(task.path).open("rb") as stream:
        stream.seek(task.start)
        try:
            opening = parse_canonical(stream.readline(MAX_LINE_BYTES).rstrip(b"\n"))
            first = Place(opening["seq"], opening["prev"], opening["log_id"])
            seq, last = first.seq, first.prev
            stream.seek(task.start)
            for _, raw, line_hash in follow(stream, first, _SHAPES.read, head=task.head, end=task.end):
                push(nodes, 0, seq, leaf_hash(raw))
                if _DELETION in raw and (envelope := parse_canonical(raw))["kind"] == "deletion":
                    deletions.append((seq, envelope["body"]))
                seq, last = seq + 1, line_hash
                if seq in task.wanted:
                    at_sizes[seq] = list(nodes)
        except (LineFault, NotCanonical, KeyError, TypeError):
            return None
    return Span(first, Place(seq, last, first.log_id), nodes, at_sizes, opening, deletions)


def _ranges(path: Path, end: int, wanted: frozenset[int], head: Head | None) -> Iterator[Task]:
    """The ranges of a file up to byte ``end``."""
    with path.open("rb") as stream:
        start = 0
        while start < end:
            stream.seek(start + RANGE_BYTES)
            stream.readline(MAX_LINE_BYTES)
            stop = min(stream.tell(), end)
            yield Task(str(path), start, stop, wanted, head)
            start = stop


@contextmanager
def _mapper(size: int, processes: int) -> Iterator[Callable[..., Any]]:
    """A ``map`` that keeps order: in this process for what is small, else in several.

    :raises OSError: a process was ended from outside.
    """
    if size <= RANGE_BYTES or processes < 2 or not _importable():
        yield map
        return
    # lines make no cycles: without the collector a process checks a fifth more of them
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=gc.disable) as pool:
        try:
            yield pool.map
        except BrokenProcessPool as error:
            raise ChildProcessError(errno.ECHILD, "a process was ended from outside", "checking in parts") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _importable() -> bool:
    """Whether another process can read the program under way: one that came by a pipe has no file."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    return file is None or Path(file).is_file()


@dataclass
class _Walk:
    """A log as far as it has been checked."""

    at: Place = field(default_factory=Place)
    nodes: list[Node] = field(default_factory=list)
    roots: dict[int, bytes] = field(default_factory=dict)
    begun: list[tuple[Path, int]] = field(default_factory=list)
    leaves: list[Leaves] = field(default_factory=list)
    deletions: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    def take_leaves(self, path: Path, wanted: frozenset[int]) -> None:
        """Go over a removed segment, of which only the leaves are there."""
        if int(path.stem[-12:]) != self.at.seq:
            raise LineFault(self.at.seq, f"missing: {path.name} does not begin here")
        leaves, count = path.read_bytes(), self.at.seq
        if len(leaves) % 32:
            raise LineFault(self.at.seq, f"torn: {path.name} does not hold whole leaf hashes")
        self.leaves.append(Leaves(path, count, len(leaves) // 32, hashlib.sha256(leaves).hexdigest()))
        for start in range(0, len(leaves), 32):
            push(self.nodes, 0, count, leaves[start : start + 32])
            count += 1
            if count in wanted:
                self.roots[count] = root_of(self.nodes)
        self.at = Place(count, None, None)

    def begin(self, path: Path) -> None:
        """Go on in another file."""
        self.begun.append((path, self.at.seq))

    def take(self, span: Span | None, task: Task, end: int) -> None:
        """Go over a range; :class:`LineFault` where it does not hold or does not follow."""
        if span is None or not self._follows(span.first):
            self._name_fault(task, end)
        elif task.start == 0 and self.at.seq:
            self._check_opening(span.opening)
        if span is not None:
            for size, nodes in span.at_sizes.items():
                self.roots[size] = root_of(_joined(self.nodes, nodes))
            self.nodes = _joined(self.nodes, span.nodes)
            self.at = span.after
            self.deletions += span.deletions

    def _follows(self, first: Place) -> bool:
        pairs = zip(self.at, first)  # noqa: B905  two places, as long as each other
        return all(known in (None, claimed) for known, claimed in pairs)

    def _name_fault(self, task: Task, end: int) -> None:
        with Path(task.path).open("rb") as stream:
            stream.seek(task.start)
            for line in scan(stream, self.at, head=task.head, end=end):
                self.at = line.next
        raise LineFault(self.at.seq, "it could be read once and not again")

    def _check_opening(self, opening: dict[str, Any]) -> None:
        """That a file begins by naming what was sealed before it."""
        body, seq = opening["body"], self.at.seq
        if opening["kind"] != "segment" or body.get("tree_size") != seq:
            raise LineFault(seq, "the file does not begin with the record of the segment before it")
        if body.get("root") != root_of(self.nodes).hex():
            raise LineFault(seq, f"the tree over the {seq} records before it has another root than this record states")
        if len(self.begun) > 1:
            path, first = self.begun[-2]
            told = (body.get("name"), body.get("first_seq"), body.get("records"), body.get("size_bytes"))
            if told[1:] != (first, seq - first, path.stat().st_size) or body.get("sha256") != _file_sha256(path):
                raise LineFault(seq, f"the segment {told[0]} that this record names is not {path.name}")

    def require_removals(self) -> None:
        """:class:`BadEvidence` unless the log says so itself where leaves stand in place of lines.

        The oldest goes first: the record of an earlier removal may itself have been removed since.
        """
        if not self.begun or (self.at.seq and self.begun[-1][1] == self.at.seq):
            raise BadEvidence("missing: no lines follow the segments that were sealed")
        if self.leaves and not any(self.leaves[-1].removed_by(*deletion) for deletion in self.deletions):
            raise BadEvidence(f"missing: no record says that what {self.leaves[-1].path.name} stands for was removed")

    def where(self, seq: int) -> tuple[str, int]:
        """File, and line in it, of a record."""
        for path, first in reversed(self.begun):
            if first <= seq:
                return path.name, seq - first + 1
        return "", seq + 1


def _joined(left: list[Node], right: list[Node]) -> list[Node]:
    nodes = list(left)
    for node in right:
        push(nodes, *node)
    return nodes


def _file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _note_fault(asked: tuple[Checkpoint, Sequence[Key]]) -> str:
    """Why the signatures of a checkpoint do not hold; empty when they do."""
    checkpoint, keys = asked
    try:
        checkpoint.require_signed(keys)
    except BadEvidence as error:
        return str(error)
    return ""


def _to_be_checked(evidence: Evidence) -> list[Checkpoint]:
    """The checkpoints whose signatures count: those held, and of those beside the log the last and each key's last.

    The roots bind the others: what stands under a signature that holds cannot have been otherwise before.
    """
    last = {name[:2]: checkpoint for checkpoint in evidence.checkpoints for name in checkpoint.signatures}
    own = [*last.values(), *evidence.checkpoints[-1:]]
    return [*evidence.held, *{id(checkpoint): checkpoint for checkpoint in own}.values()]


def _check_checkpoints(walk: _Walk, evidence: Evidence, each: Callable[..., Any]) -> None:
    """:class:`BadEvidence` for the first checkpoint that this log does not agree with."""
    agreed = [0]
    for checkpoint in evidence.all:
        size = checkpoint.size
        if size > walk.at.seq:
            raise BadEvidence(f"missing: a checkpoint was signed over {size} records, {walk.at.seq} are here")
        if walk.at.log_id and not checkpoint.origin.endswith(f"/{walk.at.log_id}"):
            raise BadEvidence(f"the checkpoint of {checkpoint.origin} is of another log than {walk.at.log_id}")
        if not size and checkpoint.root != root_of(()):
            raise BadEvidence("a checkpoint of no records has another root than the tree without leaves")
        if size and checkpoint.root != walk.roots[size]:
            first = max(known for known in agreed if known < size)
            raise BadEvidence(f"rewritten: records {first} to {size - 1} are not those a checkpoint was signed over")
        agreed.append(size)
    if evidence.keys:
        faults = each(_note_fault, [(checkpoint, evidence.keys) for checkpoint in _to_be_checked(evidence)])
        for fault in filter(None, faults):
            raise BadEvidence(fault)


def check_log(
    parts: Sequence[Path],
    evidence: Evidence = Evidence(),
    *,
    end: int | None = None,
    processes: int = os.cpu_count() or 1,
    progress: Progress | None = None,
) -> Verification:
    """Check the files of a log, in order; :class:`OSError` when one cannot be read.

    :param end: of the last file, read no further than this byte.
    :param processes: how many check ranges of a log that is not small.
    """
    wanted = frozenset(checkpoint.size for checkpoint in evidence.all)
    sizes = [path.stat().st_size for path in parts]
    if end is not None and sizes:
        sizes[-1] = end
    total, walk, done = sum(sizes), _Walk(), 0

    def outcome(ok: bool, reason: str, seq: int | None = None) -> Verification:
        file, line = ("", None) if seq is None else walk.where(seq)
        records, last = (walk.at.seq if seq is None else seq), walk.at.prev or NO_HASH
        told, hashed = len(evidence.all) if ok else 0, sum(leaves.records for leaves in walk.leaves)
        root, signed, anchored = root_of(walk.nodes).hex(), bool(told and evidence.keys), evidence.head is not None
        return Verification(ok, records, line, reason, last, anchored, seq, file, root, told, signed, hashed)

    with _mapper(total, processes) as each:
        try:
            for path, size in zip(parts, sizes):  # noqa: B905  made from each other above
                if path.suffix == ".leaves":
                    walk.take_leaves(path, wanted)
                else:
                    walk.begin(path)
                    tasks = list(_ranges(path, size, wanted, evidence.head))
                    for task, span in zip(tasks, each(check_range, tasks)):  # noqa: B905  one span a task
                        walk.take(span, task, size)
                        if progress is not None:
                            progress(done + task.end, total)
                done += size
            if evidence.head is not None and walk.at.seq < evidence.head.records:
                reason = f"missing: {evidence.head.records} records were acknowledged, {walk.at.seq} are here"
                raise LineFault(walk.at.seq, reason)
            walk.require_removals()
            _check_checkpoints(walk, evidence, each)
        except LineFault as fault:
            return outcome(False, fault.reason, fault.seq)
        except BadEvidence as error:
            return outcome(False, str(error))
    if progress is not None:
        progress(total, total)
    return outcome(True, "")
