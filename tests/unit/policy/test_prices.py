import numpy as np

from agents.job.book import JobBook
from agents.policy.certificate import excess, lower_bound_gbp
from agents.policy.prices import PriceRounds
from core.bid import Market, Prices
from tests.unit.planning import random_instance


def announced_for(instance, rounds, objective_gbp=1000.0):
    market = Market.of(instance)
    book = JobBook(instance, market)
    announced = PriceRounds.start(market, Prices.zero(market))
    bounds = []
    for _ in range(rounds):
        bids = book.bids(announced.prices)
        bounds.append(lower_bound_gbp(bids, book.penalty_gbp, announced.prices, market))
        announced.observe(bounds[-1])
        announced.move(*excess(bids, book.penalty_gbp, market), bounds[-1], objective_gbp)
    return announced, bounds


def test_rounds_raise_the_bound_of_a_contested_instance():
    announced, bounds = announced_for(random_instance(7, jobs=20, sites=2, slots=12), 60)
    assert announced.best_bound_gbp == max(bounds)
    assert announced.best_bound_gbp > bounds[0] + 1


def test_prices_are_never_negative_and_carbon_is_priced_only_under_a_cap():
    free, _ = announced_for(random_instance(7, jobs=20, sites=2, slots=12), 40)
    scarce = random_instance(7, jobs=20, sites=2, slots=12).model_copy(update={"carbon_cap_kg": 1.0})
    capped, _ = announced_for(scarce, 40)
    for announced in (free, capped):
        assert (announced.best.headroom >= 0).all()
        assert announced.best.carbon >= 0
    assert free.best.carbon == 0
    assert capped.best.carbon > 0


def test_nothing_scarce_leaves_prices_at_nought():
    instance = random_instance(3, jobs=4)
    wide = tuple(site.model_copy(update={"headroom_kw": (1e6,) * 6}) for site in instance.sites)
    announced, _ = announced_for(instance.model_copy(update={"sites": wide}), 3)
    assert np.count_nonzero(announced.prices.headroom) == 0


def test_rounds_settle():
    announced, _ = announced_for(random_instance(7, jobs=20, sites=2, slots=12), 300)
    assert announced.settled
