"""The published schemas as validators; every reference is answered from files."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema_rs import Draft202012Validator, Registry

CORES = ("beckn-v2.0.0-rc3-2026-05-27", "beckn-v2.0.0-2026-07-08")
_HOST = "https://schema.nfh.global"
_KINDS = ("Meter", "Generator", "Storage", "EVCharger", "Inverter", "Load", "Network")


@cache
def _document(path: Path) -> dict[str, Any]:
    return json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str))


@cache
def _registry(folder: Path) -> Registry:
    named: dict[str, dict[str, Any]] = {f"urn:{core}": _document(folder / f"{core}.yaml") for core in CORES}
    for path in folder.glob("deg-*.yaml"):
        name, _, version = path.stem.removeprefix("deg-").rpartition("-")
        named[f"{_HOST}/{name}/{version}"] = _document(path)
    location = {"$ref": f"urn:{CORES[1]}#/components/schemas/Location"}
    named[f"{_HOST}/Location/2.0/attributes.yaml"] = {"components": {"schemas": {"Location": location}}}
    for kind in _KINDS:
        name = f"EnergyResource{kind}"
        named[f"{_HOST}/{name}/v1.0"] = {"components": {"schemas": {name: {"type": "object"}}}}
    return Registry(list(named.items()))


def _pointer(core: str, place: str) -> Draft202012Validator:
    schema = {"$ref": f"urn:{core}#{place}"}
    return Draft202012Validator(schema, registry=_registry(SCHEMAS), validate_formats=True)


_pointed = cache(_pointer)
SCHEMAS = Path(__file__).resolve().parents[2].parent / "shared" / "beckn" / "schemas"
_ANSWERS = {
    200: "Ack",
    202: "AckNoCallback",
    400: "NackBadRequest",
    401: "NackUnauthorized",
    403: "NackForbidden",
    409: "AckNoCallback",
    429: "NackTooManyRequests",
    500: "ServerError",
}


def message_faults(action: str, body: Any) -> list[str]:
    """What is wrong with a message by either core schema; nothing is where the schemas are not beside this clone."""
    place = f"/paths/~1{action.replace('/', '~1')}/post/requestBody/content/application~1json/schema"
    found = _faults(place, body)
    if "error" in body:
        found += _error_faults(body["error"])
    return [f"{action}: {fault}" for fault in found]


def answer_faults(status: int, body: Any) -> list[str]:
    """What is wrong with an answer to a message."""
    found = _faults(f"/components/schemas/{_ANSWERS[status]}", body)
    error = body["message"].get("error")
    return [f"{status}: {fault}" for fault in (found if error is None else found + _error_faults(error))]


def _error_faults(error: Any) -> list[str]:
    return _faults("/components/schemas/Error", error) + _faults("/components/schemas/ErrorCode", error["code"])


def _faults(place: str, instance: Any) -> list[str]:
    if not SCHEMAS.is_dir():
        return []
    errors = (error for core in CORES for error in _pointed(core, place).iter_errors(instance))
    return [f"{error.instance_path}: {error.message}" for error in errors]


@cache
def validator(folder: Path, document: str, name: str) -> Draft202012Validator:
    """For a named schema of a document: a core, or the name and version of a pack such as ``DEGContract/v2.0``."""
    base = f"urn:{document}" if document in CORES else f"{_HOST}/{document}"
    schema = {"$ref": f"{base}#/components/schemas/{name}"}
    return Draft202012Validator(schema, registry=_registry(folder), validate_formats=True)


def faults(folder: Path, document: str, name: str, instance: Any) -> list[str]:
    """What is wrong with an instance."""
    found = json.loads(json.dumps(instance))
    return [f"{error.instance_path}: {error.message}" for error in validator(folder, document, name).iter_errors(found)]


def core_faults(folder: Path, name: str, instance: Any) -> list[str]:
    """What is wrong with an instance by either core schema."""
    return [fault for core in CORES for fault in faults(folder, core, name, instance)]
