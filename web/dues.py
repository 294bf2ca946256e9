"""What contracts come to for this participant, read from their documents: what is owed to it, and what it owes.

A document holds the contract as it is on the wire, which a peer may have shaped, so whatever is missing or odd in it
counts as not told.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from beckn.packs.settlement import HOURS, PENNY
from core.trade import Contract, ContractState, Side

if TYPE_CHECKING:
    from store.contracts import ContractRepository

_ZERO = Decimal(0)
_MOST = Decimal(10) ** 15
_OVERLAP = timedelta(hours=1)
"""a change may be committed later than the instant that it bears"""


class Basis(StrEnum):
    """How firm an amount is."""

    SETTLED = "settled"
    PROMISED = "promised"
    """if all that was promised is delivered"""
    QUOTED = "quoted"
    """of a draft: nobody owes it yet"""


@dataclass(frozen=True, slots=True)
class Due:
    """What a contract comes to.

    :param amount: positive where this participant receives; None where the document does not tell.
    :param reckoned: the same by this side's own settled half-hours, to the penny; None before there are any.
    """

    amount: Decimal | None
    currency: str
    basis: Basis
    reckoned: Decimal | None = None

    @property
    def owed(self) -> bool:
        """Whether somebody owes it."""
        return self.basis is not Basis.QUOTED and bool(self.amount)

    @property
    def disagrees(self) -> bool:
        """Whether the contract says another amount than our own half-hours."""
        return None not in {self.amount, self.reckoned} and self.amount != self.reckoned


def figure(value: Any) -> Decimal | None:
    """A number, or the text of one, as a decimal; None for anything else, and for what no figure here can be."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found) < _MOST else None


def part(value: Any, *names: str) -> Any:
    """What stands under ``names`` in nested objects; None where one of them is missing."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; none where it is no list."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def on_the_wire(document: Mapping[str, Any]) -> Any:
    """The contract as messages have it: ``wire`` of what others ask of us, ``contract`` of what we ask of them."""
    return document.get("wire", document.get("contract"))


def role(contract: Contract) -> str:
    """``seller`` or ``buyer``: our part by the contract's roles, or else whoever was asked sells."""
    for each in objects(part(on_the_wire(contract.document), "contractAttributes", "roles")):
        if each.get("participantId") == contract.peer_id and each.get("role") in ("seller", "buyer"):
            return "buyer" if each["role"] == "seller" else "seller"
    return "seller" if contract.side is Side.PROVIDER else "buyer"


def due(contract: Contract) -> Due:
    """What a contract comes to for us."""
    sign = 1 if role(contract) == "seller" else -1
    reckoned = _reckoned(contract.document)
    own = None if reckoned is None else sign * reckoned
    flow, currency = _flow(contract)
    if flow is not None:
        return Due(flow, currency, Basis.SETTLED, own)
    told, currency = _consideration(contract.document)
    if own is not None:
        return Due(own, currency, Basis.SETTLED, own)
    if contract.state is ContractState.CANCELLED:
        return Due(_ZERO, currency, Basis.SETTLED)
    basis = Basis.QUOTED if contract.state is ContractState.DRAFT else Basis.PROMISED
    amount = _quoted(contract.document) if told is None else told
    return Due(None if amount is None else sign * amount, currency, basis)


def _flow(contract: Contract) -> tuple[Decimal | None, str]:
    """What flows to our role by the contract, and the currency."""
    ours = role(contract)
    found = objects(part(on_the_wire(contract.document), "contractAttributes", "revenueFlows"))
    mine = [
        (value, each) for each in found if each.get("role") == ours and (value := figure(each.get("value"))) is not None
    ]
    currency = _currency(mine[0][1]) if mine else "GBP"
    return (sum((value for value, _ in mine), _ZERO) if mine else None), currency


def _consideration(document: Mapping[str, Any]) -> tuple[Decimal | None, str]:
    found = [each.get("considerationAttributes") for each in objects(part(on_the_wire(document), "consideration"))]
    amounts = [(value, each) for each in objects(found) if (value := figure(each.get("amount"))) is not None]
    currency = _currency(amounts[0][1]) if amounts else "GBP"
    return (sum((value for value, _ in amounts), _ZERO) if amounts else None), currency


def _currency(told: Mapping[str, Any]) -> str:
    found = told.get("currency")
    return found if isinstance(found, str) and len(found) == 3 and found.isalpha() else "GBP"


def _quoted(document: Mapping[str, Any]) -> Decimal | None:
    """What all half-hours come to if they are delivered, to the penny."""
    amounts = [
        kw * HOURS * price
        for item in objects(document.get("items"))
        for line in objects(item.get("lines"))
        if (kw := figure(line.get("kw"))) is not None and (price := figure(line.get("price"))) is not None
    ]
    return sum(amounts, _ZERO).quantize(PENNY) if amounts else None


def _reckoned(document: Mapping[str, Any]) -> Decimal | None:
    """What the seller receives by the settled half-hours, rounded once."""
    rows = objects(document.get("settled"))
    if not rows:
        return None
    exact = sum(((figure(row.get("pay")) or _ZERO) - (figure(row.get("penalty")) or _ZERO) for row in rows), _ZERO)
    return exact.quantize(PENNY)


@dataclass(frozen=True, slots=True)
class Total:
    """A sum over contracts, positive: owed to us or by us, in one currency and equally firm."""

    to_us: bool
    basis: Basis
    currency: str
    amount: Decimal
    contracts: int


class Owing:
    """Sums of what is owed; reads each contract once, and again when it has changed."""

    def __init__(self, contracts: ContractRepository) -> None:
        self._contracts = contracts
        self._lock = threading.Lock()
        self._seen: datetime | None = None
        self._known: dict[str, Due] = {}

    def totals(self) -> list[Total]:
        """What is owed by now, to us first, what is settled first."""
        with self._lock:
            since = None if self._seen is None else self._seen - _OVERLAP
            for contract in self._contracts.changed(since):
                self._known[contract.contract_id] = due(contract)
                self._seen = max(self._seen or contract.updated_at, contract.updated_at)
            return sorted(_totals(self._known), key=lambda each: (not each.to_us, each.basis is not Basis.SETTLED))


def _totals(known: Mapping[str, Due]) -> Iterator[Total]:
    found: dict[tuple[bool, Basis, str], list[Decimal]] = {}
    for each in known.values():
        if each.amount is not None and each.owed:
            found.setdefault((each.amount > 0, each.basis, each.currency), []).append(abs(each.amount))
    for (to_us, basis, currency), amounts in found.items():
        yield Total(to_us, basis, currency, sum(amounts, _ZERO), len(amounts))
