"""Sockets of the upstream: one thread a connection, whose every answer ends when the server stops."""

from __future__ import annotations

import gzip
import selectors
import socket
import ssl
import struct
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

from tests.upstream.faults import Fault
from tests.upstream.wire import Reply, json_reply

if TYPE_CHECKING:
    from tests.upstream.server import Upstream

HUGE_BYTES = 100 * 1024 * 1024
BOMB_BYTES = 20 * 1024 * 1024
CHUNK = b" " * 65536
SILENCE_S = 60.0
DEAF = "deaf"
TLS_ALERT = bytes.fromhex("15030100020246")
PAGE = b"<!doctype html><html><title>Maintenance</title><body><h1>We will be back soon</h1></body></html>"


@cache
def _bomb() -> bytes:
    """20 MB of blanks, compressed to some 100 kB."""
    return gzip.compress(b" " * BOMB_BYTES, compresslevel=1)


class Handler(BaseHTTPRequestHandler):
    """Reads one request after the other and passes each to the upstream."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30
    server: _Server

    INSTEAD: ClassVar[dict[Fault, Reply]] = {
        Fault.HTML: Reply(PAGE, content_type="text/html"),
        Fault.EMPTY_OBJECT: json_reply({}),
        Fault.EMPTY_LIST: json_reply({"data": [], "count": 0, "next": None, "previous": None, "results": []}),
        Fault.EMPTY_BODY: Reply(b""),
        Fault.NOT_A_NUMBER: Reply(b"NaN"),
        Fault.BUSY: json_reply({"message": "Too many requests"}, 429),
        Fault.BAD_REQUEST: json_reply({"error": {"code": "400 Bad Request", "message": "Please enter a date."}}, 400),
        Fault.SERVER_ERROR: json_reply(
            {"error": {"code": "500 Internal Server Error", "message": "Requested resource not found."}}, 500
        ),
        Fault.SERVER_ERROR_HTML: Reply(PAGE, 502, "text/html"),
    }
    AFTER_ANSWERING = frozenset({Fault.CUT_JSON, Fault.TRUNCATED, Fault.DRIP})
    """Faults that spoil the sending of a right answer."""

    def do_GET(self) -> None:
        self.server.upstream.handle(self, self.server.api)

    def log_message(self, *_: Any) -> None:
        """Nothing: the upstream keeps a log of its own."""

    # -- sending --------------------------------------------------------------------------------------------------

    def send(self, reply: Reply, date: datetime) -> None:
        """A whole answer in one write."""
        self.wfile.write(self._head(reply, date, len(reply.body)) + reply.body)

    def _head(self, reply: Reply, date: datetime, length: int | None) -> bytes:
        headers = {"Date": format_datetime(date, usegmt=True), "Content-Type": reply.content_type, **reply.headers}
        headers |= {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
        lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
        lines += [f"{name}: {text}" for name, text in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    # -- misbehaving ----------------------------------------------------------------------------------------------

    def send_spoiled(self, fault: Fault, reply: Reply, date: datetime) -> None:
        """A right answer sent wrongly."""
        half = reply.body[: max(len(reply.body) // 2, 1)]
        if fault is Fault.CUT_JSON:
            self.send(Reply(half, reply.status, reply.content_type), date)
            return
        self.wfile.write(self._head(reply, date, len(reply.body)))
        if fault is Fault.TRUNCATED:
            self.wfile.write(half)
        else:
            for byte in reply.body:
                if self.server.stopping.wait(self.server.upstream.drip_s):
                    break
                self.wfile.write(bytes([byte]))
        self.close_connection = True

    def misbehave(self, fault: Fault, date: datetime) -> None:
        """Something else instead of the answer."""
        if fault in self.INSTEAD:
            self.send(self.INSTEAD[fault], date)
        elif fault is Fault.REDIRECT_LOOP:
            self.send(Reply(b"", 302, headers={"Location": self.path}), date)
        elif fault is Fault.BUSY_RETRY_AFTER:
            self.send(self._busy(str(self.server.upstream.retry_after_s)), date)
        elif fault is Fault.BUSY_UNTIL:
            until = date + timedelta(seconds=self.server.upstream.retry_after_s)
            self.send(self._busy(format_datetime(until, usegmt=True)), date)
        elif fault is Fault.BOMB:
            self.send(Reply(_bomb(), headers={"Content-Encoding": "gzip"}), date)
        else:
            self._abuse_the_connection(fault, date)

    @staticmethod
    def _busy(retry_after: str) -> Reply:
        return json_reply({"message": "Too many requests"}, 429, Retry_After=retry_after)

    def _abuse_the_connection(self, fault: Fault, date: datetime) -> None:
        self.close_connection = True
        if fault is Fault.HUGE:
            self.wfile.write(self._head(Reply(b""), date, None))
            for _ in range(HUGE_BYTES // len(CHUNK)):
                if self.server.stopping.is_set():
                    break
                self.wfile.write(b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK))
            self.wfile.write(b"0\r\n\r\n")
        elif fault is Fault.SILENT:
            self.server.stopping.wait(SILENCE_S)
        elif fault is Fault.TLS:
            self.wfile.write(TLS_ALERT)
        elif fault is Fault.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class _Server(ThreadingHTTPServer):
    """Keeps its connections, so that stopping ends them all."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = 64

    def __init__(self, port: int, upstream: Upstream, api: str) -> None:
        self.upstream, self.api = upstream, api
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._guard:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        if request.fileno() >= 0 and _lingers(request):
            request.close()
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none; anything else is a fault of the upstream itself and is shown."""
        import sys

        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """End every connection."""
        with self._guard:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue


def _lingers(connection: socket.socket) -> bool:
    """Whether the connection is to be reset when it is closed."""
    return struct.unpack("ii", connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)) == (1, 0)


class _Deaf(_Server):
    """Takes part in no TLS handshake: it has no certificate, and tells the client so."""

    def finish_request(self, request: Any, client_address: Any) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        request.settimeout(5)
        try:
            context.wrap_socket(request, server_side=True, do_handshake_on_connect=True).close()
        except OSError:
            return


class Listeners:
    """A port for each API and one without TLS; a single thread waits at all of them from :meth:`start` to :meth:`stop`.

    :param ports: the port of each API, 0 for any that is free.
    """

    def __init__(self, ports: Mapping[str, int], upstream: Upstream) -> None:
        self._servers: dict[str, _Server] = {api: _Server(port, upstream, api) for api, port in ports.items()}
        self._servers[DEAF] = _Deaf(0, upstream, DEAF)
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._listen, name="upstream")

    def port(self, api: str) -> int:
        return int(self._servers[api].server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take no more connections, and end those that are open."""
        for server in self._servers.values():
            server.stopping.set()
        self._wake.send(b"!")
        self._thread.join()
        for server in self._servers.values():
            server.hang_up()
            server.server_close()
        self._wake.close()
        self._woken.close()

    def _listen(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            for server in self._servers.values():
                selector.register(server, selectors.EVENT_READ, server)
            while True:
                for key, _ in selector.select():
                    if key.data is None:
                        return
                    key.data.handle_request()
