from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.energy.client import Refused, StoredAnswers
from agents.energy.feeds.octopus_rates import NoSuchProduct, rates
from core.errors import FeedInvalid, FeedUnreachable
from core.halfhours import instant_of, slot_index
from core.slots import SLOT, format_utc
from core.vintage import RawAnswer

BASE = "https://octopus.test/v1"
START = datetime(2025, 11, 20, 12, tzinfo=UTC)
FIRST = slot_index(START)
END = START + 6 * SLOT
TARIFF = ("AGILE-24-10-01", "C")
ADDRESS = f"{BASE}/products/AGILE-24-10-01/electricity-tariffs/E-1R-AGILE-24-10-01-C/standard-unit-rates/"


def record(begin, end, value, **extra):
    """A record over slots counted from ``START``; ``end`` None is open."""
    return {
        "value_exc_vat": value,
        "value_inc_vat": -999,
        "valid_from": format_utc(START + begin * SLOT),
        "valid_to": None if end is None else format_utc(START + end * SLOT),
        "payment_method": None,
    } | extra


def answered(url, value):
    return RawAnswer.of(url, "application/json", json.dumps(value).encode())


def read(records, end=END, get=None):
    return rates(
        get or (lambda url, *_, **__: answered(url, {"results": records, "next": None})),
        BASE,
        TARIFF,
        "standard-unit-rates",
        START,
        end,
    )


def told(records):
    found = read(records)
    return dict(zip((found.index - FIRST).tolist(), found.exc_vat_p.tolist(), strict=True))


# -- pages ---------------------------------------------------------------------------------------------------------


def test_every_page_is_followed_and_the_prices_come_out_in_order():
    pages = {ADDRESS: (3, 6, f"{ADDRESS}?page=2"), f"{ADDRESS}?page=2": (0, 3, None)}
    asked = []

    def get(url, parameters=None, *, authorise=None):
        asked.append((url, parameters))
        first, last, following = pages[url]
        newest_first = [record(i, i + 1, i) for i in reversed(range(first, last))]
        return answered(url, {"results": newest_first, "next": following})

    found = read([], get=get)
    assert found.exc_vat_p.tolist() == [0, 1, 2, 3, 4, 5]
    assert asked[1] == (f"{ADDRESS}?page=2", None)
    assert asked[0][1]["page_size"] == "1500"


@pytest.mark.parametrize(
    "elsewhere", ["https://elsewhere.test/v1/", "http://octopus.test/v1/?page=2", "//octopus.test/", 7, ""]
)
def test_a_next_page_of_another_host_is_not_followed(elsewhere):
    def get(url, *_, **__):
        assert url == ADDRESS
        return answered(url, {"results": [record(0, 1, 1)], "next": elsewhere})

    with pytest.raises(FeedInvalid, match=r"is not at https://octopus\.test"):
        read([], get=get)


def test_pages_that_never_end_are_given_up():
    asked = []

    def get(url, *_, **__):
        asked.append(url)
        return answered(url, {"results": [record(0, 1, 1)], "next": ADDRESS})

    with pytest.raises(FeedInvalid, match="more than 47 pages"):
        read([], START + timedelta(days=712), get=get)
    assert len(asked) == 47


# -- overlap -------------------------------------------------------------------------------------------------------


def test_records_that_only_overlap_the_period_are_clipped():
    assert told([record(5, 9, 4), record(1, 5, 3), record(-3, 1, 2), record(-9, -3, 1)]) == {
        0: 2,
        1: 3,
        2: 3,
        3: 3,
        4: 3,
        5: 4,
    }


def test_a_record_without_an_end_holds_for_every_half_hour_asked_and_says_so():
    found = read([record(-500, None, 20)])
    assert found.exc_vat_p.tolist() == [20] * 6
    assert found.until_changed.all()
    assert not read([record(-500, 500, 20)]).until_changed.any()


def test_of_two_records_for_one_slot_the_one_that_began_later_holds():
    assert told([record(2, None, 30), record(-500, None, 20)]) == {0: 20, 1: 20, 2: 30, 3: 30, 4: 30, 5: 30}


def test_a_record_given_twice_counts_once_and_is_disputed_only_if_it_differs():
    same = read([record(1, 2, 5), record(1, 2, 5), record(0, 1, 3)])
    assert (same.exc_vat_p.tolist(), same.disputed.tolist()) == ([3, 5], [])
    other = read([record(1, 2, 5), record(1, 2, 6), record(0, 1, 3)])
    assert (other.exc_vat_p.tolist(), other.disputed.tolist()) == ([3, 5], [FIRST + 1])


