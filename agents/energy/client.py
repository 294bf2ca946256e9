"""The one HTTP client of all feeds: bounded in time and size, polite to hosts, with every failure named.

Beneath it, in :mod:`agents.energy.transport`: one session (``wire``), what is known of each host (``hosts``), the
bounds of it all (``bounds``), the named faults (``faults``), and keys kept out of everything (``secrets``).
"""

from __future__ import annotations

import random
import ssl
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlencode, urlsplit

from agents.energy.feed import Authorisation, Authorise, Limits
from agents.energy.transport.bounds import Bounds
from agents.energy.transport.faults import HostBusy, HostUnreachable, Refused, ServerFault
from agents.energy.transport.hosts import Host, HostState, Turn
from agents.energy.transport.secrets import Secrets
from agents.energy.transport.wire import Reply, Wire
from core.errors import FeedError, FeedInvalid
from core.vintage import RawAnswer

__all__ = [
    "Bounds",
    "Client",
    "HostBusy",
    "HostState",
    "HostUnreachable",
    "NotStored",
    "Recorder",
    "Refused",
    "ServerFault",
    "StoredAnswers",
    "address",
]

BUSY = 429
UNAVAILABLE = 503
PARTIAL = 206
LONGEST_RETRY_AFTER_S = 86_400.0
"""No host is left alone for longer than a day, whatever it asks for."""

Now = Callable[[], datetime]
Dated = tuple[RawAnswer, float | None]


def address(url: str, parameters: Mapping[str, str] | None = None) -> str:
    """``url`` with ``parameters`` in their order, each percent-encoded: a plus as %2B, a space as %20."""
    if not parameters:
        return url
    query = urlencode(parameters, quote_via=quote, safe=":,")
    return f"{url}{'&' if '?' in url else '?'}{query}"


