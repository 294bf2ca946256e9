"""Quirks 18 to 31: what a client of the Octopus API must be right about, over real sockets."""

from __future__ import annotations

import csv
import gzip
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from urllib.parse import parse_qs

import numpy as np
import pytest

from agents.energy.feed import Flag
from agents.energy.live import LiveFeeds
from core.series import Kind
from core.slots import LONDON, SLOT, slots_between
from store.database import Database
from store.vintages import VintageRepository
from tests.upstream import Fault, World, affected
from tests.upstream.desk import Desk, flags, missing, utc
from tests.upstream.household import household
from tests.upstream.octopus import (
    CURRENT,
    FLAT,
    OUTGOING,
    PRODUCTS,
    agile_exc_p,
    published_until,
    successor_of,
    vat_at,
)
from tests.upstream.world import at, slot_of, slots

NOW = utc(2025, 11, 20, 13, 47)
PRESENT = utc(2025, 11, 20, 13, 30)
START = PRESENT - timedelta(days=2)
END = NOW + timedelta(days=15)


@pytest.fixture
def desk():
    with Desk(NOW) as made:
        yield made


def prices(desk, zone="GB-C", start=START, end=END):
    return desk.series("octopus-agile", zone, start, end, "price")


def asked_rates(desk):
    """The queries with which unit rates were asked for."""
    received = desk.upstream.requests("octopus")
    return [parse_qs(each.query) for each in received if each.path.endswith("/standard-unit-rates/")]


def expected_gbp(world, letter, asked, product=CURRENT):
    """What the published formula gives, VAT of each slot included."""
    vat = np.array([vat_at(at(slot)) for slot in asked])
    return agile_exc_p(world, PRODUCTS[product], letter, asked) * (1 + vat) / 100


def assert_prices(series, world, letter="C", product=CURRENT):
    asked = slots(series.start, series.end)
    np.testing.assert_allclose(series.values, expected_gbp(world, letter, asked, product), rtol=0, atol=1e-9)


def test_rates_given_newest_first_over_several_pages_come_out_whole_and_in_order(desk):
    """Quirk 18."""
    series = prices(desk, start=START - timedelta(days=40))
    assert_prices(series, desk.world)
    assert [query["page_size"] for query in asked_rates(desk)] == [["1500"], ["1500"]]


def test_the_last_page_is_followed_to_its_end_and_no_further(desk):
    """Quirk 18."""
    prices(desk, start=START - timedelta(days=40))
    assert [query.get("page", ["1"])[0] for query in asked_rates(desk)] == ["1", "2"]


def test_a_rate_that_only_overlaps_what_was_asked_is_clipped(desk):
    """Quirk 19."""
    series = prices(desk, start=NOW - timedelta(minutes=5), end=NOW + timedelta(minutes=70))
    assert (series.start, series.end) == (PRESENT, PRESENT + 3 * SLOT)
    assert_prices(series, desk.world)


def test_a_rate_given_twice_counts_once_and_is_noted(desk):
    """Quirk 19."""
    desk.upstream.break_(Fault.DUPLICATES, "octopus")
    fetched = desk.fetch("octopus-agile", "GB-C", START, END)
    assert len(fetched.series["price"]) == slots_between(START, published_until(NOW))
    assert Flag.DUPLICATE in flags(fetched)


def test_a_flat_rate_without_an_end_holds_for_every_half_hour_asked():
    """Quirk 20."""
    with Desk(NOW, changes={"octopus_product": FLAT}) as desk:
        series = prices(desk, end=NOW + timedelta(days=2))
        assert series.window(START, 96).kinds_used() == (Kind.SETTLED,)
        assert missing(series) == set()
        np.testing.assert_allclose(series.values, PRODUCTS[FLAT].flat_exc_p * 1.05 / 100)


def test_a_standing_charge_without_an_end_holds_until_it_changes(desk):
    """Quirk 20."""
    series = desk.series("octopus-standing", "GB-C", START, END, "standing_charge")
    assert missing(series) == set()
    assert series.values.tolist() == pytest.approx([0.47 * 1.05] * len(series))


def test_of_two_ways_to_pay_the_direct_debit_is_used(desk):
    """Quirk 21."""
    desk.upstream.break_(Fault.TWO_PAYMENTS, "octopus")
    assert_prices(prices(desk), desk.world)


