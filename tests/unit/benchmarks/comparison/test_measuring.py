"""What a command took, is what the command took."""

from __future__ import annotations

import sys

import pytest

from benchmarks.comparison.measuring import measure

HOLD_100_MB = "held = bytearray(100_000_000); held[::4096] = b'1' * len(held[::4096])"


def python(code: str, limit_s: float = 30.0) -> object:
    return measure([sys.executable, "-c", code], limit_s)


def test_status_time_and_last_words_are_the_commands_own() -> None:
    run = python("import sys, time; time.sleep(0.2); print('one\\n\\ntwo', file=sys.stderr); sys.exit(3)")
    assert (run.status, run.late, run.lines, run.said) == (3, False, ("one", "two"), "two")
    assert 0.2 <= run.wall_s < 5


def test_peak_memory_is_the_commands_and_not_that_of_whoever_measures() -> None:
    held = bytearray(300_000_000)
    held[::4096] = b"1" * len(held[::4096])
    assert python("pass").peak_mb < 60
    assert python(HOLD_100_MB).peak_mb == pytest.approx(100 + python("pass").peak_mb, rel=0.1)


def test_a_command_whose_time_is_over_is_stopped_with_its_children() -> None:
    run = python("import subprocess; subprocess.run(['sleep', '60'])", 0.5)
    assert (run.late, run.said) == (True, "")
    assert run.wall_s < 10


def test_a_command_that_dies_otherwise_is_not_late() -> None:
    assert not python("import os; os.kill(os.getpid(), 9)").late
