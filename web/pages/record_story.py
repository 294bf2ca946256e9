"""One record in its place: what it rests on, what else is known of the same matter, and what came of it later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from audit.log import AuditLog
from audit.record import Record
from core.errors import LogDamaged, NotFound
from core.slots import settlement_period

MOST = 40
"""records of one matter that a page shows; the timeline has all"""


@dataclass(frozen=True, slots=True)
class Reference:
    """A record that this one rests on.

    :param record: None where it cannot be read; ``fault`` then says why.
    :param holds: whether its leaf is the one that was referred to.
    """

    seq: int
    leaf: str
    record: Record | None
    fault: str = ""

    @property
    def holds(self) -> bool:
        """Whether the record is there with the leaf that was referred to."""
        return self.record is not None and self.record.leaf == self.leaf


@dataclass(frozen=True, slots=True)
class RecordStory:
    """What a page shows around a record.

    :param inputs: feed snapshots below it: its own references, or those of the round that it rests on.
    :param round: the negotiation in which it was decided; None where there is none, and for a round itself.
    :param trail: records of the same job, or decided in the same round, in the order in which they were written.
    :param more: how many of these are not shown.
    :param later: corrections, redactions and restatements of this very record.
    :param before: the decision of the same job before this one.
    :param settled: site and settlement date with which it was settled, where the log states that day.
    """

    references: Sequence[Reference]
    inputs: Sequence[Record]
    round: Record | None
    trail: Sequence[Record]
    more: int
    later: Sequence[Record]
    before: Record | None
    settled: tuple[str, str] | None


def record_story(log: AuditLog, record: Record) -> RecordStory:
    """What is known around ``record``."""
    round_ = _round(log, record)
    references = [_reference(log, ref.seq, ref.leaf) for ref in record.refs]
    below = references if round_ is None else [_reference(log, ref.seq, ref.leaf) for ref in round_.refs]
    snapshots = [each.record for each in below if each.record is not None and each.record.kind == "feed_snapshot"]
    trail, total = _trail(log, record)
    return RecordStory(
        references=references,
        inputs=snapshots,
        round=round_,
        trail=sorted({each.seq: each for each in [*trail, record, *([round_] if round_ else [])]}.values(), key=_seq),
        more=max(0, total - len(trail)),
        later=_later(log, record),
        before=_before(log, record),
        settled=_settled(log, record),
    )


def _seq(record: Record) -> int:
    return record.seq


def _reference(log: AuditLog, seq: int, leaf: str) -> Reference:
    try:
        return Reference(seq, leaf, log.get(seq))
    except (NotFound, LogDamaged) as error:
        return Reference(seq, leaf, None, str(error))


def _round(log: AuditLog, record: Record) -> Record | None:
    round_id = record.body.get("round_seq_id")
    if round_id is None:
        return None
    found, _ = log.records(kind="negotiation_round", round_id=round_id, limit=1)
    return found[0] if found else None


def _trail(log: AuditLog, record: Record) -> tuple[list[Record], int]:
    if "job_id" in record.body:
        return log.records(job_id=record.body["job_id"], limit=MOST)
    if "round_id" in record.body:
        return log.records(kind="decision", round_id=record.body["round_id"], limit=MOST)
    return [], 0


def _later(log: AuditLog, record: Record) -> list[Record]:
    """Records that name this one as what they correct, erase from or restate."""
    found, _ = log.records(kind="correction", follows=record.seq, limit=MOST)
    if record.kind == "correction":
        again, _ = log.records(kind="correction", follows=record.body["corrected_seq"], limit=MOST)
        found += [each for each in again if each.body.get("supersedes_seq") == record.seq]
    for commitment in _commitments(record):
        erased, _ = log.records(kind="redaction", text=commitment, limit=MOST)
        found += [each for each in erased if commitment in each.body["commitments"]]
    if record.kind == "settlement_period":
        restated, _ = log.records(
            kind=record.kind,
            site_id=record.body["site_id"],
            settlement_date=record.body["settlement_date"],
            text=f'"supersedes_seq":{record.seq},',
        )
        found += restated
    return sorted(found, key=_seq)


def _commitments(record: Record) -> set[str]:
    """Commitments that a record holds: those of its envelope, and the fields of its body that end so."""
    own = {text for name, text in record.body.items() if name.endswith("_commit") and isinstance(text, str)}
    return own | set(record.commit.values())


def _before(log: AuditLog, record: Record) -> Record | None:
    if record.kind != "decision":
        return None
    found, _ = log.records(kind="decision", job_id=record.body["job_id"], limit=1000)
    return next((each for each in found if each.seq < record.seq), None)


def _settled(log: AuditLog, record: Record) -> tuple[str, str] | None:
    """The day of the first run of a decision, or of the decision that a delivery followed."""
    followed = record.body.get("decision_seq")
    decision = record if followed is None else _reference(log, followed, "").record
    if decision is None or not decision.body.get("runs"):
        return None
    start = datetime.fromisoformat(decision.body["runs"][0]["start"])
    site_id, date = decision.body["site_id"], settlement_period(start).date.isoformat()
    _, stated = log.records(kind="settlement_period", site_id=site_id, settlement_date=date, limit=1)
    return (site_id, date) if stated else None
