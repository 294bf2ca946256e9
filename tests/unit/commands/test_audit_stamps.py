"""``audit verify --tsa-ca``: time-stamps beside the log are checked offline by a pinned root (point 6)."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import responses

import app
from audit.storage import beside
from audit.timestamp import keep_stamp, request_stamp
from audit.verifier import cli
from tests.evidence.test_others import URL, Authority
from tests.unit.audit.samples import delivery, open_log

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def stamped(authority: Authority, tmp_path: Path) -> Path:
    """A closed log with time-stamped checkpoints of one record and of two, cosigned later, and another without."""
    log = open_log(tmp_path / "decisions.jsonl")
    log.append("delivery", delivery())
    with responses.RequestsMock() as wire:
        wire.add_callback(responses.POST, URL, authority.answer)
        for _ in range(2):
            checkpoint = log.checkpoint()
            keep_stamp(log.path, checkpoint, request_stamp(URL, checkpoint, authority.roots))
            cosignature = ("witness.example", b"0000", b"1" * 72)
            log.keep_cosigned(replace(checkpoint, signatures=(*checkpoint.signatures, cosignature)))
            log.append("delivery", delivery())
    log.close()
    return log.path


def test_point_06_an_auditor_is_told_when_each_checkpoint_existed(
    stamped: Path, authority: Authority, capsys: Capture
) -> None:
    asked = ["audit", "verify", str(stamped), "--tsa-ca", str(authority.folder / "ca.pem")]
    assert app.main(asked) == 0
    said = capsys.readouterr().out
    assert re.findall(r"^the checkpoint of (\d) records existed at (\S+)T", said, re.MULTILINE) == [
        (size, datetime.now(UTC).date().isoformat()) for size in "12"
    ]
    assert app.main([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["timestamps"]
    assert [(each["size"], each["fault"]) for each in told] == [(1, ""), (2, "")]


def test_point_06_time_stamps_that_do_not_hold_are_told_with_a_remedy(
    stamped: Path, authority: Authority, capsys: Capture, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ca = str(authority.folder / "ca.pem")
    first, second = sorted(stamped.parent.glob("*.tsr-*"))
    stranger = Authority(tmp_path_factory.mktemp("strange"))
    assert app.main(["audit", "verify", str(stamped), "--tsa-ca", str(stranger.folder / "ca.pem")]) == 1
    assert "the time-stamp of 1 records does not hold" in capsys.readouterr().out
    second.write_bytes(first.read_bytes())
    assert app.main(["audit", "verify", str(stamped), "--tsa-ca", ca]) == 1
    said = capsys.readouterr().out
    assert "the checkpoint of 1 records existed at" in said
    assert "the time-stamp of 2 records does not hold" in said
    assert "compare --tsa-ca with the root that the authority publishes" in said
    second.rename(second.with_name(f"{stamped.name}.tsr-{99:012d}"))
    assert app.main(["audit", "verify", str(stamped), "--tsa-ca", ca, "--json"]) == 1
    assert "not beside the log" in json.loads(capsys.readouterr().out)["timestamps"][1]["fault"]
    for file in stamped.parent.glob("*.tsr-*"):
        file.unlink()
    assert app.main(["audit", "verify", str(stamped), "--tsa-ca", ca]) == 1
    assert "no time-stamp lies beside" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_point_06_roots_that_cannot_be_read_are_told_with_a_remedy(
    stamped: Path, capsys: Capture, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "roots.pem"
    if content is not None:
        file.write_bytes(content)
    assert app.main(["audit", "verify", str(stamped), "--tsa-ca", str(file)]) == 2
    assert "Name the PEM file of the authority's root certificate" in capsys.readouterr().err


def test_point_06_the_one_file_says_how_to_check_a_time_stamp_and_openssl_agrees(
    stamped: Path, authority: Authority, capsys: Capture
) -> None:
    assert cli.main([str(stamped)]) == 0
    commands = re.findall(r": (openssl ts -verify .+) -CAfile CA\.pem$", capsys.readouterr().out, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        line = f"{command} -CAfile {authority.folder / 'ca.pem'}"
        checked = subprocess.run(shlex.split(line), capture_output=True, text=True, check=False)
        assert "Verification: OK" in checked.stdout + checked.stderr
    beside(stamped, ".checkpoints").unlink()
    assert cli.main([str(stamped)]) == 0
    assert "its checkpoint of 2 records is not beside the log" in capsys.readouterr().out
