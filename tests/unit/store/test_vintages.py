from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import NotFound, StoreUnavailable
from core.series import Kind, Series, Unit
from core.vintage import Fetch, RawAnswer
from store.database import Database
from store.tables import answers, bodies, fetches, vintages
from store.vintages import VintageRepository
from tests.unit.store.samples import T0, a_fetch, a_series, an_answer, slot

NUMBERS = count()


def same_series(left: Series, right: Series) -> bool:
    arrays = [(left.values, right.values), (left.kinds, right.kinds), *zip(left.interval, right.interval, strict=True)]
    return (
        all(a.tobytes() == b.tobytes() for a, b in arrays)
        and (left.low is None) == (right.low is None)
        and (left.start, left.unit, left.source, left.issued_at, left.stale)
        == (right.start, right.unit, right.source, right.issued_at, right.stale)
    )


def same(left: Fetch, right: Fetch) -> bool:
    facts = ("fetch_id", "feed", "zone", "fetched_at", "start", "end", "answers", "error")
    return (
        all(getattr(left, name) == getattr(right, name) for name in facts)
        and set(left.series) == set(right.series)
        and all(same_series(series, right.series[quantity]) for quantity, series in left.series.items())
    )


def counts(database: Database) -> list[int]:
    with database.reading() as connection:
        tables = (fetches, answers, bodies, vintages)
        return [connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in tables]


@st.composite
def some_series(draw: st.DrawFn, fetched_at: datetime, unit: Unit) -> Series:
    slots = draw(st.integers(1, 130))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kinds = rng.integers(0, len(Kind), slots).astype(np.int8)
    values = np.where(kinds == Kind.MISSING, np.nan, rng.normal(0, 10.0 ** draw(st.integers(-6, 12)), slots))
    low, high = None, None
    if draw(st.booleans()):
        width = rng.exponential(1.0, slots)
        low, high = values - width, values + width
    start = slot(draw(st.integers(-100, 100)))
    return Series(
        start, values, kinds, unit, draw(st.text("aü€ ", max_size=5)), fetched_at, draw(st.booleans()), low, high
    )


@st.composite
def some_fetch(draw: st.DrawFn) -> Fetch:
    fetched_at = T0 + timedelta(microseconds=draw(st.integers(0, 999)), milliseconds=next(NUMBERS))
    raw = draw(
        st.lists(st.builds(RawAnswer.of, st.text("a?=&ü", max_size=9), st.just("text/x"), st.binary()), max_size=4)
    )
    error = draw(st.none() | st.just("503, then nothing"))
    units = {"price": Unit.GBP_PER_KWH, "carbon": Unit.G_PER_KWH, "share_wind": Unit.PERCENT}
    quantities = draw(st.sets(st.sampled_from(sorted(units)))) if error is None else ()
    series = {quantity: draw(some_series(fetched_at, units[quantity])) for quantity in quantities}
    return a_fetch(fetched_at=fetched_at, answers=tuple(raw), series=series, error=error)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fetch=some_fetch())
def test_bytes_and_figures_come_back_as_they_went_in(database: Database, fetch: Fetch) -> None:
    repository = VintageRepository(database)
    assert repository.add(fetch) == fetch.fetch_id
    assert same(repository.get(fetch.fetch_id), fetch)


def test_the_same_fetch_again_changes_nothing(database: Database) -> None:
    repository = VintageRepository(database)
    assert repository.add(a_fetch()) == repository.add(a_fetch())
    assert counts(database) == [1, 1, 1, 1]


def test_equal_bodies_are_kept_once_and_given_to_each_fetch(database: Database) -> None:
    repository = VintageRepository(database)
    twice = (an_answer(b"same", "a"), an_answer(b"same", "b"))
    for hours in (0, 1):
        repository.add(a_fetch(hours, answers=twice))
    assert counts(database) == [2, 4, 1, 2]
    assert same(repository.get(a_fetch(1, answers=twice).fetch_id), a_fetch(1, answers=twice))


def test_bodies_are_kept_compressed(database: Database) -> None:
    VintageRepository(database).add(a_fetch(answers=(an_answer(b'{"intensity": 100}' * 1000),)))
    with database.reading() as connection:
        row = connection.execute(sa.select(bodies)).one()
    assert row.size == 18_000
    assert len(row.body) < 500


