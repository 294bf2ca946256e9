"""The real application in a process of its own, simulated and fast, and a headless Chromium to look at it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
MANIFEST = ROOT / "web" / "static" / "manifest.json"
CLOCK_SPEED = 600
START_S = 90.0
PATIENCE_MS = 20_000


def unavailable(reason: str) -> None:
    """Skip with the reason; in CI that is a failure, because CI has all it needs."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.is_file():
        unavailable(f"no Chromium at {CHROMIUM}; set CHROMIUM to where it is")
    if not MANIFEST.is_file():
        unavailable("the assets are not built; run `make assets`")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server whose half-hours last three seconds."""
    folder = tmp_path_factory.mktemp("served")
    port = free_port()
    settings = {
        "PORT": str(port),
        "DATA_DIR": str(folder / "var"),
        "SIGNALS": "simulated",
        "CLOCK_SPEED": str(CLOCK_SPEED),
        "TICK_SECONDS": "1800",
        "SECRET_KEY": "browser-tests",
    }
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    with (folder / "server.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py", "serve"], cwd=ROOT, env={**kept, **settings}, stdout=output, stderr=output
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until_served(address, process, folder / "server.log")
            yield address
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_served(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once the home page answers; fail with the end of the server's log."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server did not come up:\n{log.read_text()[-3000:]}")


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, server: str) -> Iterator[Open]:
    """Opens pages in a context of the given options; fails the test for anything the console complains about."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def note(message: ConsoleMessage) -> None:
        refused_form = "status of 422" in message.text
        if message.type in {"error", "warning"} and not refused_form:
            complaints.append(f"{message.text} ({message.location.get('url')})")

    def opened(path: str, **options: Any) -> Page:
        context = browser.new_context(base_url=server, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def finished_job(browser: Browser, server: str) -> str:
    """Address of a job that was completed, submitted by the form; its story is in ``test_story``."""
    from tests.browser.steps import submit_and_follow

    context = browser.new_context(base_url=server)
    try:
        followed = submit_and_follow(context.new_page(), "worked example", (0.5, 4))
        assert followed.states[-1] == "completed"
        return followed.address
    finally:
        context.close()
