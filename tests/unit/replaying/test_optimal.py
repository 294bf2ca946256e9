"""The options of an award by their own figures: what was chosen is best, or the record says why it is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.replaying.optimal import chosen_is_best

CARBON_PRICE = 0.1
Option = dict[str, Any]


def option(
    name: str, cost: float, scarcity: float = 0.0, code: str | None = "dearer", **changes: Any
) -> dict[str, Any]:
    """10 kg at 0.1 GBP/kg."""
    figures = {"cost_gbp": cost, "carbon_kg": 10.0, "carbon_gbp": 1.0, "scarcity_gbp": scarcity}
    figures["priced_gbp"] = cost + 1.0 + scarcity
    told = {field: f"{value:.6f}" for field, value in figures.items()}
    return {
        "option_id": name,
        "feasible": code not in ("no_whole_headroom", "no_headroom"),
        "reject_code": code,
        **told,
        **changes,
    }


def odd(*options: dict[str, Any], chosen: str = "opt-1", slack: float = 0.5) -> list[str]:
    found = chosen_is_best({"options": list(options), "chosen_id": chosen}, slack, CARBON_PRICE)
    return [f"{each.what}: {each.why}" for each in found]


def test_the_cheapest_that_fits_was_rightly_chosen():
    assert (
        odd(option("opt-1", 5.0, code=None), option("opt-2", 5.5), option("opt-3", 4.0, code="no_whole_headroom")) == []
    )


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (option("opt-2", 4.0), "it fits, is GBP 1.000000 cheaper"),
        (option("opt-2", 4.0, code="overlooked"), "it would save GBP 1.000000, more than the bound leaves"),
        (option("opt-2", 6.0, priced_gbp="9.000000"), "are not 9.000000"),
        (option("opt-2", 6.0, carbon_kg="20.000000"), "at the carbon price 2.000000"),
        (option("opt-2", 6.0, code=None), "the options without a reason against them"),
    ],
)
def test_what_does_not_hold_is_named(other, named):
    (told,) = odd(option("opt-1", 5.0, code=None), other)
    assert named in told


def test_one_that_was_overlooked_may_save_what_the_bound_leaves_open():
    assert odd(option("opt-1", 5.0, code=None), option("opt-2", 4.6, code="overlooked")) == []


def test_cheaper_at_the_prices_but_dearer_in_what_the_plan_counts_is_dearer():
    assert odd(option("opt-1", 5.0, scarcity=3.0, code=None), option("opt-2", 6.0, scarcity=0.0)) == []


def test_an_option_that_is_not_there_was_not_chosen():
    assert "recorded opt-7" in odd(option("opt-1", 5.0, code=None), chosen="opt-7")[0]


@given(st.lists(st.floats(0, 100), min_size=2, max_size=6), st.integers(0, 5))
def test_of_options_without_scarcity_only_the_cheapest_can_be_the_chosen_one(costs, which):
    which %= len(costs)
    options = [option(f"opt-{n}", cost, code=None if n == which else "dearer") for n, cost in enumerate(costs)]
    wrong = costs[which] > min(costs) + 1e-5
    if wrong or costs[which] <= min(costs):
        assert bool(odd(*options, chosen=f"opt-{which}")) == wrong
