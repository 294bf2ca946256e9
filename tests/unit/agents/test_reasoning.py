"""Explanations in records: every figure as text, the options that matter, the reason in one sentence."""

from __future__ import annotations

from decimal import Decimal

from agents.reasoning import MOST_OPTIONS, award_reason, explanation_body, offer_bodies, option_bodies
from audit.canonical import canonical
from core.plan import CounterOffer
from core.slots import SLOT, format_utc
from tests.unit.agents.explanations import course, explained, option, waiting
from tests.unit.agents.test_evidence import START


def at(slot: int) -> str:
    return format_utc(START + SLOT * slot)


def test_of_many_options_the_chosen_one_and_the_nearest_rejected_are_kept():
    why = explained(*(option(n, "dearer", 1.0 + n) for n in range(2, 13)))
    bodies = option_bodies(why, at)
    assert len(bodies) == MOST_OPTIONS
    assert (bodies[0].site_id, bodies[0].reject_code) == ("s1", None)
    assert all(body.reject_code for body in bodies[1:])


def test_an_option_without_headroom_is_recorded_as_infeasible():
    bodies = option_bodies(explained(option(2, "no_whole_headroom"), option(3, "dearer")), at)
    assert [body.feasible for body in bodies] == [True, False, True]


def test_the_parts_of_an_options_price_add_up():
    body = option_bodies(explained(), at)[0]
    parts = (body.cost_gbp, body.carbon_gbp, body.scarcity_gbp)
    assert sum(Decimal(part or "nan") for part in parts) == Decimal(body.priced_gbp or "nan") == 1


def test_a_site_without_a_course_is_no_option():
    assert [body.site_id for body in option_bodies(explained(option(2, "limits")._replace(course=None)), at)] == ["s1"]


def test_the_reason_tells_the_margin_to_the_next_best_or_why_a_cheaper_one_was_not_taken():
    assert "only site" in award_reason(explained())
    assert "s2 at GBP 0.50 more" in award_reason(explained(option(2, "dearer", 1.5)))
    assert award_reason(explained(option(2, "no_whole_headroom", 0.997))).endswith("the next best is s2, as cheap")
    cheaper = award_reason(explained(option(2, "no_whole_headroom", 0.75)))
    assert "s2 would be GBP 0.25 cheaper but has no whole block of headroom left" in cheaper
    assert "the search ended before" in award_reason(explained(option(2, "overlooked", 0.75)))
    assert award_reason(explained(frozen=True)) == "it has begun and keeps its place"


def test_the_figures_of_an_explanation_are_recorded_as_text_with_their_times():
    body = explanation_body(explained(), at)
    assert body.version == 1
    assert (body.next_here and body.next_here.priced_gbp, body.run_now and body.run_now.site_id) == ("1.250000", "s2")
    assert (body.conditions[0].change, body.conditions[0].saving_kg) == ("finished up to 4 h later", "-0.200000")
    assert (body.contested[0].start, body.contested[0].worth_gbp) == (at(2), "0.500000")
    assert canonical(body.model_dump())


def test_the_eta_of_a_waiting_job_is_recorded_or_why_there_is_none():
    eta = explanation_body(waiting(), at).eta
    assert eta is not None
    assert (eta.site_id, eta.start, eta.end, eta.beyond_horizon) == ("s1", at(3), at(5), False)
    without = explanation_body(waiting(eta=None, eta_reason="no room anywhere"), at)
    assert (without.eta, without.eta_reason) == (None, "no room anywhere")


def test_an_offer_says_what_it_costs_in_money_and_carbon_apart_and_where_it_leads():
    offer = CounterOffer(
        change="run at s2 too",
        extra_gbp=2.0,
        extra_cost_gbp=1.5,
        extra_carbon_kg=5.0,
        site="s2",
        start_slot=1,
        end_slot=2,
    )
    (body,) = offer_bodies([offer], at)
    assert (body.extra_gbp, body.extra_cost_gbp, body.extra_carbon_kg) == ("2.000000", "1.500000", "5.000000")
    assert (body.site_id, body.start, body.end) == ("s2", at(1), at(2))


def test_a_job_that_keeps_its_place_is_recorded_with_it_as_the_only_option():
    why = explained(frozen=True, sites=())
    assert [body.site_id for body in option_bodies(why, at)] == [course().site]
