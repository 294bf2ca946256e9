from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from agents.energy.client import Refused, StoredAnswers, address
from agents.energy.feed import Ask, Flag
from agents.energy.feeds import octopus_agile
from agents.energy.feeds.octopus_agile import OctopusAgileFeed, OctopusExportFeed, OctopusStandingFeed
from agents.energy.zones import REGIONS
from core.errors import FeedInvalid, FeedUnreachable
from core.halfhours import agile_known_until
from core.series import Kind, Unit
from core.settings import Settings
from core.slots import LONDON, SLOT, format_utc, slots_between
from core.vintage import RawAnswer

BASE = "https://octopus.test/v1"
CURRENT, EXPORT = "AGILE-24-10-01", "AGILE-OUTGOING-19-05-13"
NOW = datetime(2025, 11, 20, 13, 47, tzinfo=UTC)
START = datetime(2025, 11, 20, 12, tzinfo=UTC)
END = START + timedelta(days=15)
KNOWN_UNTIL = datetime(2025, 11, 20, 23, tzinfo=UTC)
RATES = re.compile(
    rf"{BASE}/products/(?P<code>[^/]+)/electricity-tariffs/E-1R-(?P=code)-(?P<letter>[A-P])/(?P<which>[^/]+)/"
)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def record(start, value, end="half an hour", **extra):
    """One record of the API; ``end`` may be None: open."""
    until = start + SLOT if end == "half an hour" else end
    return {
        "value_exc_vat": value,
        "value_inc_vat": -999.0,
        "valid_from": format_utc(start),
        "valid_to": until and format_utc(until),
        "payment_method": None,
        **extra,
    }


def offered(code, since, until=None, direction="IMPORT", **extra):
    return {
        "code": code,
        "direction": direction,
        "available_from": since,
        "available_to": until,
        "is_prepay": False,
        "is_business": False,
        "is_restricted": False,
        "brand": "OCTOPUS_ENERGY",
        **extra,
    }


ON_SALE = [
    offered(CURRENT, "2024-10-01T00:00:00+01:00"),
    offered("VAR-22-11-01", "2022-11-01T00:00:00Z"),
    offered(EXPORT, "2019-05-13T00:00:00+01:00", direction="EXPORT"),
]


class Api:
    """The API as it behaves: newest first, every record that overlaps, 100 to a page unless more is asked, 404s.

    ``products`` holds each product's records, in any order, and ``standing`` its standing charges.
    """

    def __init__(self, products, on_sale=ON_SALE, standing=(), page=1500):
        self.products = dict(products)
        self.standing = list(standing) or [record(utc(2018, 1, 1), 40, None)]
        self.on_sale = on_sale
        self.page = page
        self.asked = []
        self.answers = []

    def __call__(self, url, parameters=None, *, authorise=None):
        assert authorise is None
        asked = address(url, parameters)
        self.asked.append(asked)
        if "/products/?" in asked:
            return self._answer(asked, self.on_sale, 0, 100)
        if "page=" in url:
            url, _, query = url.partition("?")
            parameters = dict(pair.split("=") for pair in query.split("&"))
        found = RATES.fullmatch(url)
        assert found, url
        if found["code"] not in self.products:
            raise Refused(f"{url} answered 404", 404)
        held = self.products[found["code"]] if found["which"] == "standard-unit-rates" else self.standing
        start, end = parameters["period_from"], parameters["period_to"]
        overlapping = [r for r in held if r["valid_from"] < end and (r["valid_to"] is None or r["valid_to"] > start)]
        newest_first = sorted(overlapping, key=lambda r: r["valid_from"], reverse=True)
        return self._answer(asked, newest_first, int(parameters.get("page", 1)) - 1, self.page)

    def _answer(self, asked, rows, page, size):
        more = len(rows) > (page + 1) * size
        following = f"{re.sub('&page=[0-9]+', '', asked)}&page={page + 2}" if more else None
        shown = rows[page * size : (page + 1) * size]
        told = {"count": len(rows), "next": following, "previous": None, "results": shown}
        self.answers.append(RawAnswer.of(asked, "application/json", json.dumps(told).encode()))
        return self.answers[-1]


