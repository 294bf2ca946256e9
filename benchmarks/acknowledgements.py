"""``python -m benchmarks.acknowledgements``: how soon are messages of the trade acknowledged, while plans are made?

Starts a server of its own with simulated signals and jobs, a registry for development, and a peer in a process of its
own that takes the callbacks. Signed ``status``, ``select`` and ``discover`` of a few buyers are sent over connections
that stay open, each at its time whether or not the one before was answered; the time of an acknowledgement counts from
when its request was due. The server is given time to end what it does once after a start (it learns the sites' load).
The command fails where a promised callback does not come, or where the 99th percentile is not
below what is promised.
"""

from __future__ import annotations

import argparse
import base64
import os
import queue
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import requests
from werkzeug.serving import WSGIRequestHandler, make_server

from beckn.keys import FILE, KeyRing
from beckn.signing import Signer
from beckn.trust.development import FILE as REGISTRATIONS
from beckn.trust.development import development_registry
from benchmarks.buyers import CLOCK, NETWORK, SELLER, Answered, Buyers, Line, receive, signer_of
from benchmarks.latency import await_ready, job
from benchmarks.trading import eventually, peer_process, report, table
from store.database import Database
from store.messages import MessageRepository
from store.outbox import OutboxRepository

PROMISED_P99_S = 0.100
ACTIONS = ("status", "select", "discover")
BUYERS, DEALS = 4, 12
"""who ask, and contracts about whose status they ask"""
SENDERS = 24
"""connections, which stay open"""
READY_S, DRAIN_S = 180.0, 120.0
REST_S, LOOK_S, AT_REST = 3.0, 0.5, 0.2
"""a server is at rest that for so long uses less than this share of a core, looked at so often"""


@dataclass(frozen=True, slots=True)
class Task:
    """What is measured: requests each second, for how many seconds; a job is submitted every ``job_s``."""

    rate: float = 100.0
    seconds: float = 20.0
    standing_jobs: int = 100
    job_s: float = 2.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it.

    :param missing: acknowledged requests whose callback did not come. :param faults: callbacks that bring an error.
    :param oldest_s: age of the oldest callback that is still owed in the end; ``undone`` messages not worked off.
    :param drained_s: from the last request until nothing was owed. :param ticks: plans that were made meanwhile.
    """

    task: Task
    answers: Sequence[Answered]
    ticks: int
    missing: int = 0
    faults: int = 0
    oldest_s: float = 0.0
    undone: int = 0
    drained_s: float = 0.0

    @property
    def accepted(self) -> int:
        """How many were acknowledged."""
        return sum(each.ok for each in self.answers)

    def quantiles_s(self, action: str | None = None) -> list[float]:
        """p50, p95, p99 and the longest."""
        took = [each.took_s for each in self.answers if action in (None, each.action)]
        return [float(one) for one in np.quantile(took, [0.5, 0.95, 0.99, 1.0])]

    @property
    def complete(self) -> bool:
        """Whether all was acknowledged, and each got its callback."""
        return not (self.missing or self.undone or self.oldest_s) and self.accepted == len(self.answers) > 0

    @property
    def holds(self) -> bool:
        """Whether it is complete, and as soon as promised."""
        return self.complete and self.quantiles_s()[2] < PROMISED_P99_S


class _Silent(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """A registry for development; its address."""
    app = development_registry(folder / REGISTRATIONS, CLOCK)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def server(folder: Path, registry_url: str) -> Iterator[tuple[str, int]]:
    """A server with a name in the network; its address and process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    settings = {
        "SIGNALS": "simulated",
        "DATA_DIR": str(folder),
        "DATABASE_URL": database_url(folder),
        "PORT": str(port),
        "LOG_LEVEL": "WARNING",
        "BECKN_SUBSCRIBER_ID": SELLER,
        "BECKN_URL": f"{address}/beckn/v2",
        "BECKN_REGISTRY_URL": registry_url,
        "BECKN_NETWORK_ID": NETWORK,
        "BECKN_PRIVATE_ADDRESSES": "true",
        "BECKN_REQUESTS_PER_SECOND": "10000",
    }
    process = subprocess.Popen(
        [sys.executable, "app.py", "serve"], env={**os.environ, **settings}, stdout=subprocess.DEVNULL
    )
    try:
        await_ready(address, process)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(timeout=60)


