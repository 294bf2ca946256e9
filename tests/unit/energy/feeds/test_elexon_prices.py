from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from agents.energy.feed import Ask, Flag
from core.errors import FeedInvalid
from core.series import Kind, Unit
from core.slots import SLOT, format_utc
from tests.unit.energy.feeds.elexon_answers import FEEDS, Upstream, fetch, period_row, rows_each, utc

START = utc(2026, 11, 20)
NOW = START + timedelta(days=1, hours=10)
END = START + timedelta(days=1)


def price_rows(start=START, count=48, price=lambda i: 80.0 + i, **extra):
    fields = {"systemSellPrice": price, "systemBuyPrice": price, "netImbalanceVolume": lambda i: i - 20.5, **extra}
    return rows_each(start, count, **fields)


def by_day(rows):
    """Answers of the addresses that end in a date."""
    days = {row["settlementDate"] for row in rows}
    return {f"/system-prices/{day}": {"data": [r for r in rows if r["settlementDate"] == day]} for day in days}


def read(rows, start=START, end=END, now=NOW):
    return fetch("elexon-system-price", by_day(rows), start, end, now)


def test_a_day_in_gbp_per_mwh_is_a_thousandth_in_gbp_per_kwh_and_not_in_pence():
    series = read(price_rows(price=123.45)).series["imbalance_price"]
    assert series.values.tolist() == pytest.approx([0.12345] * 48)
    assert (series.unit, series.kinds_used()) == (Unit.GBP_PER_KWH, (Kind.ESTIMATE,))


def test_negative_prices_are_kept_and_volumes_are_signed_mwh():
    fetched = read(price_rows(price=-60.0))
    assert fetched.series["imbalance_price"].values[0] == pytest.approx(-0.06)
    volume = fetched.series["imbalance_volume"]
    assert (volume.unit, volume.values[0], volume.values[47]) == (Unit.MWH, -20.5, 26.5)


@pytest.mark.parametrize(
    ("midnight", "periods"), [(utc(2026, 3, 29), 46), (utc(2026, 10, 24, 23), 50), (utc(2026, 7, 1, 23), 48)]
)
@pytest.mark.parametrize("timed", [True, False])
def test_settlement_periods_become_utc_through_local_midnight(midnight, periods, timed):
    rows = price_rows(midnight, periods, price=float)
    assert [row["settlementPeriod"] for row in rows] == list(range(periods, 0, -1))
    if not timed:
        rows = [{**row, "startTime": None} for row in rows]
    series = read(rows, midnight, midnight + periods * SLOT).series["imbalance_price"]
    assert (series.start, len(series)) == (midnight, periods)
    assert series.values.tolist() == pytest.approx([i / 1000 for i in range(periods)])


def test_on_the_long_day_period_5_is_0100_gmt_and_period_3_0100_bst():
    rows = [{**row, "startTime": None} for row in price_rows(utc(2026, 10, 24, 23), 50, price=lambda i: float(i + 1))]
    series = read(rows, utc(2026, 10, 24, 23), utc(2026, 10, 26)).series["imbalance_price"]
    assert series.window(utc(2026, 10, 25, 1), 1).values[0] == pytest.approx(0.005)
    assert series.window(utc(2026, 10, 25, 0), 1).values[0] == pytest.approx(0.003)


@pytest.mark.parametrize(
    ("day", "period"), [("2026-03-29", 47), ("2026-07-02", 49), ("2026-10-25", 51), ("2026-07-02", 0)]
)
def test_a_period_that_its_day_does_not_have_is_refused(day, period):
    row = {**price_rows(count=1)[0], "startTime": None, "settlementDate": day, "settlementPeriod": period}
    start = utc(*map(int, day.split("-")))
    with pytest.raises(FeedInvalid, match=f"settlement period {period} on {day}"):
        read([row], start + 2 * SLOT, start + 4 * SLOT)


@pytest.mark.parametrize(
    "wrong",
    [
        {"settlementDate": ["2026-07-02"]},
        {"settlementDate": {}},
        {"settlementDate": 20260702},
        {"settlementPeriod": 10**400},
        {"settlementPeriod": True},
        {"settlementPeriod": "5"},
    ],
)
def test_a_half_hour_named_in_another_way_is_refused(wrong):
    row = {**price_rows(count=1)[0], "startTime": None} | wrong
    with pytest.raises(FeedInvalid, match=r"settlement (date|period) is .* was expected"):
        fetch("elexon-system-price", {"": [row]}, START, START + SLOT, NOW)


@pytest.mark.parametrize("start", ["9999-12-31T23:30:00Z", "0001-01-01T00:00:00Z"])
def test_a_time_beyond_all_reckoning_is_refused(start):
    row = {**price_rows(count=1)[0], "startTime": start, "settlementDate": None, "settlementPeriod": None}
    with pytest.raises(FeedInvalid, match="before 1970 or after 2200"):
        fetch("elexon-system-price", {"": [row]}, START, START + SLOT, NOW)


def test_a_start_an_hour_beside_its_period_is_refused():
    """As of a client that reads settlement periods as UTC in summer."""
    rows = price_rows(utc(2026, 7, 1, 23))
    rows[0]["startTime"] = format_utc(utc(2026, 7, 2, 23, 30))
    with pytest.raises(FeedInvalid, match="settlement period 48 of 2026-07-02, which starts at 22:30 UTC"):
        read(rows, utc(2026, 7, 1, 23), utc(2026, 7, 2, 23))


