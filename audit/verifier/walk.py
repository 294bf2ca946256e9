"""Going over the files of a log in order: ranges of lines, removed segments, and what each record refers to."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from audit.verifier.lines import MAX_LINE_BYTES, Head, LineFault, Place, follow, links_of, scan
from audit.verifier.notes import BadEvidence
from audit.verifier.shapes import Shapes
from audit.verifier.spelling import NotCanonical, parse_canonical
from audit.verifier.tree import Node, leaf_hash, push, root_of

_SHAPES = Shapes()
"""of this process, for every range that it checks"""
_KEPT = frozenset({"deletion", "key"})
"""kinds whose records are looked at again once all lines are read"""
_REF = struct.Struct(">QQ32s")
"""a reference: the number of its record, the number and the leaf hash that it names"""


class Task(NamedTuple):
    """A range of one file, cut at line ends."""

    path: str
    start: int
    end: int
    wanted: frozenset[int]
    head: Head | None


class Span(NamedTuple):
    """What a range was found to hold; ``opening`` is the first line's envelope. Ranges that do not hold have none.

    :param leaves: the leaf hash of each line. :param refs: packed, see ``_REF``.
    :param kept: envelopes of the kinds in ``_KEPT``.
    """

    first: Place
    after: Place
    nodes: list[Node]
    at_sizes: dict[int, list[Node]]
    opening: dict[str, Any]
    leaves: bytearray
    refs: bytearray
    kept: list[dict[str, Any]]


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


def check_range(task: Task) -> Span | None:
    """Check a range by what its first line says of itself; None when it does not hold."""
    nodes: list[Node] = []
    at_sizes: dict[int, list[Node]] = {}
    kept: list[dict[str, Any]] = []
    leaves, refs = bytearray(), bytearray()
    with Path(task.path).open("rb") as stream:
        stream.seek(task.start)
        try:
            opening = parse_canonical(stream.readline(MAX_LINE_BYTES).rstrip(b"\n"))
            first = Place(opening["seq"], opening["prev"], opening["log_id"])
            seq, last = first.seq, first.prev
            stream.seek(task.start)
            for _, raw, line_hash, told in follow(stream, first, _SHAPES.read, head=task.head, end=task.end):
                leaf = leaf_hash(raw)
                push(nodes, 0, seq, leaf)
                leaves += leaf
                for named in told.refs:
                    refs += _REF.pack(seq, *named)
                if told.kind in _KEPT:
                    kept.append(parse_canonical(raw))
                seq, last = seq + 1, line_hash
                if seq in task.wanted:
                    at_sizes[seq] = list(nodes)
        except (LineFault, NotCanonical, KeyError, TypeError):
            return None
    after = Place(seq, last, first.log_id)
    return Span(first, after, nodes, at_sizes, opening, leaves, refs, kept)


@dataclass
class Walk:
    """A log as far as it has been checked; ``leaf_hashes`` has 32 bytes a record, for what later ones refer to."""

    at: Place = field(default_factory=Place)
    nodes: list[Node] = field(default_factory=list)
    roots: dict[int, bytes] = field(default_factory=dict)
    begun: list[tuple[Path, int]] = field(default_factory=list)
    leaves: list[Leaves] = field(default_factory=list)
    leaf_hashes: bytearray = field(default_factory=bytearray)
    kept: list[dict[str, Any]] = field(default_factory=list)

    def take_leaves(self, path: Path, wanted: frozenset[int]) -> None:
        """Go over a removed segment, of which only the leaves are there."""
        if int(path.stem[-12:]) != self.at.seq:
            raise LineFault(self.at.seq, f"missing: {path.name} does not begin here")
        leaves, count = path.read_bytes(), self.at.seq
        if len(leaves) % 32:
            raise LineFault(self.at.seq, f"torn: {path.name} does not hold whole leaf hashes")
        self.leaves.append(Leaves(path, count, len(leaves) // 32, hashlib.sha256(leaves).hexdigest()))
        self.leaf_hashes += leaves
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
        if task.start == 0 and self.at.seq:
            self._check_opening(span.opening)
        self.leaf_hashes += span.leaves
        if not all(self._holds(*ref) for _, *ref in _REF.iter_unpack(span.refs)):
            del self.leaf_hashes[32 * self.at.seq :]
            self._name_fault(task, end)
        for size, nodes in span.at_sizes.items():
            self.roots[size] = root_of(_joined(self.nodes, nodes))
        self.nodes = _joined(self.nodes, span.nodes)
        self.at = span.after
        self.kept += span.kept

    def _follows(self, first: Place) -> bool:
        pairs = zip(self.at, first)  # noqa: B905  two places, as long as each other
        return all(known in (None, claimed) for known, claimed in pairs)

    def _holds(self, seq: int, leaf: bytes) -> bool:
        """Whether an earlier record has this leaf hash."""
        return self.leaf_hashes[32 * seq : 32 * seq + 32] == leaf

    def _name_fault(self, task: Task, end: int) -> NoReturn:
        with Path(task.path).open("rb") as stream:
            stream.seek(task.start)
            for line in scan(stream, self.at, head=task.head, end=end):
                for seq, leaf in links_of(line.envelope).refs:
                    if not self._holds(seq, leaf):
                        raise LineFault(self.at.seq, f"forged reference: record {seq} has another leaf hash than this")
                self.leaf_hashes += leaf_hash(line.raw)
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
        told = [(each["seq"], each["body"]) for each in self.of_kind("deletion")]
        if self.leaves and not any(self.leaves[-1].removed_by(*deletion) for deletion in told):
            raise BadEvidence(f"missing: no record says that what {self.leaves[-1].path.name} stands for was removed")

    def of_kind(self, kind: str) -> Iterator[dict[str, Any]]:
        """The envelopes of a kind in ``_KEPT`` that are there."""
        return (envelope for envelope in self.kept if envelope["kind"] == kind)

    def prev_of(self, seq: int | None) -> str | None:
        """Hash of the record before ``seq`` where that one was kept, else of the last that was gone over."""
        return next((envelope["prev"] for envelope in self.kept if envelope["seq"] == seq), self.at.prev)

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
