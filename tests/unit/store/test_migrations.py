from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from core.series import Kind, Series, Unit
from core.vintage import Fetch, RawAnswer
from store.database import MIGRATIONS, Database
from store.jobs import JobRepository
from store.sites import SiteRepository
from store.tables import Instant, assets, bodies
from store.vintages import VintageRepository
from tests.unit.store.samples import T0, a_job, an_asset, slot

OLD = sa.table(
    "vintages",
    *(sa.column(name, sa.String) for name in ("feed", "zone", "quantity", "sha256", "unit", "source")),
    *(sa.column(name, Instant) for name in ("fetched_at", "starts", "ends")),
    sa.column("figures", sa.JSON),
    sa.column("body", sa.LargeBinary),
)


@pytest.fixture
def first_version(database: Database) -> Iterator[Database]:
    """A database of the first version, empty."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    yield database
    database.migrate()


def an_old_row(number: int, feed: str = "octopus-agile", quantity: str = "price", body: bytes | None = None) -> Fetch:
    """What the first version kept as one row: one body and one series, here across a midnight."""
    fetched_at = T0 + timedelta(hours=number, microseconds=number)
    kinds = np.array([number // 2 % 2, Kind.MISSING, number // 3 % 3, Kind.SIMULATED], dtype=np.int8)
    values = np.where(kinds == Kind.MISSING, np.nan, np.array([-0.1, 0.2, 0.3, 0.4]) + number)
    unit = Unit.GBP_PER_KWH if quantity == "price" else Unit.G_PER_KWH
    series = Series(slot(46 + number % 2), values, kinds, unit, "Octopus Agile", fetched_at, stale=number == 1)
    answer = RawAnswer.of("", "application/json", b"body %d" % number if body is None else body)
    return Fetch(feed, "GB-C", fetched_at, series.start, series.end, (answer,), {quantity: series})


def as_stored(fetch: Fetch) -> dict[str, Any]:
    ((quantity, series),) = fetch.series.items()
    values = [None if np.isnan(value) else value for value in series.values.tolist()]
    return {
        "feed": fetch.feed,
        "zone": fetch.zone,
        "quantity": quantity,
        "sha256": hashlib.sha256(fetch.answers[0].body).hexdigest(),
        "fetched_at": fetch.fetched_at,
        "starts": series.start,
        "ends": series.end,
        "unit": series.unit.value,
        "source": series.source,
        "figures": {"values": values, "kinds": series.kinds.tolist(), "stale": series.stale},
        "body": zlib.compress(fetch.answers[0].body),
    }


def contents(database: Database, fetches: list[Fetch]) -> list[Any]:
    """All that the repository says of these fetches and their histories."""
    repository = VintageRepository(database)
    return [
        *(spelt(repository.get(fetch.fetch_id)) for fetch in fetches),
        *(spelt_series(repository.history("GB-C", quantity, slot(0), 96)) for quantity in ("price", "carbon")),
        *(repository.history_fetches("GB-C", quantity, slot(0), 96) for quantity in ("price", "carbon")),
        [row.fetch_id for row in repository.fetches()],
    ]


def spelt(fetch: Fetch) -> tuple[Any, ...]:
    named = sorted(fetch.series.items())
    series = [(quantity, spelt_series(series)) for quantity, series in named]
    return fetch.fetch_id, fetch.fetched_at, fetch.start, fetch.end, fetch.answers, fetch.error, series


def spelt_series(series: Series) -> tuple[Any, ...]:
    facts = (series.start, series.unit, series.source, series.issued_at, series.stale, series.low)
    return *facts, series.values.tobytes(), series.kinds.tobytes()


def test_what_feeds_answered_before_comes_over_whole(first_version: Database) -> None:
    same_bytes = b"the same body of two feeds"
    old = [an_old_row(number) for number in (4, 3, 0, 2, 5, 1)]
    old += [an_old_row(7, "carbon", "carbon", same_bytes), an_old_row(6, "other", "carbon", same_bytes)]
    with first_version.writing() as connection:
        connection.execute(sa.insert(OLD), [as_stored(fetch) for fetch in old])
    first_version.migrate()
    migrated = contents(first_version, old)
    with first_version.writing() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(bodies)).scalar_one() == 7
        for table in ("history", "answers", "vintages", "fetches", "bodies"):
            connection.execute(sa.text(f"DELETE FROM {table}"))
    repository = VintageRepository(first_version)
    for fetch in old:
        repository.add(fetch)
    assert migrated == contents(first_version, old)


def test_a_database_of_the_first_version_without_answers_is_migrated(first_version: Database) -> None:
    JobRepository(first_version).add(a_job("j1"))
    first_version.migrate()
    assert JobRepository(first_version).get("j1") == a_job("j1")
    assert VintageRepository(first_version).fetches() == []


def test_assets_come_over_without_what_nobody_reads(first_version: Database) -> None:
    asset = an_asset("rack", min_power_kw=5.0, flexibility_type="pausable")
    said = {"is_deferrable": True, "is_throttlable": False, "hourly_cost_gbp": 2.5}
    with first_version.writing() as connection:
        connection.execute(
            sa.insert(assets).values(asset_id="rack", document={**asset.model_dump(mode="json"), **said})
        )
    first_version.migrate()
    assert SiteRepository(first_version).assets() == [asset]


def test_more_old_answers_than_a_batch_come_over(first_version: Database) -> None:
    old = [an_old_row(number) for number in range(450)]
    with first_version.writing() as connection:
        connection.execute(sa.insert(OLD), [as_stored(fetch) for fetch in old])
    first_version.migrate()
    repository = VintageRepository(first_version)
    assert [row.fetch_id for row in repository.fetches(limit=1000)] == [fetch.fetch_id for fetch in reversed(old)]
