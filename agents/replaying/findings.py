"""What a replay finds: the same, something else, or that it cannot be told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a record came out when it was derived again."""

    SAME = "same"
    DIFFERS = "differs"
    NOT_REPLAYABLE = "not replayable"
    """what it was derived from was never recorded, or was deleted when its time was over"""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a record that is not the same.

    :param what: the field, file or figure; ``why`` says in words what was recorded and what was found.
    """

    verdict: Verdict
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """How the record ``seq`` came out.

    :param name: the id of the round or decision.
    :param compared: figures read again from stored bytes.
    :param unstored: figures that rest on no stored bytes: simulated, or replayed from recorded data.
    """

    seq: int
    kind: str
    name: str
    findings: tuple[Finding, ...] = ()
    compared: int = 0
    unstored: int = 0

    @property
    def verdict(self) -> Verdict:
        """The worst of its findings."""
        return worst(finding.verdict for finding in self.findings)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """What differs outweighs what cannot be told."""
    found = set(verdicts)
    return next((each for each in (Verdict.DIFFERS, Verdict.NOT_REPLAYABLE) if each in found), Verdict.SAME)


def differs(what: str, why: str) -> Finding:
    """A finding that something is not what was recorded."""
    return Finding(Verdict.DIFFERS, what, why)


def lacking(what: str, why: str) -> Finding:
    """A finding that something cannot be told."""
    return Finding(Verdict.NOT_REPLAYABLE, what, why)