class Client:
    """Asks hosts for bodies; threads may share it. Nothing is kept of an answer but how its host stands.

    :param limits: what hosts allow; a host is named as in a URL, with its port if it is not the usual one.
    :param monotonic: seconds of a clock that never goes back; with ``sleep`` and ``uniform`` it is given by tests.
    :param trusted: whom TLS trusts, if not the usual authorities.
    """

    def __init__(
        self,
        limits: Mapping[str, Limits] | None = None,
        *,
        bounds: Bounds | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        self._bounds = bounds or Bounds()
        self._monotonic = monotonic
        self._sleep = sleep
        self._uniform = uniform
        self._wire = Wire(self._bounds, monotonic, trusted)
        self._hosts: dict[str, Host] = {}
        self._lock = threading.Lock()
        for host, allowed in (limits or {}).items():
            self.limit(host, allowed)

    def limit(self, host: str, limits: Limits) -> None:
        """Keep to ``limits`` when asking ``host``, besides those set before."""
        self._host(host.lower()).limit(limits)

    def recording(self, now: datetime) -> Recorder:
        """A ``Get`` for one fetch that is made at ``now``."""
        started = self._monotonic()
        return Recorder(self, lambda: now + timedelta(seconds=self._monotonic() - started))

    def hosts(self) -> tuple[HostState, ...]:
        """Every host that was asked or has limits, by name."""
        with self._lock:
            known = sorted(self._hosts.values(), key=lambda host: host.name)
        now = self._monotonic()
        return tuple(host.state(now) for host in known)

    def close(self) -> None:
        """Close idle connections."""
        self._wire.close()

    def ask(self, url: str, key: Authorisation, now: Now) -> Dated:
        """The answer of a 2xx, and how many seconds its host's clock is ahead, where the host tells the time.

        :raises HostUnreachable: no whole answer in time after some attempts, or none was made: the host is left alone.
        :raises HostBusy: 429 or 503 with a time to wait, or the turn under the host's limits comes too late.
        :raises ServerFault: still 5xx after some attempts.
        :raises Refused: 3xx or 4xx; redirects are not followed.
        :raises FeedInvalid: an answer that is too long, partial, broken gzip, or repeats the key.
        """
        host = self._host(_host_of(url))
        turn = host.enter(self._monotonic())
        try:
            answer = self._attempts(host, url, key, now, turn)
        except (HostUnreachable, HostBusy) as fault:
            host.failed(fault, self._monotonic(), probe=turn.probe)
            raise
        except FeedError as error:
            host.answered(str(error))
            raise
        except BaseException:
            host.abandoned(probe=turn.probe)
            raise
        host.answered()
        return answer

    def _attempts(self, host: Host, url: str, key: Authorisation, now: Now, turn: Turn) -> Dated:
        most = 1 if turn.probe else self._bounds.attempts
        wait_s, latest = turn.wait_s, self._monotonic() + turn.wait_s + self._bounds.attempts_within_s
        for attempt in range(1, most + 1):
            if wait_s > 0:
                self._sleep(wait_s)
            try:
                return self._once(host, url, key, now)
            except (HostUnreachable, HostBusy, ServerFault) as fault:
                pause_s = self._pause_s(fault, attempt)
                if attempt == most or pause_s is None or self._monotonic() + pause_s > latest:
                    raise
                again_s = host.again(self._monotonic(), pause_s)
                if again_s is None:
                    raise
                wait_s = again_s
        raise AssertionError("the last attempt returns or raises")

    def _pause_s(self, fault: FeedError, attempt: int) -> float | None:
        """Seconds before another attempt, never fewer than the host asks for; None where another is of no use."""
        drawn_s = self._bounds.pause_s * 2.0 ** (attempt - 1) * self._uniform(0.5, 1.0)
        if isinstance(fault, HostUnreachable):
            return None if fault.lasting else drawn_s
        asked_s = fault.retry_after_s if isinstance(fault, HostBusy) else 0.0
        return asked_s + drawn_s if asked_s <= self._bounds.longest_pause_s else None

    def _once(self, host: Host, url: str, key: Authorisation, now: Now) -> Dated:
        reply = self._wire.get(address(url, key.parameters), key.headers)
        skew_s = _skew_s(reply.headers, now())
        host.received(reply.wire_bytes, skew_s)
        return _judged(url, reply, Secrets(key), now()), skew_s

    def _host(self, name: str) -> Host:
        with self._lock:
            if name not in self._hosts:
                self._hosts[name] = Host(name, self._bounds)
            return self._hosts[name]


class Recorder:
    """Asks through the client and keeps what was answered; made by :meth:`Client.recording` for one fetch.

    :param now: tells the time of the fetch as it goes on.
    """

    def __init__(self, client: Client, now: Now) -> None:
        self._client = client
        self._now = now
        self._answers: list[RawAnswer] = []
        self._trusted_with_key: str | None = None
        self.skew_s: float | None = None
        """Seconds that the host's clock was ahead, of all answers the farthest off; None if none told the time."""

    def __call__(
        self, url: str, parameters: Mapping[str, str] | None = None, *, authorise: Authorise | None = None
    ) -> RawAnswer:
        asked = address(url, parameters)
        key = authorise() if authorise else Authorisation()
        if authorise:
            self._require_one_origin(asked)
        answer, skew_s = self._client.ask(asked, key, self._now)
        self._answers.append(answer)
        if skew_s is not None and abs(skew_s) >= abs(self.skew_s or 0.0):
            self.skew_s = skew_s
        return answer

    @property
    def answers(self) -> tuple[RawAnswer, ...]:
        """Every 2xx in the order asked, also those of which no figure could be read."""
        return tuple(self._answers)

    def _require_one_origin(self, url: str) -> None:
        """The key of a fetch goes to one origin alone: a next page's address may lead anywhere."""
        scheme, host = urlsplit(url)[:2]
        origin = f"{scheme}://{host}"
        if self._trusted_with_key not in {None, origin}:
            raise FeedInvalid(f"{origin} is not {self._trusted_with_key}: the key is not sent there.")
        self._trusted_with_key = origin


class NotStored(FeedInvalid):
    """There is no stored answer of the address asked, or not so many."""


class StoredAnswers:
    """A ``Get`` over stored answers, without a network; an address asked again gives its next stored answer."""

    def __init__(self, answers: Sequence[RawAnswer]) -> None:
        self._left: dict[str, deque[RawAnswer]] = defaultdict(deque)
        for answer in answers:
            self._left[answer.url].append(answer)

    def __call__(
        self,
        url: str,
        parameters: Mapping[str, str] | None = None,
        *,
        authorise: Authorise | None = None,  # noqa: ARG002  who asks for stored bytes needs no key
    ) -> RawAnswer:
        asked = address(url, parameters)
        if not self._left[asked]:
            raise NotStored(f"{asked} is not among the stored answers, or not so many times.")
        return self._left[asked].popleft()


def _host_of(url: str) -> str:
    """Host, and port where given; :class:`FeedInvalid` if ``url`` is not one of HTTP, or holds a password."""
    try:
        parts = urlsplit(url)
        named = parts.hostname
    except ValueError:
        named = None
    if named is None or parts.scheme not in {"http", "https"}:
        raise FeedInvalid(f"{url[:200]!r} is no address of HTTP.")
    if "@" in parts.netloc:
        raise FeedInvalid(f"An address of {named} holds a user name, which would be stored with its answers.")
    return parts.netloc.lower()


def _judged(url: str, reply: Reply, secrets: Secrets, now: datetime) -> RawAnswer:
    """The answer of a 2xx; anything else raises what it means."""
    if reply.status == PARTIAL:
        raise FeedInvalid(f"{url} answered with a part of what was asked ({PARTIAL}).")
    if 200 <= reply.status < 300:
        if secrets.told_by(reply.body):
            raise FeedInvalid(f"{url} repeats the key in its answer, which is therefore not used or stored.")
        return RawAnswer.of(url, secrets.hidden(reply.headers.get("Content-Type", "")), reply.body)
    body = secrets.hidden_bytes(reply.body)
    answered = f"{url} answered {reply.status} {_plain(reply.reason, 60)}".rstrip()
    message = secrets.hidden(f"{answered}{_led(reply)}{_told(body)}")
    asked_s = _retry_after_s(reply.headers, now)
    if reply.status == BUSY or (reply.status == UNAVAILABLE and asked_s > 0):
        raise HostBusy(message, asked_s)
    if reply.status >= 500:
        raise ServerFault(message, reply.status, body)
    raise Refused(message, reply.status, body)


def _led(reply: Reply) -> str:
    """Where a redirect leads, without its parameters."""
    target = reply.headers.get("Location", "").partition("?")[0]
    return f", a redirect to {_plain(target, 200)} which is not followed" if 300 <= reply.status < 400 else ""


def _told(body: bytes) -> str:
    """What an error says, shortened, and the end of the sentence."""
    text = _plain(body[:400].decode("utf-8", "replace"), 160)
    return f": {text}." if text else "."


def _plain(text: str, most: int) -> str:
    """Foreign words for people: the first ``most`` signs, on one line, without control characters."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:most]


def _retry_after_s(headers: Mapping[str, str], now: datetime) -> float:
    """Seconds that ``Retry-After`` asks for, given in seconds or as a date by the host's own clock; else 0."""
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        return min(float(asked), LONGEST_RETRY_AFTER_S)
    until = _date(asked)
    if until is None:
        return 0.0
    wait_s = (until - (_date(headers.get("Date", "")) or now)).total_seconds()
    return min(max(wait_s, 0.0), LONGEST_RETRY_AFTER_S)


def _skew_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the host's clock is ahead of ``now``; an answer out of a cache is as old as it says."""
    told = _date(headers.get("Date", ""))
    if told is None:
        return None
    age = headers.get("Age", "").strip()
    age_s = float(age) if age.isascii() and age.isdigit() and len(age) < 10 else 0.0
    return (told - now).total_seconds() + age_s


def _date(text: str) -> datetime | None:
    """A date of an HTTP header; None if it is none."""
    try:
        read = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