def test_each_local_day_is_asked_for_up_to_today():
    start = utc(2026, 6, 30, 23)
    upstream = Upstream(by_day(price_rows(start, 96)))
    FEEDS["elexon-system-price"].fetch(Ask("GB", start, utc(2026, 7, 9), utc(2026, 7, 2, 21), upstream))
    assert [url.rpartition("/")[2] for url, _ in upstream.asked] == ["2026-07-01", "2026-07-02"]


def test_of_two_settlement_runs_the_later_made_holds():
    rows = price_rows(createdDateTime="2026-11-20T12:00:00Z")
    late = period_row(START, systemSellPrice=1.0, systemBuyPrice=1.0, createdDateTime="2026-11-21T09:00:00Z")
    assert read([late, *rows]).series["imbalance_price"].values[0] == pytest.approx(0.001)


def test_two_different_prices_are_no_single_price():
    rows = price_rows()
    rows[3]["systemBuyPrice"] = 999.0
    fetched = read(rows)
    assert np.flatnonzero(np.isnan(fetched.series["imbalance_price"].values)).tolist() == [44]
    assert [found.flag for found in fetched.findings] == [Flag.DISAGREES]


def test_a_null_price_is_missing_and_not_free():
    rows = price_rows()
    rows[10]["systemSellPrice"] = rows[10]["systemBuyPrice"] = None
    assert np.isnan(read(rows).series["imbalance_price"].values).sum() == 1


def test_a_day_not_yet_published_leaves_the_day_before():
    bodies = {**by_day(price_rows()), "/system-prices/2026-11-21": {"data": []}}
    series = fetch("elexon-system-price", bodies, START, NOW + SLOT, START + timedelta(hours=24, minutes=31)).series
    assert series["imbalance_price"].end == END


def test_prices_of_last_week_are_no_answer():
    rows = price_rows(START - timedelta(days=7))
    bodies = {"/system-prices/2026-11-13": {"data": rows}} | {f"/2026-11-{d}": {"data": []} for d in range(14, 22)}
    with pytest.raises(FeedInvalid, match="no figures after 2026-11-14 00:00 UTC"):
        fetch("elexon-system-price", bodies, START - timedelta(days=7), NOW + SLOT, NOW)


def index_rows(start=START, count=48, provider="APXMIDP", price=lambda i: 70.0 + i, volume=1000.0):
    return rows_each(start, count, dataProvider=provider, price=price, volume=volume)


def index(rows, start=START, end=END, now=NOW):
    return fetch("elexon-market-index", {"/balancing/pricing/market-index": {"data": rows}}, start, end, now)


def test_the_market_index_is_that_of_the_exchange_with_trades_in_gbp_per_kwh():
    idle = index_rows(provider="N2EXMIDP", price=0, volume=0)
    fetched = index([*index_rows(), *idle])
    series = fetched.series["wholesale_price"]
    assert series.values[:2].tolist() == pytest.approx([0.07, 0.071])
    assert (series.unit, series.kinds_used(), fetched.findings) == (Unit.GBP_PER_KWH, (Kind.SETTLED,), ())


def test_a_half_hour_without_trades_has_no_price_rather_than_nought():
    rows = index_rows()
    rows[5] |= {"price": 0, "volume": 0}
    fetched = index(rows)
    assert np.flatnonzero(np.isnan(fetched.series["wholesale_price"].values)).tolist() == [42]
    assert [found.flag for found in fetched.findings] == [Flag.SPURIOUS_ZERO]


def test_a_price_of_nought_at_which_was_traded_is_kept():
    rows = index_rows()
    rows[5]["price"] = 0
    assert index(rows).series["wholesale_price"].values[42] == 0.0


def test_the_market_index_is_asked_for_less_than_seven_days_at_a_time():
    upstream = Upstream({"/market-index": {"data": index_rows()}})
    FEEDS["elexon-market-index"].fetch(Ask("GB", START - timedelta(days=9), END, NOW, upstream))
    assert [(asked["from"], asked["to"]) for _, asked in upstream.asked] == [
        ("2026-11-11T00:00Z", "2026-11-17T00:00Z"),
        ("2026-11-17T00:00Z", "2026-11-21T00:00Z"),
    ]


@pytest.mark.parametrize("price", ["70", True])
def test_a_price_that_is_no_number_is_refused(price):
    with pytest.raises(FeedInvalid, match="price is"):
        index(index_rows(price=price))


def test_a_price_that_cannot_be_is_left_out_and_said_so():
    rows = price_rows()
    rows[5] |= {"systemSellPrice": 80_000, "systemBuyPrice": 80_000}
    fetched = read(rows)
    assert np.flatnonzero(np.isnan(fetched.series["imbalance_price"].values)).tolist() == [42]
    (found,) = fetched.findings
    assert (found.flag, found.start) == (Flag.OUTLIER, START + 42 * SLOT)
    assert found.detail == "1 half-hour had a figure outside -10 to 10 GBP/kWh, which is left out."


def test_two_prices_of_one_run_are_flagged_and_two_runs_are_not():
    again = period_row(START, systemSellPrice=1.0, systemBuyPrice=1.0)
    assert [found.flag for found in read([*price_rows(), again]).findings] == [Flag.DUPLICATE]
    runs = [row | {"createdDateTime": "2026-11-20T12:00:00Z"} for row in price_rows()]
    assert read([*runs, again | {"createdDateTime": "2026-11-21T09:00:00Z"}]).findings == ()


def test_what_is_amiss_outside_the_slots_asked_for_is_not_reported():
    rows = price_rows()
    rows[0]["systemBuyPrice"] = 999.0
    assert read(rows, START, END - SLOT).findings == ()
