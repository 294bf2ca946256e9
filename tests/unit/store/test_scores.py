from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from core.errors import Conflict
from core.score import Score
from store.database import Database
from store.scores import ScoreRepository
from tests.unit.store.samples import T0


def a_score(hours: int = 0, day_ahead: int = 1, **changes: object) -> Score:
    facts = {"slots": 480, "mae": 2.83, "naive_mae": 3.65, "slot_mean_mae": 3.1, "coverage": 0.905, "level": 0.9}
    score = Score("ridge", "GB-J", "price", day_ahead, T0 + timedelta(hours=hours, microseconds=3), **facts)
    return replace(score, **changes)


def test_the_latest_scores_are_the_newest_of_each_kind(database: Database) -> None:
    scores = ScoreRepository(database)
    new = [a_score(1, day_ahead=2), a_score(2, model="analogue"), a_score(3), a_score(0, zone="GB-A")]
    scores.add([a_score(0), a_score(2), *new, a_score(1)])
    assert scores.latest() == [new[1], new[3], new[2], new[0]]


def test_no_scores_are_no_scores(database: Database) -> None:
    scores = ScoreRepository(database)
    scores.add([])
    assert scores.latest() == []
    assert scores.since("GB-J", "price", T0) == []
    assert scores.prune(T0) == 0


def test_a_trend_is_oldest_first_from_the_instant_on(database: Database) -> None:
    scores = ScoreRepository(database)
    scores.add([a_score(3), a_score(2, day_ahead=2), a_score(2), a_score(1), a_score(3, quantity="carbon")])
    since = a_score(2).scored_at
    assert scores.since("GB-J", "price", since) == [a_score(2), a_score(2, day_ahead=2), a_score(3)]


def test_a_score_of_the_same_time_takes_the_others_place(database: Database) -> None:
    scores = ScoreRepository(database)
    scores.add([a_score(), a_score(1)])
    scores.add([a_score(mae=1.0)])
    assert scores.since("GB-J", "price", T0) == [a_score(mae=1.0), a_score(1)]


def test_an_error_that_is_not_known_comes_back_as_nan(database: Database) -> None:
    scores = ScoreRepository(database)
    scores.add([a_score(naive_mae=math.nan)])
    (score,) = scores.latest()
    assert math.isnan(score.naive_mae)
    assert score.mae == 2.83


def test_scores_are_stored_all_or_none(database: Database) -> None:
    scores = ScoreRepository(database)
    with pytest.raises(Conflict):
        scores.add([a_score(), a_score(1, slots=None)])
    assert scores.latest() == []


def test_pruning_scores_keeps_the_newest_of_each_kind(database: Database) -> None:
    scores = ScoreRepository(database)
    scores.add([a_score(hours) for hours in range(4)] + [a_score(1, day_ahead=2)])
    assert scores.prune(a_score(2).scored_at) == 2
    assert scores.prune(T0 + timedelta(days=99)) == 1
    assert scores.latest() == [a_score(3), a_score(1, day_ahead=2)]
