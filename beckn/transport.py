"""One attempt to hand a message to a peer: sign, post, read the acknowledgement.

Nothing that a peer does raises: a refused connection, a slow peer, a page of HTML or a flood of bytes are answers of a
kind. Redirects are not followed, because the address is the one that the registry knows and that was checked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

import requests
from loguru import logger
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, ReadTimeoutError

from beckn.protocol.acknowledgement import Acknowledged, Malformed, Refused, read_acknowledgement
from beckn.protocol.faults import Fault
from beckn.signing import Signer
from core.clock import Clock
from core.trade import Delivery

CONNECT_S, READ_S = 5.0, 10.0
WHOLE_S = 15.0
"""for an answer that arrives in drops"""
MOST_BYTES = 64 * 1024
_PIECE = 8192
_LONGEST_WAIT_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Unreached:
    """No answer: nobody knows whether the peer has the message, unless no connection came about.

    :param reason: without what travelled. :param sent: whether the message may have arrived.
    """

    reason: str
    sent: bool


Answer = Acknowledged | Refused | Malformed | Unreached


class CheckAnswer(Protocol):
    """Checks the signature of an acknowledgement."""

    def __call__(self, header: str | None, body: bytes, request_signature: str, peer_id: str) -> str | None:
        """What is wrong with the header ``Signature``, which signs ``body`` as an answer; None when it holds."""
        ...


class Transport:
    """Posts messages over HTTP.

    :param session: without proxies or netrc of the environment; it may refuse addresses by raising a
        :class:`requests.RequestException`.
    :param signer: asked at each attempt, so that a new key is used from then on.
    :param check_answer: None where acknowledgements are not checked.
    :param on_signed: told of each attempt before it is made, with the value of the header ``Authorization``. A callback
        that answers this message is bound to one of these signatures, not always to the last.
    """

    def __init__(
        self,
        session: requests.Session,
        signer: Callable[[], Signer],
        check_answer: CheckAnswer | None,
        clock: Clock,
        on_signed: Callable[[Delivery, str], None] | None = None,
        timeouts_s: tuple[float, float] = (CONNECT_S, READ_S),
    ) -> None:
        self._session = session
        self._signer = signer
        self._check = check_answer
        self._clock = clock
        self._on_signed = on_signed
        self._timeouts = timeouts_s

    def post(self, delivery: Delivery) -> Answer:
        """Sign with a fresh signature, post, and read what comes back.

        A callback that answers a request signs four lines; a request, and what nobody asked for, three.
        """
        signature = self._signer().sign(delivery.body, self._clock.now(), delivery.request_signature)
        header = signature.header()
        if self._on_signed is not None:
            self._on_signed(delivery, header)
        try:
            with self._session.post(
                delivery.url,
                data=delivery.body,
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                auth=_Signed(header),
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            ) as response:
                body = _body(response)
        except _Unreadable as error:
            return Malformed(str(error))
        except Fault as fault:
            return Unreached(f"it may not be called: {fault}", sent=False)
        except requests.ConnectTimeout:
            return Unreached("no connection in time", sent=False)
        except (requests.Timeout, ReadTimeoutError):
            return Unreached("no answer in time", sent=True)
        except (requests.RequestException, HTTPError) as error:
            return Unreached(f"no answer: {_cause(error)}", sent=not _never_connected(error))
        wait_s = _wait_s(response.headers.get("Retry-After"), self._clock.now())
        kind = response.headers.get("Content-Type")
        answer = read_acknowledgement(response.status_code, kind, body, delivery.message_id, wait_s)
        return self._checked(answer, delivery, response.headers.get("Signature"), body, signature.value)

    def _checked(
        self, answer: Answer, delivery: Delivery, header: str | None, body: bytes, request_signature: str
    ) -> Answer:
        """The answer: an acknowledgement with what it acknowledges, and a remark where its signature does not hold."""
        if not isinstance(answer, Acknowledged):
            return answer
        answer = replace(answer, signature=request_signature)
        if self._check is None:
            return answer
        remark = self._check(header, body, request_signature, delivery.peer_id)
        if remark is None:
            return answer
        logger.warning("{}'s acknowledgement of {} is not signed as it should be: {}", *_who(delivery), remark)
        return replace(answer, remark=remark)


class _Signed(AuthBase):
    """Sets the header; as ``auth``, so that no netrc file puts another in its place."""

    def __init__(self, header: str) -> None:
        self._header = header

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


def _who(delivery: Delivery) -> tuple[str, str]:
    return delivery.peer_id, f"{delivery.action} number {delivery.number}"


class _Unreadable(Exception):
    """An answer that was not read to its end."""


def _body(response: requests.Response) -> bytes:
    """The body; :class:`_Unreadable` beyond :data:`MOST_BYTES` or :data:`WHOLE_S`."""
    until, body = time.monotonic() + WHOLE_S, bytearray()
    while piece := response.raw.read1(_PIECE, decode_content=True):
        body += piece
        if len(body) > MOST_BYTES:
            raise _Unreadable(f"HTTP {response.status_code}: more than {MOST_BYTES} bytes")
        if time.monotonic() > until:
            raise _Unreadable(f"HTTP {response.status_code}: not whole within {WHOLE_S:g} s")
    return bytes(body)


def _cause(error: BaseException) -> str:
    """The innermost reason of a failure, on one line."""
    while deeper := next((each for each in (*error.args, error.__cause__) if isinstance(each, BaseException)), None):
        error = deeper
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return " ".join(text.split())[:200]


def _never_connected(error: BaseException) -> bool:
    """Whether the failure is one of making the connection."""
    inner = error.args[0] if error.args else None
    return isinstance(inner, MaxRetryError) and isinstance(inner.reason, NewConnectionError)


def _wait_s(header: str | None, now: datetime) -> float | None:
    """Seconds that ``Retry-After`` asks for, as a count or as a date; None where it says neither."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_WAIT_S)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return min(max(0.0, (aware - now).total_seconds()), _LONGEST_WAIT_S)
