"""The words of buying over Beckn: what was asked of several providers at once, and what utilities were seen to need."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class PurchaseState(StrEnum):
    """How far a purchase of compute windows is."""

    DISCOVERING = "discovering"
    """providers are asked what they offer"""
    NEGOTIATING = "negotiating"
    """its legs are selected, initialised and confirmed"""
    CANCELLING = "cancelling"
    """a leg failed for good: the others are given back"""
    CONFIRMED = "confirmed"
    PARTIAL = "partial"
    """less than was wanted is confirmed, which was allowed"""
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing is owed or waited for any more."""
        return self in {PurchaseState.CONFIRMED, PurchaseState.PARTIAL, PurchaseState.FAILED}


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase as it stands; its legs are contracts of the same transaction.

    :param purchase_id: also the id of its transaction.
    :param deadline: until when answers to what was asked of all are waited for; None once that is over.
    :param document: what is wanted, who was asked, what was chosen.
    :param version: grows by one with every change.
    """

    purchase_id: str
    state: PurchaseState
    created_at: datetime
    updated_at: datetime
    deadline: datetime | None
    document: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None
    version: int = 0


class NeedState(StrEnum):
    """What became of a need that was seen."""

    OPEN = "open"
    ANSWERED = "answered"
    PASSED = "passed"
    """it was not answered, for a reason that is kept"""


@dataclass(frozen=True, slots=True)
class SeenNeed:
    """A utility's need as a catalog told it last.

    :param peer_id: who told it, and to whom the answer goes. :param ends: of its last half-hour.
    :param document: ``resource`` and ``offer`` as they came.
    :param contract_id: of the answer to it.
    """

    need_id: str
    peer_id: str
    peer_uri: str
    seen_at: datetime
    ends: datetime
    state: NeedState
    document: dict[str, Any]
    reason: str | None = None
    contract_id: str | None = None
    version: int = 0
