"""What the provider works with: the request under way, and the parts it uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from beckn.correspondence import Correspondence
from beckn.identity import SellingTerms
from beckn.protocol.context import Context
from beckn.provider.alerts import Alerts
from beckn.provider.paper import Paper
from beckn.provider.records import Records
from beckn.provider.stock import Stock
from core.clock import Clock
from core.site import Site
from core.trade import Message
from store.contracts import ContractRepository
from store.trading import Trading


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is being worked off."""

    message: Message
    context: Context
    body: Mapping[str, Any]

    @property
    def asked(self) -> Mapping[str, Any]:
        """Its message."""
        told: Mapping[str, Any] = self.body["message"]
        return told

    @property
    def dialect(self) -> Mapping[str, Any] | None:
        """The names of a request in the dialect of 2025; None for one of version 2."""
        return self.body.get("dialect")

    @property
    def trace(self) -> tuple[str, str]:
        """Transaction and message id."""
        return self.context.transaction_id, self.context.message_id


@dataclass(frozen=True, slots=True)
class Counter:
    """What the provider works with.

    :param plan_lock: under which capacity is held. :param catalogues: what is for sale, on the wire.
    :param sites: the sites by id.
    """

    stock: Stock
    paper: Paper
    contracts: ContractRepository
    trading: Trading
    correspondence: Correspondence
    records: Records
    clock: Clock
    terms: SellingTerms
    plan_lock: Callable[[], AbstractContextManager[bool]]
    catalogues: Callable[[], list[dict[str, Any]]]
    sites: Callable[[], Mapping[str, Site]]
    alerts: Alerts
