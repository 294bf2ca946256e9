from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from agents.messages import EnergyQuote, Origin
from agents.snapshots import Snapshots
from audit.record import Record
from core.errors import NotFound
from core.series import Kind, Series, Unit
from core.vintage import Fetch, RawAnswer

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
PRICE = Series.of(START, np.full(4, 0.2), Kind.SETTLED, Unit.GBP_PER_KWH, "feed", START)
ANSWER = RawAnswer.of("https://feed.example/rates?page=1", "application/json", b'{"results": []}')
FETCH = Fetch("octopus-agile", "GB-C", START, PRICE.start, PRICE.end, (ANSWER,), {"price": PRICE})


class Store:
    def described(self, fetch_id: str) -> tuple[Fetch, tuple[int, ...]]:
        if fetch_id != FETCH.fetch_id:
            raise NotFound(f"there is no fetch {fetch_id!r}")
        return FETCH, (len(ANSWER.body),)


def quote(*fetch_ids: str | None) -> EnergyQuote:
    origins = tuple(Origin(n, n + 1, "feed", fetch_id) for n, fetch_id in enumerate(fetch_ids))
    return EnergyQuote(START, START, 4, {"GB-C": PRICE}, {}, (), {("GB-C", "price"): origins})


@pytest.fixture
def snapshots() -> Snapshots:
    return Snapshots(Store())  # type: ignore[arg-type]


def test_a_snapshot_names_what_was_asked_and_the_digest_of_each_body(snapshots):
    (body,) = snapshots.of(quote(FETCH.fetch_id, None, FETCH.fetch_id))
    assert body.fetch_id == FETCH.fetch_id
    (answer,) = body.answers
    assert (answer.url, answer.sha256, answer.raw_bytes) == (ANSWER.url, ANSWER.sha256, 15)
    (series,) = body.series
    assert (series.quantity, series.kinds, series.unit) == ("price", ["settled"], "GBP/kWh")


def test_an_answer_is_recorded_once_and_again_only_where_recording_it_failed(snapshots):
    assert len(snapshots.of(quote(FETCH.fetch_id))) == 1
    bodies = snapshots.of(quote(FETCH.fetch_id))
    assert len(bodies) == 1
    assert snapshots.refs(quote(FETCH.fetch_id)) == []
    record = Record(4, "0" * 64, "0" * 64, "feed_snapshot", FETCH.fetched_at, bodies[0].model_dump(), b"{}")
    snapshots.recorded(bodies, [record])
    assert snapshots.of(quote(FETCH.fetch_id)) == []
    assert snapshots.refs(quote(FETCH.fetch_id, None)) == [record.ref]


def test_simulated_figures_need_no_snapshot(snapshots):
    assert snapshots.of(quote(None)) == []


def test_an_answer_that_is_no_longer_stored_does_not_stop_the_plan(snapshots):
    assert [body.fetch_id for body in snapshots.of(quote("fetch-gone", FETCH.fetch_id))] == [FETCH.fetch_id]