def test_the_dearer_rate_of_those_who_do_not_pay_by_direct_debit_is_left():
    dearer, cheaper = (
        record(0, 6, value, payment_method=method) for value, method in ((90, "NON_DIRECT_DEBIT"), (20, "DIRECT_DEBIT"))
    )
    assert set(told([dearer, cheaper]).values()) == {20}
    assert told([dearer]) == {}


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.integers(-9, 3), st.integers(1, 12), st.booleans())
def test_every_slot_that_some_record_covers_has_its_price_and_no_other_slot_has_one(lengths, first, asked, is_open):
    begins = [first + sum(lengths[:i]) for i in range(len(lengths))]
    records = [record(begin, begin + length, begin) for begin, length in zip(begins, lengths, strict=True)]
    if is_open:
        records[-1]["valid_to"] = None
    found = read(records[::-1], START + asked * SLOT)
    expected = {}
    for begin, length in zip(begins, lengths, strict=True):
        end = asked if is_open and begin == begins[-1] else begin + length
        expected |= {slot: float(begin) for slot in range(begin, end) if 0 <= slot < asked}
    assert dict(zip((found.index - FIRST).tolist(), found.exc_vat_p.tolist(), strict=True)) == expected


def test_nothing_published_is_nothing():
    assert read([]).index.size == 0


# -- faults --------------------------------------------------------------------------------------------------------


def test_a_404_says_that_there_is_no_such_product_and_other_refusals_stay_what_they_are():
    def failing(error):
        def get(*_, **__):
            raise error

        return get

    with pytest.raises(NoSuchProduct, match="region C"):
        read([], get=failing(Refused("404", 404)))
    with pytest.raises(Refused):
        read([], get=failing(Refused("400", 400)))
    with pytest.raises(FeedUnreachable):
        read([], get=failing(FeedUnreachable("down")))


def test_an_answer_that_cannot_be_used_does_not_make_its_product_a_retired_one():
    """Else the prices of another product would be used, or a predecessor's months silently left out."""

    def too_long(*_, **__):
        raise FeedInvalid("octopus.test answered with more than 8388608 bytes.")

    with pytest.raises(FeedInvalid, match="more than 8388608") as raised:
        read([], get=too_long)
    assert not isinstance(raised.value, NoSuchProduct)
    with pytest.raises(NoSuchProduct):
        read([], get=StoredAnswers(()))


@pytest.mark.parametrize(
    "wrong",
    [
        record(0, 1, None),
        record(0, 1, "12"),
        record(0, 1, True),
        record(0, 1, 5_000),
        record(1, 1, 5),
        record(2, 1, 5),
        record(0, 1, 5, valid_from="2025-11-20T13:30:00"),
        record(0, 1, 5, valid_from=None),
        record(0, 1, 5, valid_to="2025-11-20T13:45:00Z"),
        7,
    ],
)
def test_a_record_that_is_not_what_is_documented_spoils_the_answer(wrong):
    with pytest.raises(FeedInvalid):
        read([record(3, 4, 1), wrong])


@pytest.mark.parametrize("body", [[], {"results": {}}, {"results": [1]}, {}])
def test_an_answer_of_another_shape_is_refused(body):
    with pytest.raises(FeedInvalid, match="was expected"):
        read([], get=lambda url, *_, **__: answered(url, body))


def test_times_with_another_offset_are_the_same_instants():
    local = {"valid_from": "2025-11-20T13:00:00+01:00", "valid_to": "2025-11-20T13:30:00+01:00"}
    assert instant_of(int(read([record(0, 1, 5, **local)]).index[0])) == START


@pytest.mark.shared
def test_the_samples_of_rates_and_charges_are_read(shared_data):
    folder = shared_data / "responses" / "octopus_synthetic"

    def get(name):
        return lambda url, *_, **__: RawAnswer.of(url, "application/json", (folder / name).read_bytes())

    start = datetime(2026, 3, 6, 21, 30, tzinfo=UTC)
    found = rates(get("rates.json"), BASE, TARIFF, "standard-unit-rates", start, start + 9 * SLOT)
    assert found.exc_vat_p.tolist() == [15.3, 21.0, 19.54]
    charge = rates(get("standing_charges.json"), BASE, TARIFF, "standing-charges", start, start + 2 * SLOT)
    assert charge.exc_vat_p.tolist() == [37.6525, 37.6525]
