"""The states of a contract as a drawing: which it has passed, where it is, and what can follow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.trade import Contract, ContractState


@dataclass(frozen=True, slots=True)
class Stop:
    """One state of the drawing.

    :param what: it means. :param by: what leads to it. :param mark: ``done``, ``now``, ``next`` or ``never``.
    """

    name: str
    what: str
    by: str
    mark: str


@dataclass(frozen=True, slots=True)
class Machine:
    """The line of states, the way out of it, and the same in a sentence."""

    line: tuple[Stop, ...]
    cancelled: Stop
    sentence: str


_LINE = (
    ("DRAFT", "terms are agreed on", "select"),
    ("held", "capacity is kept for it", "init"),
    ("ACTIVE", "capacity is promised", "confirm"),
    ("COMPLETE", "it has been settled", "settlement"),
)
_FOLLOWS = {
    0: "init holds capacity for it, cancel ends it",
    1: "confirm makes it active, cancel ends it",
    2: "it is complete once it has been settled, cancel ends it",
    3: "nothing follows",
}


def machine_of(contract: Contract, now: datetime) -> Machine:
    """Where a contract stands at ``now``."""
    cancelled = contract.state is ContractState.CANCELLED
    here = _position(contract, now)
    line = tuple(Stop(name, what, by, _mark(i, here, cancelled=cancelled)) for i, (name, what, by) in enumerate(_LINE))
    ended = contract.state.terminal
    way_out = Stop("CANCELLED", "it was called off", "cancel", "now" if cancelled else "never" if ended else "next")
    return Machine(line, way_out, _sentence(contract, here, now))


def lapsed(contract: Contract, now: datetime) -> bool:
    """Whether a draft has lost the capacity that was held for it."""
    return contract.state is ContractState.DRAFT and contract.held_until is not None and contract.held_until <= now


def _position(contract: Contract, now: datetime) -> int:
    """How far along the line it came."""
    if contract.state is ContractState.COMPLETE:
        return 3
    if contract.state is ContractState.ACTIVE:
        return 2
    if contract.state is ContractState.CANCELLED:
        return 2 if contract.log_seq is not None else 0
    return 1 if contract.held_until is not None and not lapsed(contract, now) else 0


def _mark(i: int, here: int, *, cancelled: bool) -> str:
    if i < here or (cancelled and i == here):
        return "done"
    if cancelled:
        return "never"
    return "now" if i == here else "next"


def _sentence(contract: Contract, here: int, now: datetime) -> str:
    if contract.state is ContractState.CANCELLED:
        after = "after it was confirmed" if contract.log_seq is not None else "before it was confirmed"
        return f"The contract was cancelled {after}; nothing follows."
    if lapsed(contract, now):
        return (
            "The contract is a draft whose hold has lapsed: its capacity is for sale again. Another init holds it anew."
        )
    name = "a draft that holds capacity" if here == 1 else f"{'a ' if here == 0 else ''}{_LINE[here][0].lower()}"
    return f"The contract is {name}: {_FOLLOWS[here]}."
