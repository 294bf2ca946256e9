"""What people do on the pages, as steps that several tests share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from playwright.sync_api import Page, expect

COMMAND = """python3 -c "import time; print('ebb', flush=True); time.sleep(5); print('flow')" """
FOLLOW_S = 100
FIRST_PLAN_MS = 100_000
"""A server that has just started learns before it plans."""

WATCH = """() => {
  const present = () => document.querySelector('.steps [aria-current]')?.textContent.trim();
  window.seen = [present()];
  new MutationObserver(() => {
    const now = present();
    if (now && window.seen.at(-1) !== now) window.seen.push(now);
  }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
}"""


@dataclass(frozen=True)
class Followed:
    """A job's page, and the states it was seen in."""

    address: str
    states: list[str]


def hours_from_now(page: Page, hours: float) -> str:
    """A value for a time field; the form's own deadline is a day from the server's now."""
    default = datetime.fromisoformat(page.get_by_label("Latest finish").get_attribute("value") or "")
    return f"{default - timedelta(hours=24) + timedelta(hours=hours):%Y-%m-%dT%H:%M}"


def fill_job(page: Page, name: str, *, command: str = "") -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Duration").fill("1")
    page.get_by_label(re.compile("^Power ")).first.fill("25")
    page.get_by_label("Latest finish").fill(hours_from_now(page, 6))
    if command:
        page.get_by_label(re.compile("^Command")).fill(command)
        page.get_by_label(re.compile("^Time limit")).fill("600")


def submit_and_follow(page: Page, name: str, window_h: tuple[float, float]) -> Followed:
    """Submit a job with a command by the form and watch its page, without reloading it, until the job has ended.

    ``window_h`` is between how many hours from now it runs, for an hour. Waits for the server's first quote before:
    until then a window of seconds passes unplanned.
    """
    page.goto("/submit")
    expect(page.locator("#quote")).to_contain_text("Without waiting", timeout=FIRST_PLAN_MS)
    page.goto("/submit")
    fill_job(page, name, command=COMMAND)
    page.get_by_role("textbox", name="Earliest start").fill(hours_from_now(page, window_h[0]))
    page.get_by_label("Latest finish").fill(hours_from_now(page, window_h[1]))
    page.get_by_role("button", name="Submit job").click()
    page.wait_for_url(re.compile("/jobs/"))
    page.evaluate(WATCH)
    step = page.locator(".steps [aria-current]")
    expect(step).to_have_text(re.compile("completed|failed|cancelled"), timeout=FOLLOW_S * 1000)
    return Followed(page.url, page.evaluate("window.seen"))
