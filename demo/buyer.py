"""A scripted buyer: the requests of a consumer, each with its acknowledgement and its callback."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from beckn.packs.contracts import contract_attributes, own_policy
from beckn.packs.demand_flex import SERIES_CONTEXT
from beckn.packs.grid import wire_number
from core.slots import SLOT, format_utc
from demo.peers import ScriptedPeer, Travelled


@dataclass(frozen=True, slots=True)
class Answered:
    """A request, its acknowledgement, and what was called back."""

    request: Travelled
    callback: dict[str, Any]

    @property
    def contract(self) -> dict[str, Any]:
        """The contract that came back."""
        told: dict[str, Any] = self.callback["message"]["contract"]
        return told

    @property
    def error(self) -> str | None:
        """Code of the error that came back."""
        told = self.callback.get("error")
        return None if not told else str(told["code"])


@dataclass(frozen=True, slots=True)
class OnSale:
    """A resource of a catalog, its offer, and its figures by half-hour."""

    resource: dict[str, Any]
    offer: dict[str, Any]

    def figures(self, name: str) -> dict[datetime, Decimal]:
        """A column by the start of its half-hours."""
        told = self.resource["resourceAttributes"]
        start = datetime.fromisoformat(told["intervalPeriod"]["start"])
        return {
            start + SLOT * interval["id"]: Decimal(str(payload["values"][0]))
            for interval in told["intervals"]
            for payload in interval["payloads"]
            if payload["type"] == name and payload["values"]
        }


class ScriptedBuyer(ScriptedPeer):
    """A BAP."""

    def ask(
        self,
        to: tuple[str, str],
        action: str,
        message: Mapping[str, Any],
        transaction_id: str | None = None,
        **changes: Any,
    ) -> Answered:
        """Send a request, and wait for what is called back.

        :raises RuntimeError: it was refused. :raises TimeoutError: nothing was called back.
        """
        sent = self.tell(to, action, message, transaction_id, **changes)
        if not sent.accepted:
            raise RuntimeError(f"{to[0]} refused {action}: HTTP {sent.status} {sent.answer.decode()[:500]}")
        return Answered(sent, self.awaited(f"on_{action}", sent.message_id))

    def tell(
        self,
        to: tuple[str, str],
        action: str,
        message: Mapping[str, Any],
        transaction_id: str | None = None,
        **changes: Any,
    ) -> Travelled:
        """Send a request, and wait for nothing."""
        return self.post(to, {"context": self.asking(to, action, transaction_id, **changes), "message": dict(message)})

    def asking(
        self, to: tuple[str, str], action: str, transaction_id: str | None = None, **changes: Any
    ) -> dict[str, Any]:
        """The context of a request."""
        roles = {"bapId": self.name, "bapUri": self.url, "bppId": to[0], "bppUri": to[1]}
        return self.context(action, transaction_id or str(uuid.uuid4()), **{**roles, **changes})

    def contract(
        self, seller: tuple[str, str], on_sale: OnSale, starts: datetime, kw: Sequence[Decimal]
    ) -> dict[str, Any]:
        """A contract that asks for ``kw`` in the half-hours from ``starts`` on."""
        most = wire_number(max(kw))
        return {
            "status": {"code": "DRAFT"},
            "commitments": [
                {
                    "id": "first",
                    "status": {"descriptor": {"code": "DRAFT"}},
                    "resources": [
                        {
                            "id": on_sale.resource["id"],
                            "quantity": {"@type": "Quantity", "unitCode": "kW", "unitQuantity": most},
                        }
                    ],
                    "offer": {"id": on_sale.offer["id"], "resourceIds": [on_sale.resource["id"]]},
                    "commitmentAttributes": requested(starts, kw),
                }
            ],
            "contractAttributes": contract_attributes(self.name, seller[0], own_policy(seller[1])),
        }


def requested(starts: datetime, kw: Sequence[Decimal]) -> dict[str, Any]:
    """The ``commitmentAttributes`` that ask for power."""
    column = "CAPACITY_REQUESTED"
    return {
        "@context": SERIES_CONTEXT,
        "@type": "TimeSeries",
        "intervalPeriod": {"start": format_utc(starts), "duration": "PT30M"},
        "payloadDescriptors": [
            {"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": column, "units": "KW", "insertedBy": "buyer"}
        ],
        "intervals": [
            {"id": i, "payloads": [{"type": column, "values": [wire_number(power)]}]} for i, power in enumerate(kw)
        ],
    }


def on_sale(catalogs: Sequence[Mapping[str, Any]], resource_type: str) -> list[OnSale]:
    """What catalogs offer of a type of resource."""
    found = []
    for catalog in catalogs:
        resources = {each["id"]: each for each in catalog.get("resources") or ()}
        for offer in catalog.get("offers") or ():
            for resource_id in offer.get("resourceIds") or ():
                resource = resources.get(resource_id)
                if resource is not None and resource["resourceAttributes"]["@type"] == resource_type:
                    found.append(OnSale(resource, offer))
    return found