def prices(values, start=START):
    return [record(start + SLOT * i, value) for i, value in enumerate(values)]


def until_known(start=START, until=KNOWN_UNTIL):
    return prices([float(i) for i in range(slots_between(start, until))], start)


def ask(api, zone="GB-C", start=START, end=END, now=NOW):
    return Ask(zone, start, end, now, api)


def fetch(api, product=CURRENT, **asked):
    return OctopusAgileFeed(BASE + "/", product).fetch(ask(api, **asked))


def price(rows, product=CURRENT, **asked):
    return fetch(Api({product: rows}), product, **asked).series["price"]


def flags(fetched):
    return [finding.flag for finding in fetched.findings]


# -- prices --------------------------------------------------------------------------------------------------------


def test_prices_given_newest_first_come_out_in_order_in_gbp_per_kwh_with_vat():
    series = price(prices([10, 20, 30, 40, 50]))
    assert series.values.tolist() == pytest.approx([0.105, 0.21, 0.315, 0.42, 0.525])
    assert series.kinds_used() == (Kind.SETTLED,)
    assert series.unit is Unit.GBP_PER_KWH
    assert series.source == "Octopus Agile AGILE-24-10-01 region C"
    assert (series.start, series.issued_at) == (START, NOW)


def test_times_are_asked_for_in_utc_with_the_largest_page():
    api = Api({CURRENT: until_known()})
    fetch(api)
    address_asked, _, query = api.asked[0].partition("?")
    assert address_asked == f"{BASE}/products/{CURRENT}/electricity-tariffs/E-1R-{CURRENT}-C/standard-unit-rates/"
    assert query == "period_from=2025-11-20T12:00:00Z&period_to=2025-12-05T12:00:00Z&page_size=1500"


@pytest.mark.parametrize("zone", sorted(REGIONS))
def test_each_of_the_14_regions_is_asked_for_by_its_letter(zone):
    api = Api({CURRENT: until_known()})
    assert fetch(api, zone=zone).series["price"].source.endswith(f"region {zone[-1]}")
    assert f"E-1R-{CURRENT}-{zone[-1]}/" in api.asked[0]


def test_great_britain_is_priced_as_london_and_says_so():
    assert price(until_known(), zone="GB").source == "Octopus Agile AGILE-24-10-01 region C (London)"
    for feed in (OctopusAgileFeed(BASE, None), OctopusExportFeed(BASE, EXPORT), OctopusStandingFeed(BASE, None)):
        assert [feed.serves(zone) for zone in ("GB", "GB-P", "GB-ENG", "DE-LU")] == [True, True, False, False]


def test_negative_prices_are_kept_and_carry_vat():
    assert price(prices([-8, -2, 0, 4])).values.tolist() == pytest.approx([-0.084, -0.021, 0, 0.042])


def test_vat_is_that_of_each_slot_and_never_that_of_value_inc_vat():
    start, now = utc(2026, 9, 30, 22, 30), utc(2026, 9, 30, 22, 45)
    rows = [record(start, 20, start + timedelta(hours=1))]
    assert price(rows, start=start, now=now, end=now + SLOT).values.tolist() == pytest.approx([0.21, 0.2])


def test_a_price_at_the_cap_is_right_and_above_the_cap_of_its_product_it_is_noted():
    api = Api({CURRENT: prices([95.24, 95.3, 20, 20])})
    (noted,) = fetch(api).findings
    assert (noted.flag, noted.start, noted.end) == (Flag.OUTLIER, START + SLOT, START + 2 * SLOT)
    assert "cap of 100 p/kWh" in noted.detail
    old, now = utc(2022, 8, 1), utc(2022, 8, 1, 0, 10)
    api = Api({"AGILE-22-07-22": prices([52.38, 52.5], old)})
    fetched = fetch(api, "AGILE-22-07-22", start=old, end=old + 2 * SLOT, now=now)
    assert [finding.start for finding in fetched.findings] == [old + SLOT]


