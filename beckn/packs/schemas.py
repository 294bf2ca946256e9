"""The documents behind the own packs: JSON-LD contexts and JSON Schema, to be served where their addresses point."""

from __future__ import annotations

from typing import Any

from beckn.packs.forms import (
    ALERT,
    CARBON,
    COMPUTE_WINDOW,
    SETTLEMENT,
    TURN_DOWN,
    VERSION,
    ActionForm,
    AlertForm,
    CarbonForm,
    ComputeWindowForm,
    ComputeWindowOfferForm,
    ConsiderationForm,
    Form,
    TurnDownForm,
    TurnDownOfferForm,
)

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_PACKS: dict[str, dict[str, type[Form]]] = {
    COMPUTE_WINDOW: {"ComputeWindow": ComputeWindowForm, "ComputeWindowOffer": ComputeWindowOfferForm},
    TURN_DOWN: {"TurnDownResource": TurnDownForm, "TurnDownOffer": TurnDownOfferForm},
    CARBON: {"CarbonWindow": CarbonForm},
    SETTLEMENT: {"FlexConsideration": ConsiderationForm},
    ALERT: {"GridEventAlert": AlertForm, "FlexibilityAction": ActionForm},
}
_POLICY = {
    "settlement": {
        "join": "terms, CAPACITY_OFFERED and readings, on the id of the interval",
        "intervalHours": 0.5,
        "delivered": {
            COMPUTE_WINDOW: "kW kept free for the buyer",
            TURN_DOWN: "sum over meters of max(0, BASELINE - USAGE)",
        },
        "pay": "min(delivered, CAPACITY_OFFERED) * intervalHours * PRICE",
        "penalty": "max(0, CAPACITY_OFFERED - delivered) * intervalHours * SHORTFALL_PENALTY",
        "seller": "sum of pay - penalty over all intervals, rounded once to 0.01, half to even",
        "buyer": "the opposite of seller",
    }
}


def documents(base: str) -> dict[str, dict[str, Any]]:
    """All documents by their path below ``base``, such as ``/schemas/carbon/v1/context.jsonld``.

    :param base: where this participant is reached.
    """
    told: dict[str, dict[str, Any]] = {}
    for pack, kinds in _PACKS.items():
        folder = f"/schemas/{pack}/{VERSION}"
        told[f"{folder}/context.jsonld"] = _context(f"{base.rstrip('/')}{folder}/", kinds)
        told[f"{folder}/schema.json"] = _schema(f"{base.rstrip('/')}{folder}/schema.json", kinds)
    told[f"/schemas/{SETTLEMENT}/{VERSION}/policy.json"] = _POLICY
    return told


def _context(vocabulary: str, kinds: dict[str, type[Form]]) -> dict[str, Any]:
    """Every word of a pack is in its own vocabulary, and each type has its name there."""
    return {
        "@context": {
            "@version": 1.1,
            "@vocab": f"{vocabulary}#",
            **{kind: f"{vocabulary}schema.json#/$defs/{kind}" for kind in kinds},
        }
    }


def _schema(address: str, kinds: dict[str, type[Form]]) -> dict[str, Any]:
    """A schema that takes any type of a pack; each is a definition by its name."""
    definitions: dict[str, Any] = {}
    for kind, form in kinds.items():
        own = form.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
        definitions |= own.pop("$defs", {})
        definitions[kind] = own
    return {
        "$schema": _DRAFT,
        "$id": address,
        "oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in kinds],
        "$defs": definitions,
    }
