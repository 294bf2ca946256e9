"""Forecasts err by as much, and for as long, as is said of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from benchmarks.backtest.forecasts import CARBON_ERROR, CARBON_MAE_G, PRICE_MAE_P, SCENARIOS, ErrorSize, Forecasts
from benchmarks.backtest.running import met_errors
from benchmarks.backtest.world import World

DAYS = 90
SHAPE = (2, DAYS * 48)


@pytest.fixture(scope="module")
def world() -> World:
    rng = np.random.default_rng(0)
    price, carbon = rng.normal(0.2, 0.05, SHAPE), rng.normal(1000.0, 20.0, SHAPE)
    start = datetime(2023, 1, 1, tzinfo=UTC)
    return World(start, ("GB", "FR"), price, carbon * [[1.0], [2.0]], np.ones(SHAPE), np.ones(SHAPE))


def errors(world: World, seed: int = 1) -> np.ndarray:
    """(issues, 96) of carbon in Great Britain."""
    forecasts = Forecasts(world, seed)
    issues = range(0, world.slots - 96, 7)
    return np.array([forecasts.at(now, 96)[1][0] - world.carbon[0, now : now + 96] for now in issues])


def test_errors_have_the_size_that_was_measured(world: World) -> None:
    met = met_errors(world, Forecasts(world, 1))
    assert met["carbon_g"] == pytest.approx(CARBON_MAE_G, rel=0.12)
    assert met["price_p"] == pytest.approx(PRICE_MAE_P, rel=0.2)


def test_an_error_lasts_as_stated_and_grows_with_lead(world: World) -> None:
    found = errors(world)
    far = found[:, 60:]
    correlation = np.mean(far[:, 1:] * far[:, :-1]) / np.mean(far**2)
    assert correlation == pytest.approx(CARBON_ERROR.phi, abs=0.02)
    size = np.abs(found).mean(axis=0)
    assert size[0] < 0.4 * size[60]
    assert np.abs(found[:, 60:]).mean() == pytest.approx(CARBON_ERROR.spread * np.sqrt(2 / np.pi), rel=0.12)


def test_published_prices_are_known_and_others_are_not(world: World) -> None:
    forecasts = Forecasts(world, 1)
    for now, known in ((31, 15), (32, 62)):
        price = forecasts.at(now, 96)[0]
        assert forecasts.known_until(now) - now == known
        assert (price[:, :known] == world.price[:, now : now + known]).all()
        assert (price[:, known + 1 :] != world.price[:, now + known + 1 : now + 96]).all()


def test_foresight_errs_by_nothing_and_carbon_is_never_negative(world: World) -> None:
    price, carbon = Forecasts(world, 1, share=0.0).at(5, 96)
    assert (price == world.price[:, 5:101]).all()
    assert (carbon == world.carbon[:, 5:101]).all()
    clean = replace(world, carbon=world.carbon - world.carbon.min())
    assert Forecasts(clean, 1, share=50.0).at(5, 96)[1].min() == 0.0


def test_a_seed_gives_the_same_errors_and_another_gives_others(world: World) -> None:
    assert (errors(world, 1) == errors(world, 1)).all()
    assert not np.allclose(errors(world, 1), errors(world, 2))


@pytest.mark.parametrize("days", [(2.0, 2.0), (3.0, 2.0), (0.1, 2.0)])
def test_sizes_that_no_such_process_has_are_refused(days: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="not of a process that decays with lead"):
        ErrorSize.measured(*days)


def test_scenarios_come_in_pairs_around_the_forecast_and_spread_as_errors_do(world: World) -> None:
    forecasts, now = Forecasts(world, 1), 500
    believed, drawn = forecasts.at(now, 96), forecasts.scenarios(now, 96)
    for figures, scenarios in zip(believed, drawn, strict=True):
        assert scenarios.shape == (SCENARIOS, *figures.shape)
        assert scenarios.mean(axis=0) == pytest.approx(figures)
    known = forecasts.known_until(now) - now
    assert (drawn[0][:, :, :known] == believed[0][:, :known]).all()
    spread = np.mean([forecasts.scenarios(at, 96)[1][:, 0, 60:].std(axis=0) for at in range(0, 3000, 97)])
    assert spread == pytest.approx(CARBON_ERROR.spread, rel=0.15)


def test_half_an_hour_later_the_same_scenarios_are_met(world: World) -> None:
    forecasts = Forecasts(world, 1)
    earlier, later = (forecasts.scenarios(now, 97 - now)[1][3, 0] for now in (0, 1))
    assert np.corrcoef(earlier[1:], later)[0, 1] > 0.9
