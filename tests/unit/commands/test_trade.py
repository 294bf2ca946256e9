"""``beckn buy``, ``purchases`` and ``needs`` against the operator's routes, served on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask_openapi3.openapi import OpenAPI
from werkzeug.serving import make_server

import app
from beckn.consumer.routes import trade_api
from beckn.consumer.service import Consumer
from commands import trade
from tests.consumers import Consumers, Provider, consumers, windows
from tests.unit.beckn.test_needs import FIXED, UTILITY, Planner, Utility, load, need_catalog
from web import problems
from web.api.documented import DocumentedAPI

SELLER = "seller.example.org"


def application(consumer: Consumer | None) -> OpenAPI:
    made = DocumentedAPI("trade", "0")
    made.before_request(made.check_request)
    problems.register(made)
    made.register_api(trade_api(consumer))
    return made


@dataclass
class Terminal:
    """The command line, pointed at the routes."""

    ours: Consumers
    url: str
    capture: pytest.CaptureFixture[str]

    def run(self, *argv: str) -> tuple[int, str, str]:
        self.capture.readouterr()
        status = app.main(["beckn", argv[0], "--url", self.url, *argv[1:]])
        told = self.capture.readouterr()
        return status, told.out, told.err

    def buy(self, *argv: str) -> tuple[int, str, str]:
        basic = ["--kw", "40", "--hours", "1", "--before", "2026-04-01T12:00:00Z"]
        return self.run("buy", *basic, *(argv or ("--provider", SELLER)))


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    providers = (Provider(SELLER, [windows(SELLER, [60, 60], [0.1, 0.2])]), Utility(UTILITY, [need_catalog(*FIXED)]))
    with consumers(tmp_path, *providers, planner=Planner(load()), serving=lambda _need: ("london", "leeds")) as ours:
        server = make_server("127.0.0.1", 0, application(ours.service), threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Terminal(ours, f"http://127.0.0.1:{server.server_port}", capsys)
        server.shutdown()
        thread.join()
        server.server_close()


def test_windows_are_bought_and_shown(terminal: Terminal) -> None:
    status, out, _ = terminal.buy()
    assert (status, out.split()[1]) == (0, "discovering,")
    terminal.ours.settle()
    status, out, _ = terminal.run("purchases")
    assert status == 0
    assert "confirmed, 40 of 40 kWh, GBP 6.00" in out
    assert f"{SELLER}  GBP 6.00  2 half-hours  ACTIVE, active" in out
    listed = json.loads(terminal.run("purchases", "--json")[1])["purchases"]
    shown = json.loads(terminal.run("purchases", listed[0]["purchase_id"], "--json")[1])
    assert shown == listed[0]
    assert [window["kw"] for window in shown["legs"][0]["windows"]] == [40, 40]


def test_a_purchase_is_followed_to_its_end(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade.time, "sleep", lambda _s: terminal.ours.settle())
    assert terminal.buy("--provider", SELLER, "--wait")[0] == 0
    status, out, _ = terminal.buy("--provider", SELLER, "--wait", "--max-price", "0.01")
    assert status == 1
    assert "failed" in out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--provider", "nobody.example.org"), "nobody can be asked; nobody.example.org"),
        ((), "nobody can be asked"),
        (("--hours", "0.3", "--provider", SELLER), "hours"),
        (("--hours", "100", "--provider", SELLER), "do not fit"),
        (("--after", "2027-01-01T00:00:00Z", "--provider", SELLER), "latest is not after earliest"),
    ],
)
def test_a_purchase_that_cannot_be_made_says_why(terminal: Terminal, argv: tuple[str, ...], words: str) -> None:
    basic = ["--kw", "40", "--hours", "1", "--before", "2026-04-01T12:00:00Z"]
    status, out, err = terminal.run("buy", *basic, *argv)
    assert (status, out) == (2, "")
    assert words in err
    assert terminal.ours.sent() == []


def test_needs_are_asked_for_listed_and_answered(terminal: Terminal) -> None:
    assert "No need is known" in terminal.run("needs")[1]
    assert terminal.run("needs", "--ask", UTILITY)[1] == f"asked {UTILITY}\n"
    terminal.ours.settle()
    need_id = terminal.run("needs")[1].split()[0]
    status, out, _ = terminal.run("needs", "--answer", need_id)
    assert (status, out.split()[-1]) == (0, "answered")
    assert terminal.run("needs", "--answer", need_id)[0] == 2
    assert terminal.run("needs", "--answer", "unknown")[0] == 2
    terminal.ours.settle()
    (found,) = json.loads(terminal.run("needs", "--json")[1])["needs"]
    assert (found["contract"]["state"], found["sought_kw"]) == ("ACTIVE", [50, 50])


def test_a_need_that_does_not_pay_is_passed_over(terminal: Terminal) -> None:
    terminal.ours.answers._planner.load = load(price=3.0)
    terminal.run("needs", "--ask", UTILITY)
    terminal.ours.settle()
    need_id = terminal.run("needs")[1].split()[0]
    status, out, _ = terminal.run("needs", "--answer", need_id)
    assert (status, "passed: no half-hour of it pays" in out) == (1, True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("get", "purchases/x", 404), ("post", "needs/x/answer", 409), ("post", "needs", 409)],
)
def test_outside_a_network_every_act_is_refused(method: str, path: str, status: int) -> None:
    client: Any = application(None).test_client()
    answer = getattr(client, method)(f"/api/trade/{path}", **({"json": {}} if method == "post" else {}))
    assert answer.status_code == status
    assert "no Beckn network" in answer.json["detail"]


def test_what_is_not_there_is_not_found(terminal: Terminal) -> None:
    status, _, err = terminal.run("purchases", "unknown")
    assert (status, "there is no purchase" in err) == (2, True)