def test_a_failed_fetch_is_kept_with_its_bytes_and_is_never_the_latest(database: Database) -> None:
    repository = VintageRepository(database)
    failed = a_fetch(2, error="HTML instead of JSON", answers=(an_answer(b"<html>"),))
    for fetch in (a_fetch(1), failed):
        repository.add(fetch)
    assert same(repository.get(failed.fetch_id), failed)
    latest = repository.latest("agile", "GB-C")
    assert latest is not None
    assert latest.fetch_id == a_fetch(1).fetch_id


def test_the_latest_fetch_has_its_figures_and_digests_and_no_bytes(database: Database) -> None:
    repository = VintageRepository(database)
    for hours in (0, 5, 3):
        repository.add(a_fetch(hours))
    latest = repository.latest("agile", "GB-C")
    assert latest is not None
    named = tuple(replace(answer, body=b"") for answer in a_fetch(5).answers)
    assert same(latest, replace(a_fetch(5), answers=named))
    assert repository.latest("agile", "GB-D") is None
    assert repository.latest("carbon", "GB-C") is None


def test_filling_in_the_past_does_not_take_the_place_of_the_latest(database: Database) -> None:
    """Else a restart after a backfill would begin with the figures of years ago, and none of today's."""
    repository = VintageRepository(database)
    past = a_fetch(7, start=T0 - timedelta(days=700), end=T0 - timedelta(days=690))
    for fetch in (a_fetch(6), past):
        repository.add(fetch)
    latest = repository.latest("agile", "GB-C")
    assert latest is not None
    assert latest.fetch_id == a_fetch(6).fetch_id
    assert repository.prune(T0 + timedelta(days=1)) == 1
    assert same(repository.get(a_fetch(6).fetch_id), a_fetch(6))


def test_an_unknown_fetch_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound, match="fetch-0000"):
        VintageRepository(database).get("fetch-0000")


@pytest.mark.parametrize(
    "wrong",
    [
        a_fetch(answers=(replace(an_answer(), body=b""),)),
        a_fetch(series={"carbon": a_series()}),
        a_fetch(series={"price": a_series(hours=1)}),
        replace(a_fetch(), error="failed"),
    ],
    ids=["another body", "another unit", "another time", "figures of a failure"],
)
def test_a_fetch_that_contradicts_itself_is_refused_whole(database: Database, wrong: Fetch) -> None:
    with pytest.raises(ValueError, match="the fetch of agile for GB-C"):
        VintageRepository(database).add(wrong)
    assert counts(database) == [0, 0, 0, 0]


@pytest.mark.parametrize("damage", [b"no zlib", b"x\x9c\x03\x00\x00\x00\x00\x01"])
def test_a_body_that_changed_in_the_store_is_never_given_out(database: Database, damage: bytes) -> None:
    repository = VintageRepository(database)
    fetch_id = repository.add(a_fetch())
    with database.writing() as connection:
        connection.execute(sa.update(bodies).values(body=damage))
    with pytest.raises(StoreUnavailable, match=a_fetch().answers[0].sha256):
        repository.get(fetch_id)


def test_vintages_are_those_fetched_in_the_span_oldest_first(database: Database) -> None:
    repository = VintageRepository(database)
    for hours in (4, 3, 2, 1):
        repository.add(a_fetch(hours))
    repository.add(a_fetch(2, zone="GB-D"))
    repository.add(a_fetch(2, error="failed"))
    found = repository.vintages("agile", "GB-C", "price", T0 + timedelta(hours=2), T0 + timedelta(hours=3))
    assert [vintage.fetch_id for vintage in found] == [a_fetch(2).fetch_id, a_fetch(3).fetch_id]
    assert same_series(found[1].series, a_series(3))
    assert repository.vintages("agile", "GB-C", "carbon", T0, T0 + timedelta(days=9)) == []


def test_the_list_of_fetches_is_newest_first_and_can_be_narrowed(database: Database) -> None:
    repository = VintageRepository(database)
    wide = a_fetch(3, answers=(an_answer(b"12345"), an_answer(b"67")), series={"price": a_series(3)})
    for fetch in (a_fetch(1), wide, a_fetch(2, error="503"), a_fetch(4, zone="GB-D"), a_fetch(5, feed="other")):
        repository.add(fetch)
    rows = repository.fetches()
    assert [row.fetched_at for row in rows] == [T0 + timedelta(hours=hours) for hours in (5, 4, 3, 2, 1)]
    assert (rows[2].quantities, rows[2].answers, rows[2].size, rows[2].error) == (("price",), 2, 7, None)
    assert (rows[3].quantities, rows[3].answers, rows[3].error) == ((), 1, "503")
    mine = repository.fetches(zone="GB-C", feed="agile", limit=2, before=rows[2].fetched_at)
    assert mine == rows[3:5]
    assert repository.fetches(limit=2, offset=1) == rows[1:3]
    assert repository.fetches(zone="IS") == []


