"""The rules that the code keeps: imports, sizes, nothing left open, nothing of one machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.project import ROOT, files, modules, texts

MOST_LINES = 400
GENERATED = {"package-lock.json"}
ABSOLUTE_HOMES = re.compile(r"(?<![\w.\-<])/(?:work|root|home|opt|Users)/")
REGISTRIES = re.compile(r"npm" + r"js\.org|py" + r"pi\.org|python" + r"hosted\.org|index-url|find-links")
LEFT_OPEN = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|raise NotImplemented" + r"Error")
SECRETS = re.compile(r"sk-ant-[\w-]{8,}|-----BEGIN [A-Z ]*PRIVATE KEY-----|AKIA[0-9A-Z]{16}")
FLAGS_OF_PIP_COMPILE = {"Makefile"}
"""files that name the flags which keep registries out of the locks"""


def test_dependencies_point_inward() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    outcome = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout


def test_nothing_imports_the_composition_root() -> None:
    importing = re.compile(r"^\s*(?:from|import) app\b", re.MULTILINE)
    assert {str(path) for path, text in modules() if importing.search(text)} == set()


def test_no_module_is_longer_than_it_may_be() -> None:
    assert {str(path) for path, text in modules() if text.count("\n") > MOST_LINES} == set()


def test_every_module_says_what_it_is() -> None:
    assert {str(path) for path, text in modules() if not text.lstrip().startswith('"""')} == set()


@pytest.mark.parametrize(
    ("pattern", "excused"),
    [(ABSOLUTE_HOMES, set()), (REGISTRIES, FLAGS_OF_PIP_COMPILE), (LEFT_OPEN, set()), (SECRETS, set())],
    ids=["paths of one machine", "package registries", "work left open", "secrets"],
)
def test_no_file_holds_what_does_not_belong_into_the_project(pattern: re.Pattern[str], excused: set[str]) -> None:
    this = Path(__file__).relative_to(ROOT)
    found = [
        f"{path}: {match.group()}"
        for path, text in texts()
        if path != this and str(path) not in excused and path.name not in GENERATED
        for match in pattern.finditer(text)
    ]
    assert found == []


def test_the_lock_of_the_assets_names_no_registry() -> None:
    assert '"resolved"' not in (ROOT / "web/assets/package-lock.json").read_text()


def test_every_ignored_lint_rule_and_type_error_is_named() -> None:
    bare = re.compile(r"#\s*(?:no" + r"qa(?!:)|type:\s*ig" + r"nore(?!\[))")
    assert {str(path) for path, text in texts(".py") if bare.search(text)} == set()


def test_nothing_large_or_built_is_in_the_project() -> None:
    large = {str(path.relative_to(ROOT)) for path in files() if path.stat().st_size > 400_000}
    assert large == set()
