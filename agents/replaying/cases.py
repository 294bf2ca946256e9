"""The decision log as cases: each round with the decisions that it led to and the answers recorded before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audit.record import Record
from audit.verify import records_in

ROUND = "negotiation_round"
DECISION = "decision"


@dataclass(frozen=True, slots=True)
class Told:
    """What record ``seq``, the first to do so, tells of a stored answer.

    :param fetched_at: as it stands there.
    :param bodies: what was asked, by the SHA-256 of what came.
    """

    seq: int
    fetch_id: str
    feed: str
    fetched_at: str
    bodies: Mapping[str, str]

    @classmethod
    def of(cls, record: Record) -> Told:
        body = record.body
        answers = {answer["sha256"]: answer["url"] for answer in body["answers"]}
        return cls(record.seq, body["fetch_id"], body["feed"], body["fetched_at"], answers)


@dataclass(frozen=True, slots=True)
class Case:
    """A round and its decisions, in the order of the log.

    :param round: None for decisions of a tick at which nothing was negotiated.
    :param ended: decisions of the same tick from before the round: jobs given up because their window had closed.
    :param answers: stored answers that the log tells of, by fetch; those after the round may be among them.
    :param offset: bytes of the log up to the case.
    """

    round: Record | None
    decisions: tuple[Record, ...]
    ended: tuple[Record, ...]
    answers: Mapping[str, Told]
    offset: int

    def has(self, target: str) -> bool:
        """Whether ``target`` is the sequence number or the id of one of its records."""
        mine = [*([self.round] if self.round else []), *self.decisions, *self.ended]
        return any(target in (str(record.seq), name_of(record)) for record in mine)


def name_of(record: Record) -> str:
    """The id of a round or a decision."""
    return str(record.body["round_id" if record.kind == ROUND else "decision_id"])


@dataclass(slots=True)
class _Open:
    """A case that is being read."""

    answers: dict[str, Told] = field(default_factory=dict)
    round: Record | None = None
    decisions: list[Record] = field(default_factory=list)
    ended: list[Record] = field(default_factory=list)
    offset: int = 0

    def closed(self) -> Iterator[Case]:
        """The case, if there is one; what comes next is another."""
        if self.round is not None or self.ended:
            yield Case(self.round, tuple(self.decisions), tuple(self.ended), self.answers, self.offset)
        self.round, self.decisions, self.ended = None, [], []

    def leads_to(self, record: Record) -> bool:
        """Whether ``record``, a round or a decision, belongs to the tick of what has been read."""
        tick = record.body["round_id" if record.kind == ROUND else "round_seq_id"]
        if self.round is not None:
            return record.kind == DECISION and bool(tick == self.round.body["round_id"])
        return all(each.body["round_seq_id"] == tick for each in self.ended)

    def take(self, record: Record) -> None:
        """Add a record that belongs to the tick."""
        if record.kind == ROUND:
            self.round = record
        else:
            (self.ended if self.round is None else self.decisions).append(record)


def cases(path: Path) -> Iterator[Case]:
    """Every case of the log at ``path``; the chain is checked on the way.

    One case at a time is in memory, and what the log tells of stored answers.

    :raises LogDamaged: naming the first bad line.
    """
    reading, offset = _Open(), 0
    for record in records_in(path):
        offset += len(record.line) + 1
        if record.kind == "feed_snapshot":
            reading.answers.setdefault(record.body["fetch_id"], Told.of(record))
        elif record.kind in (ROUND, DECISION):
            if not reading.leads_to(record):
                yield from reading.closed()
            reading.take(record)
            reading.offset = offset
    yield from reading.closed()
