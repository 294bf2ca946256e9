from __future__ import annotations

from datetime import timedelta

import pytest
import responses
from responses import matchers

from agents.energy.client import JsonClient, Refused
from agents.energy.octopus_agile import OctopusAgileFeed
from core.clock import ManualClock
from core.errors import FeedInvalid
from core.series import Kind, Unit
from core.slots import SLOT
from tests.unit.energy.fakes import rate, utc

BASE = "https://api.octopus.example/v1"
PRODUCT = "AGILE-24-10-01"
RATES = f"{BASE}/products/{PRODUCT}/electricity-tariffs/E-1R-{PRODUCT}-C/standard-unit-rates/"
NOW = utc(2025, 11, 20, 13, 47)
START = utc(2025, 11, 20, 12)
END = START + timedelta(days=3)


@pytest.fixture
def feed():
    client = JsonClient(backoff_seconds=0)
    yield OctopusAgileFeed(client, BASE + "/", PRODUCT, ManualClock(NOW))
    client.close()


def page(rows, following=None):
    return {"count": len(rows), "next": following, "previous": None, "results": rows}


def newest_first(prices, start=START):
    return [rate(start + SLOT * i, price) for i, price in enumerate(prices)][::-1]


def fetch(feed, rows, zone="GB-C"):
    responses.get(RATES, json=page(rows))
    return feed.fetch(zone, START, END).series


@responses.activate
def test_rates_given_newest_first_come_out_in_order_in_gbp_per_kwh_with_vat(feed):
    series = fetch(feed, newest_first([10, 20, 30, 40, 50]))
    assert series.values.tolist() == pytest.approx([0.105, 0.21, 0.315, 0.42, 0.525])
    assert series.kinds_used() == (Kind.SETTLED,)
    assert series.unit is Unit.GBP_PER_KWH
    assert series.source == "Octopus Agile AGILE-24-10-01 region C"
    assert (series.start, series.issued_at) == (START, NOW)


@responses.activate
def test_times_are_asked_for_in_utc_with_the_largest_page(feed):
    asked = {"period_from": "2025-11-20T12:00:00Z", "period_to": "2025-11-23T12:00:00Z", "page_size": "1500"}
    responses.get(RATES, json=page(newest_first([1] * 5)), match=[matchers.query_param_matcher(asked)])
    feed.fetch("GB-C", START, END)


@responses.activate
def test_every_page_is_followed_and_kept(feed):
    rows = newest_first([1, 2, 3, 4, 5, 6])
    second = f"{RATES}?page=2"
    responses.get(RATES, json=page(rows[:3], second), match=[matchers.query_param_matcher({}, strict_match=False)])
    responses.get(second, json=page(rows[3:]), match=[matchers.query_param_matcher({"page": "2"})])
    answer = feed.fetch("GB-C", START, END)
    assert len(answer.series) == 6
    assert answer.body.count(b"\n") == 1


@responses.activate
def test_a_next_page_elsewhere_is_not_followed(feed):
    responses.get(RATES, json=page(newest_first([1] * 5), "https://elsewhere.example/v1/"))
    with pytest.raises(FeedInvalid, match="is not at"):
        feed.fetch("GB-C", START, END)


@responses.activate
def test_pages_that_never_end_are_given_up(feed):
    responses.get(RATES, json=page(newest_first([1] * 5), RATES))
    with pytest.raises(FeedInvalid, match="more than 20 pages"):
        feed.fetch("GB-C", START, END)


@responses.activate
def test_rates_that_only_overlap_the_period_are_clipped_and_counted_once(feed):
    rows = newest_first([7, 1, 2, 3, 4], START - SLOT)
    series = fetch(feed, [*rows, rows[0], rate(END, 9)])
    assert series.start == START
    assert series.values.tolist() == pytest.approx([0.0105, 0.021, 0.0315, 0.042])


@responses.activate
def test_a_rate_without_an_end_holds_for_every_half_hour_asked(feed):
    open_ended = {**rate(START - timedelta(days=40), 20), "valid_to": None}
    series = fetch(feed, [open_ended])
    assert len(series) == 144
    assert set(series.values) == {0.21}


