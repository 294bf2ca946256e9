"""The published schemas as judges of every message, where their folder is given."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

CORES = ("beckn-v2.0.0-rc3-2026-05-27", "beckn-v2.0.0-2026-07-08")
_HOST = "https://schema.nfh.global"
_KINDS = ("Meter", "Generator", "Storage", "EVCharger", "Inverter", "Load", "Network")
_PACKS: Mapping[str, tuple[str, str]] = {
    "DemandFlexNeed": ("DemandFlexNeed/v2.0", "DemandFlexNeed"),
    "DemandFlexBuyOffer": ("DemandFlexBuyOffer/v2.0", "DemandFlexBuyOffer"),
    "DemandFlexPerformance": ("DemandFlexPerformance/v2.0", "DemandFlexPerformance"),
    "DEGContract": ("DEGContract/v2.0", "DEGContract"),
    "TimeSeries": ("BecknTimeSeries/v1.0", "BecknTimeSeries"),
}
_SILENT = frozenset({"DEGContract", "DemandFlexPerformance"})
"""packs whose own schema knows neither context nor type, which the core demands beside it"""
_ANSWERS: Mapping[int, str] = {
    200: "Ack",
    202: "AckNoCallback",
    400: "NackBadRequest",
    401: "NackUnauthorized",
    429: "NackTooManyRequests",
    500: "ServerError",
}


class Schemas:
    """Validators of messages by both texts of the core, and of the published packs in them; nothing is fetched.

    :param folder: with the core and pack schemas as YAML.
    """

    def __init__(self, folder: Path) -> None:
        from jsonschema_rs import Registry

        named: dict[str, Any] = {f"urn:{core}": _document(folder / f"{core}.yaml") for core in CORES}
        for path in folder.glob("deg-*.yaml"):
            name, _, version = path.stem.removeprefix("deg-").rpartition("-")
            named[f"{_HOST}/{name}/{version}"] = _document(path)
        location = {"$ref": f"urn:{CORES[1]}#/components/schemas/Location"}
        named[f"{_HOST}/Location/2.0/attributes.yaml"] = {"components": {"schemas": {"Location": location}}}
        for kind in _KINDS:
            name = f"EnergyResource{kind}"
            named[f"{_HOST}/{name}/v1.0"] = {"components": {"schemas": {name: {"type": "object"}}}}
        self._registry = Registry(list(named.items()))
        self._known: dict[str, Any] = {}

    def message_faults(self, action: str, body: Any) -> list[str]:
        """What is wrong with a message of an action."""
        path = f"/{action}".replace("/", "~1")
        where = f"#/paths/{path}/post/requestBody/content/application~1json/schema"
        found = [fault for core in CORES for fault in self._faults(f"urn:{core}{where}", body)]
        for attributes in _published(body):
            document, name = _PACKS[attributes["@type"]]
            told = {k: v for k, v in attributes.items() if name not in _SILENT or not k.startswith("@")}
            found += self._faults(f"{_HOST}/{document}#/components/schemas/{name}", told)
        return found

    def answer_faults(self, status: int, body: Any) -> list[str]:
        """What is wrong with an acknowledgement."""
        name = _ANSWERS.get(status)
        if name is None:
            return [f"HTTP {status} is no status of an acknowledgement"]
        return self._faults(f"urn:{CORES[0]}#/components/schemas/{name}", body)

    def _faults(self, reference: str, instance: Any) -> list[str]:
        from jsonschema_rs import Draft202012Validator

        if reference not in self._known:
            self._known[reference] = Draft202012Validator(
                {"$ref": reference}, registry=self._registry, validate_formats=True
            )
        return [f"{error.instance_path}: {error.message}" for error in self._known[reference].iter_errors(instance)]


def _document(path: Path) -> Any:
    import yaml

    return json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))


def _published(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of a published pack in a message."""
    if isinstance(value, dict):
        if str(value.get("@context", "")).startswith(_HOST) and value.get("@type") in _PACKS:
            yield value
        for each in value.values():
            yield from _published(each)
    elif isinstance(value, list):
        for each in value:
            yield from _published(each)
