"""``python -m benchmarks.outbox``: are callbacks delivered through a peer that often fails, and across a kill -9?

Stores callbacks of many contracts, and has a process deliver them to a peer, a server in a process of its own that
answers a third of what it gets with HTTP 500, HTML, a refusal, silence or a cut line. When a share is through, the
sending process is killed and started anew. Counted is what the peer took, by action and message id. The command fails
where something is lost, still pending, out of order or late.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from beckn.outbox import Deliverer, Policy
from beckn.protocol.acknowledgement import ack, nack
from beckn.protocol.faults import Fault
from beckn.signing import BadSignature, KeyId, Signature, Signer
from beckn.transport import Transport
from benchmarks.trading import SPAWN, eventually, peer_process, report, table
from core.clock import SystemClock
from core.slots import format_utc
from core.trade import Delivery
from store.database import Database
from store.outbox import DeliveryState, OutboxRepository, Owed, add

ACTION = "on_status"
PER_STREAM = 5
"""callbacks of one contract"""
PEERS = 20
READ_S, SLOW_S = 0.5, 0.8
"""how long the sender waits for an answer; how late a slow answer is"""
WAYS_TO_FAIL = ("500", "cut", "html", "nack", "cut after taking", "slow")
WEIGHTS = (30, 20, 20, 20, 8, 2)
"""how often each, in 100 failures"""


@dataclass(frozen=True, slots=True)
class Task:
    """What is measured: how many callbacks, what share of attempts fails, and within how many seconds they hold."""

    callbacks: int = 10_000
    fail: float = 0.33
    ttl_s: float = 600.0
    kill_at: float = 0.4
    """share of the callbacks that the peer has when the sender is killed"""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it.

    :param owed: by state, in the sender's store. :param lost: neither taken by the peer nor a dead letter.
    :param twice: taken by the peer more than once, mostly because its acknowledgement was lost on purpose.
    :param acknowledged_twice: acknowledged more than once: the sender had no time to note it before it was killed.
    :param late: taken first after their time. :param disordered: taken first before an earlier one of their stream.
    :param forged: attempts whose signature did not hold. :param attempts: that the peer saw.
    :param killed_at: callbacks that the peer had then.
    """

    task: Task
    owed: Owed
    lost: int
    twice: int
    acknowledged_twice: int
    late: int
    disordered: int
    forged: int
    attempts: int
    killed_at: int
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether nothing is lost, pending, late, out of order or badly signed."""
        pending = self.owed.counts[DeliveryState.PENDING]
        return not (self.lost or pending or self.late or self.disordered or self.forged)


class Came(NamedTuple):
    """What the peer counted; ``taken`` as in :class:`Peer`."""

    taken: Mapping[str, tuple[float, int, int]]
    attempts: int
    forged: int


class Peer(ThreadingHTTPServer):
    """Takes callbacks, and fails at random; knows when it first took each, and how often."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, task: Task, public_key: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fail = task.fail
        self.public_key = public_key
        self.chance = random.Random(task.seed)
        self.lock = threading.Lock()
        self.taken: dict[str, tuple[float, int, int]] = {}
        """by action and message id: seconds of the epoch, times, and times that it was acknowledged"""
        self.attempts = 0
        self.forged = 0

    def drawn(self) -> str | None:
        """How this attempt fails, if it does."""
        with self.lock:
            self.attempts += 1
            if self.chance.random() >= self.fail:
                return None
            return self.chance.choices(WAYS_TO_FAIL, WEIGHTS)[0]

    def check(self, header: str | None, body: bytes, request_signature: str) -> None:
        """Count an attempt whose signature does not hold, or lacks the fourth line."""
        try:
            signature = Signature.parse(header)
            signature.require(body, self.public_key, SystemClock().now(), request_signature)
            good = signature.answers
        except BadSignature:
            good = False
        with self.lock:
            self.forged += not good

    def take(self, key: str, *, acknowledged: bool) -> None:
        """Count a callback."""
        now = SystemClock().now().timestamp()
        with self.lock:
            first, times, acks = self.taken.get(key, (now, 0, 0))
            self.taken[key] = (first, times + 1, acks + acknowledged)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that was killed leaves lines cut: no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Peer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        context = json.loads(body)["context"]
        message_id = context["messageId"]
        self.server.check(self.headers["Authorization"], body, request_signature_of(message_id))
        way = self.server.drawn()
        if way == "cut":
            self._cut()
            return
        if way in (None, "cut after taking", "slow"):
            self.server.take(f"{context['action']} {message_id}", acknowledged=way is None)
        if way == "cut after taking":
            self._cut()
            return
        if way == "slow":
            time.sleep(SLOW_S)
        refused = Fault("NET_OVERLOADED", "not now")
        told = {
            "500": (500, "text/plain", b""),
            "html": (200, "text/html", b"<html>welcome</html>"),
            "nack": (200, "application/json", nack(refused, message_id, "flat", "code").body),
        }
        self._answer(*told.get(way or "", (200, "application/json", ack(message_id, "flat").body)))

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        head = f"HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, *_: object) -> None:
        """Thousands of lines say nothing."""


