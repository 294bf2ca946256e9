"""Every page: no complaint on the console, no accessibility violation, no sideways scrolling, readable without code."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Open
from tests.browser.steps import FIRST_PLAN_MS, fill_job

pytestmark = pytest.mark.browser

PATHS = (
    "/", "/submit", "/jobs", "/jobs?text=nothing-has-this-name", "/dashboard", "/signals",
    "/signals?zone=IS&quantity=price&days=7&state=stale", "/signals/fetches", "/sites", "/beckn", "/shares", "/audit",
    "/audit/statements", "/trade", "/trade/catalogue", "/trade/outbox",
)  # fmt: skip
KINDS = ("decision", "negotiation_round", "delivery")
PHONE = {"viewport": {"width": 360, "height": 740}}


def every_page(page: Page, finished_job: str) -> list[str]:
    """The pages, a completed job's, and a record of each kind that its story leaves."""
    found = [page.request.get(f"/api/logs?kind={kind}&limit=1").json()["logs"] for kind in KINDS]
    return [*PATHS, finished_job, *(f"/audit/{newest['seq']}" for (newest,) in found)]


def test_no_page_violates_accessibility_in_light_or_dark(open_page: Open, finished_job: str) -> None:
    page = open_page("/", reduced_motion="reduce")
    for path in every_page(page, finished_job):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        for details in page.locator("details").all():
            details.evaluate("element => { element.open = true }")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page)
            assert found.violations_count == 0, f"{path}, {scheme}\n{found.generate_report()}"


def test_no_page_scrolls_sideways_on_a_small_phone(open_page: Open, finished_job: str) -> None:
    page = open_page("/", **PHONE)
    for path in every_page(page, finished_job):
        page.goto(path)
        for details in page.locator("details").all():
            details.evaluate("element => { element.open = true }")
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over == 0, path


def test_charts_replace_the_drawings_once_there_is_code(open_page: Open, finished_job: str) -> None:
    for path in ("/", "/dashboard", "/signals", finished_job):
        page = open_page(path)
        expect(page.locator("figure.enhanced canvas").first).to_be_visible()
        expect(page.locator("figure .chart-drawing svg:visible")).to_have_count(0)


def test_pages_read_and_jobs_are_submitted_without_javascript(open_page: Open, finished_job: str) -> None:
    page = open_page("/", java_script_enabled=False)
    expect(page.locator(".chart-drawing svg")).to_be_visible()
    for path in every_page(page, finished_job):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.goto("/submit")
    fill_job(page, "no code")
    page.get_by_role("button", name="Get a quote").click()
    expect(page.locator("#quote")).to_contain_text("Without waiting")
    expect(page.locator("#quote figure .chart-drawing svg")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("no code")
    page.get_by_role("button", name="Submit job").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("no code")
    page.goto("/audit")
    page.get_by_role("button", name="Verify every record").click()
    expect(page.locator("#verification")).to_contain_text("Verified.")


def test_a_job_can_be_submitted_by_keyboard_alone(open_page: Open) -> None:
    page = open_page("/submit")
    expect(page.locator("#quote")).to_contain_text("Without waiting", timeout=FIRST_PLAN_MS)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    tab_to(page, "#job_name")
    page.keyboard.type("by keyboard")
    tab_to(page, "[name=flexibility_type]:checked")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.value") == "pausable"
    tab_to(page, "form .button.primary")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/jobs/"))
    expect(page.get_by_role("heading", level=1)).to_have_text("by keyboard")


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until ``selector`` has the focus; each stop on the way shows that it has it."""
    for _ in range(80):
        page.keyboard.press("Tab")
        here = page.evaluate(
            """selector => {
              const element = document.activeElement;
              const shown = getComputedStyle(element).outlineStyle !== 'none';
              return { there: element.matches(selector), shown, what: element.outerHTML };
            }""",
            selector,
        )
        assert here["shown"], f"no visible focus on {here['what'][:120]}"
        if here["there"]:
            return
    pytest.fail(f"{selector} cannot be reached by Tab")


def test_what_a_person_opened_stays_open_when_the_page_refreshes(open_page: Open) -> None:
    page = open_page("about:blank")
    answers: list[int] = []

    def hurried(route: Route) -> None:
        answer = route.fetch()
        answers.append(answer.status)
        route.fulfill(response=answer, body=answer.text().replace("every 60s", "every 1s"))

    page.route("**/signals", hurried)
    page.goto("/signals")
    page.locator("#curves-table > summary").click()
    page.locator("#state-simulated").focus()
    expect(page.locator("#curves-table .table-frame")).to_be_visible()
    with page.expect_response("**/signals"):
        pass
    with page.expect_response("**/signals"):
        pass
    expect(page.locator("#curves-table .table-frame")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "state-simulated"
    assert answers[:3] == [200, 200, 200]


def test_figures_of_a_zone_are_chosen_without_javascript(open_page: Open) -> None:
    page = open_page("/signals", java_script_enabled=False)
    page.get_by_label("Grid zone").select_option("IS")
    page.get_by_label("Figures", exact=True).select_option("carbon")
    page.locator("#curves-show").click()
    expect(page.locator("#curves-title")).to_have_text("IS Iceland")
    expect(page.locator(".chart-drawing svg").first).to_have_attribute(
        "aria-label", re.compile("^Carbon intensity in IS")
    )
    page.get_by_label("State", exact=True).select_option("simulated")
    page.locator("#feeds-show").click()
    assert "zone=IS" in page.url
    expect(page.locator("details.source[open]")).to_have_count(1)


def test_an_unknown_page_shows_the_way_home(open_page: Open, finished_job: str) -> None:
    page = open_page(finished_job)
    answer = page.request.get("/nowhere", headers={"Accept": "text/html"})
    assert answer.status == 404
    assert "This page is not here" in answer.text()
