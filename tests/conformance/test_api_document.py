"""docs/api.md names every route of the OpenAPI document, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from core.clock import ManualClock
from core.settings import Settings
from tests.conformance.project import document
from web.application import create_app
from web.services import Services

PAGE = document("docs/api.md")
METHODS = {"get", "post", "put", "patch", "delete"}


class Unasked:
    """A service that may be handed over, but not called."""

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: object, **__: object) -> None:
            raise AssertionError(f"{name} was called while the document was made")

        return refuse


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    """The OpenAPI document of an application whose services are never called."""
    unused = dict.fromkeys(Services.__dataclass_fields__, Unasked())
    services = Services(
        **{
            **unused,
            "settings": Settings(_env_file=None),
            "clock": ManualClock(datetime(2023, 3, 1, tzinfo=UTC)),
            "version": "0",
        }
    )
    return create_app(services).api_doc


def test_every_route_is_in_the_document_and_nothing_else_is(openapi: dict[str, Any]) -> None:
    served = {
        f"{method.upper()} {path}" for path, item in openapi["paths"].items() for method in item if method in METHODS
    }
    assert set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^` ?]*)`", PAGE)) == served


def test_every_operation_says_what_it_does(openapi: dict[str, Any]) -> None:
    silent = [
        f"{method} {path}"
        for path, item in openapi["paths"].items()
        for method, operation in item.items()
        if method in METHODS and not operation.get("summary")
    ]
    assert silent == []


def test_the_version_of_openapi_is_3_1(openapi: dict[str, Any]) -> None:
    assert openapi["openapi"].startswith("3.1")


def fields(schema: Any) -> Iterator[tuple[str, Any]]:
    """Name and schema of every field within a schema, however deep."""
    for key, part in schema.items() if isinstance(schema, dict) else enumerate(schema):
        if key == "properties":
            yield from part.items()
        if isinstance(part, dict | list):
            yield from fields(part)


def test_point_23_no_percentage_of_carbon_without_interval_baseline_and_level(openapi: dict[str, Any]) -> None:
    bare = [name for name, _ in fields(openapi) if "carbon" in name and ("percent" in name or "pct" in name)]
    assert bare == []
    shares = [schema for name, schema in fields(openapi) if name == "carbon_reduction"]
    assert len(shares) == 2
    assert all("CarbonShareOut" in str(schema) for schema in shares)
    share = openapi["components"]["schemas"]["CarbonShareOut"]
    assert set(share["required"]) == {"percent", "low_percent", "high_percent", "baseline_policy", "claim_level"}
    assert not any("null" in str(schema) for schema in share["properties"].values())


def test_point_23_a_percentage_of_cost_names_its_baseline_and_how_firm_it_is(openapi: dict[str, Any]) -> None:
    told = [
        schema
        for schema in openapi["components"]["schemas"].values()
        if any("cost" in name and "percent" in name for name in schema.get("properties", ()))
    ]
    assert len(told) == 2
    assert all({"baseline_policy", "state"} <= set(schema["required"]) for schema in told)
