"""The curve of a quote, and what it comes to in words."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agents.quotes.quote import Offer, Quote
from core.ledger import TickRecord
from tests.unit.web.fakes import offer_of, point_of
from web.pages.patience import PatienceDrawing, drawing
from web.pages.patience_words import saving, sentences

START = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMES = {"london": "London", "norway": "Kristiansand", "iceland": "Reykjanes"}
NOW = offer_of(START, "london", cost_gbp=2.0, carbon_kg=1.0)
MOVED = offer_of(START, "iceland", cost_gbp=1.8, carbon_kg=0.9)
EVENING = offer_of(START + 5 * HOUR, cost_gbp=1.5, carbon_kg=1.1)
NIGHT = offer_of(START + 11 * HOUR, cost_gbp=1.0, carbon_kg=0.5)


def quote_of(*offers: tuple[int, Offer | None], own: int, now: Offer | None = NOW) -> Quote:
    """Offers by hours after running now; ``own`` is the one of the job's own deadline."""
    points = [point_of(START + HOUR * (1 + hours), offer, now) for hours, offer in offers]
    return Quote(START, TickRecord("t", "job", START, START, "planned", ""), 100.0, now, tuple(points), points[own])


def words(quote: Quote, *, waits: bool = True) -> str:
    return " ".join(map(str, sentences(quote, NAMES, waits=waits)))


def drawn(quote: Quote) -> PatienceDrawing:
    found = drawing(quote)
    assert found is not None
    return found


def test_waiting_is_told_with_what_it_saves_by_the_hour_and_that_more_would_save_nothing():
    told = words(quote_of((0, NOW), (5, EVENING), (12, NIGHT), (48, NIGHT), own=2))
    assert told.startswith("Waiting until Sat 02:30 UTC saves £1.00 (50\N{NARROW NO-BREAK SPACE}%) and 500 g CO₂ (50")
    assert "An hour of patience saves £0.091 on average." in told
    assert told.endswith("A later deadline would save nothing more.")


def test_what_needs_no_patience_is_not_ascribed_to_it():
    told = words(quote_of((0, MOVED), (12, NIGHT), own=1))
    assert "Running in Reykjanes at once saves £0.20 of it without patience." in told
    assert "An hour of patience saves £0.073 on average." in told


def test_what_a_later_deadline_would_add_is_told():
    told = words(quote_of((0, NOW), (6, EVENING), (12, NIGHT), own=1))
    assert "saves £0.50 (25\N{NARROW NO-BREAK SPACE}%) but takes 100 g CO₂ more." in told
    assert told.endswith("With a deadline of Sat 02:30 UTC it saves £0.50 and 600 g CO₂ again.")


def test_where_the_first_half_hours_are_best_waiting_saves_nothing():
    assert words(quote_of((0, NOW), (12, NOW), own=1)) == (
        "Its best half-hours are the first ones: waiting saves nothing."
    )
    told = words(quote_of((0, MOVED), (12, MOVED), own=1))
    assert "Running in Reykjanes instead of London saves £0.20" in told
    assert "without waiting" in told


def test_a_fixed_job_and_jobs_without_room_now_or_by_their_deadline_are_told_as_such():
    assert words(quote_of((0, NOW), own=0), waits=False) == "A fixed job does not wait, so patience saves it nothing."
    assert words(quote_of((12, NIGHT), own=0, now=None)).startswith(
        "No site has room for it at once. It can end by Sat"
    )
    late = words(quote_of((2, None), (12, NIGHT), own=0))
    assert late == "It could end by Sat 02:30 UTC for £1.00 and 500 g CO₂."
    assert words(quote_of((2, None), own=0)) == ""


@pytest.mark.parametrize(
    ("gbp", "kg", "told"),
    [
        (0.0, 0.0001, "saves nothing"),
        (1.0, 0.0, "saves £1.00"),
        (-1.0, 2.0, "saves 2.00 kg CO₂ but takes £1.00 more"),
        (-1.0, -2.0, "takes £1.00 and 2.00 kg CO₂ more"),
    ],
)
def test_savings_are_told_whatever_their_signs(gbp: float, kg: float, told: str):
    assert saving(gbp, kg) == told


def test_a_share_is_not_told_where_more_is_saved_than_there_was():
    assert saving(3.0, 0.0, NOW) == "saves £3.00"


def test_the_curve_steps_down_where_a_better_offer_ends_and_goes_on_beyond_the_deadline():
    evening = replace(EVENING, carbon_high_kg=1.3)
    found = drawn(quote_of((0, NOW), (6, evening), (12, NIGHT), own=2))
    cost, carbon = found.panels
    assert (cost.title, carbon.title) == ("Cost, £", "Carbon, kg")
    places = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", cost.path)]
    assert places[0][0] == found.left
    assert places[-1][0] == found.right > found.deadline_x
    assert [y for _, y in places] == sorted(y for _, y in places)
    assert len(places) == 6
    assert cost.path.count("M") == 1
    assert cost.band.endswith("Z")
    assert cost.now_y == places[0][1]


def test_now_and_the_best_by_the_deadline_are_marked_with_their_figures_inside_the_drawing():
    found = drawn(quote_of((0, NOW), (12, NIGHT), own=1))
    for panel, labels in zip(found.panels, (["now £2.00", "best £1.00"], ["now 1.00 kg", "best 500 g"]), strict=True):
        assert [dot.label for dot in panel.dots] == labels
        assert all(panel.top <= dot.y <= panel.bottom for dot in panel.dots)
        assert panel.dots[0].anchor == "start"
        assert panel.dots[1].anchor == "end"


def test_ticks_count_hours_of_patience_from_running_now():
    found = drawn(quote_of((0, NOW), (12, NIGHT), own=1))
    assert [tick.patience for tick in found.ticks] == ["0 h", "+3 h", "+6 h", "+9 h", "+12 h"]
    assert [tick.at for tick in found.ticks] == [NOW.end + HOUR * hours for hours in (0, 3, 6, 9, 12)]
    assert all(found.left <= tick.x <= found.right for tick in found.ticks)


def test_the_line_is_that_of_the_weakest_figures():
    simulated = offer_of(START + 5 * HOUR, kinds=("settled", "simulated"), cost_gbp=0.5)
    assert drawn(quote_of((0, NOW), (12, simulated), own=1)).kind == "simulated"
    assert drawn(quote_of((0, NOW), (12, NIGHT), own=1)).kind == "forecast"


def test_less_than_a_kilogram_is_drawn_in_grams():
    small = offer_of(START, cost_gbp=2.0, carbon_kg=0.6, carbon_high_kg=0.8)
    found = drawn(quote_of((0, small), (12, NIGHT), own=1, now=small))
    assert found.panels[1].title == "Carbon, g"
    assert found.panels[1].grid[-1][1] == "800"


def test_one_offer_alone_is_no_curve():
    assert drawing(quote_of((0, NOW), (12, NOW), own=1)) is None
    assert drawing(quote_of((0, None), own=0)) is None
