"""docs/schemas holds the schema of every kind of record, and lines of the log keep to it."""

from __future__ import annotations

import json

import pytest

from audit.envelope import json_schemas
from audit.record import BODIES
from tests.conformance.project import ROOT, document

PUBLISHED = {path.stem: path for path in (ROOT / "docs" / "schemas").glob("*.json")}


def test_every_kind_has_a_published_schema_and_nothing_else_has() -> None:
    assert set(PUBLISHED) == set(BODIES)


@pytest.mark.parametrize("kind", BODIES)
def test_the_published_schema_is_that_of_the_code(kind: str) -> None:
    assert json.loads(document(f"docs/schemas/{kind}.json")) == json_schemas()[kind], "python app.py audit schemas"
