"""One session for all hosts: GET, bounded in time and size, no redirects, no cookies, nothing kept between answers."""

from __future__ import annotations

import http.client
import io
import logging
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from agents.energy.transport.bounds import Bounds
from agents.energy.transport.faults import HostUnreachable, OutOfTime, named
from core.errors import FeedInvalid

PIECE_BYTES = 64 * 1024
ERROR_BYTES = 16 * 1024
"""So much of the body of a 3xx, 4xx or 5xx is read."""

HOSTS_KEPT = 64
CONNECTIONS_PER_HOST = 8
FAULTS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)
TORN = (FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect)
HEADERS = {"Accept": "application/json, */*;q=0.1", "Accept-Encoding": "gzip", "User-Agent": "slackwater"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of any status; of a 2xx ``body`` is the whole body, of others its beginning.

    :param wire_bytes: length of the body as it was sent.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    wire_bytes: int


class Wire:
    """The session that all threads share.

    :param monotonic: seconds of a clock that never goes back.
    :param trusted: whom TLS trusts; by default the authorities that come with requests.
    """

    def __init__(self, bounds: Bounds, monotonic: Callable[[], float], trusted: ssl.SSLContext | None = None) -> None:
        for name in ("urllib3.connection", "urllib3.connectionpool"):
            logging.getLogger(name).addFilter(_no_addresses)
        self._bounds = bounds
        self._session = requests.Session()
        self._session.headers = requests.structures.CaseInsensitiveDict(HEADERS)
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._session.auth = _without_netrc
        adapter = TimedAdapter(bounds.whole_s, monotonic, trusted)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """The answer to one request.

        :raises HostUnreachable: no connection, no whole answer in time, or one cut short.
        :raises FeedInvalid: a body too long, or packed in a way that cannot be read.
        """
        try:
            with self._session.get(
                url,
                headers=dict(headers),
                timeout=(self._bounds.connect_s, self._bounds.silence_s),
                allow_redirects=False,
                stream=True,
            ) as response:
                return self._reply(urlsplit(url).netloc, response)
        except FAULTS as error:
            fault = named(urlsplit(url).netloc, error, self._bounds)
        # Outside of the handler, so that the fault has no context: its words would quote the URL with its keys.
        raise fault

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()

    def _reply(self, host: str, response: requests.Response) -> Reply:
        status, packing = response.status_code, response.headers.get("Content-Encoding", "").strip().lower()
        if 200 <= status < 300:
            sent = self._whole(host, response)
            body = unpacked(host, sent, packing, self._bounds.body_bytes)
        else:
            sent = body = _beginning(host, response, packing)
        return Reply(status, response.reason or "", response.headers, body, len(sent))

    def _whole(self, host: str, response: requests.Response) -> bytes:
        limit = self._bounds.body_bytes
        announced = response.headers.get("Content-Length", "")
        if announced.isdigit() and len(announced) < 20 and int(announced) > limit:
            raise FeedInvalid(f"{host} announces {announced} bytes, more than {limit}.")
        parts, size = [], 0
        while part := response.raw.read(PIECE_BYTES, decode_content=False):
            parts.append(part)
            size += len(part)
            if size > limit:
                raise FeedInvalid(f"{host} answered with more than {limit} bytes.")
        return b"".join(parts)


def unpacked(host: str, sent: bytes, packing: str, limit: int) -> bytes:
    """The body as it was before it was compressed, at most ``limit`` bytes; raises where it is not whole."""
    if packing in {"", "identity"}:
        return sent
    if packing not in {"gzip", "x-gzip"}:
        raise FeedInvalid(f"{host} compressed its answer as {packing[:40]!r}, which it was not asked for.")
    if not sent:
        return sent
    member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        body = member.decompress(sent, limit + 1)
    except zlib.error as error:
        raise FeedInvalid(f"{host} answered with broken gzip: {error}.") from error
    if len(body) > limit:
        raise FeedInvalid(f"{host} answered with more than {limit} bytes after decompression of {len(sent)}.")
    if not member.eof:
        raise HostUnreachable(f"{host} cannot be reached: its answer was cut short.")
    if member.unused_data:
        raise FeedInvalid(f"{host} answered with {len(member.unused_data)} bytes after the end of its gzip data.")
    return body


def _beginning(host: str, response: requests.Response, packing: str) -> bytes:
    """The first bytes of what an error says; nothing where even that fails: the status says enough."""
    try:
        sent = response.raw.read(ERROR_BYTES, decode_content=False)
        return unpacked(host, sent, packing, ERROR_BYTES)
    except (*FAULTS, FeedInvalid, HostUnreachable):
        return b""


def _no_addresses(record: logging.LogRecord) -> bool:
    """Only errors: the debug lines and warnings of urllib3 hold whole URLs, and some hosts take keys in parameters."""
    return record.levelno >= logging.ERROR


def _without_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave the request as it is: a person's .netrc is not for feeds."""
    return request


class TimedAdapter(HTTPAdapter):
    """Connections whose answers have a deadline, and one TLS context for all of them.

    Each connection would otherwise read the certificate authorities anew, which costs more CPU than all else.

    :param connections: kinds of connection for http and https; by default those of urllib3.
    """

    def __init__(
        self,
        whole_s: float,
        monotonic: Callable[[], float],
        trusted: ssl.SSLContext | None,
        connections: tuple[type[HTTPConnection], type[HTTPSConnection]] = (HTTPConnection, HTTPSConnection),
    ) -> None:
        answer = partial(TimedAnswer, whole_s, monotonic)
        self._kinds = {
            "http": _pool(HTTPConnectionPool, connections[0], answer),
            "https": _pool(HTTPSConnectionPool, connections[1], answer),
        }
        self._trusted = trusted
        self._lock = threading.Lock()
        super().__init__(pool_connections=HOSTS_KEPT, pool_maxsize=CONNECTIONS_PER_HOST)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._kinds

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._kinds
        return manager

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        host, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https":
            tls = {"ssl_context": self._context(), "cert_reqs": "CERT_REQUIRED"}
        return host, tls

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing: the context verifies."""

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._trusted is None:
                self._trusted = trusting(DEFAULT_CA_BUNDLE_PATH)
            return self._trusted


def _pool(pool: type, connection: type, answer: Callable[..., http.client.HTTPResponse]) -> type:
    """A kind of pool whose connections read their answers as ``answer``."""
    timed = type(f"Timed{connection.__name__}", (connection,), {"response_class": answer})
    return type(f"Timed{pool.__name__}", (pool,), {"ConnectionCls": timed})


def trusting(bundle: str) -> ssl.SSLContext:
    """Whom TLS trusts: the authorities in a PEM file. :class:`OSError` where it holds none."""
    return ssl.create_default_context(cafile=bundle)


class TimedAnswer(http.client.HTTPResponse):
    """An answer whose reads, of headers and body, share one deadline, and which is an error where it is cut short."""

    def __init__(
        self, whole_s: float, monotonic: Callable[[], float], sock: socket.socket, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(sock, *args, **kwargs)
        self._reads = TimedReads(sock, monotonic() + whole_s, monotonic)
        untimed, self.fp = self.fp, io.BufferedReader(self._reads)
        untimed.close()

    def begin(self) -> None:
        super().begin()
        if self._reads.ended:
            raise http.client.IncompleteRead(b"")
        if any(isinstance(defect, TORN) for defect in self.msg.defects):
            raise http.client.HTTPException

    def read(self, amt: int | None = None) -> bytes:
        read = super().read(amt)
        if self.chunked and self._reads.ended:
            # Else a chunk length such as 00ff, cut after its first digit, would pass for the end of the body.
            raise http.client.IncompleteRead(read)
        return read


class TimedReads(io.RawIOBase):
    """Reads of a socket until ``deadline``.

    A time limit of the socket bounds each read alone: a host that sends a byte a second would hold a thread for hours.
    """

    def __init__(self, sock: socket.socket, deadline: float, monotonic: Callable[[], float]) -> None:
        super().__init__()
        self._socket = sock
        self._silence_s = sock.gettimeout() or 0.0
        self._raw = sock.makefile("rb", buffering=0)
        self._deadline = deadline
        self._monotonic = monotonic
        self.ended = False
        """Whether the other end has closed."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._deadline - self._monotonic()
        if left_s <= 0:
            raise OutOfTime
        self._socket.settimeout(min(left_s, self._silence_s))
        try:
            read = self._raw.readinto(buffer)
        except TimeoutError:
            if left_s <= self._silence_s:
                raise OutOfTime from None
            raise
        self.ended = read == 0
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()
