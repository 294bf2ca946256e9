"""The steps of a replay, from the bytes of the feeds to each decision.

::

    answers stored before the round -> figures of the instance -> the instance file
    instance, seed, effort, work    -> the plan, its digest and its certificate
    instance and plan               -> every decision of the round
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from agents.negotiation import Outcome
from agents.replaying import negotiated
from agents.replaying.cases import DECISION, ROUND, Case, Told, name_of
from agents.replaying.decided import Decided, given_up
from agents.replaying.findings import Finding, Replayed, differs, lacking
from agents.replaying.inputs import Answers, kept_instance
from audit.record import Record
from core.errors import SlackwaterError
from core.instance import Instance
from store.vintages import VintageRepository


class Replayer:
    """Derives cases of the log again; it reads files and the store, and neither a network nor a clock.

    :param folder: the data folder, which the paths on the log are relative to.
    :param pruned_before: stored answers from before this instant may be gone because their time was over.
    """

    def __init__(self, folder: Path, vintages: VintageRepository, pruned_before: datetime) -> None:
        self._folder = folder
        self._answers = Answers(vintages, pruned_before)

    def replay(self, case: Case) -> list[Replayed]:
        """How each record of a case came out, in the order of the log."""
        if case.round is None:
            return [_ended(record, None) for record in case.ended]
        instance, wrong = kept_instance(self._folder, case.round.body)
        made, round_ = self._round(case.round, instance, wrong, case.answers)
        decisions = list(_decisions(case, instance, made))
        return [*(_ended(record, instance) for record in case.ended), round_, *decisions]

    def _round(
        self, record: Record, instance: Instance | None, wrong: list[Finding], answers: Mapping[str, Told]
    ) -> tuple[Outcome | None, Replayed]:
        """The round's outcome, None where it cannot be derived, and how its record came out."""
        body, compared, unstored = record.body, 0, 0
        found = [*wrong, *self._answers.check(record, answers)]
        made = None
        if instance is not None:
            reread, odd = self._answers.reread(body, instance, found)
            compared, unstored = reread.compared, reread.unstored
            found += odd
            if not wrong:
                made, more = _negotiated(body, instance)
                found += more
        return made, Replayed(record.seq, ROUND, name_of(record), tuple(found), compared, unstored)


def _negotiated(body: Mapping[str, Any], instance: Instance) -> tuple[Outcome | None, list[Finding]]:
    """A round negotiated again, as far as its record tells how, and what came out otherwise."""
    if missing := negotiated.lacks(body):
        return None, [
            lacking(name, "the record does not hold it: it was written before it was kept") for name in missing
        ]
    try:
        made = negotiated.again(body, instance)
    except SlackwaterError as error:
        return None, [differs("output_sha256", f"negotiating again failed: {error}")]
    return made, list(negotiated.compared(body, made))


def _ended(record: Record, instance: Instance | None) -> Replayed:
    return Replayed(record.seq, DECISION, name_of(record), tuple(given_up(record.body, instance)))


def _decisions(case: Case, instance: Instance | None, made: Outcome | None) -> Iterator[Replayed]:
    """How the decisions of a round came out."""
    if case.round is None:
        return
    if instance is None or made is None:
        why = (lacking("round", f"its round, record {case.round.seq}, could not be negotiated again"),)
        yield from (Replayed(record.seq, DECISION, name_of(record), why) for record in case.decisions)
        return
    decided = Decided(instance, made, case.decisions)
    for record in case.decisions:
        found = tuple(decided.compared(record.body, case.round.body))
        yield Replayed(record.seq, DECISION, name_of(record), found)