def negative_slot(world, start):
    """A slot of the world in which importing costs less than nothing."""
    asked = slots(start, start + timedelta(days=120))
    below = asked[expected_gbp(world, "C", asked) < -0.01]
    return at(float(below[0]))


def test_a_negative_price_is_kept_with_its_sign():
    """Quirk 22."""
    world = World(seed=1)
    slot = negative_slot(world, utc(2025, 5, 1))
    with Desk(slot + timedelta(minutes=1), world) as desk:
        series = prices(desk, start=slot, end=slot + 4 * SLOT)
    assert series.values[0] < -0.01
    assert_prices(series, world)


def test_nobody_pays_for_exporting():
    """Quirk 22."""
    world = World(seed=1)
    slot = negative_slot(world, utc(2025, 5, 1))
    with Desk(slot + timedelta(minutes=1), world) as desk:
        desk.upstream.break_(Fault.UNFLOORED, "octopus")
        series = desk.series("octopus-export", "GB-N", slot - 48 * SLOT, slot + 4 * SLOT, "export_price")
    asked = slots(series.start, series.end)
    told = agile_exc_p(world, PRODUCTS[OUTGOING], "N", asked, floor_p=-np.inf)
    assert told.min() < 0
    np.testing.assert_allclose(series.values, np.maximum(told, 0) / 100, atol=1e-9)


def dear_slot(start, world, above_p):
    asked = slots(start, start + timedelta(days=90))
    dear = asked[agile_exc_p(world, PRODUCTS[CURRENT], "C", asked) > above_p]
    return at(float(dear[0]))


def test_history_has_the_cap_of_the_product_that_was_on_sale_then(desk):
    """Quirk 23."""
    slot = dear_slot(utc(2021, 1, 1), desk.world, 36)
    fetched = desk.fetch("octopus-agile", "GB-C", slot - 12 * SLOT, slot + 12 * SLOT)
    series = fetched.series["price"]
    assert series.values.max() == pytest.approx(0.3333 * 1.05)
    assert "AGILE-18-02-21" in series.source
    assert_prices(series, desk.world, product="AGILE-18-02-21")


def test_a_price_above_an_older_products_cap_is_neither_cut_nor_doubted(desk):
    """Quirk 23."""
    slot = dear_slot(utc(2025, 5, 1), desk.world, 38)
    fetched = desk.fetch("octopus-agile", "GB-C", slot - 12 * SLOT, slot + 12 * SLOT)
    assert fetched.series["price"].values.max() > 0.35 * 1.05
    assert Flag.OUTLIER not in flags(fetched)


def test_a_price_beyond_the_products_own_cap_is_doubted(desk):
    """Quirk 23."""
    desk.upstream.break_(Fault.OUTLIER, "octopus")
    fetched = desk.fetch("octopus-agile", "GB-C", START, END)
    assert fetched.series["price"].values.max() > 1.0
    assert Flag.OUTLIER in flags(fetched)


def test_vat_is_that_of_the_slot_and_not_that_of_today():
    """Quirk 24."""
    change = utc(2026, 9, 30, 23)
    with Desk(change + timedelta(days=2)) as desk:
        series = prices(desk, start=change - timedelta(days=2), end=change + timedelta(days=2))
        asked = slots(series.start, series.end)
        exc = agile_exc_p(desk.world, PRODUCTS[CURRENT], "C", asked) / 100
    before = asked < slot_of(change)
    np.testing.assert_allclose(series.values[before], exc[before] * 1.05)
    np.testing.assert_allclose(series.values[~before], exc[~before])


@pytest.mark.parametrize(("day", "first_peak"), [(utc(2025, 7, 15), 15), (utc(2025, 11, 18), 16)])
def test_the_dear_hours_are_those_of_the_local_afternoon(day, first_peak):
    """Quirk 25."""
    with Desk(day + timedelta(days=1)) as desk:
        series = prices(desk, "GB-C", day, day + timedelta(days=1))
        plain = 2.0 * desk.world.wholesale_p(slots(day, day + timedelta(days=1)))
    adder_p = series.values * 100 / 1.05 - plain
    dear = [day + SLOT * int(i) for i in np.flatnonzero(adder_p > 6)]
    assert (dear[0].hour, len(dear)) == (first_peak, 6)
    assert {slot.astimezone(LONDON).hour for slot in dear} == {16, 17, 18}


