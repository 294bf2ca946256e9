"""The documents hold together: links lead somewhere, indexes are complete, examples are valid."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from core.job import JobRequest
from tests.conformance.project import ROOT, code_blocks, document, texts

DECISIONS = sorted(path.name for path in (ROOT / "docs" / "adr").glob("[0-9]*.md"))
VERSION = tomllib.loads(document("pyproject.toml"))["project"]["version"]


def test_every_relative_link_leads_to_a_file() -> None:
    broken = [
        f"{path}: {target}"
        for path, text in texts(".md")
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
        if not (ROOT / path.parent / target).exists()
    ]
    assert broken == []


def test_the_index_of_decisions_is_complete_and_in_order() -> None:
    assert re.findall(r"\]\((\d{4}[^)]+\.md)\)", document("docs/adr/README.md")) == DECISIONS
    assert [name[:4] for name in DECISIONS] == [f"{number:04d}" for number in range(1, len(DECISIONS) + 1)]


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_tells_context_decision_and_consequences_on_one_page(name: str) -> None:
    text = document(f"docs/adr/{name}")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    title = re.match(r"# (\d{4}) (.+)\n", text)
    assert title.group(1) == name[:4]
    assert f"[{name[:4]}]({name}) | {title.group(2)} |" in document("docs/adr/README.md")
    assert len(text.split()) < 450


def test_the_changelog_tells_of_this_version_or_of_what_is_to_come() -> None:
    headings = re.findall(r"^## \[?([^\]\s]+)", document("CHANGELOG.md"), re.MULTILINE)
    assert {"Unreleased", VERSION} & set(headings[:1])


def test_the_job_that_the_readme_posts_is_a_valid_job() -> None:
    shell = re.compile(r"'\$\(date [^\n]*\)'")
    bodies = [
        json.loads(shell.sub("2099-01-01T00:00Z", body))
        for block in code_blocks(document("README.md"), "sh")
        for body in re.findall(r"-d '(\{.*\})'\n", block, re.DOTALL)
    ]
    jobs = [body for body in bodies if "job_name" in body]
    assert jobs
    for body in jobs:
        JobRequest.model_validate(body)


def test_python_in_the_readme_is_python() -> None:
    blocks = code_blocks(document("README.md"), "python")
    assert blocks
    for block in blocks:
        compile(block, "README.md", "exec")


def test_the_licence_is_named_alike_everywhere() -> None:
    assert tomllib.loads(document("pyproject.toml"))["project"]["license"] == "MIT"
    assert document("LICENSE").startswith("MIT License")
    assert "MIT" in document("README.md")
    assert json.loads(document("web/assets/package.json"))["license"] == "MIT"


def test_the_sources_of_data_are_credited() -> None:
    readme = document("README.md")
    assert all(name in readme for name in ("Carbon Intensity API", "NESO", "CC BY 4.0", "Octopus Energy"))


@pytest.mark.parametrize("marker", ["timings", "replay-table", "bench-table"])
def test_the_readme_shows_what_was_measured(marker: str) -> None:
    following = document("README.md").split(f"<!-- {marker} -->")[1].split("\n#")[0]
    assert len(re.findall(r"\d", following.split("<!--")[0])) > 3


def test_no_document_is_an_orphan() -> None:
    linked = {
        (ROOT / path.parent / target).resolve()
        for path, text in texts(".md")
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    }
    pages = {path.resolve() for path in (ROOT / "docs").rglob("*.md")}
    assert {str(Path(page).relative_to(ROOT)) for page in pages - linked} == set()
