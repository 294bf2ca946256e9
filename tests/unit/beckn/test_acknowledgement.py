"""Acknowledgements: ours in every shape that is configured, and theirs in every shape that peers write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from beckn.protocol.acknowledgement import (
    Acknowledged,
    Malformed,
    Refused,
    ack,
    ack_without_callback,
    nack,
    read_acknowledgement,
    shape_of,
)
from beckn.protocol.faults import Fault

ID = "6ef3c1ae-4d0b-4a5c-8f6a-0a4c8f9b1d11"
FAULT = Fault("SCH_REQUIRED_FIELD_MISSING", "it is missing", "$.message.contract")
BUSY = Fault("NET_OVERLOADED", "too many requests")


def read(found: Any, status: int = 200, retry_after: float | None = None) -> Acknowledged | Refused | Malformed:
    return read_acknowledgement(status, "application/json", json.dumps(found).encode(), ID, retry_after)


@pytest.mark.parametrize(
    "found",
    [
        {"message": {"status": "ACK", "messageId": ID}},
        {"message": {"status": "ACK", "messageId": ID.upper()}},
        {"message": {"ack": {"status": "ACK"}}},
        {"message": {"ack": {"status": "ACK"}, "messageId": ID}},
        {"context": {}, "message": {"ack": {"status": "ACK"}}, "error": None},
        {"status": "ACK", "signature": "abc"},
    ],
)
@pytest.mark.parametrize("status", [200, 202])
def test_an_ack_is_read_in_each_of_its_shapes(found: dict[str, Any], status: int) -> None:
    assert read(found, status) == Acknowledged()


@pytest.mark.parametrize(
    "found",
    [
        {"message": {"status": "NACK", "messageId": ID, "error": {"code": "BIZ_X", "message": "no"}}},
        {"message": {"ack": {"status": "NACK"}}, "error": {"code": "BIZ_X", "message": "no"}},
        {"message": {"ack": {"status": "NACK"}}, "error": {"errorCode": "BIZ_X", "errorMessage": "no"}},
        {"status": "NACK", "signature": "a", "error": {"errorCode": "BIZ_X", "errorMessage": "no"}},
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_a_nack_is_read_in_each_of_its_shapes(found: dict[str, Any], status: int) -> None:
    assert read(found, status) == Refused("BIZ_X", "no", retry=False)


@pytest.mark.parametrize("status", [202, 409])
@pytest.mark.parametrize("told", ["ACK", "NACK"])
def test_an_error_with_202_or_409_says_that_no_callback_follows(status: int, told: str) -> None:
    error = {"code": "BIZ_CLOSED", "message": "closed"}
    found = {"message": {"status": told, "messageId": ID, "error": error}}
    assert read(found, status) == Acknowledged(callback=False, code="BIZ_CLOSED", message="closed")


def test_a_repetition_that_is_refused_with_409_is_a_refusal() -> None:
    error = {"code": "CTX_MESSAGE_ID_DUPLICATE", "message": "seen"}
    found = read({"message": {"status": "NACK", "messageId": ID, "error": error}}, 409)
    assert found == Refused("CTX_MESSAGE_ID_DUPLICATE", "seen", retry=False)


@pytest.mark.parametrize(("status", "code"), [(429, "NET_OVERLOADED"), (429, "POL_X"), (500, "BIZ_X"), (200, "NET_X")])
def test_a_fault_that_may_pass_is_told_from_one_that_stays(status: int, code: str) -> None:
    found = read({"message": {"status": "NACK", "error": {"code": code, "message": "no"}}}, status, 7.0)
    assert found == Refused(code, "no", retry=True, retry_after=7.0)


def test_an_error_without_words_is_still_a_refusal() -> None:
    assert read({"message": {"ack": {"status": "NACK"}}}, 400) == Refused("HTTP 400", "no reason given", retry=False)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>welcome</html>"),
        (200, b"null"),
        (200, b"[]"),
        (200, b'"ACK"'),
        (200, b"{}"),
        (200, b'{"message": {"status": "OK"}}'),
        (200, b'{"message": {"status": true}}'),
        (200, b'{"message": {"ack": "ACK"}}'),
        (200, b'{"message": {"status": "ACK", "messageId": "another"}}'),
        (200, b'{"message": {"status": "NACK", "messageId": 7}}'),
        (500, b'{"message": {"status": "ACK"}}'),
        (301, b'{"message": {"status": "ACK"}}'),
        (503, b""),
        (200, b"\xff\xfe"),
        (200, b"[" * 50_000),
    ],
)
def test_anything_else_is_malformed(status: int, body: bytes) -> None:
    found = read_acknowledgement(status, "text/html", body, ID, 3.0)
    assert isinstance(found, Malformed)
    assert found.reason
    assert found.retry_after == 3.0


def test_the_words_of_a_peer_stay_on_one_short_line() -> None:
    error = {"code": "BIZ_X\r\nERROR forged", "message": "a\x1b[2J" + "b" * 9999}
    found = read({"message": {"status": "NACK", "error": error}})
    assert isinstance(found, Refused)
    assert found.code == "BIZ_X  ERROR forged"
    assert found.message.isprintable()
    assert len(found.message) <= 300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["ACK", "NACK", ID]),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["message", "status", "ack", "error", "code", "messageId"]) | st.text(), inner
        )
    ),
)


@given(JSON, st.sampled_from([200, 202, 301, 400, 409, 429, 500]))
def test_no_answer_makes_the_reader_stumble(found: Any, status: int) -> None:
    assert isinstance(read(found, status), Acknowledged | Refused | Malformed)


def test_what_is_written_is_read_again() -> None:
    for shape in ("flat", "nested"):
        written = ack(ID, shape)
        assert read_acknowledgement(written.status, None, written.body, ID) == Acknowledged()
        for fields in ("code", "errorCode"):
            written = nack(FAULT, ID, shape, fields)
            refused = Refused(FAULT.code, str(FAULT), retry=False)
            assert read_acknowledgement(written.status, None, written.body, ID) == refused
            for status in (202, 409):
                written = ack_without_callback(FAULT, ID, shape, fields, status)
                without = Acknowledged(callback=False, code=FAULT.code, message=str(FAULT))
                assert written.status == status
                assert read_acknowledgement(written.status, None, written.body, ID) == without


def test_the_shapes_are_those_that_peers_expect() -> None:
    error = {"code": FAULT.code, "message": "it is missing", "details": {"path": "$.message.contract"}}
    assert json.loads(ack(ID, "flat").body) == {"message": {"status": "ACK", "messageId": ID}}
    assert json.loads(ack(ID, "nested").body) == {"message": {"ack": {"status": "ACK"}}}
    flat, nested = nack(FAULT, ID, "flat", "code"), nack(FAULT, None, "nested", "code")
    assert (flat.status, nested.status) == (400, 400)
    assert json.loads(flat.body) == {"message": {"status": "NACK", "messageId": ID, "error": error}}
    assert json.loads(nested.body) == {"message": {"ack": {"status": "NACK"}}, "error": error}
    april = json.loads(nack(FAULT, ID, "flat", "errorCode").body)["message"]["error"]
    assert (april["errorCode"], april["errorMessage"]) == (FAULT.code, "it is missing")


def test_a_message_whose_id_cannot_be_read_is_refused_with_the_nil_uuid() -> None:
    told = json.loads(nack(FAULT, None, "flat", "code").body)["message"]
    assert (told["status"], told["messageId"]) == ("NACK", "00000000-0000-0000-0000-000000000000")
    for fault, retry in ((FAULT, False), (BUSY, True)):
        written = nack(fault, None, "flat", "code")
        refused = Refused(fault.code, str(fault), retry=retry)
        assert read_acknowledgement(written.status, None, written.body, ID) == refused


def test_versions_below_2_are_acknowledged_as_they_know_it() -> None:
    assert [shape_of(version, "flat") for version in ("1.1.1", "0.9", "2.0.0", "20", None, 1)] == [
        *("nested", "nested"),
        *("flat", "flat", "flat", "flat"),
    ]
    assert shape_of("2.0.0", "nested") == "nested"


@pytest.mark.shared
@pytest.mark.parametrize("name", ["beckn-v2.0.0-rc3-2026-05-27.yaml", "beckn-v2.0.0-2026-07-08.yaml"])
def test_what_is_written_keeps_to_the_published_schemas(shared_data: Path, name: str) -> None:
    document = yaml.safe_load((shared_data.parent / "beckn" / "schemas" / name).read_text())
    written = [
        ("Ack", ack(ID, "flat")),
        ("AckNoCallback", ack_without_callback(FAULT, ID, "flat", "code", 202)),
        ("NackBadRequest", nack(FAULT, ID, "flat", "code")),
        ("NackBadRequest", nack(FAULT, None, "flat", "code")),
        ("NackTooManyRequests", nack(BUSY, None, "flat", "code")),
    ]
    for schema, each in written:
        rule = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
        validator = jsonschema_rs.Draft202012Validator(rule, validate_formats=True)
        validator.validate(json.loads(each.body))
        broken = json.loads(each.body)
        broken["message"]["status"] = "PERHAPS"
        assert not validator.is_valid(broken)
