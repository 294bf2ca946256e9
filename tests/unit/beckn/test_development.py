"""The registry for development: it serves what a real one serves, and believes everybody on this machine."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

import app
from beckn.protocol.faults import Fault
from beckn.trust.development import Book, Registration, development_registry
from beckn.trust.registry import Registry
from core.clock import ManualClock
from core.errors import InputError
from tests.beckn.registries import KEY, NAME, NETWORK, NOW, URL, public, serving
from tests.conformance.project import ROOT


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "registry.json"


@pytest.fixture
def client(path: Path, clock: ManualClock) -> FlaskClient:
    return development_registry(path, clock).test_client()


def registration(seed: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "subscriber_id": NAME,
        "url": URL,
        "unique_key_id": KEY,
        "signing_public_key": base64.b64encode(public(seed)).decode(),
        "network_memberships": [NETWORK],
        **changes,
    }


def test_what_is_registered_is_looked_up_renewed_and_revoked(path: Path, clock: ManualClock) -> None:
    with serving(development_registry(path, clock)) as port:
        base = f"http://127.0.0.1:{port}"
        post = {"timeout": 5, "headers": {"Content-Type": "application/json"}}
        registry = Registry(base, 300, clock, time.monotonic, NETWORK)
        assert requests.post(f"{base}/subscribers", json=registration(), timeout=5).status_code == 201
        found = registry.participant(NAME, KEY)
        assert (found.public_key, found.url, found.networks) == (public(1), URL, (NETWORK,))
        assert registry.participant("acmenet.org", KEY, registry="charge-net").subscriber_id == NAME
        assert registry.address(NAME) == URL
        with pytest.raises(Fault) as refused:
            registry.participant(NAME, "key-2")
        assert refused.value.code == "AUT_KEY_NOT_FOUND"
        moved = registration(url="https://new.example/", valid_until="2026-04-01T09:00:00Z")
        requests.post(f"{base}/subscribers", json=moved, timeout=5)
        clock.advance(timedelta(seconds=10))
        assert registry.participant(NAME, KEY, anew=True).url == "https://new.example/"
        assert requests.post(f"{base}/subscribers/{NAME}/{KEY}/revoke", **post).json()["data"]["is_revoked"] is True
        clock.advance(timedelta(seconds=10))
        with pytest.raises(Fault) as refused:
            registry.participant(NAME, KEY, anew=True)
        assert refused.value.code == "AUT_KEY_EXPIRED_OR_REVOKED"
        registry.close()


def test_registrations_outlive_the_server(client: FlaskClient, path: Path, clock: ManualClock) -> None:
    client.post("/subscribers", json=registration())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = development_registry(path, clock).test_client()
    listed = again.get(f"/lookup/{NAME}/subscribers.beckn.one").json["data"]["records"]
    assert [each["record_name"] for each in listed] == [KEY]
    assert again.get("/").json["subscribers"] == listed


def test_every_answer_says_that_nothing_in_it_is_to_be_trusted(client: FlaskClient) -> None:
    for answer in (client.get("/"), client.get("/nowhere"), client.post("/subscribers", json={})):
        assert "development registry" in answer.headers["Warning"]
    assert "development registry" in client.get("/").json["note"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"subscriber_id": "a/b"}, "subscriber_id"),
        ({"unique_key_id": ""}, "unique_key_id"),
        ({"url": "ftp://x"}, "url"),
        ({"signing_public_key": "no key"}, "signing_public_key"),
        ({"signing_public_key": "c2hvcnQ="}, "signing_public_key"),
        ({"network_memberships": "all"}, "network_memberships"),
        ({"valid_until": "soon"}, "valid_until"),
        ({"state": "live"}, "state"),
    ],
)
def test_a_registration_that_cannot_be_used_names_its_field(
    client: FlaskClient, path: Path, change: dict[str, Any], field: str
) -> None:
    answer = client.post("/subscribers", json=registration(**change))
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert not path.exists()


def test_bodies_that_are_none_are_refused(client: FlaskClient) -> None:
    for body in (b"", b"{", b"[]", b"\xff"):
        assert client.post("/subscribers", data=body, content_type="application/json").status_code == 422
    assert client.post("/subscribers", data=json.dumps(registration())).status_code == 415
    assert client.post(f"/subscribers/{NAME}/{KEY}/revoke").status_code == 415
    large = registration(network_memberships=["x" * 200] * 1000)
    assert client.post("/subscribers", json=large).status_code == 413
    assert client.get("/", headers={"Host": "evil.org"}).status_code == 400


def test_a_key_id_keeps_its_key_and_a_revoked_one_does_not_come_back(client: FlaskClient) -> None:
    client.post("/subscribers", json=registration())
    answer = client.post("/subscribers", json=registration(seed=2))
    assert (answer.status_code, "id of its own" in answer.json["detail"]) == (409, True)
    revoke = {"content_type": "application/json"}
    assert client.post(f"/subscribers/{NAME}/none/revoke", **revoke).status_code == 404
    for _ in range(2):
        assert client.post(f"/subscribers/{NAME}/{KEY}/revoke", **revoke).status_code == 200
    assert client.post("/subscribers", json=registration()).status_code == 409


def test_a_spoilt_file_is_refused_and_left_alone(path: Path, clock: ManualClock) -> None:
    path.parent.mkdir()
    path.write_text('{"entries": 7}')
    with pytest.raises(InputError, match="holds no registrations"):
        development_registry(path, clock)
    assert path.read_text() == '{"entries": 7}'


def test_what_could_not_be_written_is_not_told(path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book(path)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("beckn.trust.development.replace_durably", full)
    with pytest.raises(OSError, match="No space"):
        book.register(Registration.model_validate(registration()), clock.now())
    assert book.all() == []


def test_it_serves_this_machine_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    assert app.main(["beckn", "registry", "--host", "0.0.0.0"]) == 2
    assert "this machine alone" in capsys.readouterr().err


def test_the_command_serves_until_it_is_stopped(tmp_path: Path) -> None:
    command = [sys.executable, "app.py", "beckn", "registry", "--port", "0", "--file", str(tmp_path / "r.json")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert "Trust nothing" in server.stdout.readline()
            url = server.stdout.readline().split()[3]
            assert requests.post(f"{url}/subscribers", json=registration(), timeout=5).status_code == 201
            taken = [*command[:5], url.rpartition(":")[2]]
            second = subprocess.run(taken, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
            assert (second.returncode, "Name a free port" in second.stderr) == (2, True)
        finally:
            server.terminate()
    assert (tmp_path / "r.json").exists()