def test_pruning_keeps_the_last_good_fetch_and_takes_bodies_of_no_fetch(database: Database) -> None:
    repository = VintageRepository(database)
    shared = an_answer(b"in both")
    first, second = a_fetch(0, answers=(shared, an_answer(b"only here"))), a_fetch(9, answers=(shared,))
    for fetch in (first, second, a_fetch(10, error="503", answers=()), a_fetch(1, zone="GB-D")):
        repository.add(fetch)
    assert repository.prune(T0 + timedelta(hours=9)) == 1
    assert counts(database) == [3, 2, 2, 2]
    assert repository.prune(T0 + timedelta(days=30)) == 1
    assert same(repository.get(second.fetch_id), second)
    assert same(repository.get(a_fetch(1, zone="GB-D").fetch_id), a_fetch(1, zone="GB-D"))
    for gone in (first, a_fetch(10, error="503", answers=())):
        with pytest.raises(NotFound):
            repository.get(gone.fetch_id)


def test_the_last_answer_about_each_quantity_stays(database: Database) -> None:
    """Our forecasts of price and carbon are one feed, issued apart: either may be in force long after the other."""
    repository = VintageRepository(database)
    carbon = a_fetch(1, series={"carbon": a_series(1, unit=Unit.G_PER_KWH)})
    for fetch in (a_fetch(0), carbon, a_fetch(2), a_fetch(3)):
        repository.add(fetch)
    assert repository.prune(T0 + timedelta(days=30)) == 2
    assert same(repository.get(carbon.fetch_id), carbon)


def test_a_fetch_of_the_very_instant_is_not_pruned(database: Database) -> None:
    repository = VintageRepository(database)
    for hours in (1, 2, 3):
        repository.add(a_fetch(hours))
    assert [repository.prune(T0 + timedelta(hours=2)) for _ in range(2)] == [1, 0]
    assert [row.fetched_at for row in repository.fetches()] == [T0 + timedelta(hours=hours) for hours in (3, 2)]


def test_pruning_leaves_the_history_as_it_was(database: Database) -> None:
    repository = VintageRepository(database)
    for hours in (0, 1):
        repository.add(a_fetch(hours, series={"price": a_series(hours, start=10 * hours)}))
    before = repository.history("GB-C", "price", slot(-2), 20)
    assert repository.prune(T0 + timedelta(days=9)) == 1
    assert same_series(repository.history("GB-C", "price", slot(-2), 20), before)
    assert repository.history_fetches("GB-C", "price", slot(0), 2) == (a_fetch(0).fetch_id,)


def test_ten_thousand_fetches_are_pruned_in_a_few_seconds(database: Database) -> None:
    names = [(f"fetch-{n:016x}", f"{n:064x}", T0 + timedelta(minutes=n)) for n in range(10_000)]
    facts = {"feed": "agile", "zone": "GB-C", "starts": T0, "ends": T0}
    of_series = {"starts": T0, "ends": T0, "unit": "GBP/kWh", "source": "any", "stale": False, "figures": b"x" * 500}
    with database.writing() as connection:
        for table, rows in (
            (bodies, [{"sha256": sha, "size": 1, "body": b"x" * 2000} for _, sha, _ in names]),
            (fetches, [{"fetch_id": name, "fetched_at": at, **facts} for name, _, at in names]),
            (
                answers,
                [{"fetch_id": f, "position": 0, "url": "", "content_type": "", "sha256": s} for f, s, _ in names],
            ),
            (vintages, [{"fetch_id": name, "quantity": "price", **of_series} for name, _, _ in names]),
        ):
            connection.execute(sa.insert(table), rows)
    began = time.perf_counter()
    assert VintageRepository(database).prune(T0 + timedelta(days=365)) == 9_999
    assert time.perf_counter() - began < 10.0, "pruning them takes about a second"
    assert counts(database) == [1, 1, 1, 1]


