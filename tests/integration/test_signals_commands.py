"""``python app.py signals ...`` against the scripted upstream, as a person types it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import app
from tests.upstream import Fault, Upstream


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture
def signals(upstream, tmp_path: Path, monkeypatch, capsys):
    """Runs a command over one GB site; exit status and what it printed."""
    for name, value in upstream.settings_overrides().items():
        monkeypatch.setenv(name.upper(), str(value))
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ENABLED_REGIONS", "GB-C")
    monkeypatch.setattr("commands.signals.PATIENCE_S", 0.0)
    monkeypatch.setattr(app, "log_to_stderr", lambda level: None)  # the log of the other tests stays as it is

    def run(*words: str) -> tuple[int, str]:
        status = app.main(["signals", *words])
        told = capsys.readouterr()
        return status, told.out + told.err

    yield run
    upstream.mend()


def test_check_tells_of_every_feed_and_zone_and_keeps_what_they_said(signals):
    _, told = signals("check")
    for feed in ("octopus-agile", "carbon-intensity", "elexon-demand", "open-meteo"):
        assert any(line.startswith(feed) and " live " in line for line in told.splitlines()), feed
    status, shown = signals("show", "GB-C", "price", "--hours", "2")
    assert status == 0
    assert shown.startswith("GB-C price, GBP/kWh; Octopus Agile")
    assert shown.count("settled") == 4


def test_check_fails_and_names_the_fault_and_its_remedy(signals, upstream):
    upstream.break_(Fault.HTML, api="octopus")
    status, told = signals("check")
    assert status == 1
    line = next(line for line in told.splitlines() if line.startswith("octopus-agile"))
    assert "instead of JSON" in line


def test_the_past_is_filled_in_and_shown_without_asking_again(signals, upstream):
    status, told = signals("backfill", "GB-C", "--from", "2026-10-20", "--to", "2026-10-27", "--feed", "octopus-agile")
    assert status == 0, told
    assert "octopus-agile" in told
    assert "336 figures stored" in told
    upstream.break_(Fault.SERVER_ERROR, api="octopus")
    _, shown = signals("show", "GB-C", "price", "--from", "2026-10-25", "--hours", "25", "--json")
    rows = json.loads(shown.splitlines()[-1])
    assert len(rows) == 50
    assert {row["kind"] for row in rows} == {"settled"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("backfill", "GB-C", "--from", "2026-10-20", "--feed", "nonsense"), "there is no feed 'nonsense'"),
        (("backfill", "GB-C", "--from", "yesterday"), "is no day and no time with an offset"),
        (("backfill", "GB-C", "--from", "2999-01-01"), "is not before"),
        (("backfill", "XX", "--from", "2026-10-20"), "no figures for grid zone 'XX'"),
        (("show", "GB-C", "nonsense"), "there is no quantity 'nonsense'"),
        (("reread",), "there is no decision log"),
        (("region", "ZZ99"), "knows no postcode ZZ99"),
        (("region", "!"), "postcode"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(signals, words, expected):
    status, told = signals(*words)
    assert status == 2
    assert expected in told


def test_a_postcode_is_put_into_its_zone(signals, upstream):
    status, told = signals("region", "SW1A 1AA")
    assert status == 0
    assert told.count("GB-C") == 2
    asked = [request.path for request in upstream.received if request.api == "carbon"]
    assert not any("1AA" in path for path in asked), "the inward code is nobody's business"
