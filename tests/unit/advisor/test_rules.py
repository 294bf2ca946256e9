"""The rule-based text: whole for every verdict, each figure that of the record."""

from __future__ import annotations

import pytest

from agents.advisor.figures import figures
from agents.advisor.rules import rule_text
from tests.unit.advisor.decisions import HASH, award, refusal

NO_BASELINE = dict.fromkeys(("baseline_site_id", "baseline_start", "baseline_cost_gbp", "baseline_carbon_kg"))


def test_an_award_says_where_when_why_what_was_rejected_and_what_it_costs_against_the_baseline() -> None:
    assert rule_text(award()) == (
        "It runs at iceland, Thu 2 Mar 02:00 to 06:00 UTC, 11 h 30 min later than “run at submission” would have, "
        "where energy is forecast at 5.1 p/kWh and 45 g/kWh on average. "
        "Why: iceland is the cheapest at the final prices, energy, carbon and scarcity counted; "
        "the next best is norway at £0.35 more. "
        "Rejected: norway from Thu 2 Mar 01:00 (£2.39, 2.1 kg; dearer at the final prices) and "
        "london from Thu 2 Mar 03:00 (£1.90, 7.1 kg; no whole block of headroom left). "
        "Forecast, simulated figures included: it costs £2.04 and emits 1.8 kg CO₂, £1.60 less and 6.1 kg less than "
        "the baseline “run at submission” at london from Wed 1 Mar 14:30 UTC (£3.64, 7.9 kg)."
    )


def test_a_refusal_says_why_and_what_would_make_it_possible_at_what_price() -> None:
    text = rule_text(refusal())
    assert text.startswith("It has no place in the plan, because no site has enough headroom left in its window.")
    assert (
        "What would make it possible: finish up to 4 h later (at no extra cost) or run in any region (£1.25 more)."
        in text
    )
    assert text.endswith("at london from Wed 1 Mar 14:30 UTC would cost £3.64 and emit 7.9 kg CO₂.")


def test_a_withdrawal_with_nothing_on_offer_says_so_and_promises_nothing() -> None:
    text = rule_text(
        refusal(verdict="withdraw", options=[], counter_offers=[], reason="its window closed", **NO_BASELINE)
    )
    assert text == (
        "It has no place in the plan any more, because its window closed. "
        "No single change that would make it possible is on offer."
    )


def test_a_move_over_several_stretches_and_days_names_them() -> None:
    runs = [
        {"start": "2023-03-01T22:00:00Z", "end": "2023-03-01T23:00:00Z", "power_kw": "10"},
        {"start": "2023-03-02T02:00:00Z", "end": "2023-03-02T03:30:00Z", "power_kw": "10"},
    ]
    text = rule_text(award(verdict="move", runs=runs))
    assert text.startswith(
        "It moves to iceland in 2 stretches within Wed 1 Mar 22:00 to Thu 2 Mar 03:30 UTC, 7 h 30 min"
    )


def test_without_a_baseline_nothing_is_compared() -> None:
    text = rule_text(award(**NO_BASELINE))
    assert "less" not in text
    assert "the baseline “run at submission” would have found no room in its window." in text


def test_a_dearer_place_than_the_baseline_is_said_to_be_dearer() -> None:
    text = rule_text(award(baseline_cost_gbp="1.500000", baseline_carbon_kg="1.000000"))
    assert "£0.54 more and 800 g more than the baseline" in text


def test_being_paid_to_run_is_written_with_a_minus() -> None:
    text = rule_text(award(cost_gbp="-0.420000", reason="the cheapest course costs GBP -0.42"))
    assert "it costs −£0.42 and" in text
    assert "course costs −£0.42." in text


@pytest.mark.parametrize(
    ("start", "words"), [("2023-03-02T02:00:00Z", "just when"), ("2023-03-02T03:00:00Z", "1 h earlier than")]
)
def test_a_start_no_later_than_the_baselines_is_not_called_a_delay(start: str, words: str) -> None:
    assert words in rule_text(award(baseline_start=start))


def test_rejected_options_beyond_three_are_counted() -> None:
    options = award()["options"]
    many = options + [{**options[1], "option_id": f"more-{n}"} for n in range(4)]
    assert "and 3 more." in rule_text(award(options=many))


@pytest.mark.parametrize("decision", [award(), award(verdict="move"), refusal(), refusal(verdict="withdraw")])
def test_every_text_is_two_to_four_sentences_without_the_ids_of_job_and_tenant(decision: dict[str, object]) -> None:
    text = rule_text(decision)
    assert 2 <= text.count(". ") + 1 <= 4
    assert "job-1" not in text
    assert HASH not in text
    assert figures(text)