def test_what_a_full_disk_cannot_keep_is_refused_and_leaves_no_part(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'small.db'}")
    database.migrate()
    repository = VintageRepository(database)
    repository.add(a_fetch())
    database.close()
    sa.event.listen(database.engine, "connect", _no_room)
    noise = random.Random(1).randbytes(1_000_000)
    with pytest.raises(StoreUnavailable, match="full"):
        repository.add(a_fetch(1, answers=(an_answer(noise),), series={"price": a_series(1, start=96)}))
    assert counts(database) == [1, 1, 1, 1]
    assert repository.history("GB-C", "price", slot(96), 3).kinds_used() == (Kind.MISSING,)
    database.close()


def _no_room(connection: object, _record: object) -> None:
    connection.execute("PRAGMA max_page_count=1")  # type: ignore[attr-defined]  # SQLite takes the present size


def test_four_threads_may_add_at_once(database: Database) -> None:
    repository = VintageRepository(database)
    many = [a_fetch(hours, series={"price": a_series(hours, start=hours % 7)}) for hours in range(40)]
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(repository.add, many + many))
    assert counts(database) == [40, 40, 40, 40]
    assert [repository.get(fetch_id).fetch_id for fetch_id in ids[:40]] == ids[:40]
    alone = sorted((fetch for fetch in many if fetch.series["price"].start == slot(6)), key=lambda f: f.fetched_at)
    assert repository.history_fetches("GB-C", "price", slot(8), 1) == (alone[-1].fetch_id,)


def test_reading_does_not_wait_for_a_writer(database: Database) -> None:
    repository, seen = VintageRepository(database), []
    repository.add(a_fetch())
    with database.writing() as connection:
        connection.execute(sa.update(fetches).values(error="unfinished"))
        reader = threading.Thread(target=lambda: seen.append(repository.history("GB-C", "price", slot(0), 1)))
        reader.start()
        reader.join(timeout=10)
    assert [series.values.tolist() for series in seen] == [[0.1]]


def a_year_of_fetches() -> Iterator[Fetch]:
    """A year of settled half-hours as a backfill asks for them, in 27 answers worded as a feed does."""
    rng = np.random.default_rng(1)
    for number in range(27):
        start = T0 + timedelta(days=14 * number)
        slots = min(14 * 48, 17_520 - number * 14 * 48)
        fetched_at = T0 + timedelta(days=400, seconds=number)
        values = rng.integers(20, 400, slots).astype(float)
        rows = [
            {"from": f"{start + timedelta(minutes=30 * n)}", "to": f"{n}", "intensity": {"actual": v, "index": "low"}}
            for n, v in enumerate(values.tolist())
        ]
        series = Series.of(start, values, Kind.SETTLED, Unit.G_PER_KWH, "NESO", fetched_at)
        body = an_answer(json.dumps({"data": rows}).encode())
        yield a_fetch(feed="neso", zone="GB", fetched_at=fetched_at, answers=(body,), series={"carbon": series})


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_year_of_half_hours_loads_and_is_queried_at_once(database: Database, database_url: str) -> None:
    """Timed on the processor's clock, because other work on the machine is no business of the store's."""
    year = list(a_year_of_fetches())
    repository = VintageRepository(database)
    began = time.process_time()
    for fetch in year:
        repository.add(fetch)
    loaded = time.process_time() - began
    reopened = Database(database_url)
    began = time.process_time()
    series = VintageRepository(reopened).history("GB", "carbon", T0, 17_520)
    queried = time.process_time() - began
    reopened.close()
    assert np.array_equal(series.values, np.concatenate([fetch.series["carbon"].values for fetch in year]))
    assert loaded < 0.5, "loading a year takes about 0.1 s"
    assert queried < 0.1, "a query of a year on a new connection takes about 0.01 s"


def test_a_fetch_is_described_without_opening_its_bodies(database: Database) -> None:
    vintages = VintageRepository(database)
    fetch = a_fetch()
    fetch_id = vintages.add(fetch)
    with database.writing() as connection:
        connection.execute(sa.update(bodies).values(body=b"damaged"))
    described, sizes = vintages.described(fetch_id)
    assert described.fetch_id == fetch_id
    assert [answer.sha256 for answer in described.answers] == [answer.sha256 for answer in fetch.answers]
    assert sizes == tuple(len(answer.body) for answer in fetch.answers)
    with pytest.raises(NotFound):
        vintages.described("fetch-unknown")
