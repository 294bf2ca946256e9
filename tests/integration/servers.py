"""Servers for tests: the application in this process over a bench, and ``app.py serve`` in another."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path

import requests
from werkzeug.serving import WSGIRequestHandler, make_server

from core.settings import Settings
from tests.conftest import ROOT
from tests.house import Bench
from web.application import create_app
from web.services import Services


def services_of(bench: Bench) -> Services:
    """What the web needs, out of a bench."""
    parts = {field.name: getattr(bench.house, field.name, "test") for field in fields(Services)}
    return Services(**parts)


class Quiet(WSGIRequestHandler):
    """Handles requests without a word on standard error, which belongs to the command under test."""

    def log(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def served(bench: Bench) -> Iterator[str]:
    """The address of a bench served on loopback by threads of this process."""
    server = make_server("127.0.0.1", 0, create_app(services_of(bench)), threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Serving:
    """``app.py serve`` in a process group of its own."""

    process: subprocess.Popen[bytes]
    url: str

    @classmethod
    def start(cls, folder: Path, **changes: str) -> Serving:
        """A server on ``folder`` that is ready; simulated signals."""
        port = free_port()
        known = {name.upper() for name in Settings.model_fields}
        environment = {name: value for name, value in os.environ.items() if name.upper() not in known}
        environment |= {"SIGNALS": "simulated", "DATA_DIR": str(folder), "PORT": str(port), "LOG_LEVEL": "WARNING"}
        with (folder.parent / "server.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "app.py"), "serve"],
                env=environment | changes,
                cwd=folder.parent,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        made = cls(process, f"http://127.0.0.1:{port}")
        try:
            made._await_ready(folder)
        except BaseException:
            made.kill()
            raise
        return made

    def _await_ready(self, folder: Path) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(requests.RequestException):
                if requests.get(f"{self.url}/health/ready", timeout=5).ok:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"no server: {(folder.parent / 'server.log').read_text()[-2000:]}")

    def members(self) -> set[int]:
        """Processes of the server's group that still live."""
        found = set()
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError, IndexError):
                state, _parent, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
                if int(group) == self.process.pid and state != "Z":
                    found.add(int(entry.name))
        return found

    def kill(self) -> None:
        """End every process of the server at once, as a power cut would."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)

    def stop(self) -> int:
        """Stop it as a person would; its exit status."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=40)
        finally:
            self.kill()