def request_signature_of(message_id: str) -> str:
    """What stands for the signature of the request that a callback answers."""
    return f"signature of {message_id}"


def receive(task: Task, public_key: bytes, line: Connection) -> None:
    """The process of the peer: tells its port, then its count at each word until there is none."""
    peer = Peer(task, public_key)
    thread = threading.Thread(target=peer.serve_forever, daemon=True)
    thread.start()
    line.send(peer.server_address[1])
    while (word := line.recv()) != "end":
        with peer.lock:
            line.send(len(peer.taken) if word == "count" else (dict(peer.taken), peer.attempts, peer.forged))
    peer.shutdown()


def deliver(url: str, seed: bytes) -> None:
    """The process of the sender: delivers what is owed in the database until it is killed."""
    database = Database(url)
    signer = Signer(KeyId("flex.example.org", "1"), Ed25519PrivateKey.from_private_bytes(seed))
    session = requests.Session()
    session.trust_env = False
    transport = Transport(session, lambda: signer, None, SystemClock(), timeouts_s=(READ_S, READ_S))
    Deliverer(OutboxRepository(database), transport, SystemClock(), Policy()).start()
    threading.Event().wait()


def owe(database: Database, task: Task, port: int, now: datetime) -> dict[str, list[str]]:
    """Store the callbacks; by stream, in order, the action and message id of each."""
    chance, streams = random.Random(task.seed), max(1, task.callbacks // PER_STREAM)
    expected: dict[str, list[str]] = {}
    with database.writing() as connection:
        for number in range(task.callbacks):
            stream = str(uuid.UUID(int=number % streams))
            message_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
            context = {"action": ACTION, "messageId": message_id, "timestamp": format_utc(now)}
            body = {"context": context, "message": {"contract": {"id": stream, "note": "x" * 1000}}}
            delivery = Delivery(
                action=ACTION,
                message_id=message_id,
                transaction_id=stream,
                peer_id=f"peer-{number % streams % PEERS}.example.org",
                url=f"http://127.0.0.1:{port}/{ACTION}",
                stream=stream,
                body=json.dumps(body).encode(),
                created_at=now,
                expires_at=now + timedelta(seconds=task.ttl_s),
                request_signature=request_signature_of(message_id),
            )
            add(connection, delivery)
            expected.setdefault(stream, []).append(f"{ACTION} {message_id}")
    return expected


@contextmanager
def sending(url: str, seed: bytes) -> Iterator[multiprocessing.process.BaseProcess]:
    """A sender, killed with SIGKILL in the end."""
    process = SPAWN.Process(target=deliver, args=(url, seed))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
        process.close()


def measure(task: Task, folder: Path) -> Found:
    """Do all of it, with the database in ``folder``."""
    seed = random.Random(task.seed).randbytes(32)
    public_key = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    database = Database(f"sqlite:///{folder / 'outbox.db'}")
    try:
        database.migrate()
        with peer_process(receive, task, public_key) as (port, line):
            now = SystemClock().now()
            expected = owe(database, task, port, now)
            killed_at, seconds = _delivered(task, database, seed, line)
            line.send("all")
            came = Came(*line.recv())
        until = now + timedelta(seconds=task.ttl_s)
        return _counted(task, OutboxRepository(database), expected, came, until, killed_at, seconds)
    finally:
        database.close()


def _delivered(task: Task, database: Database, seed: bytes, line: Connection) -> tuple[int, float]:
    """Have all of it delivered, by a sender that is killed and by the next; what the peer had then, and seconds."""
    outbox, url, began, taken = OutboxRepository(database), str(database.url), time.perf_counter(), 0

    def enough() -> bool:
        nonlocal taken
        line.send("count")
        taken = int(line.recv())
        return taken >= int(task.callbacks * task.kill_at)

    with sending(url, seed):
        eventually(enough, task.ttl_s, every_s=0.02)
    with sending(url, seed):
        eventually(lambda: not outbox.owed().counts[DeliveryState.PENDING], task.ttl_s + 60)
    return taken, time.perf_counter() - began


def _counted(
    task: Task,
    outbox: OutboxRepository,
    expected: Mapping[str, Sequence[str]],
    came: Came,
    until: datetime,
    killed_at: int,
    seconds: float,
) -> Found:
    """What the peer took, beside what was owed."""
    taken, due = came.taken, until.timestamp()
    dead = {f"{each.action} {each.message_id}" for each in outbox.listed(DeliveryState.DEAD, task.callbacks)}
    return Found(
        task=task,
        owed=outbox.owed(),
        lost=sum(key not in taken and key not in dead for keys in expected.values() for key in keys),
        twice=sum(times > 1 for _, times, _ in taken.values()),
        acknowledged_twice=sum(acks > 1 for *_, acks in taken.values()),
        late=sum(first > due for first, *_ in taken.values()),
        disordered=sum(_disordered([taken[key][0] for key in keys if key in taken]) for keys in expected.values()),
        forged=came.forged,
        attempts=came.attempts,
        killed_at=killed_at,
        seconds=seconds,
    )


def _disordered(firsts: Sequence[float]) -> int:
    """How many came before their predecessor."""
    return sum(later < earlier for earlier, later in pairwise(firsts))


def told(found: Found) -> str:
    """The figures, a line each."""
    counts = found.owed.counts
    return table(
        [
            ("callbacks", found.task.callbacks),
            ("failing", f"{found.task.fail:.0%} of attempts"),
            ("time to live", f"{found.task.ttl_s:g} s"),
            ("killed", f"when the peer had {found.killed_at}"),
            ("delivered", counts[DeliveryState.DELIVERED]),
            ("dead", counts[DeliveryState.DEAD]),
            ("pending", counts[DeliveryState.PENDING]),
            ("lost", found.lost),
            ("received twice", found.twice),
            ("of these by kill", found.acknowledged_twice),
            ("out of order", found.disordered),
            ("badly signed", found.forged),
            ("within TTL", f"no, {found.late} late" if found.late else "yes"),
            ("attempts", found.attempts),
            ("seconds", f"{found.seconds:.1f}"),
            ("callbacks/s", f"{found.task.callbacks / found.seconds:.0f}"),
        ]
    )


def main(arguments: list[str]) -> int:
    """Print the figures; 1 when something is lost, pending, late, out of order or badly signed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outbox", description=__doc__)
    parser.add_argument("--callbacks", type=int, default=10_000)
    parser.add_argument("--fail", type=float, default=0.33, help="share of attempts that fail")
    parser.add_argument("--ttl", type=float, default=600.0, metavar="S", help="seconds for which a callback is tried")
    options = parser.parse_args(arguments)
    return report(measure, Task(options.callbacks, options.fail, options.ttl), told)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
