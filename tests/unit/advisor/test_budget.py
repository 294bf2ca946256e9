"""The tokens of a day."""

from __future__ import annotations

from datetime import date

from agents.advisor.budget import TokenBudget


def test_no_more_than_the_tokens_of_a_day_are_given_and_the_next_day_gives_them_anew() -> None:
    days = [date(2023, 3, 1)]
    tokens = TokenBudget(1000, lambda: days[-1])
    assert tokens.reserve(600)
    assert not tokens.reserve(600)
    tokens.settle(600, 100)
    assert tokens.reserve(900)
    assert not tokens.reserve(1)
    days.append(date(2023, 3, 2))
    assert tokens.reserve(1000)


def test_a_budget_of_nought_gives_nothing() -> None:
    assert not TokenBudget(0, lambda: date(2023, 3, 1)).reserve(1)
