"""``audit replay``: derive decisions again from what was stored, without a network."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from tqdm import tqdm

from agents.replaying.cases import DECISION, ROUND, Case, cases
from agents.replaying.findings import Replayed, Verdict, worst
from agents.replaying.replayer import Replayer
from commands.keeping import log_path
from core.clock import Clock
from core.errors import InputError
from core.settings import Settings
from store.database import Database
from store.vintages import VintageRepository

STATUS = {Verdict.SAME: 0, Verdict.DIFFERS: 1, Verdict.NOT_REPLAYABLE: 3}
"""2 is for input that cannot be used."""


@dataclass(frozen=True, slots=True)
class Summary:
    """All that was derived again, counted."""

    rounds: int
    decisions: int
    same: int
    differs: int
    not_replayable: int
    figures_read_again: int
    figures_without_bytes: int

    @classmethod
    def of(cls, results: Sequence[Replayed]) -> Summary:
        kinds, verdicts = Counter(each.kind for each in results), Counter(each.verdict for each in results)
        return cls(
            rounds=kinds[ROUND],
            decisions=kinds[DECISION],
            same=verdicts[Verdict.SAME],
            differs=verdicts[Verdict.DIFFERS],
            not_replayable=verdicts[Verdict.NOT_REPLAYABLE],
            figures_read_again=sum(each.compared for each in results),
            figures_without_bytes=sum(each.unstored for each in results),
        )

    def words(self) -> str:
        """For a person."""
        return (
            f"{self.rounds} rounds and {self.decisions} decisions derived again: {self.same} the same, "
            f"{self.differs} differ, {self.not_replayable} cannot be replayed; {self.figures_read_again} figures read "
            f"again from stored bytes, {self.figures_without_bytes} simulated or from recorded data"
        )


def replay_log(arguments: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    """0 where all comes out the same, 1 where something differs, 3 where something could only not be told."""
    log = log_path(settings)
    pruned_before = clock.now() - timedelta(days=settings.keep_answers_days)
    database = Database(settings.resolved_database_url)
    try:
        replayer = Replayer(settings.data_dir, VintageRepository(database), pruned_before)
        results = list(_results(replayer, log, arguments))
    finally:
        database.close()
    if arguments.json:
        told = [asdict(each) | {"verdict": each.verdict} for each in results]
        print(json.dumps({"summary": asdict(Summary.of(results)), "records": told}))
    else:
        for each in results:
            for finding in each.findings:
                print(f"! record {each.seq}, {each.kind} {each.name}, {finding.verdict}: {finding.what}: {finding.why}")
        print(Summary.of(results).words())
    return STATUS[worst(each.verdict for each in results)]


def _results(replayer: Replayer, log: Path, arguments: argparse.Namespace) -> Iterator[Replayed]:
    """How every case came out, or the one that was asked for: of a decision, it and its round."""
    if arguments.all == (arguments.target is not None):
        raise InputError(
            "one record is replayed, or all of them",
            field="target",
            value=arguments.target,
            remedy="Name a sequence number, a decision or a round, or say --all.",
        )
    with tqdm(total=log.stat().st_size, unit="B", unit_scale=True, disable=arguments.json, leave=False) as bar:
        if not arguments.all:
            yield from _of_target(replayer, _case_of(log, arguments.target), arguments.target)
            return
        for case in cases(log):
            yield from replayer.replay(case)
            bar.update(case.offset - bar.n)


def _case_of(log: Path, target: str) -> Case:
    found = next((case for case in cases(log) if case.has(target)), None)
    if found is None:
        raise InputError(
            f"{target!r} is no round and no decision on the log",
            field="target",
            value=target,
            remedy="Give the seq or the id of one; only these two kinds of record are derived from others.",
        )
    return found


def _of_target(replayer: Replayer, case: Case, target: str) -> Iterator[Replayed]:
    """Of a round all its decisions too."""
    results = replayer.replay(case)
    whole = any(each.kind == ROUND and target in (str(each.seq), each.name) for each in results)
    yield from (each for each in results if whole or each.kind == ROUND or target in (str(each.seq), each.name))
