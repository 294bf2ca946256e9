"""Every make target and every command is explained where a newcomer looks."""

from __future__ import annotations

import argparse
import re
import subprocess

import pytest

import app
from tests.conformance.project import ROOT, document, texts

MAKEFILE = document("Makefile")
TARGETS = set(re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE).group(1).split())


def leaves(parser: argparse.ArgumentParser, prefix: str = "") -> dict[str, argparse.ArgumentParser]:
    """Each command without further subcommands, by its words: ``audit verify``."""
    group = subcommands(parser)
    if group is None:
        return {prefix: parser}
    found: dict[str, argparse.ArgumentParser] = {}
    for name, child in group.choices.items():
        found |= leaves(child, f"{prefix} {name}".strip())
    return found


def subcommands(parser: argparse.ArgumentParser) -> argparse._SubParsersAction | None:
    return next((action for action in parser._actions if isinstance(action, argparse._SubParsersAction)), None)


def unexplained(parser: argparse.ArgumentParser) -> list[str]:
    """Commands below ``parser`` for which its help says nothing."""
    group = subcommands(parser)
    if group is None:
        return []
    explained = {choice.dest for choice in group._choices_actions if choice.help}
    deeper = [name for child in group.choices.values() for name in unexplained(child)]
    return [*(group.choices.keys() - explained), *deeper]


COMMANDS = leaves(app.build_parser(app.VERSION))


def test_make_help_lists_every_target() -> None:
    helped = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert set(re.findall(r"^  make ([\w-]+) +\S", helped, re.MULTILINE)) == TARGETS


def test_every_make_target_named_in_a_document_exists() -> None:
    for page in ("README.md", "docs/operations.md", "docs/settings.md", ".ci/run"):
        assert set(re.findall(r"(?:^|[`\n ])make ([a-z-]+)(?=[`\n ]|$)", document(page))) <= TARGETS
    for path, text in texts(".md"):
        assert set(re.findall(r"`make ([a-z-]+)[` ]", text)) <= TARGETS, path


def test_the_commands_are_those_that_the_readme_promises() -> None:
    promised = {"serve", "submit", "jobs", "tick", "plan", "replay", "audit verify", "signals check"}
    assert promised <= COMMANDS.keys()


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_is_in_the_readme(command: str) -> None:
    assert f"python app.py {command}" in document("README.md")


def test_help_says_what_each_command_does() -> None:
    assert unexplained(app.build_parser(app.VERSION)) == []


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_option_of_a_command_says_what_it_does(command: str) -> None:
    assert [action.dest for action in COMMANDS[command]._actions if not action.help] == []


def test_every_option_shown_in_the_readme_exists() -> None:
    for line in re.findall(r"python app\.py ([^`\n]+)", document("README.md")):
        command = next((name for name in sorted(COMMANDS, key=len, reverse=True) if line.startswith(name)), None)
        assert command is not None, line
        known = {option for action in COMMANDS[command]._actions for option in action.option_strings}
        assert set(re.findall(r"(?<= )--[a-z-]+", line)) <= known, line
