"""docs/beckn.md is followed to the letter, on other ports: from keys to a contract that is in force."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.conformance.project import ROOT, code_blocks, document
from tests.waiting import eventually

PAGE = document("docs/beckn.md")
TOOLS = all(shutil.which(tool) for tool in ("jq", "curl", "sh"))


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def following(folder: Path, block: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A terminal in which a block of the page runs; everything in it ends with it."""
    with (folder / "terminal.log").open("ab") as log:
        process = subprocess.Popen(
            ["sh", "-ec", block], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def open_at(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
@pytest.mark.skipif(not TOOLS, reason="the guide needs jq, curl and a shell")
def test_the_page_leads_from_keys_to_a_confirmed_contract(tmp_path: Path) -> None:
    registry, callbacks, server = free_ports(3)

    def adapted(block: str) -> str:
        block = block.replace("python app.py", f"{sys.executable} {ROOT / 'app.py'}").replace("python -c", "python3 -c")
        block = block.replace("beckn registry &", f"beckn registry --port {registry} &\nsleep 3")
        block = block.replace("beckn listen messages", f"beckn listen messages --port {callbacks}")
        return block.replace("8060", str(registry)).replace("9000", str(callbacks)).replace("5000", str(server))

    first, second, third = map(adapted, code_blocks(PAGE, "sh"))
    environment = {**os.environ, "PORT": str(server), "TICK_SECONDS": "60"}
    with following(tmp_path, first, environment):
        eventually(lambda: open_at(registry) and open_at(callbacks), within_s=120)
        with following(tmp_path, second, environment):
            eventually(lambda: open_at(server), within_s=120)
            asked = subprocess.run(
                ["sh", "-ec", third], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert asked.returncode == 0, asked.stdout + asked.stderr + (tmp_path / "terminal.log").read_text()
    confirmed = json.loads((tmp_path / "messages" / "on_confirm.json").read_text())
    assert confirmed["message"]["contract"]["status"]["code"] == "ACTIVE"
    assert "on_confirm, signed by flex.example.org, answers ours" in (tmp_path / "terminal.log").read_text()
