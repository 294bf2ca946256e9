"""The command line: every command explains itself, and errors say what to do."""

from __future__ import annotations

import argparse

import pytest

import app
from core.clock import ScaledClock, SystemClock
from core.settings import Settings
from tests.house import START


def commands(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command and subcommand, as words."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    found = [words]
    for group in groups:
        for name, child in group.choices.items():
            found += commands(child, (*words, name))
    return found


@pytest.mark.parametrize("words", commands(app.build_parser(app.VERSION)), ids=" ".join)
def test_every_command_has_help(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        app.main([*words, "--help"])
    assert ended.value.code == 0
    assert "usage: python app.py" in capsys.readouterr().out


@pytest.mark.parametrize("argv", [[], ["sail"], ["submit", "x"], ["audit"], ["plan"]])
def test_a_wrong_command_line_ends_with_status_2(argv: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        app.main(argv)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_wrong_setting_is_named_with_where_to_read_about_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("PORT", "many")
    assert app.main(["jobs"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("PORT: ")
    assert "docs/settings.md" in told


def test_a_fast_clock_beside_live_feeds_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("CLOCK_SPEED", "600")
    assert app.main(["jobs"]) == 2
    assert "CLOCK_SPEED needs SIGNALS" in capsys.readouterr().err


def test_the_clock_is_the_machines_unless_the_signals_are_not_live():
    assert isinstance(app.clock_of(Settings(signals="auto")), SystemClock)
    assert isinstance(app.clock_of(Settings(signals="simulated")), SystemClock)
    assert isinstance(app.clock_of(Settings(signals="simulated", clock_speed=60)), ScaledClock)
    played = app.clock_of(Settings(signals="replay:somewhere", clock_start=START))
    assert (played.now() - START).total_seconds() < 60