def test_nothing_is_put_where_no_price_is_published_yet():
    series = price(until_known())
    assert series.end == KNOWN_UNTIL
    assert series.kinds_used() == (Kind.SETTLED,)


def test_a_gap_between_prices_is_left_open_and_noted():
    rows = until_known()
    del rows[5:7]
    fetched = fetch(Api({CURRENT: rows}))
    assert fetched.series["price"].kinds[4:8].tolist() == [Kind.SETTLED, Kind.MISSING, Kind.MISSING, Kind.SETTLED]
    assert [(each.flag, each.start) for each in fetched.findings] == [(Flag.GAP, START + 5 * SLOT)]


@pytest.mark.parametrize(("day", "slots"), [((2026, 3, 28), 46), ((2026, 10, 24), 50), ((2026, 5, 4), 48)])
def test_days_of_46_48_and_50_half_hours_are_keyed_by_their_utc_instant(day, slots):
    start = datetime(*day, 23, tzinfo=LONDON).astimezone(UTC)
    following = datetime(*day, tzinfo=LONDON).date() + timedelta(days=1)
    end = datetime(following.year, following.month, following.day, 23, tzinfo=LONDON).astimezone(UTC)
    series = price(until_known(start, end), start=start, end=end, now=end + SLOT)
    assert (len(series), series.start, series.end) == (slots, start, end)
    assert not np.isnan(series.values).any()
    assert np.diff(series.values).min() > 0


# -- retired products ----------------------------------------------------------------------------------------------


def test_a_product_that_is_set_is_used_without_asking_what_is_on_sale():
    api = Api({"AGILE-24-04-03": until_known()})
    fetched = fetch(api, "AGILE-24-04-03")
    assert "AGILE-24-04-03" in fetched.series["price"].source
    assert len(api.asked) == 1


def test_without_a_product_set_the_one_on_sale_is_found_by_asking():
    api = Api({CURRENT: until_known()})
    fetched = fetch(api, None)
    assert fetched.series["price"].source == "Octopus Agile AGILE-24-10-01 region C"
    assert fetched.findings == ()
    assert api.asked[0].startswith(f"{BASE}/products/?brand=OCTOPUS_ENERGY&is_variable=true")


@pytest.mark.parametrize(
    ("old", "why"),
    [
        (None, "is not known"),
        ([], "has no rates for the time"),
        (prices([1, 2]), "no rates after 2025-11-20 13:00 UTC"),
    ],
    ids=["missing product", "no prices", "old prices"],
)
def test_a_retired_product_is_replaced_by_the_one_on_sale_and_the_change_is_noted(old, why):
    products = {CURRENT: until_known()} | ({} if old is None else {"AGILE-22-07-22": old})
    fetched = fetch(Api(products), "AGILE-22-07-22")
    assert fetched.series["price"].source == "Octopus Agile AGILE-24-10-01 region C"
    (noted,) = fetched.findings
    assert (noted.flag, noted.quantity) == (Flag.RETIRED, "price")
    assert noted.detail.startswith("AGILE-22-07-22")
    assert why in noted.detail
    assert "AGILE-24-10-01, which is on sale, is used instead" in noted.detail


@pytest.mark.parametrize("product", [None, "AGILE-24-04-03", CURRENT])
@pytest.mark.parametrize("rows", [None, prices([1, 2])])
def test_where_no_product_has_prices_for_the_present_the_setting_to_change_is_told(product, rows):
    with pytest.raises(FeedInvalid, match="no Agile import product") as raised:
        fetch(Api({} if rows is None else {CURRENT: rows}), product)
    assert "OCTOPUS_PRODUCT" in raised.value.diagnostics()


def test_a_product_without_prices_that_is_on_sale_still_is_not_asked_twice():
    api = Api({CURRENT: prices([1, 2])})
    with pytest.raises(FeedInvalid, match="no rates after"):
        fetch(api)
    assert len(api.asked) == 2


