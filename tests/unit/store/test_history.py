from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.series import Kind, Series, Unit
from core.slots import SLOT
from core.vintage import OWN_FORECASTS, Fetch
from store.database import Database
from store.vintages import VintageRepository
from tests.unit.store.samples import T0, a_fetch, a_series, an_answer, slot

ZONES = count()
DAYS = 48


def of_kind(kind: Kind, value: float, hours: int, **changes: object) -> Fetch:
    """A fetch of one slot, slot 0."""
    facts = {"values": np.array([value]), "kinds": np.array([kind], dtype=np.int8)}
    return a_fetch(hours, series={"price": a_series(hours, **facts)}, **changes)


def history(database: Database, slots: int = 1, start: int = 0) -> Series:
    return VintageRepository(database).history("GB-C", "price", slot(start), slots)


@st.composite
def some_fetches(draw: st.DrawFn) -> list[Fetch]:
    """Fetches of two feeds for a zone of their own over three days, several at the same instant."""
    zone, fetches = f"zone {next(ZONES)}", []
    for number in range(draw(st.integers(1, 9))):
        fetched_at = T0 + timedelta(hours=draw(st.integers(0, 3)), microseconds=draw(st.integers(0, 1)))
        rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        kinds = rng.integers(0, len(Kind), draw(st.integers(1, 100))).astype(np.int8)
        values = np.where(kinds == Kind.MISSING, np.nan, rng.normal(0, 1, kinds.size))
        start = slot(draw(st.integers(0, 144 - kinds.size)))
        series = Series(start, values, kinds, Unit.GBP_PER_KWH, "any", fetched_at)
        facts = {"feed": draw(st.sampled_from(["agile", "other"])), "answers": (an_answer(b"%d" % number),)}
        fetches.append(a_fetch(zone=zone, fetched_at=fetched_at, series={"price": series}, **facts))
    return fetches


def brute_force(fetches: list[Fetch], slots: int) -> list[tuple[float, int, str | None]]:
    """Value, kind and fetch of each slot: the firmest, then the latest; then the first feed, then the greatest id."""
    best: list[tuple[float, int, str | None]] = []
    for number in range(slots):
        said = []
        for fetch in fetches:
            series, place = fetch.series["price"], (slot(number) - fetch.series["price"].start) // SLOT
            if 0 <= place < len(series) and series.kinds[place] < Kind.SIMULATED:
                order = (-int(series.kinds[place]), fetch.fetched_at, fetch.feed == "agile", fetch.fetch_id)
                said.append((order, (float(series.values[place]), int(series.kinds[place]), fetch.fetch_id)))
        best.append(max(said)[1] if said else (np.nan, Kind.MISSING, None))
    return best


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fetches=some_fetches(), seed=st.integers(0, 10**6))
def test_in_whatever_order_fetches_arrive_the_history_is_their_firmest_and_latest(
    database: Database, fetches: list[Fetch], seed: int
) -> None:
    repository, zone = VintageRepository(database), fetches[0].zone
    for fetch in random.Random(seed).sample(fetches, len(fetches)):
        repository.add(fetch)
    expected = brute_force(fetches, 3 * DAYS)
    series = repository.history(zone, "price", T0, 3 * DAYS)
    assert np.array_equal(series.values, [value for value, _, _ in expected], equal_nan=True)
    assert series.kinds.tolist() == [kind for _, kind, _ in expected]
    used = {fetch_id for _, _, fetch_id in expected if fetch_id}
    assert set(repository.history_fetches(zone, "price", T0, 3 * DAYS)) == used
    latest = [fetch.fetched_at for fetch in fetches if fetch.fetch_id in used]
    assert series.issued_at == max(latest, default=T0)


def test_a_settled_figure_is_never_replaced_by_a_later_forecast(database: Database) -> None:
    repository = VintageRepository(database)
    for fetch in (of_kind(Kind.FORECAST, 1.0, 0), of_kind(Kind.SETTLED, 2.0, 1), of_kind(Kind.FORECAST, 3.0, 2)):
        repository.add(fetch)
    assert (history(database).values.tolist(), history(database).kinds.tolist()) == ([2.0], [Kind.SETTLED])
    repository.add(of_kind(Kind.SETTLED, -4.0, 3))
    assert history(database).values.tolist() == [-4.0]


