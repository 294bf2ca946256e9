from __future__ import annotations

from datetime import timedelta

import numpy as np

from core.vintage import Vintage
from store.database import Database
from store.vintages import VintageRepository
from tests.unit.store.samples import T0, a_vintage, slot


def same(left: Vintage | None, right: Vintage) -> bool:
    return (
        left is not None
        and (left.fetched_at, left.sha256, left.body) == (right.fetched_at, right.sha256, right.body)
        and np.array_equal(left.series.values, right.series.values, equal_nan=True)
        and np.array_equal(left.series.kinds, right.series.kinds)
        and (left.series.start, left.series.stale) == (right.series.start, right.series.stale)
        and (left.series.issued_at, left.series.source) == (right.series.issued_at, right.series.source)
    )


def test_an_answer_comes_back_with_its_bytes_and_its_gaps(database: Database) -> None:
    vintages = VintageRepository(database)
    vintages.add(a_vintage())
    assert same(vintages.latest("agile", "GB-C", "price"), a_vintage())
    assert vintages.latest("agile", "GB-D", "price") is None


def test_the_same_bytes_again_only_move_the_time_of_fetching(database: Database) -> None:
    vintages = VintageRepository(database)
    vintages.add(a_vintage(0))
    vintages.add(a_vintage(1, body=b"other"))
    vintages.add(a_vintage(2))
    assert len(vintages.covering("agile", "GB-C", "price", slot(0), slot(9))) == 2
    assert same(vintages.latest("agile", "GB-C", "price"), a_vintage(2))


def test_covering_gives_what_overlaps_oldest_first(database: Database) -> None:
    vintages = VintageRepository(database)
    for hours, start in ((2, 0), (1, 2), (0, 50)):
        vintages.add(a_vintage(hours, body=b"%d" % hours, start=start))
    found = vintages.covering("agile", "GB-C", "price", slot(2), slot(50))
    assert [v.body for v in found] == [b"1", b"2"]
    assert vintages.covering("agile", "GB-C", "price", slot(5), slot(50)) == []


def test_pruning_never_takes_the_last_good_answer_of_a_feed(database: Database) -> None:
    vintages = VintageRepository(database)
    for hours in range(3):
        vintages.add(a_vintage(hours, body=b"%d" % hours))
    assert vintages.prune(T0 + timedelta(days=30)) == 2
    assert same(vintages.latest("agile", "GB-C", "price"), a_vintage(2, body=b"2"))
