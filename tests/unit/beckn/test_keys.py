"""Keys of a Beckn participant, and the commands about them."""

from __future__ import annotations

import base64
import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

import app
from beckn.keys import FILE, KeyRing
from beckn.signing import KeyId
from core.errors import Conflict, InputError, NotFound

NOW = datetime(2026, 4, 1, 8, 30, tzinfo=UTC)
NAME = "flex.example.org"


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "var" / FILE)


def test_the_first_key_signs_and_later_ones_wait_until_they_are_put_to_use(ring: KeyRing) -> None:
    first, second = ring.make(NOW), ring.make(NOW)
    assert (first.used, second.used) == (True, False)
    assert [key.used for key in ring.public()] == [True, False]
    assert ring.signer(NAME).key_id == KeyId(NAME, first.unique_key_id)
    ring.use(second.unique_key_id)
    signer = ring.signer(NAME)
    assert signer.key_id == KeyId(NAME, second.unique_key_id)
    public = base64.b64decode(second.signing_public_key)
    signer.sign(b"body", NOW).require(b"body", public, NOW)


def test_the_settings_say_how_a_key_is_told_and_the_digest_is_called(ring: KeyRing) -> None:
    key = ring.make(NOW)
    signer = ring.signer(NAME, "BLAKE2b-512", "record", "acmenet.org/charge-net")
    assert str(signer.key_id) == f"acmenet.org/charge-net/{key.unique_key_id}|ed25519"
    signed = signer.sign(b"body", NOW)
    signed.require(b"body", base64.b64decode(key.signing_public_key), NOW, label="BLAKE2b-512")


def test_the_file_is_its_owners_alone_and_public_halves_tell_nothing(ring: KeyRing) -> None:
    key = ring.make(NOW)
    assert stat.S_IMODE(ring.path.stat().st_mode) == 0o600
    private = json.loads(ring.path.read_text())["keys"][0]["private"]
    assert private not in repr(key)
    assert private not in repr(ring.public())


def test_a_key_is_dropped_unless_it_is_in_use(ring: KeyRing) -> None:
    first, second = ring.make(NOW), ring.make(NOW)
    with pytest.raises(Conflict, match="in use"):
        ring.drop(first.unique_key_id)
    ring.drop(second.unique_key_id)
    assert [key.unique_key_id for key in ring.public()] == [first.unique_key_id]
    for change in (ring.use, ring.drop):
        with pytest.raises(NotFound):
            change(second.unique_key_id)


def test_without_a_key_nobody_signs(ring: KeyRing) -> None:
    with pytest.raises(NotFound) as refused:
        ring.signer(NAME)
    assert "--make" in refused.value.remedy


@pytest.mark.parametrize("spoilt", ["", "{", '{"keys": [{"unique_key_id": "a"}]}', '{"used": 1}'])
def test_a_spoilt_file_is_refused_and_left_alone(ring: KeyRing, spoilt: str) -> None:
    ring.path.parent.mkdir()
    ring.path.write_text(spoilt)
    for ask in (ring.public, lambda: ring.make(NOW)):
        with pytest.raises(InputError, match="holds no Beckn keys"):
            ask()
    assert ring.path.read_text() == spoilt


def test_a_private_half_of_the_wrong_size_is_refused_without_being_told(ring: KeyRing) -> None:
    ring.make(NOW)
    held = json.loads(ring.path.read_text())
    held["keys"][0]["private"] = "c2VjcmV0"
    ring.path.write_text(json.dumps(held))
    with pytest.raises(InputError) as refused:
        ring.public()
    assert "c2VjcmV0" not in refused.value.diagnostics()


@pytest.fixture
def _participant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BECKN_SUBSCRIBER_ID", NAME)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))


@pytest.mark.usefixtures("_participant")
def test_keys_are_made_shown_changed_and_dropped_by_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["beckn", "keys"]) == 0
    assert "beckn keys --make" in capsys.readouterr().out
    for _ in range(2):
        assert app.main(["beckn", "keys", "--make"]) == 0
    capsys.readouterr()
    assert app.main(["beckn", "keys", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["key_id"] == f"{NAME}|{first['unique_key_id']}|ed25519"
    assert app.main(["beckn", "keys", "--use", second["unique_key_id"]]) == 0
    assert app.main(["beckn", "keys", "--drop", first["unique_key_id"]]) == 0
    told = capsys.readouterr().out.splitlines()[-4:]
    assert told[0].endswith(second["key_id"])
    assert told[3] == "state               signs"


@pytest.mark.usefixtures("_participant")
def test_a_message_is_signed_and_checked_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = tmp_path / "select.json"
    body.write_bytes(b'{"context":{}}')
    app.main(["beckn", "keys", "--make"])
    app.main(["beckn", "keys", "--json"])
    key = json.loads(capsys.readouterr().out.splitlines()[-1])[0]["signing_public_key"]
    assert app.main(["beckn", "sign", str(body)]) == 0
    header = capsys.readouterr().out.strip()
    check = ["beckn", "verify", str(body), "--header", header, "--key", key]
    assert app.main(check) == 0
    assert "signed these bytes" in capsys.readouterr().out
    body.write_bytes(b'{"context": {}}')
    assert app.main(check) == 1
    assert capsys.readouterr().out.startswith("AUT_SIGNATURE_INVALID")
    assert app.main([*check[:-1], "no key"]) == 2
    assert "registry's record" in capsys.readouterr().err
    assert app.main(["beckn", "sign", str(tmp_path / "none.json")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_without_a_name_in_a_network_there_are_no_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.delenv("BECKN_SUBSCRIBER_ID", raising=False)
    assert app.main(["beckn", "keys", "--make"]) == 2
    assert "BECKN_SUBSCRIBER_ID" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