def test_a_simulated_figure_never_enters_the_history(database: Database) -> None:
    VintageRepository(database).add(of_kind(Kind.SIMULATED, 1.0, 0))
    assert history(database).kinds.tolist() == [Kind.MISSING]


def test_our_own_forecast_never_enters_the_history(database: Database) -> None:
    """Else models would learn from what they expected, wherever a source had a gap."""
    fetch = of_kind(Kind.FORECAST, 1.0, 0)
    VintageRepository(database).add(replace(fetch, feed=OWN_FORECASTS))
    assert history(database).kinds.tolist() == [Kind.MISSING]


def test_where_nothing_was_ever_said_the_history_is_missing_and_of_no_feed(database: Database) -> None:
    series = history(database, slots=100, start=-7)
    assert (series.start, len(series), series.unit) == (slot(-7), 100, Unit.GBP_PER_KWH)
    assert (series.kinds_used(), series.source, series.issued_at) == ((Kind.MISSING,), "no feed", slot(-7))
    assert VintageRepository(database).history_fetches("GB-C", "price", slot(0), 9) == ()
    assert len(history(database, slots=0)) == 0


def test_a_span_from_within_a_day_to_within_another_is_cut_at_its_slots(database: Database) -> None:
    values = np.arange(500.0)
    series = Series.of(slot(-100), values, Kind.SETTLED, Unit.GBP_PER_KWH, "any", T0)
    VintageRepository(database).add(a_fetch(series={"price": series}))
    assert history(database, start=-99, slots=333).values.tolist() == values[1:334].tolist()
    assert history(database, start=47, slots=1).values.tolist() == [147.0]


def test_a_start_within_a_slot_and_of_another_offset_is_the_slot_it_lies_in(database: Database) -> None:
    VintageRepository(database).add(a_fetch())
    local = (slot(2) + timedelta(minutes=29)).astimezone(timezone(timedelta(hours=1)))
    series = VintageRepository(database).history("GB-C", "price", local, 1)
    assert (series.start, series.start.tzinfo, series.values.tolist()) == (slot(2), UTC, [-0.3])


def test_the_source_names_the_feeds_whose_figures_are_used(database: Database) -> None:
    repository = VintageRepository(database)
    repository.add(of_kind(Kind.FORECAST, 1.0, 9, feed="weaker"))
    repository.add(of_kind(Kind.SETTLED, 2.0, 0, feed="agile"))
    assert (history(database).source, history(database).issued_at) == ("agile", T0)
    repository.add(a_fetch(5, feed="second", series={"price": a_series(5, start=60)}))
    assert history(database, slots=63).source == "agile + second"
    assert history(database, slots=63).issued_at == T0 + timedelta(hours=5)


def test_zones_and_quantities_have_histories_of_their_own(database: Database) -> None:
    repository = VintageRepository(database)
    carbon = a_series(values=np.array([100.0, np.nan, 50.0]), unit=Unit.G_PER_KWH, start=96)
    repository.add(a_fetch(series={"price": a_series(), "carbon": carbon}))
    assert repository.history("GB-C", "carbon", slot(96), 1).values.tolist() == [100.0]
    assert repository.history("GB-C", "carbon", slot(0), 1).kinds_used() == (Kind.MISSING,)
    assert repository.history("GB-D", "price", slot(0), 1).kinds_used() == (Kind.MISSING,)


def test_a_failed_fetch_leaves_the_history_alone(database: Database) -> None:
    VintageRepository(database).add(a_fetch())
    VintageRepository(database).add(a_fetch(1, error="503"))
    assert history(database).issued_at == T0


@pytest.mark.parametrize("slots", [1, 48, 49])
def test_an_empty_series_adds_nothing(database: Database, slots: int) -> None:
    empty = Series.missing(slot(0), 0, Unit.GBP_PER_KWH, "any", T0)
    repository = VintageRepository(database)
    fetch_id = repository.add(a_fetch(series={"price": empty}))
    assert len(repository.get(fetch_id).series["price"]) == 0
    assert history(database, slots=slots).kinds_used() == (Kind.MISSING,)
