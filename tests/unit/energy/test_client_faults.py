"""Every way in which a host may misbehave, over real sockets of loopback."""

from __future__ import annotations

import gzip
import logging
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.energy.client import Bounds, Client, HostBusy, HostUnreachable, Recorder, Refused, ServerFault
from agents.energy.feed import Authorisation, Limits
from agents.energy.transport.faults import OutOfTime
from agents.energy.transport.wire import TimedReads
from core.errors import FeedError, FeedInvalid

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUICK = Bounds(body_bytes=100_000, pause_s=0.001, longest_pause_s=0.01, open_after=10_000)
HASTY = replace(QUICK, connect_s=0.5, silence_s=0.3, whole_s=0.5, attempts=1)
JSON = b'{"data": [1]}'
KEY = "s3cret/key+value"
Behaviour = Callable[[socket.socket, int], None]


class Upstream:
    """A host of loopback that treats each request, by its number from 0, as ``behave`` says."""

    def __init__(self, behave: Behaviour, tls: ssl.SSLContext | None) -> None:
        self._behave = behave
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._count = 0
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self.requests: list[bytes] = []
        self.times: list[float] = []
        self.connections = 0
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"{'https' if tls else 'http'}://{self.host}/figures"
        self._run(self._accept)

    def _run(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._run(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), self._secured(connection) as peer:
            self._open.append(peer)
            while head := self._head(peer):
                with self._lock:
                    number, self._count = self._count, self._count + 1
                    self.requests.append(head)
                    self.times.append(time.monotonic())
                self._behave(peer, number)

    def _secured(self, connection: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(connection, server_side=True) if self._tls else connection

    @staticmethod
    def _head(connection: socket.socket) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            part = connection.recv(4096)
            if not part:
                return b""
            head += part
        return head

    def stop(self) -> None:
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()


@pytest.fixture
def upstream() -> Iterator[Callable[..., Upstream]]:
    """Starts hosts: ``upstream(behave, tls=None)``."""
    started: list[Upstream] = []

    def start(behave: Behaviour, tls: ssl.SSLContext | None = None) -> Upstream:
        started.append(Upstream(behave, tls))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@contextmanager
def asking(bounds: Bounds = QUICK, now: datetime = NOW, **kwargs) -> Iterator[Recorder]:
    client = Client(bounds=bounds, **kwargs)
    try:
        yield client.recording(now)
    finally:
        client.close()


def fails(get: Recorder, url: str, said: str | None = None) -> FeedError:
    """The fault of asking, which says ``said``."""
    with pytest.raises(FeedError, match=said) as raised:
        get(url)
    return raised.value


def answer(body: bytes = JSON, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    lines = (f"HTTP/1.1 {status}", "Content-Type: application/json", *headers)
    announced = len(body) if length is None else length
    return "\r\n".join((*lines, f"Content-Length: {announced}", "", "")).encode() + body


def always(*sent: bytes) -> Behaviour:
    """Sends the pieces, whatever the request."""

    def behave(connection: socket.socket, _: int) -> None:
        for piece in sent:
            connection.sendall(piece)

    return behave


def then_close(*sent: bytes) -> Behaviour:
    def behave(connection: socket.socket, number: int) -> None:
        always(*sent)(connection, number)
        connection.shutdown(socket.SHUT_RDWR)

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """The first request meets the first behaviour; those after the last meet the last."""

    def behave(connection: socket.socket, number: int) -> None:
        behaviours[min(number, len(behaviours) - 1)](connection, number)

    return behave


def reset(connection: socket.socket, _: int) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def dripping(head: bytes) -> Behaviour:
    """Sends ``head``, then a byte at a time until the other end is gone."""

    def behave(connection: socket.socket, _: int) -> None:
        connection.sendall(head)
        with suppress(OSError):
            while True:
                connection.sendall(b"1")
                time.sleep(0.02)
        connection.close()

    return behave


def test_a_whole_answer_is_returned_with_its_bytes_and_recorded(upstream):
    host = upstream(always(answer()))
    with asking() as get:
        got = get(host.url, {"a": "1 +"})
    assert (got.body, got.content_type, got.url) == (JSON, "application/json", f"{host.url}?a=1%20%2B")
    assert get.answers == (got,)
    assert host.requests[0].startswith(b"GET /figures?a=1%20%2B HTTP/1.1")


def test_one_connection_serves_many_requests(upstream):
    host = upstream(always(answer()))
    with asking() as get:
        for _ in range(5):
            get(host.url)
    assert (host.connections, len(host.requests)) == (1, 5)


def test_neither_cookies_nor_a_netrc_reach_the_host(upstream, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    host = upstream(always(answer(JSON, "200 OK", "Set-Cookie: id=1; Path=/")))
    with asking() as get:
        get(host.url)
        get(host.url)
    assert not any(b"cookie" in head.lower() or b"authorization" in head.lower() for head in host.requests)


@pytest.mark.parametrize("packing", ["identity", "gzip"])
@pytest.mark.parametrize("body", [b"<html>down</html>", b"{}", b""])
def test_a_body_of_any_kind_is_returned_as_it_is(upstream, body, packing):
    sent = gzip.compress(body) if body and packing == "gzip" else body
    host = upstream(always(answer(sent, "200 OK", f"Content-Encoding: {packing}")))
    with asking() as get:
        assert get(host.url).body == body


def test_html_keeps_its_content_type_for_the_reader(upstream):
    page = b"<html>"
    host = upstream(always(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n" + page))
    with asking() as get:
        assert get(host.url).content_type == "text/html"


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
PACKED = gzip.compress(JSON, mtime=0)


@pytest.mark.parametrize(
    "cut",
    [
        answer(JSON, length=len(JSON) + 5),
        CHUNKED + b"d\r\n" + JSON + b"\r\n",
        CHUNKED + b"ff\r\n" + JSON,
        answer(PACKED[:-6], "200 OK", "Content-Encoding: gzip"),
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + PACKED[:-1],
        b"HTTP/1.1 200 OK\r\nContent-Ty",
        b"HTTP/1.1 200 OK\r\nServer: x\r\n",
        b"HTTP/1.1 200 OK\r\nServer: x\r\ntorn\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["length", "last chunk", "chunk", "packed", "packed, no length", "header", "headers", "torn headers"],
)
def test_an_answer_cut_short_is_an_error_and_never_a_shorter_answer(upstream, cut):
    host = upstream(then_close(cut))
    with asking() as get, pytest.raises(HostUnreachable):
        get(host.url)
    assert get.answers == ()


PIECES = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (PACKED[:20], PACKED[20:])) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    "whole",
    [
        answer(),
        answer(PACKED, "200 OK", "Content-Encoding: gzip"),
        CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n" + PIECES,
        CHUNKED + b"0006\r\n" + JSON[:6] + b"\r\n0007\r\n" + JSON[6:] + b"\r\n0000\r\n\r\n",
    ],
    ids=["plain", "packed", "chunked", "padded chunk lengths"],
)
def test_cut_anywhere_an_answer_is_whole_or_an_error(upstream, whole):
    host = upstream(lambda connection, number: then_close(whole[:number])(connection, number))
    bodies = []
    with asking(replace(QUICK, attempts=1)) as get:
        for _ in range(len(whole) + 1):
            with suppress(HostUnreachable):
                bodies.append(get(host.url).body)
    assert bodies == [JSON]


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_host_sends_the_fault_is_named(upstream, data):
    lines = st.sampled_from(
        (
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 99999 ?\r\n",
            b"Content-Length: -1\r\n",
            b"Content-Length: 9e9\r\n",
            b"Date: 0\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Content-Encoding: gzip\r\n",
            b"Retry-After: x\r\n",
            b"\r\n",
            b"ffffffff\r\n",
        )
    )
    sent = b"".join(data.draw(st.lists(lines | st.binary(max_size=20), max_size=8)))
    host = upstream(then_close(b"HTTP/1.1 " + sent))
    with asking(replace(QUICK, attempts=1)) as get, suppress(FeedError):
        get(host.url)


def test_control_characters_of_an_error_are_not_passed_on(upstream):
    host = upstream(always(answer(b"\x1b[2Jgone\x00\r\nLog: forged", "404 \x1b[31mred")))
    with asking() as get:
        fault = fails(get, host.url, "gone Log: forged")
    assert all(sign.isprintable() for sign in str(fault))


def test_a_proxy_of_the_environment_is_used_within_the_same_deadline(upstream, monkeypatch):
    proxy = upstream(in_turn(always(answer()), dripping(answer(b"", length=4_000))))
    monkeypatch.setenv("http_proxy", f"http://{proxy.host}")
    with asking(HASTY) as get:
        assert get("http://feed.example/figures").body == JSON
        assert timed(lambda: fails(get, "http://feed.example/figures", "not complete")) < 1.5
    assert proxy.requests[0].startswith(b"GET http://feed.example/figures HTTP/1.1")


def test_an_answer_cut_short_once_is_asked_for_again(upstream):
    host = upstream(in_turn(then_close(answer(JSON, length=99)), reset, always(answer())))
    with asking() as get:
        assert get(host.url).body == JSON
    assert len(host.requests) == 3


def test_chunked_and_packed_bodies_arrive_whole(upstream):
    packed = gzip.compress(JSON * 1000)
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (packed[:7], packed[7:])) + b"0\r\n\r\n"
    host = upstream(always(CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n") + pieces))
    with asking() as get:
        assert get(host.url).body == JSON * 1000


def endless(connection: socket.socket, _: int) -> None:
    """100 MB without an announced length."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    with suppress(OSError):
        for _ in range(100):
            connection.sendall(b" " * 1_000_000)
    connection.close()


def test_a_hundred_megabytes_are_given_up_at_the_limit_without_being_held(upstream):
    host = upstream(endless)
    tracemalloc.start()
    try:
        with asking() as get, pytest.raises(FeedInvalid, match="more than 100000 bytes"):
            get(host.url)
        # The server's own megabyte counts too: both ends are in this process.
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert len(host.requests) == 1


def test_a_hundred_megabytes_that_are_announced_are_not_even_read(upstream):
    host = upstream(always(answer(b"[", length=100_000_000)))
    with asking() as get, pytest.raises(FeedInvalid, match="announces 100000000 bytes"):
        get(host.url)


def test_a_gzip_bomb_is_given_up_at_the_limit(upstream):
    bomb = gzip.compress(b"0" * 50_000_000)
    host = upstream(always(answer(bomb, "200 OK", "Content-Encoding: gzip")))
    tracemalloc.start()
    try:
        with asking() as get, pytest.raises(FeedInvalid, match=f"after decompression of {len(bomb)}"):
            get(host.url)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("body", "packing", "said"),
    [
        (b"no gzip", "gzip", "broken gzip"),
        (PACKED + b"more", "gzip", "after the end"),
        (JSON, "br", "was not asked for"),
    ],
)
def test_a_body_packed_wrongly_is_invalid(upstream, body, packing, said):
    host = upstream(always(answer(body, "200 OK", f"Content-Encoding: {packing}")))
    with asking() as get, pytest.raises(FeedInvalid, match=said):
        get(host.url)


def test_a_redirect_loop_is_refused_at_its_first_step(upstream):
    host = upstream(always(answer(b"", "302 Found", f"Location: /figures?token={KEY}")))
    with asking() as get, pytest.raises(Refused, match="302 Found, a redirect to /figures which is not") as raised:
        get(host.url)
    assert raised.value.status == 302
    assert KEY not in str(raised.value)
    assert len(host.requests) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[str, str]:
    """A certificate of 127.0.0.1 that it signed itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    files = (str(folder / "certificate.pem"), str(folder / "key.pem"))
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=loopback"
    named = ["-addext", "subjectAltName=IP:127.0.0.1", "-out", files[0], "-keyout", files[1]]
    subprocess.run([*made.split(), *named], check=True, capture_output=True)
    return files


@pytest.fixture
def tls(certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def test_a_certificate_that_nobody_vouches_for_is_named_and_not_tried_again(upstream, tls):
    host = upstream(always(answer()), tls)
    with asking() as get, pytest.raises(HostUnreachable, match=r"certificate is not trusted .*self.signed"):
        get(host.url)
    assert host.connections == 1


def test_a_trusted_certificate_is_trusted(upstream, tls, certificate):
    host = upstream(always(answer()), tls)
    with asking(trusted=ssl.create_default_context(cafile=certificate[0])) as get:
        assert get(host.url).body == JSON


def test_a_trusted_certificate_of_another_host_is_not_trusted(upstream, tls, certificate):
    host = upstream(always(answer()), tls)
    with asking(trusted=ssl.create_default_context(cafile=certificate[0])) as get:
        fails(get, host.url.replace("127.0.0.1", "localhost"), "certificate is not trusted .*localhost")
    assert host.requests == []


def test_a_host_that_speaks_no_tls_is_named_so(upstream):
    def hang_up(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.recv(4096)
            connection.sendall(answer())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = [threading.Thread(target=lambda: hang_up(listener.accept()[0]), daemon=True)]
        threads[0].start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        with asking(replace(QUICK, attempts=1)) as get, pytest.raises(HostUnreachable, match="TLS failed"):
            get(url)
        threads[0].join(5)


def test_a_busy_host_that_names_a_short_time_is_asked_again_after_it(upstream):
    waits: list[float] = []
    host = upstream(in_turn(always(answer(b"", "429 Too Many Requests", "Retry-After: 2")), always(answer())))
    with asking(replace(QUICK, longest_pause_s=2), sleep=waits.append, uniform=lambda low, high: high) as get:
        assert get(host.url).body == JSON
    assert waits == [pytest.approx(2.001)]


def test_a_busy_host_that_names_a_long_time_is_not_asked_again(upstream):
    host = upstream(always(answer(b"", "429 Too Many Requests", "Retry-After: 90")))
    with asking() as get, pytest.raises(HostBusy) as raised:
        get(host.url)
    assert (raised.value.retry_after_s, len(host.requests)) == (90, 1)


def test_a_busy_host_that_names_no_time_is_asked_again_after_growing_pauses(upstream):
    waits: list[float] = []
    host = upstream(always(answer(b"", "429 Too Many Requests")))
    with (
        asking(replace(QUICK, pause_s=1), sleep=waits.append, uniform=lambda low, high: low) as get,
        pytest.raises(HostBusy) as raised,
    ):
        get(host.url)
    assert (raised.value.retry_after_s, len(host.requests), waits) == (0, 3, [0.5, 1.0])


def test_a_date_to_ask_again_is_read_by_the_clock_of_the_host(upstream):
    theirs = NOW + timedelta(hours=1)
    dates = (f"Date: {http_date(theirs)}", f"Retry-After: {http_date(theirs + timedelta(seconds=75))}")
    host = upstream(always(answer(b"", "503 Service Unavailable", *dates)))
    with asking() as get, pytest.raises(HostBusy) as raised:
        get(host.url)
    assert raised.value.retry_after_s == 75


def http_date(at: datetime) -> str:
    return format_datetime(at, usegmt=True)


def test_a_body_of_a_byte_at_a_time_is_cut_at_the_deadline_and_not_tried_again(upstream):
    host = upstream(dripping(answer(b"", length=4_000)))
    with asking(replace(HASTY, attempts=3)) as get:
        elapsed_s = timed(lambda: fails(get, host.url, r"not complete after 0\.5 s"))
    assert 0.4 < elapsed_s < 1.5
    assert len(host.requests) == 1


@pytest.mark.parametrize(
    "head",
    [CHUNKED, CHUNKED + b"fff\r\n", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 500 No\r\nContent-Length: 900\r\n\r\n"],
    ids=["chunk size", "chunk", "header", "error body"],
)
def test_whatever_part_arrives_a_byte_at_a_time_the_deadline_holds(upstream, head):
    host = upstream(dripping(head))
    with asking(HASTY) as get:
        assert timed(lambda: fails(get, host.url)) < 1.5


def timed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def test_a_silent_host_is_given_up(upstream):
    silent = threading.Event()
    host = upstream(lambda *_: silent.wait(5) and None)
    try:
        with (
            asking(HASTY) as get,
            pytest.raises(HostUnreachable, match=r"silent for 0\.3 s") as raised,
        ):
            get(host.url)
    finally:
        silent.set()
    assert not raised.value.lasting


def test_silence_does_not_outlast_the_deadline(upstream):
    silent = threading.Event()
    host = upstream(lambda *_: silent.wait(5) and None)
    with asking(replace(HASTY, silence_s=4)) as get:
        assert timed(lambda: fails(get, host.url, r"not complete after 0\.5 s")) < 1.5
    silent.set()


def test_nothing_is_read_after_the_deadline():
    ours, theirs = socket.socketpair()
    with ours, theirs, TimedReads(ours, 10.0, lambda: 10.0) as reads:
        theirs.sendall(JSON)
        with pytest.raises(OutOfTime):
            reads.read(1)


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        (reset, "the connection was reset"),
        (then_close(), "closed without an answer"),
        (then_close(b"220 smtp.example ready\r\n\r\n"), "is not HTTP"),
        (then_close(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"), "is not HTTP"),
        (then_close(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"), "is not HTTP"),
    ],
    ids=["reset", "closed", "another protocol", "200 headers", "a long header"],
)
def test_a_broken_connection_is_tried_three_times_and_named(upstream, behave, said):
    host = upstream(behave)
    with asking() as get, pytest.raises(HostUnreachable, match=said):
        get(host.url)
    assert len(host.requests) == 3


def test_a_closed_port_is_named_without_addresses_of_objects():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with asking() as get, pytest.raises(HostUnreachable, match="refused") as raised:
        get(f"http://127.0.0.1:{port}/")
    assert "0x" not in str(raised.value)
    assert raised.value.__context__ is None


@pytest.mark.parametrize("hours", [-1, 1])
def test_the_skew_of_the_clock_is_the_farthest_that_any_answer_told(upstream, hours):
    far, near = (f"Date: {http_date(NOW + timedelta(seconds=s))}" for s in (3600 * hours, 1))
    host = upstream(in_turn(always(answer(JSON, "200 OK", far)), always(answer(JSON, "200 OK", near))))
    with asking() as get:
        get(host.url)
        get(host.url)
    assert get.skew_s == pytest.approx(3600 * hours, abs=1)


def test_a_host_that_never_tells_the_time_has_no_skew(upstream):
    host = upstream(always(answer(JSON, "200 OK", "Date: yesterday")))
    with asking() as get:
        get(host.url)
    assert get.skew_s is None


def test_an_answer_out_of_a_cache_is_no_skew(upstream):
    dates = (f"Date: {http_date(NOW - timedelta(seconds=290))}", "Age: 290")
    host = upstream(always(answer(JSON, "200 OK", *dates)))
    with asking() as get:
        get(host.url)
    assert get.skew_s == pytest.approx(0, abs=1)


def key() -> Authorisation:
    return Authorisation({"Authorization": f"Bearer {KEY}"}, {"securityToken": KEY})


def echoing(status: str) -> Behaviour:
    body = f'{{"error": "bad key {KEY}", "asked": "?securityToken=s3cret%2Fkey%2Bvalue"}}'.encode()
    return always(answer(body, status, f"Location: https://elsewhere.example/{KEY}"))


@pytest.mark.parametrize("status", ["401 No", "302 Found", "429 Wait", "500 Oh", f"403 {KEY}"])
def test_a_key_that_an_error_repeats_is_shown_nowhere(upstream, status, caplog):
    caplog.set_level(logging.DEBUG)
    host = upstream(echoing(status))
    client = Client(bounds=QUICK)
    with pytest.raises((Refused, HostBusy, ServerFault)) as raised:
        client.recording(NOW)(host.url, {"zone": "GB"}, authorise=key)
    shown = f"{raised.value!r} {raised.value.diagnostics()} {getattr(raised.value, 'body', b'')} {client.hosts()}"
    client.close()
    for text in (shown, caplog.text):
        assert "s3cret" not in text
    assert f"{host.url}?zone=GB" in str(raised.value)


def test_a_key_reaches_the_host_but_not_what_is_recorded(upstream, caplog):
    caplog.set_level(logging.DEBUG)
    host = upstream(always(answer()))
    with asking() as get:
        got = get(host.url, {"zone": "GB"}, authorise=key)
    assert b"?zone=GB&securityToken=s3cret%2Fkey%2Bvalue HTTP" in host.requests[0]
    assert f"Authorization: Bearer {KEY}".encode() in host.requests[0]
    assert got.url == f"{host.url}?zone=GB"
    assert "s3cret" not in repr(got) + caplog.text


def test_a_good_answer_that_repeats_the_key_is_not_stored(upstream):
    host = upstream(echoing("200 OK"))
    with asking() as get, pytest.raises(FeedInvalid, match="repeats the key") as raised:
        get(host.url, authorise=key)
    assert get.answers == ()
    assert "s3cret" not in str(raised.value)


def test_a_broken_connection_tells_no_key(upstream):
    host = upstream(reset)
    with asking() as get, pytest.raises(HostUnreachable) as raised:
        get(host.url, authorise=key)
    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None
    assert "s3cret" not in repr(raised.value)


def test_a_key_goes_to_one_origin_only(upstream):
    host, other = upstream(always(answer())), upstream(always(answer()))
    with asking() as get:
        get(host.url, authorise=key)
        with pytest.raises(FeedInvalid, match="the key is not sent there"):
            get(other.url, authorise=key)
        get(other.url)
    assert b"s3cret" not in other.requests[0]


def test_a_dead_host_is_left_alone_and_found_again_by_one_request(upstream):
    seconds = [0.0]
    host = upstream(in_turn(reset, reset, reset, always(answer())))
    bounds = replace(QUICK, attempts=1, open_after=2, open_s=30)
    with asking(bounds, monotonic=lambda: seconds[0]) as get:
        for _ in range(2):
            fails(get, host.url)
        fails(get, host.url, "left alone for another 30 s after 2 failures in a row")
        assert len(host.requests) == 2
        seconds[0] = 30
        fails(get, host.url, "reset")
        fails(get, host.url, "left alone for another 60 s")
        seconds[0] = 90
        assert get(host.url).body == JSON
        assert get(host.url).body == JSON
    assert len(host.requests) == 5


class ThreadedAsk:
    """One request in a thread of its own."""

    def __init__(self, client: Client, url: str) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._asked = self._pool.submit(client.recording(NOW), url)

    def body(self) -> bytes:
        try:
            return self._asked.result(5).body
        finally:
            self._pool.shutdown()


def left_alone(upstream, then: Behaviour, attempts_within_s: float = 15.0) -> tuple[Any, Client, threading.Thread, Any]:
    """A host whose circuit is open, one request that tries it again and waits for ``go_on``, and a client to ask by."""
    seconds, probing, go_on = [0.0], threading.Event(), threading.Event()

    def slow(connection: socket.socket, number: int) -> None:
        probing.set()
        go_on.wait(5)
        then(connection, number)

    host = upstream(in_turn(reset, slow, always(answer())))
    bounds = replace(QUICK, attempts=1, open_after=1, attempts_within_s=attempts_within_s)
    client = Client(bounds=bounds, monotonic=lambda: seconds[0])
    fails(client.recording(NOW), host.url)
    seconds[0] = 30

    def try_it() -> None:
        with suppress(FeedError):
            client.recording(NOW)(host.url)

    probe = threading.Thread(target=try_it)
    probe.start()
    assert probing.wait(5)
    return host, client, probe, go_on


def test_while_one_request_tries_a_host_again_the_others_wait_and_are_answered_with_it(upstream):
    host, client, probe, go_on = left_alone(upstream, always(answer()))
    others = [ThreadedAsk(client, host.url) for _ in range(3)]
    time.sleep(0.1)
    assert client.hosts()[0].state == "half_open"
    assert len(host.requests) == 2, "one request tries"
    go_on.set()
    assert [other.body() for other in others] == [JSON] * 3
    probe.join(5)
    assert client.hosts()[0].state == "closed"
    client.close()


def test_where_the_trial_fails_those_that_waited_fail_without_asking(upstream):
    host, client, probe, go_on = left_alone(upstream, reset)
    other = ThreadedAsk(client, host.url)
    go_on.set()
    with pytest.raises(HostUnreachable, match="left alone for another"):
        other.body()
    probe.join(5)
    assert len(host.requests) == 2
    client.close()


def test_nobody_waits_for_a_trial_without_end(upstream):
    host, client, probe, go_on = left_alone(upstream, always(answer()), attempts_within_s=0.05)
    fails(client.recording(NOW), host.url, "just being tried again")
    go_on.set()
    probe.join(5)
    client.close()


def test_threads_together_keep_to_the_limit_of_a_host(upstream):
    host = upstream(always(answer()))
    allowed = Limits(3, timedelta(seconds=0.3))
    client = Client({host.host: allowed}, bounds=QUICK)
    get = client.recording(NOW)
    threads = [threading.Thread(target=get, args=(host.url,)) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    client.close()
    times = sorted(host.times)
    assert len(times) == 9
    apart = [later - earlier for earlier, later in zip(times, times[3:], strict=False)]
    assert min(apart) > 0.25
    assert times[-1] - times[0] < 2
