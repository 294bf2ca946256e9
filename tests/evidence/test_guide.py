"""docs/audit.md is followed to the letter."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from audit.record import BODIES
from benchmarks.sample_log import write_sample
from tests.conformance.project import ROOT, code_blocks, document

PAGE = document("docs/audit.md")
ROOM = {"app.py", "audit", "agents", "accounting", "beckn", "commands", "core", "store", "web", "forecasting"}


@pytest.fixture
def checkout(tmp_path):
    """What the page's commands need, so that they write nowhere else."""
    for name in ROOM:
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "docs" / "audit", tmp_path / "docs" / "audit")
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    (tools / "python").symlink_to(sys.executable)
    return tmp_path


def follow(folder, block):
    script = block.replace(".venv/bin/python", sys.executable).replace("\npython ", f"\n{sys.executable} ")
    return subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, text=True, check=False)


def test_the_page_leads_from_a_sound_sample_to_the_line_that_was_changed(checkout):
    sound, tampered, at_the_end = code_blocks(PAGE, "sh")
    first = follow(checkout, sound)
    assert first.returncode == 0, first.stderr
    assert "200 records verify; 1 signed checkpoint agrees; head" in first.stdout
    second = follow(checkout, tampered)
    assert second.returncode == 1
    assert "line 121 (seq 120) is bad: broken chain" in second.stdout
    third = follow(checkout, at_the_end)
    assert third.returncode == 1
    assert "line 200 (seq 199) is bad: changed" in third.stdout
    told = ("200 records verify; 1 signed checkpoint agrees", "line 121 (seq 120) is bad", "line 200 (seq 199) is bad")
    assert all(said in PAGE for said in told)


def test_the_sample_is_what_its_command_writes(tmp_path):
    write_sample(tmp_path)
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (ROOT / "docs" / "audit" / file.name).read_bytes()


def test_every_kind_of_record_is_explained():
    assert set(BODIES) <= set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
