from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.energy.feeds.octopus_products import PRODUCTS, cap_p, import_periods, on_sale, sold_from
from core.errors import FeedInvalid
from core.slots import SLOT
from core.vintage import RawAnswer

BASE = "https://octopus.test/v1"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def product(code="AGILE-24-10-01", since="2024-10-01T00:00:00+01:00", until=None, direction="IMPORT", **extra):
    return {"code": code, "direction": direction, "available_from": since, "available_to": until} | extra


def found(products, direction="IMPORT", now=NOW):
    body = json.dumps({"count": len(products), "next": None, "results": products}).encode()
    return on_sale(lambda url, *_, **__: RawAnswer.of(url, "application/json", body), BASE, direction, now)


def test_of_several_agile_products_on_sale_the_newest_comes_first():
    assert found([product(), product("AGILE-26-11-01", "2026-11-01T00:00:00Z")]) == ["AGILE-26-11-01", "AGILE-24-10-01"]


@pytest.mark.parametrize(
    "other",
    [
        product("VAR-22-11-01"),
        product("SILVER-AGILE-1"),
        product(direction="EXPORT"),
        product("AGILE-BB-24-10-01"),
        product("AGILE-FLEX-BB-23-02-08"),
        product(is_prepay=True),
        product(is_business=True),
        product(is_restricted=True),
        product(since="2026-11-20T12:00:01Z"),
        product(until="2026-11-20T12:00:00Z"),
        {"code": None},
        {},
    ],
)
def test_what_is_no_agile_product_for_homes_or_not_on_sale_now_is_left(other):
    assert found([other]) == []


def test_sale_begins_at_its_first_instant_and_ends_before_its_last():
    brief = product(since="2026-11-20T12:00:00Z", until="2026-11-20T13:00:00+00:00")
    assert found([brief]) == ["AGILE-24-10-01"]
    assert found([brief], now=NOW + timedelta(hours=1)) == []


def test_export_products_are_found_by_their_direction():
    listed = [product(), product("AGILE-OUTGOING-19-05-13", "2019-05-13T00:00:00+01:00", direction="EXPORT")]
    assert found(listed, "EXPORT") == ["AGILE-OUTGOING-19-05-13"]


@pytest.mark.parametrize("since", [None, 7, "soon", "2024-10-01"])
def test_a_date_of_sale_that_is_no_time_is_refused(since):
    with pytest.raises(FeedInvalid, match="available_from of AGILE-24-10-01"):
        found([product(since=since)])


@pytest.mark.shared
def test_the_sample_of_products_holds_the_agile_one(shared_data):
    body = (shared_data / "responses" / "octopus_synthetic" / "products.json").read_bytes()
    get = lambda url, *_, **__: RawAnswer.of(url, "application/json", body)  # noqa: E731
    assert on_sale(get, BASE, "IMPORT", utc(2026, 3, 6)) == ["AGILE-24-10-01"]


def test_each_product_knows_its_own_cap():
    caps = {each.code: cap_p(each.code) for each in PRODUCTS}
    assert caps["AGILE-18-02-21"] == 35
    assert caps["AGILE-22-07-22"] == 55
    assert caps["AGILE-22-08-31"] == 78
    assert caps["AGILE-24-10-01"] == 100
    assert cap_p("AGILE-99-01-01") is None


def test_a_product_is_sold_from_local_midnight_of_the_day_in_its_code():
    assert sold_from("AGILE-24-10-01") == utc(2024, 9, 30, 23)
    assert sold_from("AGILE-27-01-05") == utc(2027, 1, 5)
    assert sold_from("AGILE-27-13-05") is None
    assert sold_from("MY-AGILE") is None


def test_periods_name_the_product_that_was_sold_then():
    cut = import_periods("AGILE-24-10-01", utc(2022, 8, 30), utc(2022, 11, 26))
    assert cut == [
        ("AGILE-22-07-22", utc(2022, 8, 30), utc(2022, 8, 30, 23)),
        ("AGILE-22-08-31", utc(2022, 8, 30, 23), utc(2022, 10, 18, 23)),
        ("AGILE-VAR-22-10-19", utc(2022, 10, 18, 23), utc(2022, 11, 25)),
        ("AGILE-FLEX-22-11-25", utc(2022, 11, 25), utc(2022, 11, 26)),
    ]


def test_a_product_is_asked_for_all_the_time_that_it_has_been_sold_even_after_others_followed():
    start, end = utc(2023, 6, 1), utc(2026, 1, 1)
    assert import_periods("AGILE-22-08-31", start, end) == [("AGILE-22-08-31", start, end)]
    assert import_periods("MY-AGILE", utc(2019, 1, 1), end) == [("MY-AGILE", utc(2019, 1, 1), end)]


@given(
    st.sampled_from([each.code for each in PRODUCTS] + ["AGILE-26-11-01"]),
    st.integers(0, 160_000),
    st.integers(1, 160_000),
)
def test_periods_cover_what_was_asked_once_and_in_order_from_the_first_product_on(code, first, count):
    start = utc(2018, 2, 21) + first * SLOT
    end = start + count * SLOT
    cut = import_periods(code, start, end)
    assert (cut[0][1], cut[-1][2]) == (start, end)
    assert all(a[2] == b[1] for a, b in itertools.pairwise(cut))
    assert len({owner for owner, _, _ in cut}) == len(cut)
    assert all(since < until for _, since, until in cut)
