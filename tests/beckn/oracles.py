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
