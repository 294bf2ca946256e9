"""Catalogs, offers, commitments and contracts in the shape of version 2, whatever they are about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from beckn.packs.forms import SETTLEMENT, context_of
from beckn.packs.grid import wire_number
from core.slots import format_utc
from core.trade import ContractState

DEG_CONTRACT = "https://schema.nfh.global/DEGContract/v2.0/context.jsonld"
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,119}")
COMMITMENT_STATES: Mapping[ContractState, str] = {
    ContractState.DRAFT: "DRAFT",
    ContractState.ACTIVE: "ACTIVE",
    ContractState.CANCELLED: "CLOSED",
    ContractState.COMPLETE: "CLOSED",
}
SETTLEMENT_STATES: Mapping[ContractState, str] = {
    ContractState.DRAFT: "DRAFT",
    ContractState.ACTIVE: "COMMITTED",
    ContractState.CANCELLED: "DRAFT",
    ContractState.COMPLETE: "COMPLETE",
}
"""a contract that was cancelled discharges nothing"""
NOTHING: Mapping[str, Any] = {
    "status": {"descriptor": {"code": "CLOSED"}},
    "resources": [],
    "offer": {"id": "none", "resourceIds": []},
}
"""where the specification wants a commitment and there is none"""


@dataclass(frozen=True, slots=True)
class Policy:
    """By which rules a contract settles: where they are, and what in them says the flows."""

    url: str
    query_path: str


def own_policy(base: str) -> Policy:
    """The rules of the own products, as ``beckn.packs.schemas`` serves them."""
    return Policy(context_of(base, SETTLEMENT).replace("context.jsonld", "policy.json"), "settlement")


def offer_id_of(tick_id: str, resource_id: str) -> str:
    """The id of an offer: its resource, and the round that made its price. Another round makes another offer.

    :raises ValueError: either has other signs than letters, digits and ``._:+-``, or is too long.
    """
    for part in (tick_id, resource_id):
        if _PART.fullmatch(part) is None:
            raise ValueError(f"{part[:130]!r} cannot be part of the id of an offer")
    return f"{resource_id}@{tick_id}"


def parse_offer_id(offer_id: str) -> tuple[str, str]:
    """Tick id and resource id of an offer; :class:`ValueError` where it is none of this participant's."""
    resource_id, sign, tick_id = offer_id.partition("@")
    if not sign or offer_id != offer_id_of(tick_id, resource_id):
        raise ValueError(f"{offer_id[:250]!r} is no id of an offer")
    return tick_id, resource_id


def resource(resource_id: str, name: str, short: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """A resource of a catalog."""
    return {
        "id": resource_id,
        "descriptor": {"name": name, "shortDesc": short},
        "resourceAttributes": dict(attributes),
    }


def offer(
    offer_id: str, name: str, resource_ids: Sequence[str], valid_until: datetime, attributes: Mapping[str, Any]
) -> dict[str, Any]:
    """An offer of a catalog; it can be confirmed until ``valid_until``."""
    return {
        "id": offer_id,
        "descriptor": {"name": name},
        "resourceIds": list(resource_ids),
        "validity": {"endDate": format_utc(valid_until)},
        "offerAttributes": dict(attributes),
    }


@dataclass(frozen=True, slots=True)
class Seller:
    """Who offers: subscriber id, name for people, address for requests."""

    subscriber_id: str
    name: str
    uri: str


def catalog(
    catalog_id: str, name: str, short: str, seller: Seller, resources: Sequence[Any], offers: Sequence[Any]
) -> dict[str, Any]:
    """A catalog."""
    return {
        "id": catalog_id,
        "descriptor": {"name": name, "shortDesc": short},
        "provider": {"id": seller.subscriber_id, "descriptor": {"name": seller.name}},
        "bppId": seller.subscriber_id,
        "bppUri": seller.uri,
        "resources": list(resources),
        "offers": list(offers),
    }


def commitment(
    commitment_id: str,
    state: ContractState,
    resource: Mapping[str, Any],
    quantity_kw: Decimal,
    offer: Mapping[str, Any],
    series: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What is promised: a resource, an offer of it, and the ``commitmentAttributes`` with what is promised when.

    :param quantity_kw: the most of any half-hour.
    """
    quantity = {"@type": "Quantity", "unitCode": "kW", "unitQuantity": wire_number(quantity_kw)}
    told: dict[str, Any] = {
        "id": commitment_id,
        "status": {"descriptor": {"code": COMMITMENT_STATES[state]}},
        "resources": [{**resource, "quantity": quantity}],
        "offer": dict(offer),
    }
    return told if series is None else {**told, "commitmentAttributes": dict(series)}


def contract_attributes(
    buyer: str | None, seller: str | None, policy: Policy, flows: Sequence[Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """A ``DEGContract``: who is who, by which rules it settles and, once it has, what flows."""
    told: dict[str, Any] = {
        "@context": DEG_CONTRACT,
        "@type": "DEGContract",
        "roles": [{"role": "buyer", "participantId": buyer}, {"role": "seller", "participantId": seller}],
        "policy": {"url": policy.url, "queryPath": policy.query_path},
    }
    return told if flows is None else {**told, "revenueFlows": [dict(flow) for flow in flows]}


def consideration(
    base: str, consideration_id: str, state: ContractState, currency: str, amount: Decimal, *, delivered: bool = False
) -> dict[str, Any]:
    """What it comes to: the amount if all is delivered, or once it was ``delivered`` what it came to."""
    return {
        "id": consideration_id,
        "status": {"code": state.value},
        "considerationAttributes": {
            "@context": context_of(base, SETTLEMENT),
            "@type": "FlexConsideration",
            "currency": currency,
            "amount": wire_number(amount),
            "basis": "delivered" if delivered else "promised",
        },
    }


def settlement(consideration_id: str, state: ContractState) -> dict[str, Any]:
    """How far the discharge of a consideration is, for a contract in ``state``."""
    return {
        "id": f"settlement-{consideration_id}",
        "considerationId": consideration_id,
        "status": SETTLEMENT_STATES[state],
    }


def performance(
    performance_id: str, code: str, name: str, commitment_ids: Sequence[str], attributes: Mapping[str, Any]
) -> dict[str, Any]:
    """What was done for commitments."""
    return {
        "id": performance_id,
        "status": {"code": code, "name": name},
        "commitmentIds": list(commitment_ids),
        "performanceAttributes": dict(attributes),
    }


@dataclass(frozen=True, slots=True)
class Parts:
    """What a contract has beside its commitments; what is empty is left out."""

    consideration: Sequence[Mapping[str, Any]] = ()
    performance: Sequence[Mapping[str, Any]] = ()
    settlements: Sequence[Mapping[str, Any]] = ()


def contract(
    contract_id: str,
    state: ContractState,
    commitments: Sequence[Mapping[str, Any]],
    participants: Sequence[str],
    attributes: Mapping[str, Any],
    parts: Parts | None = None,
) -> dict[str, Any]:
    """A contract; ``contract_id`` is a UUID, ``participants`` are subscriber ids."""
    told: dict[str, Any] = {
        "id": contract_id,
        "status": {"code": state.value},
        "commitments": list(commitments),
        "participants": [{"id": each} for each in participants],
        "contractAttributes": dict(attributes),
    }
    if parts is not None:
        whole = {"consideration": parts.consideration, "performance": parts.performance}
        told |= {name: list(part) for name, part in {**whole, "settlements": parts.settlements}.items() if part}
    return told
