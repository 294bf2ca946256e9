"""A whole log checked: its files in order, by ranges in several processes, against head, segments and checkpoints."""

from __future__ import annotations

import errno
import gc
import multiprocessing
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.verifier.lines import MAX_LINE_BYTES, NO_HASH, Head, LineFault
from audit.verifier.notes import BadEvidence, Checkpoint, Key
from audit.verifier.signed import Signed, changes_of, check_signatures
from audit.verifier.tree import root_of
from audit.verifier.walk import Task, Walk, check_range

RANGE_BYTES = 8 * 1024 * 1024
"""what one process checks at a time; a log below it is checked in this process"""
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
    :param signed: how many of them count as signed; None where signatures were not checked.
    :param not_counted: who signed the others. :param keys_given: whether an auditor gave the keys: see `Evidence`.
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
    signed: int | None = None
    not_counted: tuple[str, ...] = ()
    keys_given: bool = False
    hashed_only: int = 0


@dataclass(frozen=True)
class Evidence:
    """What a log is held against besides itself.

    :param head: the last acknowledged record, where known.
    :param checkpoints: from beside the log. :param keys: none: signatures are not checked.
    :param held: checkpoints that were kept elsewhere.
    :param keys_given: whether an auditor gave the keys; False where they come from beside the log alone, where whoever
        writes the log can put any.
    """

    head: Head | None = None
    checkpoints: Sequence[Checkpoint] = ()
    keys: Sequence[Key] = ()
    held: Sequence[Checkpoint] = ()
    keys_given: bool = False

    @property
    def all(self) -> list[Checkpoint]:
        """Every checkpoint, smallest tree first."""
        return sorted([*self.checkpoints, *self.held], key=lambda checkpoint: checkpoint.size)


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


def _check_roots(walk: Walk, evidence: Evidence) -> None:
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


def _go_over(
    walk: Walk,
    files: Sequence[tuple[Path, int]],
    evidence: Evidence,
    each: Callable[..., Any],
    progress: Progress | None,
) -> None:
    """Take the files in order, each up to its size in bytes; :class:`LineFault` at the first line that is bad."""
    wanted = frozenset(checkpoint.size for checkpoint in evidence.all)
    total, done = sum(size for _, size in files), 0
    for path, size in files:
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


def _outcome(
    walk: Walk, evidence: Evidence, reason: str = "", seq: int | None = None, signed: Signed | None = None
) -> Verification:
    """What was found; ``seq`` is the record that is bad, where one is."""
    file, line = ("", None) if seq is None else walk.where(seq)
    return Verification(
        ok=not reason,
        records=walk.at.seq if seq is None else seq,
        first_bad_line=line,
        reason=reason,
        head_hash=walk.prev_of(seq) or NO_HASH,
        anchored=evidence.head is not None,
        first_bad_seq=seq,
        file=file,
        root=root_of(walk.nodes).hex(),
        checkpoints=0 if reason else len(evidence.all),
        signed=None if signed is None else signed.checkpoints,
        not_counted=() if signed is None else signed.others,
        keys_given=evidence.keys_given,
        hashed_only=sum(leaves.records for leaves in walk.leaves),
    )


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
    sizes = [path.stat().st_size for path in parts]
    if end is not None and sizes:
        sizes[-1] = end
    total, walk, signed = sum(sizes), Walk(), None
    with _mapper(total, processes) as each:
        try:
            _go_over(walk, list(zip(parts, sizes)), evidence, each, progress)  # noqa: B905  made from each other above
            _check_roots(walk, evidence)
            if evidence.keys:
                changes = list(changes_of(walk.of_kind("key")))
                signed = check_signatures(evidence.checkpoints, evidence.held, evidence.keys, changes, each)
        except LineFault as fault:
            return _outcome(walk, evidence, fault.reason, fault.seq)
        except BadEvidence as error:
            return _outcome(walk, evidence, str(error))
    if progress is not None:
        progress(total, total)
    return _outcome(walk, evidence, signed=signed)
