"""Settlement runs, and records that are restated: nothing is overwritten, so every earlier view can be had again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from accounting.working_days import WorkingDays
from core.errors import Conflict


class Run(IntEnum):
    """The runs of the BSC, from the interim information to the last dispute; later ones outrank earlier ones."""

    II = 0
    SF = 1
    R1 = 2
    R2 = 3
    R3 = 4
    RF = 5
    DF = 6

    @property
    def binds(self) -> bool:
        """Whether money moves on it: SF and later."""
        return self >= Run.SF


class RunCalendar(BaseModel):
    """Working days from the settlement date to each run. They change (MHHS), so they are data of the operator."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    working_days: dict[str, int] = Field(description="run to working days, such as SF = 16")

    @model_validator(mode="after")
    def _known_and_in_order(self) -> Self:
        runs = [Run[name] if name in Run.__members__ else None for name in self.working_days]
        if None in runs:
            raise ValueError(f"runs are {', '.join(Run.__members__)}, not {', '.join(self.working_days)}")
        days = [self.working_days[run.name] for run in Run if run.name in self.working_days]
        if days != sorted(set(days)) or min(days, default=0) < 1:
            raise ValueError(f"each run must come after the one before, from 1 working day on: {self.working_days}")
        return self

    def due(self, settlement_date: date, working: WorkingDays) -> dict[Run, date]:
        """The day of each run for a settlement date, in order."""
        return {
            run: working.after(settlement_date, self.working_days[run.name])
            for run in Run
            if run.name in self.working_days
        }


@dataclass(frozen=True, slots=True, order=True)
class PeriodKey:
    """What a settlement record is about; ``pair`` is the commitment of an MSID pair, or empty for a whole site."""

    site_id: str
    settlement_date: date
    settlement_period: int
    pair: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """One version of the figures of a period.

    :param seq: its number in the log, and ``recorded_at`` when it was appended.
    :param run: the settlement run it states; None where no run is claimed.
    :param supersedes_seq: the version that it replaces; None for the first.
    :param figures: what is stated, as recorded.
    """

    key: PeriodKey
    seq: int
    recorded_at: datetime
    run: Run | None
    revision: int
    supersedes_seq: int | None
    figures: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Restatement:
    """Number of a new version, and what it replaces."""

    revision: int
    supersedes_seq: int | None


def restate(held: Statement | None, run: Run | None, figures: Mapping[str, object]) -> Restatement | None:
    """How ``figures`` are to be recorded given the version held; None where they say nothing new.

    :raises Conflict: for a run earlier than the one held.
    """
    if held is None:
        return Restatement(0, None)
    if held.run is not None and (run is None or run < held.run):
        raise Conflict(f"record {held.seq} states run {held.run.name}; an earlier run cannot replace it")
    if (held.run, dict(held.figures)) == (run, dict(figures)):
        return None
    return Restatement(held.revision + 1, held.seq)


def histories(records: Iterable[Statement]) -> dict[PeriodKey, list[Statement]]:
    """The versions of each period, oldest first.

    :raises Conflict: when one does not replace the version before it.
    """
    found: dict[PeriodKey, list[Statement]] = {}
    for record in sorted(records, key=lambda each: each.seq):
        versions = found.setdefault(record.key, [])
        before = (versions[-1].revision + 1, versions[-1].seq) if versions else (0, None)
        if (record.revision, record.supersedes_seq) != before:
            raise Conflict(f"record {record.seq} does not follow from the version of the period before it")
        versions.append(record)
    return found


def as_of(records: Sequence[Statement], instant: datetime) -> dict[PeriodKey, Statement]:
    """What was stated at ``instant``: of each period the latest version appended by then."""
    known = (record for record in records if record.recorded_at <= instant)
    return {key: versions[-1] for key, versions in histories(known).items()}


def binding(records: Sequence[Statement], instant: datetime) -> dict[PeriodKey, Statement]:
    """What bound at ``instant``: of each period the latest version of the latest run at or after SF; others absent."""
    known = histories(record for record in records if record.recorded_at <= instant)
    found = {key: _of_binding_runs(versions) for key, versions in known.items()}
    return {key: versions[-1] for key, versions in found.items() if versions}


def _of_binding_runs(versions: Sequence[Statement]) -> list[Statement]:
    return [each for each in versions if each.run is not None and each.run.binds]
