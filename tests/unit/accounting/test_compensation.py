from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from pydantic import ValidationError

from accounting.compensation import CompensationScheme, compensation

COSTS = ({"valid_from": "2026-02-01", "gbp_mwh": "87.21"}, {"valid_from": "2026-08-01", "gbp_mwh": "98.53"})
P415 = CompensationScheme.model_validate(
    {
        "payer": "suppliers_by_final_demand",
        "payee": "host_supplier",
        "mode": "mutualised",
        "triggers": ["WMAN"],
        "sourcing_costs": COSTS,
    }
)


@pytest.mark.parametrize(
    ("day", "cost"), [(date(2026, 1, 31), None), (date(2026, 7, 31), "87.21"), (date(2026, 8, 1), "98.53")]
)
def test_the_sourcing_cost_is_that_of_the_day(day, cost):
    assert P415.sourcing_cost(day) == (None if cost is None else Decimal(cost))


def test_compensation_is_volume_times_cost_to_the_penny_and_says_who_pays_whom():
    paid = compensation(P415, date(2026, 10, 20), "WMAN", Decimal("0.2000"))
    assert (paid.gbp, paid.payer, paid.payee) == (Decimal("19.71"), "suppliers_by_final_demand", "host_supplier")
    assert paid.indicative


def test_a_volume_the_other_way_is_paid_back():
    assert compensation(P415, date(2026, 10, 21), "WMAN", Decimal("-0.2080")).gbp == Decimal("-20.49")


@pytest.mark.parametrize("trigger", ["BOA", None])
def test_what_the_scheme_does_not_cover_is_not_compensated(trigger):
    assert compensation(P415, date(2026, 10, 20), trigger, Decimal("0.2")) is None


def test_before_the_first_cost_known_nothing_is_made_up():
    assert compensation(P415, date(2026, 1, 1), "WMAN", Decimal("0.2")) is None


def test_costs_out_of_order_are_refused():
    with pytest.raises(ValidationError, match="in order"):
        CompensationScheme.model_validate(P415.model_dump() | {"sourcing_costs": COSTS[::-1]})
