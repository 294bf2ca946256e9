"""The main story, in a real browser: a job is submitted, waits, runs, ends, and its decision can be checked."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Open
from tests.browser.steps import FIRST_PLAN_MS, fill_job, submit_and_follow

pytestmark = pytest.mark.browser


def test_a_job_goes_from_pending_to_completed_and_its_decision_verifies(open_page: Open) -> None:
    page = open_page("/")
    page.get_by_role("link", name="Submit a job").click()
    followed = submit_and_follow(page, "spring tide", (3, 5))
    assert followed.states == ["pending", "scheduled", "running", "completed"]
    expect(page.get_by_role("heading", level=1)).to_have_text("spring tide")
    expect(page.locator("pre")).to_have_text(re.compile(r"ebb\s+flow"))
    expect(page.get_by_text("Exit status 0.")).to_be_visible()
    expect(page.get_by_text("chosen", exact=True)).to_be_visible()

    page.locator("#decision-link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Decision")
    expect(page.locator(".story")).to_contain_text(re.compile("Awarded to|Moved to"))
    expect(page.get_by_label("Canonical JSON")).to_contain_text('"kind":"decision"')

    page.get_by_role("link", name="Audit", exact=True).first.click()
    page.get_by_role("button", name="Verify every record").click()
    expect(page.locator("#verification")).to_contain_text("Verified.")


def test_the_quote_and_its_curve_follow_the_form(open_page: Open) -> None:
    page = quoting(open_page)
    quote = page.locator("#quote")
    fill_job(page, "quoted")
    expect(quote).to_contain_text("25 kW for 1 h")
    expect(quote.locator("svg[role=img] .dot-best")).to_have_count(2)
    drawn = quote.locator("path.curve-price").get_attribute("d")
    page.get_by_label("Duration").fill("3")
    expect(quote).to_contain_text("25 kW for 3 h")
    assert quote.locator("path.curve-price").get_attribute("d") != drawn
    page.get_by_role("radio", name=re.compile("^Fixed")).check()
    expect(quote).to_contain_text("A fixed job does not wait")
    page.get_by_label("Duration").fill("-1")
    expect(quote).to_contain_text("Duration")
    expect(quote).to_contain_text("Send a value greater than 0")


def test_readers_elsewhere_see_a_quote_in_their_own_time_too(open_page: Open) -> None:
    page = quoting(open_page, timezone_id="Asia/Tokyo")
    tick = page.locator("#quote text[data-instant]").first
    at = datetime.fromisoformat(tick.get_attribute("data-instant") or "")
    expect(tick).to_have_text(f"{at.astimezone(ZoneInfo('Asia/Tokyo')):%H:%M}")
    expect(page.locator("#quote [data-zone]")).to_have_text("your time")
    page.route("**/submit/quote", with_an_instant)
    page.get_by_label("Duration").fill("3")
    expect(page.locator("#quote time[data-told]").last).to_have_text("Mon 18:30 UTC (Tue 03:30 GMT+9)")


def with_an_instant(route: Route) -> None:
    """The quote as it is, and one instant more: whether a quote names any depends on the prices of the moment."""
    answer = route.fetch()
    told = '<time datetime="2026-11-23T18:30:00+00:00" data-local>Mon 18:30 UTC</time>'
    route.fulfill(response=answer, body=answer.text() + told)


def test_every_deadline_of_a_quote_is_in_a_table_reached_by_keyboard(open_page: Open) -> None:
    page = quoting(open_page)
    page.locator("#patience-table > summary").focus()
    page.keyboard.press("Enter")
    rows = page.locator("#patience-table tbody tr")
    expect(rows.first).to_be_visible()
    assert rows.count() > 10
    expect(page.locator("#patience-table tr.chosen")).to_contain_text("your deadline")
    page.get_by_label("Duration").fill("4")
    expect(page.locator("#quote")).to_contain_text("for 4 h")
    expect(rows.first).to_be_visible()


def quoting(open_page: Open, **options: Any) -> Page:
    """The form once there is a plan to quote against."""
    page = open_page("/submit", **options)
    expect(page.locator("#quote")).to_contain_text("Without waiting", timeout=FIRST_PLAN_MS)
    return page


def test_fields_of_other_kinds_stay_out_of_the_way(open_page: Open) -> None:
    page = open_page("/submit")
    expect(page.get_by_label("Cost of a pause")).to_be_hidden()
    page.get_by_role("radio", name=re.compile("^Pausable")).check()
    expect(page.get_by_label("Cost of a pause")).to_be_visible()
    expect(page.get_by_label("Power levels")).to_be_hidden()


def test_a_refused_form_keeps_what_was_typed(open_page: Open) -> None:
    page = open_page("/submit")
    fill_job(page, "too long for its window")
    page.get_by_label("Duration").fill("48")
    with page.expect_response(lambda answer: answer.request.method == "POST" and answer.status == 422):
        page.get_by_role("button", name="Submit job").click()
    expect(page.get_by_role("alert")).to_contain_text("too short")
    expect(page.get_by_label("Name", exact=True)).to_have_value("too long for its window")
    expect(page.get_by_label("Latest finish")).to_have_attribute("aria-invalid", "true")


def test_a_waiting_job_can_be_cancelled(open_page: Open) -> None:
    page = open_page("/submit")
    fill_job(page, "given up")
    page.get_by_role("button", name="Submit job").click()
    page.wait_for_url(re.compile("/jobs/"))
    page.get_by_text("Cancel this job").click()
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.locator(".flash")).to_contain_text("Cancelled: given up.")
    expect(page.locator(".steps [aria-current]")).to_have_text("cancelled")
    expect(page.get_by_text("Cancel this job")).to_have_count(0)


def test_the_list_refreshes_itself_and_keeps_the_focus(open_page: Open, finished_job: str) -> None:
    page = open_page("/jobs")
    link = page.locator(f"a[href='{finished_job[finished_job.index('/jobs') :]}']")
    link.focus()
    held = link.get_attribute("id")
    other = open_page("/submit")
    fill_job(other, "arrives meanwhile")
    other.get_by_role("button", name="Submit job").click()
    expect(page.get_by_role("link", name="arrives meanwhile")).to_be_visible(timeout=15_000)
    assert page.evaluate("document.activeElement.id") == held


def test_a_lost_server_is_said(open_page: Open) -> None:
    page = open_page("/dashboard")
    page.route("**/dashboard", lambda route: route.fulfill(status=204))
    expect(page.locator("#offline")).to_be_hidden()
    page.evaluate("document.dispatchEvent(new CustomEvent('htmx:error', { bubbles: true }))")
    expect(page.locator("#offline")).to_contain_text("Updates stopped")
