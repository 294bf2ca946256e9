"""One HTTP client for all feeds: JSON over GET, bounded in time and size, with every failure named.

Worst case of one request, about 30 s: two attempts, each with 3 s to connect and 6 s of silence, a pause of at most 2 s
between them, and 10 s for a body that trickles in.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from core.errors import FeedInvalid, FeedUnreachable

CONNECT_SECONDS = 3.05
READ_SECONDS = 6.0
BODY_SECONDS = 10.0
BODY_BYTES = 8 * 1024 * 1024
LONGEST_PAUSE_SECONDS = 2
CHUNK_BYTES = 64 * 1024
BUSY = 429
SERVER_ERROR = 500


class HostUnreachable(FeedUnreachable):
    """The host gave no answer at all: asking it for another zone would only wait again."""

    remedy = "Check this machine's network and DNS; the feed is asked again by itself."


class HostBusy(FeedUnreachable):
    """The host asks to be left alone for ``retry_after_s`` seconds."""

    remedy = "Raise CACHE_TTL_SECONDS if this repeats; the feed is asked again when it allows."

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Refused(FeedInvalid):
    """The feed refused the request with a 3xx or 4xx ``status``."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _retry(backoff_seconds: float) -> Retry:
    return Retry(
        total=1,
        allowed_methods=frozenset({"GET"}),
        status_forcelist=frozenset({BUSY, 500, 502, 503, 504}),
        backoff_factor=backoff_seconds,
        backoff_max=LONGEST_PAUSE_SECONDS,
        retry_after_max=LONGEST_PAUSE_SECONDS,
        raise_on_status=False,
    )


class JsonClient:
    """Asks for JSON over one session that threads may share: nothing is kept from one answer to the next."""

    def __init__(self, *, backoff_seconds: float = 0.5, body_bytes: int = BODY_BYTES) -> None:
        self._body_bytes = body_bytes
        self._session = requests.Session()
        self._session.headers.update({"Accept": "application/json", "User-Agent": "slackwater"})
        adapter = HTTPAdapter(max_retries=_retry(backoff_seconds), pool_maxsize=8)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def get(self, url: str, parameters: Mapping[str, str] | None = None) -> tuple[Any, bytes]:
        """The parsed body and its bytes.

        :raises HostUnreachable: no connection, no answer in time, or an answer cut short.
        :raises FeedUnreachable: still 5xx or 429 after a second attempt.
        :raises FeedInvalid: 3xx, 4xx, not JSON, or longer than the limit.
        """
        try:
            with self._session.get(
                url,
                params=parameters,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = self._body(response)
        except requests.RequestException as error:
            raise HostUnreachable(f"{urlsplit(url).netloc} cannot be reached: {_cause(error)}.") from error
        _require_ok(url, response, body)
        return _parsed(url, response, body), body

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()

    def _body(self, response: requests.Response) -> bytes:
        parts, size, deadline = [], 0, time.monotonic() + BODY_SECONDS
        for chunk in response.iter_content(CHUNK_BYTES):
            parts.append(chunk)
            size += len(chunk)
            if size > self._body_bytes:
                raise FeedInvalid(f"{response.url} answered with more than {self._body_bytes} bytes.")
            if time.monotonic() > deadline:
                raise HostUnreachable(f"{response.url} took longer than {BODY_SECONDS:.0f} s to send its answer.")
        return b"".join(parts)


def _cause(error: requests.RequestException) -> str:
    """The innermost reason, without object addresses and the URL once more."""
    inner: BaseException = error
    while (deeper := getattr(inner, "reason", None) or (inner.args[0] if inner.args else None)) is not None:
        if not isinstance(deeper, BaseException):
            break
        inner = deeper
    return f"{type(inner).__name__}, {str(inner).rpartition(': ')[2] or 'no detail'}"


def _require_ok(url: str, response: requests.Response, body: bytes) -> None:
    status = response.status_code
    if status < 300:
        return
    message = f"{url} answered {status} {response.reason or ''}".rstrip() + f"{_told(body)}."
    if status == BUSY:
        after = response.headers.get("Retry-After", "")
        raise HostBusy(message, float(after) if after.isdigit() else 0.0)
    if status >= SERVER_ERROR:
        raise FeedUnreachable(message)
    raise Refused(message, status)


def _told(body: bytes) -> str:
    """What an error body says, shortened, with a colon before it."""
    text = " ".join(body[:400].decode("utf-8", "replace").split())
    return f": {text[:160]}" if text else ""


def _parsed(url: str, response: requests.Response, body: bytes) -> Any:
    content_type = response.headers.get("Content-Type", "")
    if "json" not in content_type.lower():
        raise FeedInvalid(f"{url} answered with {content_type or 'no content type'} instead of JSON.")
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise FeedInvalid(f"{url} answered with broken JSON: {error}.") from error
