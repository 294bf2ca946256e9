"""Flows to the settlement agents: what was sent, what was heard of it, and whether it was in time.

Receipt is not acceptance, and acceptance is not settlement: a state is reached only by the message that means it.
A flow that has no acceptance message is never accepted. Flows, deadlines and messages: docs/evidence.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from accounting.settlement_days import SettlementDay, gate_closure, london_instant
from accounting.working_days import WorkingDays
from core.errors import Conflict
from core.slots import settlement_period

RECEIPT = "ADT"
"""the receipt that any file gets: its bytes arrived, nothing more"""
SETTLEMENT_REPORT = "settlement report"
"""a report of a settlement run that contains the item"""


class FlowState(StrEnum):
    """Where a flow stands; the last four are ends."""

    DUE = "due"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    SETTLED = "settled"
    MISSED = "missed"


S = FlowState
_NEXT: Mapping[FlowState, frozenset[FlowState]] = {
    S.DUE: frozenset({S.SENT, S.MISSED}),
    S.SENT: frozenset({S.ACKNOWLEDGED, S.ACCEPTED, S.REJECTED, S.SETTLED}),
    S.ACKNOWLEDGED: frozenset({S.ACCEPTED, S.REJECTED, S.SETTLED}),
    S.ACCEPTED: frozenset({S.SETTLED}),
    S.REJECTED: frozenset(),
    S.SETTLED: frozenset(),
    S.MISSED: frozenset(),
}

Deadline = Callable[[datetime, WorkingDays], datetime]
"""The last instant for a flow about the period that starts at an instant."""


def _at_gate_closure(sp_start: datetime, working: WorkingDays) -> datetime:  # noqa: ARG001  one shape for all deadlines
    return gate_closure(sp_start)


def _the_evening_before(sp_start: datetime, working: WorkingDays) -> datetime:  # noqa: ARG001  likewise
    return london_instant(settlement_period(sp_start).date - timedelta(days=1), 23, 59)


def _next_working_day(sp_start: datetime, working: WorkingDays) -> datetime:
    return SettlementDay(working.after(settlement_period(sp_start).date, 1)).end


@dataclass(frozen=True, slots=True)
class Flow:
    """A kind of submission.

    :param code: its number in the BSC's catalogue.
    :param answers: what each business message in answer to it means.
    """

    name: str
    code: str
    deadline: Deadline
    answers: Mapping[str, FlowState]

    @property
    def tells_acceptance(self) -> bool:
        """Whether any message says that it was accepted."""
        return S.ACCEPTED in self.answers.values()


FLOWS: Mapping[str, Flow] = {
    flow.name: flow
    for flow in (
        Flow("WMAN", "E0511", _at_gate_closure, {"E0521": S.REJECTED}),
        Flow("ECVN", "E0041", _at_gate_closure, {"E0281": S.ACCEPTED, "E0091": S.REJECTED}),
        Flow("SEV", "P0328", _at_gate_closure, {"P0330": S.ACCEPTED, "P0331": S.ACCEPTED, "P0329": S.REJECTED}),
        Flow(
            "SEV default", "P0328", _the_evening_before, {"P0330": S.ACCEPTED, "P0331": S.ACCEPTED, "P0329": S.REJECTED}
        ),
        Flow("delivered volume", "P0282", _next_working_day, {"P0284": S.ACCEPTED, "P0283": S.REJECTED}),
    )
}
"""The submissions of a Virtual Trading Party by name. A warning (P0331) stands as an acceptance of a zero volume."""


@dataclass(frozen=True, slots=True)
class FlowRecord:
    """One submission and what is known of it.

    :param heard: the message that led to the state; None until one came.
    """

    flow: Flow
    deadline: datetime
    state: FlowState = S.DUE
    state_at: datetime | None = None
    file_sha256: str | None = None
    sent_at: datetime | None = None
    heard: str | None = None
    reject_code: str | None = None

    def __post_init__(self) -> None:
        if self.state is S.ACCEPTED and (self.heard is None or self.flow.answers.get(self.heard) is not S.ACCEPTED):
            raise Conflict(f"{self.flow.name} cannot be accepted: no message that accepts it was heard")

    @classmethod
    def due(cls, name: str, sp_start: datetime, working: WorkingDays) -> FlowRecord:
        """A flow about the period that starts at ``sp_start``, not sent yet."""
        flow = FLOWS[name]
        return cls(flow, flow.deadline(sp_start, working))

    def sent(self, at: datetime, file_sha256: str) -> FlowRecord:
        """The file has left at ``at``; too late, it is missed, although it was sent."""
        state = S.SENT if at <= self.deadline else S.MISSED
        return self._moved(state, at, sent_at=at, file_sha256=file_sha256)

    def looked_at(self, now: datetime) -> FlowRecord:
        """The same, or missed where it was due and its deadline has passed."""
        return self._moved(S.MISSED, now) if self.state is S.DUE and now > self.deadline else self

    def answered(self, message: str, at: datetime, reject_code: str | None = None) -> FlowRecord:
        """A message about it came; :class:`Conflict` for one that it cannot have, or not in its state."""
        if message == RECEIPT:
            return self._moved(S.ACKNOWLEDGED, at, heard=message)
        if message == SETTLEMENT_REPORT:
            return self._settled(at)
        if message not in self.flow.answers:
            raise Conflict(f"{message} does not answer {self.flow.name} ({self.flow.code})")
        return self._moved(self.flow.answers[message], at, heard=message, reject_code=reject_code)

    def _settled(self, at: datetime) -> FlowRecord:
        if self.flow.tells_acceptance and self.state is not S.ACCEPTED:
            raise Conflict(f"{self.flow.name} is {self.state}, not accepted, and so cannot be settled")
        return self._moved(S.SETTLED, at, heard=SETTLEMENT_REPORT)

    def _moved(self, state: FlowState, at: datetime, **known: Any) -> FlowRecord:
        if state not in _NEXT[self.state]:
            raise Conflict(f"{self.flow.name} is {self.state} and cannot become {state}")
        return replace(self, state=state, state_at=at, **known)
