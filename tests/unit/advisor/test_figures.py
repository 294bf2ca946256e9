"""The check of wordings: no figure that the text does not hold, no label lost."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.advisor.figures import Figure, faults, figures
from agents.advisor.rules import rule_text
from tests.unit.advisor.decisions import award, explained, refusal, waiting

TEXT = "Forecast: 4 h at £1,250.50 from 02:00–06:00, −£0.42 or 7.10 kg CO₂ against the baseline, 45 g/kWh and 5 % over."


def test_figures_carry_value_sign_currency_and_unit() -> None:
    assert figures(TEXT) == [
        Figure(Decimal(4), False, "h"),
        Figure(Decimal("1250.50"), True, ""),
        Figure("02:00", False, ""),
        Figure("06:00", False, ""),
        Figure(Decimal("-0.42"), True, ""),
        Figure(Decimal("7.1"), False, "kg"),
        Figure(Decimal(45), False, "g"),
        Figure(Decimal(5), False, "%"),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        "A forecast: £1250.5 against the baseline.",
        "By forecast 7.1 kg of CO2, baseline included, in 4 hours.",
        "GBP 1250.50 is the forecast, −£0.42 the baseline.",
    ],
)
def test_the_same_figures_written_otherwise_are_accepted(answer: str) -> None:
    assert faults(answer, TEXT) == ()


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("Forecast £9.99, baseline.", "the figure 9.99 "),
        ("Forecast £7.10, baseline.", "the figure 7.10 "),
        ("Forecast 7.1 t, baseline.", "the figure 7.1t "),
        ("Forecast £0.42, baseline.", "the figure 0.42 "),
        ("Forecast for 02:30, baseline.", "the figure 02:30 "),
        ("A forecast that halves the baseline.", "the number 'halves' "),
        ("A forecast of thirty pounds, baseline.", "the number 'thirty' "),
        ("It costs £1,250.50 against the baseline.", "the word 'forecast' "),
        ("It is forecast to cost £1,250.50.", "the word 'baseline' "),
    ],
)
def test_an_invented_figure_or_a_lost_label_is_a_fault(answer: str, fault: str) -> None:
    assert [found.startswith(fault) for found in faults(answer, TEXT)] == [True]


@pytest.mark.parametrize("decision", [award(), refusal(), explained(), waiting()])
def test_a_text_may_stand_for_itself(decision: dict[str, object]) -> None:
    assert faults(rule_text(decision), rule_text(decision)) == ()


@settings(max_examples=60)
@given(st.decimals(min_value=0, max_value=10**6, places=2, allow_nan=False))
def test_no_price_that_is_not_in_the_text_gets_through(price: Decimal) -> None:
    known = {figure.value for figure in figures(rule_text(award())) if figure.pounds}
    answer = f"Forecast on simulated figures, against the baseline: £{price}."
    assert (faults(answer, rule_text(award())) == ()) == (price in known)
