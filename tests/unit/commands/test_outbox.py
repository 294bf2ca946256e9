"""``beckn outbox`` and ``beckn replay``: what is owed is listed, and what was given up is owed again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import app
from store.database import Database
from store.outbox import DeliveryState, OutboxRepository, Outcome
from tests.beckn.peers import a_delivery, owe

NOW = datetime.now(UTC)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OutboxRepository]:
    """One dead letter, one that waits for its next attempt, and one behind it."""
    url = f"sqlite:///{tmp_path / 'slackwater.db'}"
    monkeypatch.setenv("DATABASE_URL", url)
    database = Database(url)
    database.migrate()
    url, long_name = "https://grid.example.org", "a-long-name.example.org"
    owe(database, a_delivery(url, created_at=NOW))
    owe(database, *(a_delivery(url, created_at=NOW, stream="c2", peer_id=long_name) for _ in range(2)))
    outbox = OutboxRepository(database)
    dead, postponed = outbox.due(NOW + timedelta(seconds=60), 9)
    later = NOW + timedelta(seconds=30)
    outcomes = [
        Outcome(dead.number, DeliveryState.DEAD, NOW, 7, "its time is over; at last: HTTP 500"),
        Outcome(postponed.number, DeliveryState.PENDING, later, 1, "no answer in time"),
    ]
    outbox.settle(outcomes, [], NOW)
    yield outbox
    database.close()


@pytest.mark.parametrize(("arguments", "said"), [([], "Nothing is owed."), (["--dead"], "There are no dead letters.")])
def test_an_empty_outbox_says_so(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "var"))
    assert app.main(["beckn", "outbox", *arguments]) == 0
    assert capsys.readouterr().out == f"{said}\n0 pending; 0 delivered; 0 dead\n"


def test_what_is_owed_stands_in_columns(kept: OutboxRepository, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["beckn", "outbox"]) == 0
    head, first, second, counts, remedy = capsys.readouterr().out.splitlines()
    column = head.index("NEXT")
    assert first[column:].startswith("after others")
    assert second[column:].startswith(f"{NOW + timedelta(seconds=30):%H:%M:%S}Z")
    assert second.endswith("no answer in time")
    assert first[head.index("PEER") :].startswith("a-long-name.example.org  0")
    assert counts.startswith("2 pending, the oldest for ")
    assert counts.endswith("; 0 delivered; 1 dead")
    assert "beckn replay" in remedy


def test_dead_letters_are_told_to_programs(kept: OutboxRepository, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["beckn", "outbox", "--dead", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"pending": 2, "delivered": 0, "dead": 1}
    (letter,) = told["deliveries"]
    assert (letter["attempts"], letter["reason"]) == (7, "its time is over; at last: HTTP 500")
    assert letter["next_at"] is None


@pytest.mark.parametrize("everything", [True, False])
def test_a_dead_letter_is_owed_again(
    everything: bool, kept: OutboxRepository, capsys: pytest.CaptureFixture[str]
) -> None:
    (dead,) = kept.listed(DeliveryState.DEAD, 9)
    assert app.main(["beckn", "replay", *(["--all"] if everything else [str(dead.number)])]) == 0
    assert capsys.readouterr().out.startswith("1 owed again until ")
    again = kept.get(dead.number)
    assert (again.state, again.attempts) == ("pending", 0)
    assert again.expires_at - NOW > timedelta(seconds=500)
    context = json.loads(again.body)["context"]
    assert (context["ttl"], context["messageId"]) == ("PT600S", dead.message_id)
    assert app.main(["beckn", "replay", "--all"]) == 0
    assert "no dead letters" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing is named"),
        (["7", "--all"], "not both"),
        (["4711"], "4711"),
        (["2"], "is pending, no dead letter"),
    ],
)
def test_what_cannot_be_replayed_says_what_to_do(
    arguments: list[str], said: str, kept: OutboxRepository, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.main(["beckn", "replay", *arguments]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "beckn outbox --dead" in told
    assert kept.owed().counts[DeliveryState.DEAD] == 1
