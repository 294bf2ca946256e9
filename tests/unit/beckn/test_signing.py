"""Signatures of Beckn messages: the published vector, and whatever is changed breaks one."""

from __future__ import annotations

import base64
import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from beckn.signing import DIGEST_LABELS, FOUR_LINES, BadSignature, KeyId, Signature, Signer, digest, signing_string

NOW = datetime(2026, 4, 1, 8, 30, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
SIGNER = Signer(KeyId("flex.example.org", "key-1"), KEY)
BODY = b'{"context": {"action":"select"}}'


@pytest.fixture
def vectors(shared_data: Path) -> list[dict[str, Any]]:
    return json.loads((shared_data.parent / "beckn" / "signing_vectors.json").read_text())


@pytest.mark.shared
def test_the_published_and_the_derived_vectors_come_out(vectors: list[dict[str, Any]]) -> None:
    for vector in vectors:
        body, request = vector["body"].encode(), vector.get("request_signature")
        seed = base64.b64decode(vector.get("private_key_64") or vector["private_seed_32"])[:32]
        signer = Signer(KeyId("example-bap.com", "ae3ea24b-cfec-495e-81f8-044aaef164ac"), _key(seed))
        created = datetime.fromtimestamp(vector["created"], tz=UTC)
        signed = signer.sign(body, created, request, vector["expires"] - vector["created"])
        assert digest(body) == vector["digest"]
        assert signing_string(body, vector["created"], vector["expires"], request) == vector["signing_string"]
        assert signed.value == vector["signature"]
        assert vector.get("authorization") in (None, signed.header())
        signed.require(body, base64.b64decode(vector["public_key"]), created, request)
    assert len(vectors) == 3


def _key(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)


@given(body=st.binary(max_size=200), request_signature=st.none() | st.just(SIGNER.sign(b"x", NOW).value))
def test_what_is_signed_is_read_back_and_holds(body: bytes, request_signature: str | None) -> None:
    read = Signature.parse(SIGNER.sign(body, NOW, request_signature).header())
    assert read == SIGNER.sign(body, NOW, request_signature)
    assert read.answers == (request_signature is not None)
    read.require(body, PUBLIC, NOW, request_signature)


@given(at=st.integers(0, len(BODY) - 1), change=st.integers(1, 255))
def test_one_changed_byte_breaks_it(at: int, change: int) -> None:
    changed = BODY[:at] + bytes([BODY[at] ^ change]) + BODY[at + 1 :]
    with pytest.raises(BadSignature, match="over these bytes"):
        SIGNER.sign(BODY, NOW).require(changed, PUBLIC, NOW)


def test_json_written_again_is_another_message() -> None:
    again = json.dumps(json.loads(BODY), separators=(",", ":")).encode()
    with pytest.raises(BadSignature, match="over these bytes"):
        SIGNER.sign(BODY, NOW).require(again, PUBLIC, NOW)


@pytest.mark.parametrize(("seconds", "holds"), [(-6, False), (-5, True), (0, True), (299, True), (300, False)])
def test_it_holds_from_five_seconds_before_it_was_made_until_it_expires(seconds: int, holds: bool) -> None:
    signed, then = SIGNER.sign(BODY, NOW), NOW + timedelta(seconds=seconds)
    if holds:
        signed.require(BODY, PUBLIC, then)
    else:
        with pytest.raises(BadSignature, match=r"created 6 s from now|expired 0 s ago"):
            signed.require(BODY, PUBLIC, then)


def test_an_answer_is_tied_to_its_request_and_to_no_other() -> None:
    request, other = SIGNER.sign(b"a", NOW).value, SIGNER.sign(b"b", NOW).value
    answer = SIGNER.sign(BODY, NOW, request)
    for known in (other, None):
        with pytest.raises(BadSignature):
            answer.require(BODY, PUBLIC, NOW, known)
    SIGNER.sign(BODY, NOW).require(BODY, PUBLIC, NOW, request)


def test_another_key_or_none_does_not_do() -> None:
    other = _key(bytes(32)).public_key().public_bytes_raw()
    for public in (other, b"", b"short"):
        with pytest.raises(BadSignature, match="over these bytes"):
            SIGNER.sign(BODY, NOW).require(BODY, public, NOW)


GOOD = SIGNER.sign(BODY, NOW).header()


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "AUT_SIGNATURE_MISSING"),
        ("", "AUT_SIGNATURE_MISSING"),
        (GOOD.removeprefix("Signature "), "AUT_SIGNATURE_INVALID"),
        (GOOD.replace("|ed25519", "|rsa"), "AUT_SIGNATURE_INVALID"),
        (GOOD.replace("flex.example.org|", ""), "AUT_SIGNATURE_INVALID"),
        (GOOD.replace("flex.example.org", "flex example"), "AUT_SIGNATURE_INVALID"),
        (GOOD.replace('algorithm="ed25519"', 'algorithm="none"'), "AUT_SIGNATURE_INVALID"),
        (GOOD.replace("(created) (expires) digest", "digest"), "AUT_SIGNATURE_INVALID"),
        (GOOD.replace('created="', 'created="-'), "AUT_SIGNATURE_INVALID"),
        (GOOD.replace(',expires="', ',expires="9",expires="'), "AUT_SIGNATURE_INVALID"),
        (GOOD.replace('signature="', 'signature="!'), "AUT_SIGNATURE_INVALID"),
        (GOOD.replace('signature="', 'signature="AAAA'), "AUT_SIGNATURE_INVALID"),
        (GOOD.split(",created")[0], "AUT_SIGNATURE_INVALID"),
        (GOOD + " trailing", "AUT_SIGNATURE_INVALID"),
    ],
)
def test_a_header_that_is_none_is_refused_with_its_code(header: str | None, code: str) -> None:
    with pytest.raises(BadSignature) as refused:
        Signature.parse(header)
    assert refused.value.code == code