@pytest.mark.parametrize(
    ("day", "count"), [((2026, 3, 29), 46), ((2025, 10, 26), 50), ((2025, 11, 20), 48), ((2025, 3, 30), 46)]
)
def test_a_day_has_as_many_half_hours_as_the_clocks_leave_it(day, count):
    """Quirk 26."""
    midnight = datetime(*day, tzinfo=LONDON)
    following = datetime(*day, tzinfo=LONDON) + timedelta(days=1)
    with Desk(following.astimezone(utc(2000, 1, 1).tzinfo)) as desk:
        series = prices(desk, "GB-C", midnight, following)
        assert len(series) == count
        assert missing(series) == set()
        assert_prices(series, desk.world)


@pytest.mark.parametrize(
    ("now", "ahead"),
    [
        (datetime(2025, 11, 20, 15, 59, tzinfo=LONDON), 15),
        (datetime(2025, 11, 20, 16, 0, tzinfo=LONDON), 62),
        (datetime(2025, 7, 15, 16, 0, tzinfo=LONDON), 62),
        (datetime(2025, 3, 29, 16, 0, tzinfo=LONDON), 60),
        (datetime(2025, 10, 25, 16, 0, tzinfo=LONDON), 64),
    ],
)
def test_prices_are_known_to_eleven_in_the_evening_and_no_further(now, ahead):
    """Quirk 27."""
    instant = now.astimezone(utc(2000, 1, 1).tzinfo)
    with Desk(instant) as desk:
        series = prices(desk, start=instant - timedelta(days=1), end=instant + timedelta(days=15))
    present = instant.replace(minute=instant.minute // 30 * 30)
    assert slots_between(present, series.end) == ahead
    assert series.end.astimezone(LONDON).hour == 23
    assert series.kinds_used() == (Kind.SETTLED,)


def test_what_is_not_published_yet_is_quoted_as_our_forecast_and_never_as_a_price(tmp_path, monkeypatch):
    """Quirk 27."""
    with household(tmp_path, NOW, monkeypatch) as home:
        home.house.energy.learn()
        quote = home.house.energy.quote(["GB-C"], PRESENT, 7 * 48)
    series, known = quote.price["GB-C"], slots_between(PRESENT, published_until(NOW))
    assert set(series.kinds[:known]) == {Kind.SETTLED}
    assert set(series.kinds[known : 6 * 48]) == {Kind.FORECAST}
    low, high = series.interval
    assert (low[:known] == high[:known]).all()
    assert (low[known : 6 * 48] < high[known : 6 * 48]).all()
    assert np.abs(series.values[known : 6 * 48]).max() < 1.0


def test_prices_that_are_late_are_polled_for_and_the_old_ones_kept(desk, tmp_path):
    """Quirk 28."""
    database = Database(f"sqlite:///{tmp_path / 'vintages.db'}")
    database.migrate()
    period = timedelta(minutes=30)
    clock = desk.clock
    feed = desk.feeds["octopus-agile"]
    live = LiveFeeds([feed], VintageRepository(database), desk.client, clock, period, substitute=False)
    desk.upstream.break_(Fault.LATE, "octopus")
    live.watch(["GB-C"])
    asked_at, known_until = [], {}
    while clock.now() < utc(2025, 11, 20, 20):
        before = len(desk.upstream.requests("octopus"))
        live.refresh()
        if len(desk.upstream.requests("octopus")) > before:
            asked_at.append(clock.now())
        known_until[clock.now()] = live.book("GB-C", "price").series.end
        clock.advance(timedelta(minutes=1))
    database.close()
    tonight, tomorrow = utc(2025, 11, 20, 23), utc(2025, 11, 21, 23)
    late = [moment for moment in asked_at if utc(2025, 11, 20, 16) <= moment < utc(2025, 11, 20, 18, 30)]
    assert (late[0], len(late) > 8) == (utc(2025, 11, 20, 16), True)
    assert max(b - a for a, b in pairwise(late)) <= timedelta(minutes=20)
    assert {end for moment, end in known_until.items() if moment < utc(2025, 11, 20, 18, 30)} == {tonight}
    got = min(moment for moment, end in known_until.items() if end == tomorrow)
    assert got <= utc(2025, 11, 20, 18, 50)
    assert len([moment for moment in asked_at if moment > got]) <= 4


@pytest.mark.parametrize("fault", [Fault.RETIRED, Fault.RETIRED_STALE])
@pytest.mark.parametrize("configured", [None, CURRENT])
def test_a_retired_product_is_replaced_by_the_one_on_sale_and_noted(fault, configured):
    """Quirk 29."""
    with Desk(NOW, changes={"octopus_product": configured}) as desk:
        desk.upstream.break_(fault, "octopus")
        fetched = desk.fetch("octopus-agile", "GB-C", PRESENT - timedelta(hours=2), END)
    series = fetched.series["price"]
    assert successor_of(NOW) in series.source
    assert series.end == published_until(NOW)
    assert_prices(series, desk.world)
    assert configured is None or Flag.RETIRED in flags(fetched)


def test_a_product_that_ended_without_a_successor_gives_no_price():
    """Quirk 29."""
    with Desk(NOW, changes={"octopus_product": "AGILE-FLEX-22-11-25"}) as desk:
        fetched = desk.fetch("octopus-agile", "GB-C", PRESENT, END)
        assert Flag.RETIRED in flags(fetched)
        assert CURRENT in fetched.series["price"].source


def test_times_are_asked_for_in_utc_and_no_plus_sign_is_sent(desk):
    """Quirk 30."""
    summer = timezone(timedelta(hours=1))
    series = prices(desk, "GB-C", START.astimezone(summer), END.astimezone(summer))
    assert series.start == START
    for query in desk.queries("octopus"):
        assert "+" not in query
        times = [text for name, (text,) in parse_qs(query).items() if name.startswith("period_")]
        assert all(text.endswith("Z") for text in times)


def test_a_gap_between_prices_stays_a_gap(desk):
    """Quirk 19."""
    desk.upstream.break_(Fault.GAP, "octopus")
    fetched = desk.fetch("octopus-agile", "GB-C", START, END)
    series = fetched.series["price"]
    assert missing(series) == {int(slot) for slot in slots(series.start, series.end) if affected(slot)}
    assert Flag.GAP in flags(fetched)


def test_pence_pounds_euros_and_dollars_all_become_pounds_a_kilowatt_hour(desk):
    """Quirk 31."""
    world, settings = desk.world, desk.settings
    assert_prices(prices(desk), world)
    market = desk.series("elexon-market-index", "GB", START, END, "wholesale_price")
    np.testing.assert_allclose(
        market.values, world.market_gbp_per_mwh(slots(market.start, market.end)) / 1000, atol=1e-12
    )
    french = desk.series("energy-charts-price", "FR", START, END, "price")
    hours = np.floor(slots(french.start, french.end) / 2) * 2
    np.testing.assert_allclose(french.values, world.zone_price("FR", hours) * settings.eur_gbp / 1000)
    texan = desk.series("ercot-prices", "US-TEX-ERCO", PRESENT, PRESENT + 6 * SLOT, "price").window(
        PRESENT + 2 * SLOT, 2
    )
    hours = np.floor(slots(texan.start, texan.end) / 2) * 2
    np.testing.assert_allclose(texan.values, world.zone_price("ERCOT", hours) * settings.usd_gbp / 1000)


@pytest.mark.parametrize("letter", "ABCDEFGHJKLMNP")
def test_each_region_pays_its_own_price(desk, letter):
    """Quirk 31."""
    assert_prices(prices(desk, f"GB-{letter}", PRESENT), desk.world, letter)


@pytest.mark.shared
def test_prices_of_2023_are_those_that_were_recorded(shared_data):
    """Quirks 23, 24, 25."""
    start = utc(2023, 7, 3)
    with gzip.open(shared_data / "gb_agile_J_2020_to_2023_sep_utc.csv.gz", "rt", newline="") as file:
        recorded = {datetime.fromisoformat(row["timestamp"]): float(row["price"]) for row in csv.DictReader(file)}
    with Desk(start + timedelta(days=8), World.of_recorded(shared_data)) as desk:
        series = prices(desk, "GB-J", start, start + timedelta(days=7))
    expected = [recorded[(start + SLOT * i).replace(tzinfo=next(iter(recorded)).tzinfo)] for i in range(len(series))]
    assert "AGILE-FLEX-22-11-25" in series.source
    np.testing.assert_allclose(series.values * 100, expected, atol=0.011)
