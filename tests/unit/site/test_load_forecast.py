"""Own load to come: forecast from readings alone, with an interval that holds, and made once in a slot."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from agents.site.load_forecast import HISTORY_SLOTS, LoadForecaster, OwnLoad, fit_load
from agents.site.own_load import SimulatedMeters, simulated_load_kw
from agents.site.profiles import load_sites
from core.clock import ManualClock
from core.halfhours import indexes, slot_index
from core.series import FloatArray, Kind, Unit
from core.site import Site
from core.slots import SLOT
from forecasting.forecaster import Prediction
from forecasting.history import History
from tests.pace import paced_s

SITES = load_sites()
BY_ID = {site.site_id: site for site in SITES}
LONDON = BY_ID["london"]
NOW = datetime(2023, 3, 15, 9, 17, tzinfo=UTC)
PRESENT = datetime(2023, 3, 15, 9, 0, tzinfo=UTC)
COMING = PRESENT + SLOT


@dataclass
class WrittenMeters:
    """A daily course up to ``known``, and the wrong figure after it for those who look ahead."""

    clock: ManualClock
    kind: Kind = Kind.ESTIMATE
    beyond_kw: float = 1e6
    asked: list[datetime] = field(default_factory=list)

    def read(self, sites: Sequence[Site], start: datetime, slots: int) -> FloatArray:
        self.asked.append(start + SLOT * (slots - 1))
        slot = indexes(start, slots)
        course = 1 + 0.2 * np.sin(2 * np.pi * slot / 48)
        load = np.array([[site.own_load_kw] for site in sites]) * course
        return np.where(slot <= slot_index(self.clock.now()), load, self.beyond_kw)


@dataclass
class CountedFits:
    """Fits that repeat the last day, 10 % around it, and count how often they were asked."""

    fits: list[History] = field(default_factory=list)
    predictions: list[History] = field(default_factory=list)
    scale: float = 1.0

    def __call__(self, history: History) -> Any:
        self.fits.append(history)
        return self

    model = "last day"
    scores = ()

    def predict(self, history: History, slots: int) -> Prediction:
        self.predictions.append(history)
        mean = self.scale * np.resize(history.values[-48:], slots)
        return Prediction(history.end, mean, 0.9 * mean, 1.1 * mean, 0.9, self.model)


def a_forecaster(at: datetime = NOW, **changes: Any) -> tuple[LoadForecaster, CountedFits, ManualClock]:
    clock, fits = ManualClock(at), CountedFits()
    arguments: dict[str, Any] = {"meters": WrittenMeters(clock), "fit": fits}
    return LoadForecaster(clock, **{**arguments, **changes}), fits, clock


def simulated(at: datetime = NOW, seed: int = 1) -> LoadForecaster:
    clock = ManualClock(at)
    return LoadForecaster(clock, SimulatedMeters(clock, seed))


def test_slots_up_to_the_present_are_what_the_meters_read() -> None:
    forecaster, fits, _ = a_forecaster()
    load = forecaster.quote(SITES, PRESENT - SLOT * 4, 5)
    expected = WrittenMeters(ManualClock(NOW)).read(SITES, PRESENT - SLOT * 4, 5)
    for figures in (load.mean_kw, load.low_kw, load.high_kw):
        assert figures == pytest.approx(expected)
    assert (load.kind == Kind.ESTIMATE).all()
    assert not fits.fits


def test_coming_slots_have_an_interval_and_the_past_has_none() -> None:
    forecaster, _, _ = a_forecaster()
    load = forecaster.quote([LONDON], PRESENT - SLOT, 6)
    assert load.kind.tolist() == [[Kind.ESTIMATE] * 2 + [Kind.FORECAST] * 4]
    assert (load.high_kw - load.low_kw)[0].tolist() == pytest.approx([0, 0, *(0.2 * load.mean_kw[0, 2:])])


def test_a_forecast_from_simulated_readings_stays_simulated() -> None:
    clock = ManualClock(NOW)
    forecaster = LoadForecaster(clock, WrittenMeters(clock, Kind.SIMULATED), fit=CountedFits())
    assert set(forecaster.quote([LONDON], PRESENT, 4).kind.ravel()) == {Kind.SIMULATED}


def test_nothing_is_read_or_learnt_of_slots_that_have_not_begun() -> None:
    clock = ManualClock(NOW)
    meters, fits = WrittenMeters(clock), CountedFits()
    LoadForecaster(clock, meters, fit=fits).quote(SITES, PRESENT - SLOT, 336)
    assert max(meters.asked) == PRESENT
    for history in (*fits.fits, *fits.predictions):
        assert history.end <= slot_index(PRESENT)
        assert history.values.size == HISTORY_SLOTS
        assert history.values.max() < 1000


def test_the_future_does_not_change_a_forecast() -> None:
    clock = ManualClock(NOW)
    quotes = [
        LoadForecaster(clock, WrittenMeters(clock, beyond_kw=beyond), fit=fit_load).quote([LONDON], COMING, 96)
        for beyond in (0.0, 5000.0)
    ]
    assert np.array_equal(quotes[0].mean_kw, quotes[1].mean_kw)
    assert np.array_equal(quotes[0].high_kw, quotes[1].high_kw)


def test_a_forecast_stays_between_nothing_and_the_capacity() -> None:
    clock = ManualClock(NOW)
    forecaster = LoadForecaster(clock, WrittenMeters(clock), fit=CountedFits(scale=2.6))
    load = forecaster.quote([LONDON], COMING, 48)
    assert load.high_kw.max() == LONDON.capacity_kw
    assert (load.low_kw <= load.mean_kw).all()
    assert (load.mean_kw <= load.high_kw).all()


def test_a_forecast_is_made_once_in_a_slot_and_a_model_once_in_its_hours() -> None:
    forecaster, fits, clock = a_forecaster(retrain_hours=2.0)
    for minutes in (0, 5, 10):
        clock.set(NOW + timedelta(minutes=minutes))
        forecaster.quote([LONDON], COMING, 96)
        forecaster.quote([LONDON], COMING + SLOT * 9, 48)
    assert (len(fits.fits), len(fits.predictions)) == (1, 1)
    clock.set(NOW + SLOT)
    forecaster.quote([LONDON], COMING + SLOT, 96)
    assert (len(fits.fits), len(fits.predictions)) == (1, 2)
    clock.set(PRESENT + SLOT * 2)
    forecaster.quote([LONDON], COMING + SLOT * 2, 96)
    assert [history.end for history in fits.fits] == [slot_index(PRESENT) - 2, slot_index(PRESENT) + 2]


def test_a_forecast_reaches_as_far_as_it_is_asked_to() -> None:
    forecaster, fits, _ = a_forecaster()
    near = forecaster.quote([LONDON], COMING, 48).mean_kw
    far = forecaster.quote([LONDON], COMING, 48 * 20).mean_kw
    assert far.shape == (1, 960)
    assert np.array_equal(far[:, :48], near)
    assert len(fits.fits) == 1


def test_a_forecast_does_not_depend_on_when_the_process_began() -> None:
    old, _, clock = a_forecaster(NOW - timedelta(hours=30))
    old.quote([LONDON], clock.now().replace(minute=0, hour=0), 96)
    clock.set(NOW)
    new, fits, _ = a_forecaster(NOW)
    assert np.array_equal(old.quote([LONDON], PRESENT, 336).mean_kw, new.quote([LONDON], PRESENT, 336).mean_kw)
    assert fits.fits[0].end == slot_index(datetime(2023, 3, 15, tzinfo=UTC))


def test_a_changed_site_is_learnt_anew() -> None:
    forecaster, fits, _ = a_forecaster()
    before = forecaster.quote([LONDON], COMING, 48).mean_kw
    after = forecaster.quote([LONDON.model_copy(update={"own_load_kw": 160.0})], COMING, 48).mean_kw
    assert after == pytest.approx(before / 2)
    assert len(fits.fits) == 2


def test_a_load_that_never_changes_is_forecast_as_it_is() -> None:
    idle = LONDON.model_copy(update={"own_load_kw": 0.0})
    forecaster = simulated()
    load = forecaster.quote([idle], PRESENT, 96)
    assert load.mean_kw.tolist() == load.low_kw.tolist() == load.high_kw.tolist() == [[0.0] * 96]
    assert forecaster.scores([idle]) == ()


@pytest.mark.parametrize(("before_kw", "after_kw"), [(100.0, 150.0), (150.0, 100.0)])
def test_a_load_that_starts_to_change_has_an_interval_before_the_next_fit(before_kw: float, after_kw: float) -> None:
    midnight = slot_index(datetime(2023, 3, 15, tzinfo=UTC))

    class Stepped(WrittenMeters):
        def read(self, sites: Sequence[Site], start: datetime, slots: int) -> FloatArray:
            return np.where(indexes(start, slots) < midnight, before_kw, after_kw)[np.newaxis]

    clock = ManualClock(NOW)
    load = LoadForecaster(clock, Stepped(clock), fit=CountedFits()).quote([LONDON], COMING, 2)
    assert (load.mean_kw[0, 0], load.low_kw[0, 0], load.high_kw[0, 0]) == (after_kw, 100.0, 150.0)


def test_many_threads_share_one_fit() -> None:
    forecaster, fits, _ = a_forecaster()
    together = Barrier(8)

    def quoted() -> OwnLoad:
        together.wait()
        return forecaster.quote(SITES[:3], COMING, 96)

    with ThreadPoolExecutor(8) as pool:
        found = [task.result() for task in [pool.submit(quoted) for _ in range(8)]]
    assert all(np.array_equal(load.mean_kw, found[0].mean_kw) for load in found)
    assert len(fits.fits) == 3


def test_demand_for_inference_is_summed_by_time_zone() -> None:
    forecaster, fits, _ = a_forecaster()
    demand = forecaster.inference_demand(SITES, PRESENT, 5)
    assert len(demand) == len({site.timezone for site in SITES})
    britain = demand["Europe/London"]
    each = forecaster.quote([BY_ID[name] for name in ("london", "manchester", "scotland")], PRESENT, 5)
    assert (britain.start, britain.unit, britain.issued_at) == (PRESENT, Unit.KW, NOW)
    assert britain.values == pytest.approx(each.mean_kw.sum(axis=0))
    assert britain.kinds.tolist() == [Kind.ESTIMATE, *[Kind.FORECAST] * 4]
    assert britain.interval[1][0] == britain.values[0]
    assert britain.interval[1][1] > britain.values[1]
    assert len([history for history in fits.fits if history.timezone == "Europe/London"]) == 4


def test_sites_without_inference_hardware_have_no_demand_for_it() -> None:
    mine = LONDON.model_copy(update={"hardware": LONDON.hardware.model_copy(update={"asic_inference": 0})})
    forecaster, _, _ = a_forecaster()
    assert forecaster.inference_demand([mine], PRESENT, 4) == {}
    assert list(forecaster.inference_demand([mine, BY_ID["japan"]], PRESENT, 4)) == ["Asia/Tokyo"]


def test_intervals_cover_the_simulated_outturn_nine_times_in_ten() -> None:
    clock = ManualClock(NOW)
    sites = [BY_ID[name] for name in ("london", "texas", "japan", "iceland")]
    forecaster = LoadForecaster(clock, SimulatedMeters(clock, 1), retrain_hours=96.0)
    inside = []
    for hours in range(0, 24 * 8, 17):
        clock.set(NOW + timedelta(hours=hours))
        start = PRESENT + timedelta(hours=hours) + SLOT
        load = forecaster.quote(sites, start, 96)
        outturn = simulated_load_kw(sites, 1, start, 96)
        inside.append((load.low_kw <= outturn) & (outturn <= load.high_kw))
    assert 0.86 <= np.mean(inside) <= 0.95


def test_models_are_scored_on_days_they_had_not_seen_and_beat_the_plain_ones() -> None:
    scores = simulated().scores(SITES[:3])
    assert [score.day_ahead for score in scores] == list(range(1, 8)) * 3
    assert {score.zone for score in scores} == {site.site_id for site in SITES[:3]}
    assert {score.quantity for score in scores} == {"own_load"}
    assert {score.scored_at for score in scores} == {datetime(2023, 3, 15, tzinfo=UTC)}
    mae, naive, slot_mean = np.mean([(s.mae, s.naive_mae, s.slot_mean_mae) for s in scores], axis=0)
    assert mae < naive
    assert mae < slot_mean
    assert 0.8 < np.mean([score.coverage for score in scores]) < 0.98


def test_a_kept_forecast_costs_next_to_nothing() -> None:
    forecaster, _, _ = a_forecaster()
    forecaster.quote(SITES, COMING, 96)
    assert paced_s(lambda: forecaster.quote(SITES, COMING, 96)) < 0.0005 * len(SITES)