def database_url(folder: Path) -> str:
    """The server's database."""
    return f"sqlite:///{folder / 'slackwater.db'}"


def register(registry_url: str, signer: Signer, url: str) -> None:
    """Tell the registry of a buyer."""
    told = {
        "subscriber_id": signer.key_id.subscriber_id,
        "url": url,
        "unique_key_id": signer.key_id.unique_key_id,
        "signing_public_key": base64.b64encode(signer.private.public_key().public_bytes_raw()).decode(),
        "network_memberships": [NETWORK],
    }
    requests.post(f"{registry_url}/subscribers", json=told, timeout=10).raise_for_status()


@dataclass
class Jobs:
    """Submits a job every so often, so that plans are made; knows how many plans there were."""

    address: str
    every_s: float

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Jobs:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def submit(self, number: int) -> None:
        """Submit one."""
        told = job(number, CLOCK.now())
        requests.post(f"{self.address}/api/jobs", json=told, timeout=60).raise_for_status()

    def ticks(self) -> int:
        """Plans so far, at most a page of them."""
        found = requests.get(f"{self.address}/api/ticks", params={"limit": 500}, timeout=60)
        found.raise_for_status()
        return len(found.json()["ticks"])

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(self.every_s):
            self.submit(number)
            number += 1


def prepare(buyers: Buyers, jobs: Jobs, task: Task, line: Connection) -> None:
    """Jobs, a plan that all of them are in, a catalog, and contracts whose status may be asked for."""
    for number in range(task.standing_jobs):
        jobs.submit(number)
    if not eventually(lambda: requests.post(f"{buyers.address}/api/ticks", json={}, timeout=300).ok, READY_S, 1.0):
        raise RuntimeError(f"no plan was made within {READY_S:g} s")
    first = Line(buyers.address)
    found = first.send(buyers, "discover", time.perf_counter())
    catalogs = _awaited(line, [found.message_id], READY_S)[found.message_id]["message"]["catalogs"]
    buyers.know(catalogs)
    sent = [first.send(buyers, "select", time.perf_counter()).message_id for _ in range(DEALS)]
    first.close()
    signers = {signer.key_id.subscriber_id: signer for signer in buyers.signers}
    for deal in _awaited(line, sent, READY_S).values():
        buyers.deals.append((signers[deal["context"]["bapId"]], deal))


def _awaited(line: Connection, message_ids: Sequence[str], within_s: float) -> dict[str, Any]:
    """The callbacks with these ids; :class:`RuntimeError` where they do not come, or bring an error."""
    found: dict[str, Any] = {}

    def there() -> bool:
        line.send("kept")
        found.update(line.recv())
        return all(each in found for each in message_ids)

    if not eventually(there, within_s):
        raise RuntimeError(f"a callback did not come within {within_s:g} s")
    if bad := [found[each]["error"] for each in message_ids if "error" in found[each]]:
        raise RuntimeError(f"a callback brings an error: {bad[0]}")
    return {each: found[each] for each in message_ids}


def await_rest(process_id: int) -> None:
    """Return when a server's processes have had little to do for a while; after :data:`READY_S` whatever they do."""
    quiet_s, before = 0.0, cpu_s(process_id)
    until = time.monotonic() + READY_S
    while quiet_s < REST_S and time.monotonic() < until:
        time.sleep(LOOK_S)
        now = cpu_s(process_id)
        quiet_s = quiet_s + LOOK_S if now - before < AT_REST * LOOK_S else 0.0
        before = now


def cpu_s(process_id: int) -> float:
    """Processor time of a process and of those that it started, from Linux's /proc."""
    own = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    begun = Path(f"/proc/{process_id}/task/{process_id}/children").read_text(encoding="ascii").split()
    ticks = int(own[11]) + int(own[12])
    return ticks / os.sysconf("SC_CLK_TCK") + sum(cpu_s(int(each)) for each in begun)