@responses.activate
def test_of_two_rates_for_one_slot_the_newer_one_holds(feed):
    newer = {**rate(START + SLOT, 30), "valid_to": None}
    older = {**rate(START - timedelta(days=40), 20), "valid_to": None}
    assert fetch(feed, [newer, older]).values[:3].tolist() == pytest.approx([0.21, 0.315, 0.315])


@responses.activate
def test_the_dearer_rate_of_those_who_do_not_pay_by_direct_debit_is_left(feed):
    long = START + timedelta(days=1)
    rows = [
        rate(START, 90, long, payment_method="NON_DIRECT_DEBIT"),
        rate(START, 20, long, payment_method="DIRECT_DEBIT"),
    ]
    assert set(fetch(feed, rows).values) == {0.21}


@responses.activate
def test_negative_prices_are_kept(feed):
    assert fetch(feed, newest_first([-8, -2, 0, 4])).values.tolist() == pytest.approx([-0.084, -0.021, 0, 0.042])


@responses.activate
def test_vat_is_that_of_each_slot_and_not_of_value_inc_vat():
    start, now = utc(2026, 9, 30, 22, 30), utc(2026, 9, 30, 22, 45)
    client = JsonClient(backoff_seconds=0)
    feed = OctopusAgileFeed(client, BASE, PRODUCT, ManualClock(now))
    responses.get(RATES, json=page([rate(start, 20, start + timedelta(hours=1))]))
    assert feed.fetch("GB-C", start, now + SLOT).series.values.tolist() == pytest.approx([0.21, 0.2])
    client.close()


@responses.activate
def test_the_national_zone_shows_london_and_says_so(feed):
    assert "region C" in fetch(feed, newest_first([1] * 5), zone="GB").source


@responses.activate
def test_nothing_published_is_no_answer(feed):
    with pytest.raises(FeedInvalid, match="no prices are published"):
        fetch(feed, [])


@responses.activate
@pytest.mark.parametrize("found", ["missing product", "old prices"])
def test_a_retired_product_is_told_with_the_setting_to_change(feed, found):
    if found == "missing product":
        responses.get(RATES, status=404, json={"detail": "No EnergyProduct matches the given query."})
    else:
        responses.get(RATES, json=page(newest_first([1, 2])))
    with pytest.raises(FeedInvalid, match=PRODUCT) as raised:
        feed.fetch("GB-C", START, END)
    assert "OCTOPUS_PRODUCT" in raised.value.diagnostics()


@responses.activate
def test_another_refusal_is_passed_on(feed):
    responses.get(RATES, status=400, json={"period_from": ["bad"]})
    with pytest.raises(Refused, match="400"):
        feed.fetch("GB-C", START, END)


@responses.activate
@pytest.mark.parametrize(
    "row",
    [
        {**rate(NOW.replace(minute=30), 1), "value_exc_vat": None},
        {**rate(NOW.replace(minute=30), 1), "value_exc_vat": "12"},
        rate(NOW.replace(minute=30), 5_000),
        {**rate(NOW.replace(minute=30), 1), "valid_from": "2025-11-20T13:30:00"},
        {**rate(NOW.replace(minute=30), 1), "valid_to": "2025-11-20T13:45:00Z"},
    ],
)
def test_a_rate_that_is_not_what_is_documented_spoils_the_answer(feed, row):
    with pytest.raises(FeedInvalid):
        fetch(feed, [row])


@responses.activate
@pytest.mark.parametrize("body", [[], {"results": {}}, {"results": [1]}, {}])
def test_an_answer_of_another_shape_is_refused(feed, body):
    responses.get(RATES, json=body)
    with pytest.raises(FeedInvalid, match="was expected"):
        feed.fetch("GB-C", START, END)


def test_tomorrows_prices_are_overdue_from_16_00_local(feed):
    to_23_00 = utc(2025, 11, 20, 23)
    assert not feed.overdue(to_23_00, utc(2025, 11, 20, 15, 59))
    assert feed.overdue(to_23_00, utc(2025, 11, 20, 16))
    assert not feed.overdue(to_23_00 + timedelta(days=1), utc(2025, 11, 20, 20))
