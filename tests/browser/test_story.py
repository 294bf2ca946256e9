"""The main story, in a real browser: a job is submitted, waits, runs, ends, and its decision can be checked."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.steps import fill_job, submit_and_follow

pytestmark = pytest.mark.browser


def test_a_job_goes_from_pending_to_completed_and_its_decision_verifies(open_page: Open) -> None:
    page = open_page("/")
    page.get_by_role("link", name="Submit a job").click()
    followed = submit_and_follow(page, "spring tide")
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


def test_the_preview_follows_the_form(open_page: Open) -> None:
    page = open_page("/submit")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("If it ran at once")
    fill_job(page, "previewed")
    expect(preview).to_contain_text("25 kW for 1 h")
    page.get_by_label("Duration").fill("-1")
    expect(preview).to_contain_text("Duration")
    expect(preview).to_contain_text("Send a value greater than 0")


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
