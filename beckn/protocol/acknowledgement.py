"""Acknowledgements: what answers a message at once, as we write it and as peers do.

Peers write it in three ways, all of which are read: ``message.status`` beside ``message.messageId`` (the newest text),
``message.ack.status`` (version 1, and some examples of version 2) and a bare ``status`` (the text of April). Errors are
named ``code`` and ``message`` or ``errorCode`` and ``errorMessage``, and stand in ``message`` or beside it. HTTP 202 or
409 says that no callback follows; 202 without an error is taken for 200.

The newest text requires a ``messageId``. Where that of the message could not be read we write the nil UUID (RFC 9562,
section 5.9), and read it as none.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from beckn.protocol.faults import Fault

Shape = Literal["flat", "nested"]
ErrorFields = Literal["code", "errorCode"]
NoCallback = Literal[202, 409]
DUPLICATE = "CTX_MESSAGE_ID_DUPLICATE"
NO_ID = str(uuid.UUID(int=0))
"""the messageId of a message that has none, or none that could be read"""
TRANSIENT = "NET_"
"""prefix of the codes of errors that pass"""
_OK, _ACCEPTED, _CONFLICT, _TOO_MANY, _SERVER = 200, 202, 409, 429, 500
_LONGEST_CODE, _LONGEST_TEXT = 64, 300


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The peer has taken the message.

    :param callback: whether an answer of its own follows a request; False with HTTP 409, and with 202 where an error
        says why: ``code`` and ``message``.
    :param remark: what is wrong with the signature of the acknowledgement; it is taken all the same.
    :param signature: with which the message was sent; None where it is not known which attempt the peer took.
    """

    callback: bool = True
    code: str | None = None
    message: str | None = None
    remark: str | None = None
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The peer has understood the message and does not take it (NACK).

    :param retry: the fault may pass by itself: HTTP 429 or from 500 on, or a code ``NET_``.
    :param retry_after: seconds after which the peer asks to be tried again.
    """

    code: str
    message: str
    retry: bool
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Malformed:
    """An answer that is no acknowledgement of this message: nobody knows whether the peer took it.

    :param retry_after: as in :class:`Refused`.
    """

    reason: str
    retry_after: float | None = None


Read = Acknowledged | Refused | Malformed


@dataclass(frozen=True, slots=True)
class Written:
    """An acknowledgement as it travels: HTTP status, and a body of JSON whose very bytes are signed."""

    status: int
    body: bytes


def shape_of(version: object, configured: Shape) -> Shape:
    """How a message of ``version`` (``context.version``) is acknowledged: below 2 always nested."""
    major = version.partition(".")[0] if isinstance(version, str) else ""
    return "nested" if major in {"0", "1"} else configured


def ack(message_id: str | None, shape: Shape) -> Written:
    """It is taken; its answer follows by callback. ``message_id`` of the message, None where none could be read."""
    return _written(_OK, "ACK", message_id, shape, None)


def ack_without_callback(
    fault: Fault, message_id: str | None, shape: Shape, error_fields: ErrorFields, status: NoCallback
) -> Written:
    """It was received, and no callback follows because of ``fault``."""
    return _written(status, "ACK", message_id, shape, _error(fault, error_fields))


def nack(fault: Fault, message_id: str | None, shape: Shape, error_fields: ErrorFields) -> Written:
    """It is not taken, because of ``fault``."""
    return _written(fault.status, "NACK", message_id, shape, _error(fault, error_fields))


def _error(fault: Fault, fields: ErrorFields) -> dict[str, Any]:
    told = fault.error()
    if fields == "errorCode":
        told["errorCode"], told["errorMessage"] = told.pop("code"), told.pop("message")
    return told


def _written(
    http_status: int, status: str, message_id: str | None, shape: Shape, error: Mapping[str, Any] | None
) -> Written:
    body: dict[str, Any]
    if shape == "nested":
        body = {"message": {"ack": {"status": status}}}
        if error is not None:
            body["error"] = error
    else:
        body = {"message": {"status": status, "messageId": NO_ID if message_id is None else message_id}}
        if error is not None:
            body["message"]["error"] = error
    return Written(http_status, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())


def read_acknowledgement(
    status: int, content_type: str | None, body: bytes, message_id: str, retry_after: float | None = None
) -> Read:
    """Read the answer to the message with ``message_id``.

    :param status: of HTTP. :param content_type: of the answer; named in the reason where it is no JSON.
    :param retry_after: seconds that its header asks for.
    """
    found = _json(body)
    told = _status(found) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or told is None:
        return Malformed(f"HTTP {status} {_plain(content_type or 'of no type', 80)}: {_what(body, found)}", retry_after)
    message = _mapping(found.get("message"))
    named = message.get("messageId", message.get("message_id"))
    if named is not None and (not isinstance(named, str) or named.lower() not in {message_id.lower(), NO_ID}):
        return Malformed("the acknowledgement is of another messageId", retry_after)
    return _meant(status, told, _mapping(message.get("error")) or _mapping(found.get("error")), retry_after)


def _meant(status: int, told: str, error: Mapping[str, Any], retry_after: float | None) -> Read:
    """What ``ACK`` or ``NACK`` means with this status of HTTP."""
    code, text = _told(error, "code"), _told(error, "message")
    without = status == _CONFLICT or (status == _ACCEPTED and (told == "NACK" or bool(error)))
    if told == "NACK" and (not without or code == DUPLICATE):
        passing = status == _TOO_MANY or status >= _SERVER or (code or "").startswith(TRANSIENT)
        return Refused(code or f"HTTP {status}", text or "no reason given", passing, retry_after)
    if without:
        return Acknowledged(callback=False, code=code, message=text)
    if status not in {_OK, _ACCEPTED}:
        return Malformed(f"HTTP {status} and yet an ACK", retry_after)
    return Acknowledged()


def _json(body: bytes) -> Any:
    """What the bytes say; None where they are no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _status(found: Mapping[str, Any]) -> str | None:
    """``ACK`` or ``NACK`` wherever it stands."""
    message = _mapping(found.get("message"))
    for told in (message.get("status"), _mapping(message.get("ack")).get("status"), found.get("status")):
        if told is not None:
            return told if told in ("ACK", "NACK") else None
    return None


def _told(error: Mapping[str, Any], name: Literal["code", "message"]) -> str | None:
    """The code or the text of an error, by either of its names."""
    told = error.get(name, error.get("errorCode" if name == "code" else "errorMessage"))
    if not isinstance(told, str | int) or isinstance(told, bool) or told == "":
        return None
    return _plain(str(told), _LONGEST_CODE if name == "code" else _LONGEST_TEXT)


def _what(body: bytes, found: Any) -> str:
    if not body:
        return "no body"
    return "no JSON" if found is None else "no acknowledgement"


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _plain(text: str, longest: int) -> str:
    """A peer's words for logs and consoles: one line, and not long."""
    return "".join(sign if sign.isprintable() else " " for sign in text[:longest])
