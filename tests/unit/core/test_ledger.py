"""The ledger's sums: energy, money and carbon of parts add up to those of the whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ledger import Leg, SlotEntry, Totals
from core.series import Kind
from core.slots import SLOT

ROW = SlotEntry(
    "job", Leg.PLAN, datetime(2023, 3, 1, tzinfo=UTC), "here", 10.0, 1.2, 0.2, Kind.FORECAST, 150.0, Kind.FORECAST
)
ROWS = st.lists(
    st.builds(
        lambda power, price, carbon, delivered, settled, slot: replace(
            ROW,
            power_kw=power,
            price_gbp_per_kwh=price,
            carbon_g_per_kwh=carbon,
            delivered_kwh=delivered,
            settled=settled,
            slot_start=ROW.slot_start + SLOT * slot,
        ),
        st.floats(0.1, 1000),
        st.floats(-0.5, 2),
        st.floats(0, 900),
        st.one_of(st.none(), st.floats(0, 500)),
        st.booleans(),
        st.integers(0, 48),
    ),
    max_size=12,
)


def test_a_row_is_worth_its_energy_at_the_meter():
    assert (ROW.it_kwh, ROW.site_kwh) == (5.0, pytest.approx(6.0))
    assert ROW.cost_gbp == pytest.approx(1.2)
    assert ROW.carbon_kg == pytest.approx(0.9)


def test_what_was_measured_replaces_what_was_awarded_even_when_it_is_nothing():
    assert replace(ROW, delivered_kwh=4.0).it_kwh == 4.0
    assert replace(ROW, delivered_kwh=0.0).cost_gbp == 0.0


@given(ROWS, ROWS)
@settings(max_examples=60)
def test_totals_of_parts_add_up_to_totals_of_the_whole(one: list[SlotEntry], other: list[SlotEntry]):
    first, second, both = Totals.of(one), Totals.of(other), Totals.of([*one, *other])
    for name in ("energy_kwh", "cost_gbp", "carbon_kg", "rows", "settled_rows"):
        assert getattr(both, name) == pytest.approx(getattr(first, name) + getattr(second, name), abs=1e-6)


def test_the_state_says_how_much_is_settled():
    done = replace(ROW, settled=True)
    cases = [((), "none"), ((ROW,), "forecast"), ((ROW, done), "part settled"), ((done, done), "settled")]
    assert [Totals.of(rows).state for rows, _ in cases] == [state for _, state in cases]
