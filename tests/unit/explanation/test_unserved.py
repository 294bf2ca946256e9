"""Jobs without a place: the reason, the least change that helps, and when there is room."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agents.explanation.explainer import Explainer
from agents.negotiation import Effort, negotiate
from core.explanation import Eta, Explanation, Reject
from core.instance import Instance
from core.plan import CounterOffer, Plan
from tests.unit.explanation.worlds import explained, job, plan, site_power, world
from tests.unit.planning import courses, profile, random_instance

QUICK = Effort(time_limit_s=60, trials_a_job=20)


def full(until: int = 8, kw: float = 100.0, site: str = "s0", **changes: Any) -> dict[str, Any]:
    """A job that takes up a site until a slot."""
    return job(id=f"full-{site}", power_kw=kw, duration_slots=until, sites=[site], **changes)


def offers(why: Explanation) -> list[str]:
    return [offer.change for offer in why.offers]


def beside(*wanted: dict[str, Any], until: int = 8, kw: float = 100.0, **changes: Any) -> tuple[Instance, Plan]:
    """Jobs that a plan leaves out for one that takes up s0 until a slot."""
    instance = world([*wanted, full(until, kw)], **changes)
    return instance, plan(instance, ("full-s0", "s0", [(0, until, kw)]))


def test_a_full_window_is_the_reason_and_the_least_later_deadline_helps() -> None:
    why = explained(*beside(job(latest_slot=4), until=4))
    assert why.reason == "no site has enough headroom left in its window: jobs that are dearer to leave out hold it"
    assert [option.reject for option in why.sites] == [Reject.NO_HEADROOM]
    (offer,) = why.offers
    assert offer.change == "finish up to 1 h later"
    assert (offer.site, offer.start_slot, offer.end_slot) == ("s0", 4, 6)
    assert (offer.extra_gbp, offer.extra_cost_gbp, offer.extra_carbon_kg) == pytest.approx((0, 0, 0))
    assert why.eta == Eta("s0", 4, 6, beyond_horizon=False)


def test_money_and_carbon_of_an_offer_are_told_apart() -> None:
    sites = {"s0": {"price_gbp_per_kwh": [0.1] * 4 + [0.3] * 4, "carbon_g_per_kwh": [300.0] * 4 + [100.0] * 4}}
    (offer,) = explained(*beside(job(latest_slot=4), until=4, sites=sites)).offers
    assert offer.extra_cost_gbp == pytest.approx(10 * 0.2)
    assert offer.extra_carbon_kg == pytest.approx(-2.0)
    assert offer.extra_gbp == pytest.approx(2.0 - 0.2)


def test_an_earlier_start_helps_as_far_as_needed() -> None:
    instance = world([job(earliest_slot=5), full(4)])
    made = plan(instance, ("full-s0", "s0", [(4, 8, 100.0)]))
    why = explained(instance, made)
    assert offers(why) == ["start up to 1 h 30 min earlier"]


def test_another_site_is_named() -> None:
    sites = {"s0": {}, "s1": {"price_gbp_per_kwh": 0.2}, "s2": {"price_gbp_per_kwh": 0.15}}
    (offer,) = explained(*beside(job(), sites=sites)).offers
    assert (offer.change, offer.extra_cost_gbp) == ("run at s2 too", pytest.approx(0.5))


def test_a_site_that_is_not_there_often_enough_is_named_with_what_the_tier_may_ask() -> None:
    sites = {"s0": {"availability": 0.9999}, "s1": {"availability": 0.97}}
    (offer,) = explained(*beside(job(tier="premium", availability=0.999), sites=sites)).offers
    assert offer.change == "run at s1 too, in a tier that asks for 97 % availability or less"


def test_as_many_pauses_as_are_needed_are_asked_for() -> None:
    holes = [(1, 2, 100.0), (3, 4, 100.0), (5, 8, 100.0)]
    instance = world([job(duration_slots=3), job(id="full", power_kw=100.0, duration_slots=5, kind="pausable")])
    assert offers(explained(instance, plan(instance, ("full", "s0", holes)))) == ["allow 2 pauses"]


def test_a_pausable_job_may_need_shorter_runs() -> None:
    wanted = job(kind="pausable", duration_slots=4, min_run_slots=3)
    instance = world([wanted, job(id="full", power_kw=100.0, duration_slots=2, kind="pausable")])
    made = plan(instance, ("full", "s0", [(2, 3, 100.0), (5, 6, 100.0)]))
    assert offers(explained(instance, made)) == ["allow runs of 1 h"]


def test_less_power_for_longer_is_no_slower_than_it_must_be() -> None:
    why = explained(*beside(job(power_kw=60.0), kw=60.0))
    assert offers(why) == ["run at 40 kW for 1 h 30 min"]


def test_limits_are_raised_to_the_least_that_suffices() -> None:
    prices = [0.1, 0.1, 0.1, 0.1, 0.153, 0.151, 0.2, 0.3]
    why = explained(*beside(job(max_price_gbp_per_kwh=0.12), until=4, sites={"s0": {"price_gbp_per_kwh": prices}}))
    assert offers(why) == ["raise its price limit to 15.3 p/kWh"]
    grams = [100.0] * 4 + [240.5, 200.0, 300.0, 400.0]
    why = explained(*beside(job(max_carbon_g_per_kwh=150.0), until=4, sites={"s0": {"carbon_g_per_kwh": grams}}))
    assert offers(why) == ["raise its carbon limit to 241 g/kWh"]


def test_its_own_carbon_cap_is_raised_to_the_least_it_can_emit() -> None:
    instance = world([job(carbon_cap_kg=0.5)])
    why = explained(instance, plan(instance))
    assert why.reason == "any course in its window would emit more than its own carbon cap"
    assert offers(why)[0] == "raise its carbon cap to 1.0 kg"


def test_hardware_that_no_site_of_its_has_is_told() -> None:
    sites = {"s0": {}, "s1": {"hardware_kw": {"gpu": 50.0}}}
    instance = world([job(hardware="gpu")], sites)
    why = explained(instance, plan(instance))
    assert "has room for it and its hardware in its window" in why.reason
    assert offers(why) == ["run at s1 too", "run on any hardware"]


def test_a_tier_that_pays_too_little_is_told_what_would_be_enough() -> None:
    instance = world([job(unserved_penalty_gbp=0.5)])
    why = explained(instance, plan(instance))
    assert why.reason == "its cheapest course costs GBP 1.10, more than the GBP 0.50 its tier pays"
    assert offers(why) == ["take a tier that pays GBP 1.10 or more for it"]
    assert (why.eta, [option.reject for option in why.sites]) == (None, [Reject.NOT_WORTH])
    assert "costs more than its tier pays" in why.eta_reason


def test_where_what_is_left_is_too_dear_a_later_deadline_may_be_cheaper() -> None:
    prices = [0.1, 0.1, 0.5, 0.5, 0.1, 0.1, 0.1, 0.1]
    wanted = job(latest_slot=4, unserved_penalty_gbp=3.0)
    why = explained(*beside(wanted, until=2, sites={"s0": {"price_gbp_per_kwh": prices}}))
    assert why.reason == "what is left in its window costs more than its tier pays"
    assert offers(why) == ["finish up to 1 h later", "take a tier that pays GBP 5.10 or more for it"]


def test_where_no_single_change_helps_two_are_offered_each_the_least() -> None:
    sites = {"s0": {}, "s1": {"headroom_kw": [0.0] * 5 + [100.0] * 3}}
    why = explained(*beside(job(latest_slot=4, power_kw=60.0), sites=sites, kw=99.0))
    assert offers(why) == ["finish up to 1 h 30 min later and run at s1 too"]


def test_a_deadline_within_the_plan_that_changes_nothing_is_not_offered_and_the_day_after_is_looked_at() -> None:
    why = explained(*beside(job()))
    assert why.offers == ()
    assert why.eta == Eta("s0", 8, 10, beyond_horizon=True)


def test_a_job_that_no_site_could_ever_hold_has_no_eta_and_no_offer_that_would_not_help() -> None:
    instance = world([job(power_kw=900.0, duration_slots=4)])
    why = explained(instance, plan(instance))
    assert "even without other jobs" in why.reason
    assert (why.eta, why.offers) == (None, ())
    assert why.eta_reason.startswith("no site that it may use has room for it within its limits")
    assert [option.reject for option in why.sites] == [Reject.LIMITS]


def test_a_window_that_is_too_short_is_the_reason() -> None:
    instance = world([job(earliest_slot=3, latest_slot=4)])
    why = explained(instance, plan(instance))
    assert why.reason == "its window has 1 slots left and it needs 2"
    assert offers(why) == ["finish up to 30 min later", "start up to 30 min earlier"]


def test_a_job_without_sites_is_told_so() -> None:
    instance = world([job(sites=[])])
    why = explained(instance, plan(instance))
    assert why.reason.startswith("no site in its allowed regions has room")
    assert offers(why) == ["run at s0 too"]


def test_limits_that_exclude_every_slot_are_the_reason() -> None:
    instance = world([job(max_price_gbp_per_kwh=0.05)])
    why = explained(instance, plan(instance))
    assert why.reason == "no slots in its window are within its own price and carbon limits"
    assert offers(why) == ["raise its price limit to 10.0 p/kWh"]
    assert why.offers[0].extra_cost_gbp == pytest.approx(1.0), "it has no course of its own to compare with"


def test_a_carbon_cap_that_others_have_used_up_is_the_reason() -> None:
    instance = world([job(), full(4, 50.0)], region_carbon_caps_kg={"GB": 10.5})
    why = explained(instance, plan(instance, ("full-s0", "s0", [(0, 4, 50.0)])))
    assert why.reason.startswith("too little is left for it under the carbon caps")
    assert why.offers == ()


def test_a_carbon_cap_leaves_room_for_a_cleaner_course() -> None:
    grams = [400.0] * 4 + [100.0] * 4
    instance = world([job(latest_slot=4)], {"s0": {"carbon_g_per_kwh": grams}}, carbon_cap_kg=1.2)
    why = explained(instance, plan(instance))
    assert offers(why) == ["finish up to 1 h later"]
    assert why.offers[0].start_slot == 4


def test_a_job_for_which_there_is_room_was_missed_by_the_negotiation() -> None:
    instance = world([job()])
    why = explained(instance, plan(instance))
    assert why.reason == "there is room for it, but the negotiation ended before it was placed"
    assert (why.eta, why.offers) == (Eta("s0", 0, 2, beyond_horizon=False), ())
    assert [option.reject for option in why.sites] == [Reject.OVERLOOKED]


def test_a_job_waits_for_one_that_has_no_place() -> None:
    instance = world([job(id="first", power_kw=900.0), job(after=["first"])])
    why = explained(instance, plan(instance))
    assert why.reason == "it comes after first, which has no place in the plan"
    assert (why.eta, why.eta_reason, why.offers) == (None, why.reason, ())


def test_a_job_may_start_no_earlier_than_those_before_it_have_ended() -> None:
    instance = world([job(id="first", duration_slots=6), job(after=["first"], earliest_slot=7)])
    made = plan(instance, ("first", "s0", [(0, 6, 10.0)]))
    assert offers(explained(instance, made)) == ["start up to 30 min earlier"]


def test_a_gang_names_the_member_that_keeps_it_out() -> None:
    instance = world([job(gang="g"), job(id="mate", gang="g", power_kw=900.0)])
    assert explained(instance, plan(instance)).reason == (
        "its gang g is served whole or not at all, and mate has no place"
    )
    tight = world([job(gang="g", power_kw=60.0, latest_slot=2), job(id="mate", gang="g", power_kw=60.0, latest_slot=2)])
    assert explained(tight, plan(tight)).reason.endswith("there is no room for all of it at once")


def test_a_change_of_one_member_is_offered_only_where_the_rest_of_the_gang_fits_beside_it() -> None:
    mate = job(id="mate", gang="g", power_kw=60.0, latest_slot=4)
    late = job(gang="g", power_kw=60.0, earliest_slot=3, latest_slot=4)
    instance = world([late, mate])
    assert "finish up to 30 min later" in offers(explained(instance, plan(instance)))
    crowded = world([late, mate | {"power_kw": 900.0}])
    assert explained(crowded, plan(crowded)).offers == ()


def test_inference_and_mining_give_way_at_what_they_earn() -> None:
    inference = {"demand_kw": [95.0] * 8, "value_gbp_per_kwh": 0.51}
    instance = world([job(latest_slot=4)], {"s0": {"inference": inference}})
    made = plan(instance, site_power=(site_power("s0", inference_kw=[95.0] * 8),))
    why = explained(instance, made)
    assert why.reason.startswith("there is room for it")
    mining = {"min_kw": 92.0, "max_kw": 95.0, "value_gbp_per_kwh": 0.51}
    instance = world([job(power_kw=8.0), job(id="k", power_kw=9.0)], {"s0": {"mining": mining}})
    made = plan(instance, site_power=(site_power("s0", mining_kw=[95.0] * 8),))
    assert explained(instance, made).reason.startswith("there is room for it"), "mining keeps its least power"
    assert explained(instance, made, "k").reason.startswith("no site has enough headroom left")


def test_what_mining_loses_by_giving_way_is_part_of_the_cost() -> None:
    mining = {"min_kw": 0.0, "max_kw": 100.0, "value_gbp_per_kwh": 0.51}
    instance = world([job(unserved_penalty_gbp=1.5)], {"s0": {"mining": mining}})
    made = plan(instance, site_power=(site_power("s0", mining_kw=[100.0] * 8),))
    why = explained(instance, made)
    assert why.reason == "what is left in its window costs more than its tier pays"
    lost = 10 * (0.51 - 0.11)
    assert why.offers[0].change == f"take a tier that pays GBP {1.1 + lost:.2f} or more for it"
    assert why.offers[0].extra_cost_gbp == pytest.approx(lost)


def test_mining_that_must_ramp_keeps_its_power() -> None:
    mining = {"min_kw": 0.0, "max_kw": 100.0, "value_gbp_per_kwh": 0.51, "ramp_kw": 10.0}
    instance = world([job()], {"s0": {"mining": mining}})
    made = plan(instance, site_power=(site_power("s0", mining_kw=[100.0] * 8),))
    assert explained(instance, made).reason.startswith("no site has enough headroom left")


def test_a_battery_that_discharges_makes_room_and_one_that_charges_takes_it() -> None:
    battery = {"capacity_kwh": 50, "power_kw": 20, "efficiency": 1.0, "initial_kwh": 50, "final_kwh": 0}
    instance = world([job(power_kw=110.0, latest_slot=2)], {"s0": {"battery": battery}})
    discharging = [20.0] * 4 + [0.0] * 4
    made = plan(instance, site_power=(site_power("s0", charge_kw=[0.0] * 8, discharge_kw=discharging),))
    assert explained(instance, made).reason.startswith("there is room for it")
    small = world([job(power_kw=90.0, latest_slot=2)], {"s0": {"battery": battery}})
    made = plan(small, site_power=(site_power("s0", charge_kw=discharging, discharge_kw=[0.0] * 8),))
    assert explained(small, made).reason.startswith("no site has enough headroom left")


def residual_kw(instance: Instance, made: Plan) -> np.ndarray:
    """(S, T) at the meter, what a plan leaves."""
    left = np.array([site.headroom_kw for site in instance.sites], dtype=float)
    place = {site.id: row for row, site in enumerate(instance.sites)}
    for row in made.assignments:
        site = instance.sites[place[row.site]]
        left[place[row.site]] -= profile(row.runs, instance.slots) * np.asarray(site.pue)
    return left


@pytest.mark.parametrize("seed", range(25))
def test_every_later_deadline_is_the_least_and_every_offer_fits_what_is_left(seed: int) -> None:
    instance = random_instance(seed, jobs=9, slots=7)
    made = negotiate(instance, seed, QUICK).plan
    left = residual_kw(instance, made)
    market_pue = np.array([site.pue for site in instance.sites])
    jobs = {wanted.id: wanted for wanted in instance.jobs}

    def possible(name: str, **change: Any) -> bool:
        changed = jobs[name].model_copy(update=change)
        carbon = np.array([site.carbon_g_per_kwh for site in instance.sites])
        price = np.array([site.price_gbp_per_kwh for site in instance.sites])
        per_kw = market_pue * 0.5 * (price + carbon * 1e-4)
        return any(
            (power * market_pue[site] <= left[site] + 1e-6).all()
            and float(power @ per_kw[site]) < jobs[name].unserved_penalty_gbp
            for site, power in courses(instance, changed)
            if changed.kind != "pausable"
        )

    for row in Explainer(instance, made).refuse():
        wanted = jobs[row.job]
        for offer in row.counter_offers:
            assert offer.site is not None
            assert offer.extra_gbp >= 0
            assert offer.end_slot <= instance.slots
        later = [
            hours(offer)
            for offer in row.counter_offers
            if offer.change.startswith("finish") and "and" not in offer.change
        ]
        if wanted.kind == "block":
            ends = [e for e in range(wanted.latest_slot, instance.slots + 1) if possible(row.job, latest_slot=e)]
            needed = ends[0] - wanted.latest_slot if ends else 0
            if later or (needed and len(row.counter_offers) < 4):
                assert later == [needed]


def hours(offer: CounterOffer) -> int:
    """Slots of an offer to finish later."""
    words = offer.change.removeprefix("finish up to ").removesuffix(" later").split()
    whole = int(words[0]) * 2 if "h" in words else 0
    return whole + ("30" in words)


def test_ten_thousand_alike_that_cannot_be_served_are_refused_with_offers_for_some() -> None:
    instance = world([job(id=f"j{number}", latest_slot=4) for number in range(300)] + [full(4)])
    made = plan(instance, ("full-s0", "s0", [(0, 4, 100.0)]))
    refused = Explainer(instance, made).refuse(most_sought=10)
    assert len(refused) == 300
    assert sum(bool(row.counter_offers) for row in refused) == 10
    assert all(row.reason for row in refused)


def test_the_eta_alone_is_the_same_as_in_the_explanation() -> None:
    instance, made = beside(job(latest_slot=4), until=4)
    explainer = Explainer(instance, made)
    assert explainer.eta("j") == Eta("s0", 4, 6, beyond_horizon=False)
    assert (explainer.eta("full-s0"), explainer.eta("nobody")) == (None, None)
