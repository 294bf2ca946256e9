"""docs/settings.md and core/settings.py say the same."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic.fields import FieldInfo

from core.settings import Settings
from tests.conformance.project import code_blocks, document, modules

ROW = re.compile(r"^\| `([A-Z_0-9]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)
DOCUMENTED = {name: (default, description) for name, default, description in ROW.findall(document("docs/settings.md"))}
FIELDS = {name.upper(): field for name, field in Settings.model_fields.items()}


def shown_default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "new at each start"
    default: Any = field.default
    if default and isinstance(default, tuple):
        return f"`{','.join(default)}`"
    return {None: "none", (): "empty"}.get(default, f"`{default}`")


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    assert set(DOCUMENTED) == set(FIELDS)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_setting_is_documented_with_its_default_and_description(name: str) -> None:
    assert DOCUMENTED[name] == (shown_default(FIELDS[name]), FIELDS[name].description)


@pytest.mark.parametrize("page", ["README.md", "docs/operations.md", "docs/settings.md"])
def test_every_setting_given_in_an_example_exists(page: str) -> None:
    given = {name for block in code_blocks(document(page), "sh") for name in re.findall(r"\b([A-Z_]{3,})=", block)}
    assert given <= FIELDS.keys() | {"PYTHON"}


def test_only_the_settings_read_the_environment() -> None:
    readers = {str(path) for path, text in modules() if re.search(r"\bos\.environ|\bgetenv\(|load_dotenv", text)}
    assert readers <= {"core/settings.py"}


def test_only_the_clock_asks_the_machine_for_the_time() -> None:
    asking = re.compile(r"\bdatetime\.(now|utcnow|today)\(|\bdate\.today\(|\btime\.time(_ns)?\(")
    assert {str(path) for path, text in modules() if asking.search(text)} == {"core/clock.py"}
