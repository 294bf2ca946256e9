from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from agents.energy.client import StoredAnswers
from agents.energy.feed import Ask, Fetched
from agents.energy.reading import json_of
from agents.energy.reread import Rereader
from agents.energy.terms import ADDRESS, FIELDS, settings_of, terms_of
from core.errors import FeedInvalid, StoreUnavailable
from core.instance import Instance, SiteInstance
from core.series import Kind, Series, Unit
from core.settings import Settings
from core.vintage import Fetch, RawAnswer
from tests.unit.energy.fakes import MemoryStore, ScriptedFeed, utc

NOW = utc(2026, 11, 20, 12)


class TelltaleFeed(ScriptedFeed):
    """Reads one price for all slots out of its one body."""

    def fetch(self, ask: Ask) -> Fetched:
        price = json_of(ask.get("https://feed.example/price"), "telltale")["price"]
        values = [price] * 8
        return Fetched({"price": Series.of(NOW, values, Kind.SETTLED, Unit.GBP_PER_KWH, "telltale", ask.now)})


FEED = TelltaleFeed("price", name="telltale")


def stored(price: float, body: bytes | None = None) -> Fetch:
    told = body if body is not None else json.dumps({"price": price}).encode()
    answers = (RawAnswer.of("https://feed.example/price", "application/json", told),)
    series = Series.of(NOW, [price] * 8, Kind.SETTLED, Unit.GBP_PER_KWH, "telltale", NOW)
    return Fetch("telltale", "GB-C", NOW, NOW, NOW + timedelta(hours=4), answers, {"price": series})


def instance(*prices: float) -> Instance:
    count = len(prices)
    site = SiteInstance(
        id="s1", region="GB-C", headroom_kw=(1.0,) * count, price_gbp_per_kwh=prices,
        carbon_g_per_kwh=(100.0,) * count, pue=1.1,
    )  # fmt: skip
    return Instance(name="x", start=NOW, slots=count, carbon_price_gbp_per_tonne=100, sites=(site,), jobs=())


def body(fetch: Fetch, last: int = 4) -> dict[str, object]:
    origins = [
        {"first": 0, "last": last, "source": "telltale", "fetch_id": fetch.fetch_id},
        {"first": last, "last": 6, "source": "simulated GB-C", "fetch_id": None},
    ]
    return {"feeds": [{"zone": "GB-C", "quantity": "price", "origins": origins}]}


def reread(fetch: Fetch, *prices: float):
    store = MemoryStore()
    store.add(fetch)
    return Rereader(store, (FEED,)).round(body(fetch), instance(*prices))


def test_figures_that_are_in_the_bytes_agree_and_made_ones_are_counted_apart():
    found = reread(stored(0.25), *[0.25] * 4, 0.9, 0.9)
    assert (found.compared, found.unstored, found.mismatches) == (4, 2, ())


def test_a_figure_that_was_planned_with_and_is_not_in_the_bytes_is_named():
    (odd,) = reread(stored(0.25), 0.25, 0.25, 0.30, 0.25, 0.9, 0.9).mismatches
    assert odd.slot == NOW + timedelta(hours=1)
    assert (odd.planned, odd.read, odd.zone, odd.quantity) == (0.30, 0.25, "GB-C", "price")


def test_bytes_that_were_changed_or_lost_show():
    (odd,) = reread(stored(0.25, b"<html>"), *[0.25] * 6).mismatches
    assert odd.read is None
    fetch = stored(0.25)
    (gone,) = Rereader(MemoryStore(), (FEED,)).round(body(fetch), instance(*[0.25] * 6)).mismatches
    assert "NotFound" in gone.why


def test_a_zone_whose_sites_were_left_out_of_the_plan_is_not_compared():
    fetch = stored(0.25)
    record = body(fetch)
    record["feeds"][0]["zone"] = "GB-J"
    assert Rereader(MemoryStore(), (FEED,)).round(record, instance(0.1)).compared == 0


def test_answers_are_read_with_the_settings_that_they_were_first_read_with():
    settings = Settings(_env_file=None, eur_gbp=0.8, octopus_product="AGILE-24-10-01", entsoe_key="secret")
    terms = terms_of(settings)
    assert b"secret" not in terms.body
    fetch = replace(stored(0.25), answers=(*stored(0.25).answers, terms))
    again = settings_of(fetch)
    assert {name: getattr(again, name) for name in FIELDS} == {name: getattr(settings, name) for name in FIELDS}
    assert settings_of(stored(0.25)) is None
    assert StoredAnswers(fetch.answers)(ADDRESS).body == terms.body


def test_settings_that_cannot_be_read_are_refused():
    odd = RawAnswer.of(ADDRESS, "application/json", b'{"eur_gbp": -1}')
    with pytest.raises(FeedInvalid, match="settings that cannot be read"):
        settings_of(replace(stored(0.25), answers=(odd,)))


def test_a_body_that_can_no_longer_be_read_or_was_exchanged_shows_and_stops_nothing():
    class Damaged(MemoryStore):
        def get(self, fetch_id):
            raise StoreUnavailable("the stored body has become another")

    fetch = stored(0.25)
    (odd,) = Rereader(Damaged(), (FEED,)).round(body(fetch), instance(*[0.25] * 6)).mismatches
    assert "StoreUnavailable" in odd.why

    class Exchanged(MemoryStore):
        def get(self, fetch_id):
            return stored(0.25, b'{"price":  0.25}')

    (odd,) = Rereader(Exchanged(), (FEED,)).round(body(fetch), instance(*[0.25] * 6)).mismatches
    assert "it was changed" in odd.why


def test_a_record_that_does_not_say_where_all_its_figures_are_from_shows():
    fetch = stored(0.25)
    record = body(fetch)
    record["feeds"][0]["origins"].pop()
    store = MemoryStore()
    store.add(fetch)
    (odd,) = Rereader(store, (FEED,)).round(record, instance(*[0.25] * 6)).mismatches
    assert odd.why == "the record names no origin of 2 slots"
    assert odd.slot == NOW + timedelta(hours=2)


class WeatherFeed(ScriptedFeed):
    """Reads one temperature for all slots out of its one body."""

    def fetch(self, ask: Ask) -> Fetched:
        degrees = json_of(ask.get("https://feed.example/weather"), "weather")["degrees"]
        return Fetched({"temperature": Series.of(NOW, [degrees] * 8, Kind.FORECAST, Unit.CELSIUS, "w", ask.now)})


@pytest.mark.parametrize(("in_bytes", "odd"), [(11.0, 0), (12.0, 6)])
def test_the_weather_that_cooling_was_reckoned_with_is_read_again_too(in_bytes, odd):
    answers = (RawAnswer.of("https://feed.example/weather", "application/json", b'{"degrees": %f}' % in_bytes),)
    first_read = Series.of(NOW, [11.0] * 8, Kind.FORECAST, Unit.CELSIUS, "w", NOW)
    fetch = Fetch("weather", "51,0", NOW, NOW, NOW + timedelta(hours=4), answers, {"temperature": first_read})
    store = MemoryStore()
    store.add(fetch)
    origins = [{"first": 0, "last": 6, "source": "w", "fetch_id": fetch.fetch_id}]
    record = {"feeds": [{"zone": "s1", "quantity": "temperature", "origins": origins}]}
    found = Rereader(store, (WeatherFeed("temperature", name="weather"),)).round(record, instance(*[0.25] * 6))
    assert (found.compared, len(found.mismatches)) == (6, odd)