def test_nothing_on_sale_is_told():
    with pytest.raises(FeedInvalid, match="none is on sale"):
        fetch(Api({CURRENT: until_known()}, on_sale=ON_SALE[1:]), None)


def test_an_outage_is_never_taken_for_a_retired_product():
    def down(*_args, **_named):
        raise FeedUnreachable("503")

    with pytest.raises(FeedUnreachable):
        fetch(down)


def test_another_refusal_is_passed_on():
    def refused(*_args, **_named):
        raise Refused("400 period_from", 400)

    with pytest.raises(Refused, match="period_from"):
        fetch(refused)


# -- history -------------------------------------------------------------------------------------------------------


def test_prices_of_before_a_product_was_sold_are_those_of_the_product_then_on_sale():
    start, end = utc(2023, 12, 5, 22), utc(2023, 12, 6, 2)
    old = [record(start - timedelta(days=30), 10, None)]
    new = [record(start - timedelta(days=30), 20, None)]
    fetched = fetch(Api({"AGILE-FLEX-22-11-25": old, "AGILE-23-12-06": new, CURRENT: []}), None, start=start, end=end)
    series = fetched.series["price"]
    assert series.source == "Octopus Agile AGILE-FLEX-22-11-25 + AGILE-23-12-06 region C"
    assert series.values.tolist() == pytest.approx([0.105] * 4 + [0.21] * 4)
    assert fetched.findings == ()


def test_a_backfill_from_2023_asks_each_product_for_its_own_time():
    start, end = utc(2023, 1, 1), utc(2025, 1, 1)
    codes = ["AGILE-FLEX-22-11-25", "AGILE-23-12-06", "AGILE-24-04-03", CURRENT]
    api = Api({code: [record(start, number + 1, None)] for number, code in enumerate(codes)})
    series = fetch(api, None, start=start, end=end).series["price"]
    assert (series.start, series.end) == (start, end)
    changes = series.start + SLOT * (np.flatnonzero(np.diff(series.values)) + 1)
    assert changes.tolist() == [utc(2023, 12, 6), utc(2024, 4, 2, 23), utc(2024, 9, 30, 23)]
    assert all(code in series.source for code in codes)


def test_a_forgotten_product_of_the_past_leaves_a_gap_that_is_noted():
    start, end = utc(2024, 9, 30, 22), utc(2024, 10, 1)
    fetched = fetch(Api({CURRENT: until_known(utc(2024, 9, 30, 23), end)}), start=start, end=end)
    assert [(each.flag, each.start) for each in fetched.findings] == [(Flag.GAP, start)]
    assert fetched.series["price"].start == utc(2024, 9, 30, 23)


def test_figures_of_the_past_need_not_reach_the_present_but_what_lacks_is_a_gap():
    end = START + 3 * SLOT
    fetched = fetch(Api({CURRENT: prices([1, 2])}), end=end, now=NOW + timedelta(days=3))
    assert fetched.series["price"].end == START + 2 * SLOT
    assert [(each.flag, each.start, each.end) for each in fetched.findings] == [(Flag.GAP, end - SLOT, end)]


# -- export --------------------------------------------------------------------------------------------------------


def export(api, product=EXPORT, **asked):
    return OctopusExportFeed(BASE, product).fetch(ask(api, **asked))


def test_export_is_paid_without_vat_and_never_below_zero():
    fetched = export(Api({EXPORT: prices([10, -3, 0, 20])}))
    series = fetched.series["export_price"]
    assert series.values.tolist() == pytest.approx([0.1, 0, 0, 0.2])
    assert series.source == "Octopus Agile AGILE-OUTGOING-19-05-13 region C"
    assert [(each.flag, each.quantity, each.start) for each in fetched.findings] == [
        (Flag.OUTLIER, "export_price", START + SLOT)
    ]


