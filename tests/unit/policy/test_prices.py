from __future__ import annotations

import numpy as np
import pytest

from agents.policy.prices import GENTLE, STEEP, PriceRounds
from core.market import Market
from tests.unit.planning import random_instance

MARKET = Market.of(random_instance(5, carbon_cap=True))
NONE = (np.zeros(MARKET.shape), np.zeros(MARKET.hardware_kw.shape), np.zeros(MARKET.cap_kg.shape))


def begun() -> PriceRounds:
    return PriceRounds.start(MARKET, 77.0, MARKET.free_prices())


def test_where_there_is_no_headroom_at_all_none_would_pay_for_it():
    prices = begun().prices.headroom
    assert (prices[MARKET.headroom_kw == 0] == 77.0).all()
    assert (prices[MARKET.headroom_kw > 0] == 0).all()
    assert (MARKET.headroom_kw == 0).any()


def test_prices_rise_where_too_much_is_drawn_and_fall_to_nought_where_room_is_left():
    rounds, over = begun(), np.where(np.arange(6) < 3, 5.0, -1e9) * np.ones(MARKET.shape)
    open_ = MARKET.headroom_kw > 0
    rounds.move((over, NONE[1], np.array([3.0])), MARKET.probability, 0.0)
    once = rounds.prices
    assert (once.headroom[:, :3][open_[:, :3]] > 0).all()
    assert (once.headroom[:, 3:] == 0).all()
    assert once.carbon[0] > 0
    rounds.move((over, NONE[1], np.array([-1e9])), MARKET.probability, 0.0)
    assert rounds.prices.headroom[:, :3][open_[:, :3]] == pytest.approx(2 * once.headroom[:, :3][open_[:, :3]])
    assert rounds.prices.carbon[0] == 0


def test_slopes_become_gentle():
    rounds = begun()
    first, last = rounds.slopes(0.0)[0], rounds.slopes(1.0)[0]
    assert last / first == pytest.approx(np.full(MARKET.shape, GENTLE / STEEP))


def test_only_a_better_bound_keeps_its_prices():
    rounds = begun()
    assert rounds.observe(10.0)
    kept = rounds.best
    rounds.move((np.full(MARKET.shape, 5.0), *NONE[1:]), MARKET.probability, 0.5)
    assert not rounds.observe(9.0)
    assert rounds.best is kept
    assert rounds.observe(11.0)
    assert rounds.best is rounds.prices
