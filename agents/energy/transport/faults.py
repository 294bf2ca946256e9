"""What may go wrong on the way to a host, each named for people.

No message quotes what the HTTP libraries say: their words hold addresses of objects and the whole URL, keys included.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator

import urllib3.exceptions

from agents.energy.transport.bounds import Bounds
from core.errors import FeedInvalid, FeedUnreachable


class HostUnreachable(FeedUnreachable):
    """The host gave no whole answer: asking it for another zone would only wait again.

    ``lasting``: trying again at once is of no use.
    """

    remedy = "Check this machine's network and DNS; the feed is asked again by itself."

    def __init__(self, message: str, *, lasting: bool = False, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.lasting = lasting


class HostBusy(FeedUnreachable):
    """The host asks to be left alone for ``retry_after_s`` seconds; 0 where it names no time."""

    remedy = "Raise CACHE_TTL_SECONDS if this repeats; the feed is asked again when it allows."

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ServerFault(FeedUnreachable):
    """The host answered with a 5xx ``status``; ``body`` is the beginning of what it said."""

    def __init__(self, message: str, status: int, body: bytes = b"") -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class Refused(FeedInvalid):
    """The feed refused the request with a 3xx or 4xx ``status``; ``body`` is the beginning of what it said."""

    def __init__(self, message: str, status: int, body: bytes = b"") -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class OutOfTime(TimeoutError):
    """An answer was not complete within the time that a whole answer may take."""


def named(host: str, error: BaseException, bounds: Bounds) -> HostUnreachable | FeedInvalid:
    """The fault of an exchange with ``host``, without a reference to the original."""
    if isinstance(error, ValueError):
        return FeedInvalid(f"{host} cannot be asked: the address or a header is malformed ({type(error).__name__}).")
    chain = tuple(_chain(error))
    for kind, tell in _WORDS:
        for link in chain:
            if isinstance(link, kind):
                lasting = isinstance(link, OutOfTime | ssl.SSLCertVerificationError)
                return HostUnreachable(f"{host} cannot be reached: {tell(link, bounds)}.", lasting=lasting)
    return HostUnreachable(f"{host} cannot be reached: {type(chain[-1]).__name__}.")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def _certificate(error: BaseException, _: Bounds) -> str:
    return f"its TLS certificate is not trusted ({getattr(error, 'verify_message', '') or 'no reason given'})"


def _tls(error: BaseException, _: Bounds) -> str:
    reason = getattr(error, "reason", None)
    return f"TLS failed ({reason if isinstance(reason, str) else type(error).__name__})"


_WORDS: tuple[tuple[type[BaseException], Callable[[BaseException, Bounds], str]], ...] = (
    (OutOfTime, lambda _, bounds: f"its answer was not complete after {bounds.whole_s:g} s"),
    (ssl.SSLCertVerificationError, _certificate),
    (ssl.SSLError, _tls),
    (socket.gaierror, lambda *_: "its name cannot be resolved"),
    (ConnectionRefusedError, lambda *_: "the connection was refused"),
    (urllib3.exceptions.ConnectTimeoutError, lambda _, bounds: f"no connection within {bounds.connect_s:g} s"),
    (http.client.IncompleteRead, lambda *_: "its answer was cut short"),
    (http.client.RemoteDisconnected, lambda *_: "the connection was closed without an answer"),
    (ConnectionError, lambda *_: "the connection was reset"),
    (TimeoutError, lambda _, bounds: f"it was silent for {bounds.silence_s:g} s"),
    (urllib3.exceptions.TimeoutError, lambda _, bounds: f"it was silent for {bounds.silence_s:g} s"),
    (http.client.HTTPException, lambda error, _: f"what it sent is not HTTP ({type(error).__name__})"),
)
"""The first kind found anywhere in the chain of causes names the fault."""
