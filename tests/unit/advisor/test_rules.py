"""The rule-based text: whole for every verdict, each figure that of the record."""

from __future__ import annotations

import pytest

from agents.advisor.figures import figures
from agents.advisor.rules import rule_text
from tests.unit.advisor.decisions import HASH, award, condition, explained, explanation, refusal, waiting

NOWHERE = {"eta": None, "eta_reason": "no site has room"}
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
        "No change that would make it possible is on offer."
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


def test_an_award_with_its_figures_says_why_then_and_what_its_conditions_cost() -> None:
    assert rule_text(explained()) == (
        "It runs at iceland, Thu 2 Mar 02:00 to 06:00 UTC, 11 h 30 min later than “run at submission” would have, "
        "where energy is forecast at 5.1 p/kWh and 45 g/kWh on average. "
        "Why: iceland is the cheapest at the final prices, energy, carbon and scarcity counted; "
        "the next best is norway at £0.35 more; the next best window there begins Thu 2 Mar 08:00 and would cost "
        "£0.50 more. "
        "Of its conditions one costs it most: if it finished up to 4 h later, it could save £0.40, everything counted "
        "(£0.30 less and 1.0 kg less CO₂). "
        "Forecast, simulated figures included: it costs £2.04 and emits 1.8 kg CO₂, £1.60 less and 6.1 kg less than "
        "the baseline “run at submission” at london from Wed 1 Mar 14:30 UTC (£3.64, 7.9 kg)."
    )


@pytest.mark.parametrize(
    ("priced", "code", "words"),
    [
        ("2.400000", "dearer", "begins Thu 2 Mar 08:00 and would cost the same."),
        (
            "2.250000",
            "no_whole_headroom",
            "would cost £0.15 less and was passed over: no whole block of headroom left.",
        ),
    ],
)
def test_another_window_that_is_no_dearer_is_owned_up_to(priced: str, code: str, words: str) -> None:
    window = {**explanation()["next_here"], "priced_gbp": priced, "reject_code": code}
    assert words in rule_text(explained(explanation=explanation(next_here=window)))


def test_a_job_without_another_window_or_conditions_is_told_of_neither() -> None:
    text = rule_text(explained(explanation=explanation(next_here=None, conditions=[])))
    assert "window there" not in text
    assert "conditions" not in text


def test_conditions_that_cost_nothing_are_said_to_cost_nothing() -> None:
    free = [condition("deadline", "finished up to 4 h later", "0.004", "0.004", "0")]
    assert "None of its conditions costs it anything" in rule_text(explained(explanation=explanation(conditions=free)))


def test_a_condition_that_keeps_a_job_clean_says_what_it_would_emit_without_it() -> None:
    dirty = [condition("cap_kg", "had no carbon cap of its own", "0.40", "0.90", "-5.0")]
    text = rule_text(explained(explanation=explanation(conditions=dirty)))
    assert "it could save £0.40, everything counted (£0.90 less and 5.0 kg more CO₂)." in text


def test_a_waiting_job_is_told_when_there_is_room_and_what_changes_cost_in_money_and_carbon() -> None:
    text = rule_text(waiting())
    assert "The plan as it stands has room for it from Thu 2 Mar 14:00 UTC at norway, its deadline aside. " in text
    assert "finish up to 4 h later (at no extra cost) or run at norway too (£1.40 more and 1.5 kg less CO₂)." in text


def test_room_beyond_the_plan_is_told_with_its_condition_and_no_room_with_its_reason() -> None:
    figures = waiting()["explanation"]
    beyond = {**figures, "eta": {**figures["eta"], "beyond_horizon": True}}
    assert "if headroom is as on its last day." in rule_text(waiting(explanation=beyond))
    never = {**figures, "eta": None, "eta_reason": "it costs more than its tier pays"}
    assert "cannot be said: it costs more than its tier pays." in rule_text(waiting(explanation=never))


@pytest.mark.parametrize(
    "decision",
    [
        award(),
        award(verdict="move"),
        refusal(),
        refusal(verdict="withdraw"),
        explained(),
        waiting(),
        waiting(verdict="withdraw"),
    ],
)
def test_every_text_is_two_to_four_sentences_without_the_ids_of_job_and_tenant(decision: dict[str, object]) -> None:
    text = rule_text(decision)
    assert 2 <= text.count(". ") + 1 <= 4
    assert "job-1" not in text
    assert HASH not in text
    assert figures(text)


def test_a_refusal_for_want_of_a_share_tells_what_was_asked_and_what_is_due() -> None:
    share = {
        "asked_share": "8.333",
        "due_share": "0.333",
        "site_id": "london",
        "start": "2023-03-02T02:00:00Z",
        "factor": "0.01",
    }
    text = rule_text(refusal(explanation=explanation(**NOWHERE, share=share)))
    assert "All jobs of its tenant ask for 833 % of the room at london from Thu 2 Mar 02:00 UTC on" in text
    assert "against a fair share of 33 %." in text
    assert "fair share" not in rule_text(refusal(explanation=explanation(**NOWHERE, share=None)))