def test_parameters_may_stand_in_any_order_with_spaces() -> None:
    parts = GOOD.removeprefix("Signature ").split(",")
    assert Signature.parse("Signature " + " , ".join(reversed(parts))) == Signature.parse(GOOD)


@pytest.mark.parametrize("label", DIGEST_LABELS)
def test_the_name_of_the_digest_is_signed_and_either_is_understood(label: str) -> None:
    signed = replace(SIGNER, label=label).sign(BODY, NOW)
    assert f"digest: {label}=" in signing_string(BODY, 1, 2, label=label)
    signed.require(BODY, PUBLIC, NOW)
    signed.require(BODY, PUBLIC, NOW, label=label)
    other = next(each for each in DIGEST_LABELS if each != label)
    with pytest.raises(BadSignature, match="over these bytes"):
        signed.require(BODY, PUBLIC, NOW, label=other)


def test_a_key_id_is_of_a_subscriber_or_the_path_of_a_record() -> None:
    plain = KeyId("flex.example.org", "key-1")
    assert plain.written("subscriber", "acmenet.org/charge-net") == plain
    for network, written in (
        (None, "flex.example.org/subscribers.beckn.one/key-1|ed25519"),
        ("acmenet", "flex.example.org/subscribers.beckn.one/key-1|ed25519"),
        ("acmenet.org/charge-net", "acmenet.org/charge-net/key-1|ed25519"),
    ):
        assert str(plain.written("record", network)) == written
        assert KeyId.parse(written) == plain.written("record", network)


@pytest.mark.parametrize(
    "text",
    ["a/b|ed25519", "a/b/c/d|ed25519", "a/b/c", "a/b/c|rsa", "a/b/c|d|ed25519", "a//c|ed25519", "../b/c|ed25519", ""],
)
def test_a_key_id_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"keyId|no name"):
        KeyId.parse(text)


@given(st.text(max_size=80))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    for header in (text, f"Signature {text}", GOOD.replace("key-1", text), GOOD.replace(FOUR_LINES, text)):
        with contextlib.suppress(BadSignature):
            assert Signature.parse(header).header()