def send_all(task: Task, buyers: Buyers) -> list[Answered]:
    """Send the requests of a task, each when it is due."""
    waiting: queue.SimpleQueue[tuple[str, float] | None] = queue.SimpleQueue()
    answers: queue.SimpleQueue[Answered] = queue.SimpleQueue()

    def send() -> None:
        line = Line(buyers.address)
        while (asked := waiting.get()) is not None:
            answers.put(line.send(buyers, *asked))
        line.close()

    threads = [threading.Thread(target=send) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    began, count = time.perf_counter(), int(task.rate * task.seconds)
    for number in range(count):
        due = began + number / task.rate
        time.sleep(max(0.0, due - time.perf_counter()))
        waiting.put((ACTIONS[number % len(ACTIONS)], due))
    for _ in threads:
        waiting.put(None)
    for thread in threads:
        thread.join()
    return [answers.get() for _ in range(count)]


def measure(task: Task, folder: Path) -> Found:
    """Do all of it, with the server's data in ``folder``."""
    chance = random.Random(task.seed)
    seeds = {f"buyer-{number}.example.org": chance.randbytes(32) for number in range(BUYERS)}
    signers = [signer_of(name, seed) for name, seed in seeds.items()]
    key = base64.b64decode(KeyRing(folder / FILE).make(CLOCK.now()).signing_public_key)
    with ExitStack() as stack:
        registry_url = stack.enter_context(registry(folder))
        port, line = stack.enter_context(peer_process(receive, seeds))
        url = f"http://127.0.0.1:{port}"
        for signer in signers:
            register(registry_url, signer, f"{url}/{signer.key_id.subscriber_id}")
        address, process_id = stack.enter_context(server(folder, registry_url))
        buyers, jobs = Buyers(address, url, signers, key, chance), Jobs(address, task.job_s)
        prepare(buyers, jobs, task, line)
        await_rest(process_id)
        before = jobs.ticks()
        with jobs:
            answers = send_all(task, buyers)
            ticks = jobs.ticks() - before
        return _drained(Found(task, answers, ticks), folder, line)


def _drained(found: Found, folder: Path, line: Connection) -> Found:
    """The same with what is left once nothing is owed any more, or too late."""
    began, database = time.monotonic(), Database(database_url(folder))
    expected = {f"on_{each.action} {each.message_id}" for each in found.answers if each.ok}
    came: dict[str, bool] = {}
    try:
        outbox, messages = OutboxRepository(database), MessageRepository(database)

        def done() -> bool:
            line.send("all")
            came.update(line.recv())
            return came.keys() >= expected and outbox.owed().oldest is None and not messages.accepted(limit=1)

        eventually(done, DRAIN_S)
        return replace(
            found,
            missing=len(expected - came.keys()),
            faults=sum(came[each] for each in expected & came.keys()),
            oldest_s=outbox.owed().seconds(CLOCK.now()),
            undone=len(messages.accepted()),
            drained_s=time.monotonic() - began,
        )
    finally:
        database.close()


def told(found: Found) -> str:
    """The figures, a line each."""
    waits = [
        (name, f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, max {most:.1f} ms")
        for name, action in (("acknowledged in", None), *((f"  {each}", each) for each in ACTIONS))
        for p50, p95, p99, most in [[1000 * each for each in found.quantiles_s(action)]]
    ]
    return table(
        [
            *waits,
            ("requests", f"{len(found.answers)} at {found.task.rate:g}/s, {found.ticks} plans made meanwhile"),
            ("accepted", found.accepted),
            ("refused", len(found.answers) - found.accepted),
            ("callbacks", f"{found.accepted - found.missing}, {found.faults} of them with an error"),
            ("missing", found.missing),
            ("not worked off", found.undone),
            ("oldest owed", f"{found.oldest_s:.1f} s"),
            ("drained after", f"{found.drained_s:.1f} s"),
        ]
    )


def main(arguments: list[str]) -> int:
    """Print the figures; 1 when something is lost or refused, or acknowledged later than promised."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.acknowledgements", description=__doc__)
    parser.add_argument("--rate", type=float, default=100.0, metavar="N", help="requests each second")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="for how long they are sent")
    parser.add_argument("--jobs", type=int, default=100, metavar="N", help="jobs that are planned from the beginning")
    options = parser.parse_args(arguments)
    return report(measure, Task(options.rate, options.seconds, options.jobs), told)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
