"""The requirement files hold what is used, all of it, and the locks pin all of that with hashes."""

from __future__ import annotations

import importlib.metadata
import re

import pytest

from tests.conformance.project import document, modules, texts

OWNERS_LIST = {
    "flask", "pydantic", "loguru", "requests", "apscheduler", "cvxpy", "numpy", "anthropic", "pytest", "responses",
}  # fmt: skip
NOT_IMPORTED = {
    "highspy": "cvxpy calls it by the name HIGHS",
    "psycopg": "SQLAlchemy loads it by the URL of the database",
    "tzdata": "zoneinfo reads it where the machine has no time zones",
}
COME_ALONG = {"flask-openapi3-swagger", "jinja2", "werkzeug"}
"""parts of flask and of flask-openapi3[swagger], imported for their types and errors"""
TOOLS = {
    "dask": "benchmarks.scale_out plans on a cluster",
    "import-linter": "make imports",
    "matplotlib": "make bench draws with it",
    "mypy": "make types",
    "pip-tools": "make lock",
    "pytest-cov": "make test --cov",
    "pytest-xdist": "make test --numprocesses",
    "ruff": "make lint",
    "types-requests": "types for mypy",
    "types-tqdm": "types for mypy",
}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required(name: str) -> set[str]:
    """The packages that a requirements file names itself."""
    return {canonical(found) for found in re.findall(r"^([A-Za-z][\w.-]*)", document(name), re.MULTILINE)}


def locked(name: str) -> dict[str, str]:
    """Version by package of a lock."""
    pins = re.findall(r"^([A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?==(\S+)", document(name), re.MULTILINE)
    return {canonical(package): version for package, version in pins}


def imported(texts_of: list[str]) -> set[str]:
    """The packages behind every import statement."""
    tops = {top for text in texts_of for top in re.findall(r"^\s*(?:from|import) (\w+)", text, re.MULTILINE)}
    owners = importlib.metadata.packages_distributions()
    return {canonical(owner) for top in tops for owner in owners.get(top, ())}


def test_the_owners_list_is_kept() -> None:
    assert required("requirements.txt") | required("requirements-dev.txt") >= OWNERS_LIST


def test_every_requirement_is_used() -> None:
    used = imported([text for _, text in modules()])
    assert required("requirements.txt") - used == NOT_IMPORTED.keys() - used


def test_every_import_is_required() -> None:
    ours = imported([text for _, text in modules()])
    assert ours - required("requirements.txt") <= COME_ALONG


def test_every_tool_is_used() -> None:
    used = imported([text for path, text in texts(".py") if path.parts[0] == "tests"])
    assert required("requirements-dev.txt") - used <= TOOLS.keys()


@pytest.mark.parametrize("name", ["requirements", "requirements-dev", "requirements-node"])
def test_a_lock_pins_every_requirement_and_has_a_hash_for_each_pin(name: str) -> None:
    pins = locked(f"{name}.lock")
    assert required(f"{name}.txt") <= pins.keys()
    entries = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", document(f"{name}.lock"), flags=re.MULTILINE))
    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry)


def test_both_locks_pin_the_same_versions() -> None:
    assert locked("requirements.lock").items() <= locked("requirements-dev.lock").items()