def test_a_retired_export_product_is_replaced_by_an_export_product_on_sale():
    fetched = export(Api({EXPORT: until_known(), CURRENT: until_known()}), "AGILE-OUTGOING-18-01-01")
    assert EXPORT in fetched.series["export_price"].source
    assert flags(fetched) == [Flag.RETIRED]


# -- standing charges ----------------------------------------------------------------------------------------------


def standing(api, product=None, **asked):
    return OctopusStandingFeed(BASE, product).fetch(ask(api, **asked))


def test_a_standing_charge_is_spread_over_its_slots_in_gbp_per_day_with_vat():
    start, now = utc(2026, 9, 30, 22), utc(2026, 9, 30, 22, 45)
    end = start + 4 * SLOT
    series = standing(Api({CURRENT: until_known(start, end)}), start=start, end=end, now=now).series["standing_charge"]
    assert series.values.tolist() == pytest.approx([0.42, 0.42, 0.4, 0.4])
    assert series.kinds.tolist() == [Kind.SETTLED, Kind.SETTLED, Kind.FORECAST, Kind.FORECAST]
    assert series.unit is Unit.GBP_PER_DAY


def test_a_change_of_the_standing_charge_counts_from_its_day():
    change = START + timedelta(days=1)
    rows = [record(utc(2024, 1, 1), 40, change, payment_method="DIRECT_DEBIT"), record(change, 50, None)]
    dearer = record(utc(2024, 1, 1), 60, None, payment_method="NON_DIRECT_DEBIT")
    series = standing(Api({CURRENT: until_known()}, standing=[*rows, dearer])).series["standing_charge"]
    assert series.end == END
    assert series.window(change - SLOT, 2).values.tolist() == pytest.approx([0.42, 0.525])


def test_the_standing_charge_of_a_product_without_prices_is_not_used():
    fetched = standing(Api({"AGILE-22-07-22": [], CURRENT: until_known()}), "AGILE-22-07-22")
    assert fetched.series["standing_charge"].source == "Octopus Agile standing charge AGILE-24-10-01 region C"
    assert flags(fetched) == [Flag.RETIRED]


# -- contract ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("product", [None, CURRENT, "AGILE-22-07-22"])
def test_the_stored_answers_give_the_same_series_again_also_after_a_switch(product):
    api = Api({CURRENT: until_known()}, page=12)
    live = fetch(api, product)
    again = fetch(StoredAnswers(api.answers), product)
    assert len(api.answers) >= 2
    assert flags(live) == flags(again)
    assert live.series["price"].source == again.series["price"].source
    np.testing.assert_array_equal(live.series["price"].values, again.series["price"].values)


def test_tomorrows_prices_are_due_from_16_00_local():
    for feed in (OctopusAgileFeed(BASE, None), OctopusExportFeed(BASE, EXPORT)):
        due = feed.declaration.published_until
        assert due is agile_known_until
        assert due(utc(2025, 11, 20, 15, 59)) == KNOWN_UNTIL
        assert due(utc(2025, 11, 20, 16)) == KNOWN_UNTIL + timedelta(days=1)


@pytest.mark.parametrize(("day", "ahead"), [((2025, 11, 20), 62), ((2026, 3, 28), 60), ((2026, 10, 24), 64)])
def test_prices_reach_62_slots_ahead_at_16_00_and_60_or_64_around_clock_changes(day, ahead):
    published = datetime(*day, 16, tzinfo=LONDON).astimezone(UTC)
    assert slots_between(published, agile_known_until(published)) == ahead
    assert slots_between(published, agile_known_until(published - timedelta(seconds=1))) == 14


def test_the_feeds_say_what_they_are():
    settings = Settings(_env_file=None, octopus_url=BASE)
    declared = [feed.declaration for feed in octopus_agile.feeds(settings)]
    assert [each.name for each in declared] == ["octopus-agile", "octopus-export", "octopus-standing"]
    assert [each.quantities for each in declared] == [("price",), ("export_price",), ("standing_charge",)]
    assert {each.host for each in declared} == {"octopus.test"}
