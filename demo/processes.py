"""The processes of the story: ``app.py`` as a person would start it, ended by their ids whatever happens."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from demo.clock import StoryClock, eventually

APP = Path(__file__).resolve().parent.parent / "app.py"
READY_S = 90.0


def free_port() -> int:
    """A port on loopback that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def asked(url: str, body: Any = None, timeout_s: float = 60.0) -> Any:
    """The JSON that a server answers; ``body`` is posted, None is a GET. :class:`RuntimeError` for a refusal."""
    with requests.Session() as session:
        session.trust_env = False
        reply = session.request("GET" if body is None else "POST", url, json=body, timeout=timeout_s)
    if not reply.ok:
        raise RuntimeError(f"{url} answers HTTP {reply.status_code}: {reply.text[:500]}")
    return reply.json()


@dataclass
class AppProcess:
    """One ``app.py`` in a process group of its own; nothing of the caller's environment reaches it.

    :param folder: its DATA_DIR. :param changes: settings beside those that all have.
    """

    name: str
    folder: Path
    changes: dict[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What it wrote."""
        return self.folder.parent / f"{self.name}.log"

    def settings(self, clock: StoryClock) -> dict[str, str]:
        """Its whole environment."""
        common = {"SIGNALS": "simulated", "DATA_DIR": str(self.folder), "LOG_LEVEL": "INFO", "LC_ALL": "C.UTF-8"}
        return {**common, **clock.settings(), **self.changes}

    def start(self, clock: StoryClock, *words: str) -> None:
        """Start ``app.py`` with ``words``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(APP), *words],
                env=self.settings(clock),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, clock: StoryClock, *words: str) -> tuple[int, str]:
        """Run a command to its end: exit status and what it printed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, str(APP), *words],
            env={**self.settings(clock), "LOG_LEVEL": "WARNING"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout + (done.stderr if done.returncode else "")

    @property
    def pid(self) -> int | None:
        """Its id while it runs."""
        return None if self._process is None else self._process.pid

    def require_alive(self) -> bool:
        """True; :class:`RuntimeError` with its last words where it has ended."""
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"{self.name} has ended: {self.log.read_text(errors='replace')[-2000:]}")
        return True

    def kill(self) -> None:
        """End it and its children at once, as a power cut would."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=30)
            self._process = None

    def stop(self) -> None:
        """Ask it to end; at once where it does not."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=30)
            self.kill()


class Slackwater(AppProcess):
    """A Slackwater that takes part in a Beckn network."""

    subscriber_id: str
    port: int

    @classmethod
    def at(cls, subscriber_id: str, folder: Path, changes: dict[str, str]) -> Slackwater:
        """One on a free port, not started."""
        port = free_port()
        made = cls(
            subscriber_id,
            folder,
            {
                "PORT": str(port),
                "BECKN_SUBSCRIBER_ID": subscriber_id,
                "BECKN_URL": f"http://127.0.0.1:{port}/beckn/v2",
                "BECKN_PRIVATE_ADDRESSES": "true",
                **changes,
            },
        )
        made.subscriber_id, made.port = subscriber_id, port
        return made

    @property
    def url(self) -> str:
        """Of its web server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def beckn_url(self) -> str:
        """At which peers reach it."""
        return self.changes["BECKN_URL"]

    def make_key(self, clock: StoryClock) -> dict[str, Any]:
        """Make a key; its public half as a registry wants it."""
        status, told = self.run(clock, "beckn", "keys", "--make", "--json")
        if status:
            raise RuntimeError(f"no key: {told}")
        found: dict[str, Any] = json.loads(told)[0]
        return found

    def serve(self, clock: StoryClock) -> float:
        """Start serving and wait until it is ready; how many seconds that took."""
        began = time.monotonic()
        self.start(clock, "serve")
        eventually(self.ready, f"{self.name} being ready", READY_S)
        return time.monotonic() - began

    def ready(self) -> bool:
        """Whether it serves."""
        self.require_alive()
        with requests.Session() as session, suppress(requests.RequestException):
            session.trust_env = False
            return session.get(f"{self.url}/health/ready", timeout=5).ok
        return False

    def ask(self, path: str, body: Any = None) -> Any:
        """The JSON that its REST API answers."""
        return asked(f"{self.url}{path}", body)


class DevelopmentRegistry(AppProcess):
    """``app.py beckn registry`` on a free port."""

    port: int

    @classmethod
    def at(cls, folder: Path) -> DevelopmentRegistry:
        """One that is not started."""
        made = cls("registry", folder)
        made.port = free_port()
        return made

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.port}"

    def serve(self, clock: StoryClock) -> None:
        """Start it and wait until it answers."""
        self.start(clock, "beckn", "registry", "--port", str(self.port))
        eventually(self._answers, "the registry", READY_S)

    def _answers(self) -> bool:
        self.require_alive()
        with suppress(requests.RequestException):
            return bool(asked(self.url, timeout_s=5))
        return False

    def register(self, subscriber_id: str, url: str, key_id: str, public_key: str, network_id: str) -> None:
        """Make a participant known."""
        told = {
            "subscriber_id": subscriber_id,
            "url": url,
            "unique_key_id": key_id,
            "signing_public_key": public_key,
            "network_memberships": [network_id],
        }
        asked(f"{self.url}/subscribers", told)
