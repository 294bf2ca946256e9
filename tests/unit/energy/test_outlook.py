from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from agents.energy.outlook import HORIZON_SLOTS, Input, Outlook, Subject, derived_again
from core.clock import ManualClock
from core.errors import FeedInvalid
from core.halfhours import slot_index
from core.series import Kind, Series
from core.slots import SLOT, slots_between
from core.vintage import OWN_FORECASTS, UNITS, RawAnswer
from tests.unit.energy.fakes import MemoryStore, utc

NOW = utc(2026, 11, 20, 16)
RETRAIN = timedelta(hours=24)
SUBJECT = Subject("GB-C", "price", "Europe/London")


def swinging(start, slots):
    index = slot_index(start) + np.arange(slots)
    noise = np.random.default_rng(7).normal(0, 0.01, 200_000)[index % 200_000]
    return 0.2 + 0.1 * np.sin(2 * np.pi * index / 48) + noise


class World:
    """Prices known for ``days`` back and to 23:00, asked through the questions that an outlook has."""

    def __init__(self, days=40):
        self.clock = ManualClock(NOW)
        self.store = MemoryStore()
        self.scores = []
        self.days = days
        self.asked = []
        self.until = NOW + timedelta(hours=31)

    def outlook(self, *subjects):
        outlook = Outlook(self.known, self.published, self.clock, RETRAIN, self.store, self)
        outlook.watch(subjects or (SUBJECT,))
        return outlook

    def add(self, scores):
        self.scores += scores

    def known(self, zone, quantity, start, slots, now):
        self.asked.append((zone, quantity))
        values = swinging(start, slots)
        values[: max(0, slots_between(start, now - timedelta(days=self.days)))] = np.nan
        values[max(0, slots_between(start, self.until)) :] = np.nan
        return Series.of(start, values, Kind.SETTLED, UNITS[quantity], "known", now)

    def published(self, zone, quantity, at):
        return Series.of(at, swinging(at, 96), Kind.FORECAST, UNITS[quantity], "told", at)


def test_a_forecast_begins_where_the_published_figures_end_and_has_an_interval():
    world = World()
    outlook = world.outlook()
    assert outlook.issued("GB-C", "price") is None
    outlook.refresh()
    series = outlook.issued("GB-C", "price").series
    assert series.start == world.until
    assert len(series) == HORIZON_SLOTS
    assert series.kinds_used() == (Kind.FORECAST,)
    low, high = series.interval
    assert (low < series.values).all()
    assert (high > series.values).all()
    assert np.abs(series.values - swinging(series.start, len(series))).mean() < 0.02


def test_of_less_than_two_weeks_last_weeks_profile_is_the_forecast_and_is_stored_like_one():
    world = World(days=9)
    outlook = world.outlook()
    outlook.refresh()
    series = outlook.issued("GB-C", "price").series
    assert series.source == "slackwater 7-day profile"
    assert series.start == world.until
    (fetch,) = world.store.kept
    again = derived_again(fetch)["price"]
    assert np.array_equal(again.values, series.values)
    assert np.array_equal(again.high, series.high)
    assert world.scores == []


def test_less_than_a_day_makes_no_forecast():
    world = World(days=0)
    world.until = NOW + timedelta(hours=10)
    outlook = world.outlook()
    outlook.refresh()
    assert outlook.issued("GB-C", "price") is None
    assert world.store.kept == []


def test_a_model_is_fitted_anew_on_schedule_with_its_scores_kept():
    world = World()
    outlook = world.outlook()
    outlook.refresh()
    first = len(world.scores)
    assert {(score.zone, score.quantity, score.scored_at) for score in world.scores} == {("GB-C", "price", NOW)}
    assert [score.day_ahead for score in world.scores] == list(range(1, first + 1))
    world.clock.advance(RETRAIN - SLOT)
    outlook.refresh()
    assert len(world.scores) == first
    world.clock.advance(SLOT)
    outlook.refresh()
    assert len(world.scores) == 2 * first


def test_a_forecast_is_issued_anew_when_a_day_of_prices_comes_and_not_before():
    world = World()
    outlook = world.outlook()
    outlook.refresh()
    world.clock.advance(timedelta(hours=4))
    outlook.refresh()
    assert len(world.store.kept) == 1
    world.until += timedelta(days=1)
    world.clock.advance(SLOT)
    outlook.refresh()
    assert len(world.store.kept) == 2
    assert outlook.issued("GB-C", "price").series.start == world.until


def test_a_stored_forecast_is_worked_out_again_from_its_bytes():
    world = World()
    outlook = world.outlook(Subject("GB-C", "price", "Europe/London", (Input("FR", "price"),)))
    outlook.refresh()
    (fetch,) = world.store.kept
    assert fetch.feed == OWN_FORECASTS
    again = derived_again(fetch)["price"]
    series = fetch.series["price"]
    assert np.array_equal(again.values, series.values)
    assert np.array_equal(again.low, series.low)
    assert again.start == series.start
    assert outlook.issued("GB-C", "price").answers == ((fetch.fetch_id, series.source),)


def test_changed_bytes_do_not_give_the_same_forecast():
    world = World()
    world.outlook().refresh()
    (fetch,) = world.store.kept
    inputs = json.loads(fetch.answers[1].body)
    inputs["values"][-48:] = [1.0] * 48
    forged = RawAnswer.of("slackwater:x", "application/json", json.dumps(inputs).encode())
    again = derived_again(replace(fetch, answers=(fetch.answers[0], forged)))["price"]
    assert not np.allclose(again.values, fetch.series["price"].values)


@pytest.mark.parametrize("body", [b"{}", b"[1", b'{"quantity": "price"}'])
def test_bytes_that_hold_no_forecast_are_refused(body):
    world = World()
    world.outlook().refresh()
    (fetch,) = world.store.kept
    odd = RawAnswer.of("slackwater:x", "application/json", body)
    with pytest.raises(FeedInvalid, match="does not hold a forecast"):
        derived_again(replace(fetch, answers=(fetch.answers[0], odd)))


def test_an_input_that_is_a_forecast_is_learnt_as_it_was_told_the_day_before():
    world = World()
    outlook = world.outlook()
    start = NOW - timedelta(days=10)
    wind = outlook._covariate(Input("GB", "wind", forecast=True), start, 12 * 48, NOW)
    expected = swinging(start, 12 * 48)
    assert np.array_equal(wind[24:480], expected[24:480])
    assert np.isnan(wind[:24]).all()
    world.published = lambda *_: None
    silent = world.outlook()._covariate(Input("GB", "wind", forecast=True), start, 12 * 48, NOW)
    assert np.isnan(silent[:480]).all()
    assert np.isfinite(silent[480:540]).all()
