"""Why here, why then, what each condition costs: against every course of every job, and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agents.explanation.explainer import Explainer, explain
from agents.negotiation import Effort, negotiate
from core.explanation import Explanation, Reject
from core.instance import Instance, JobInstance
from core.market import Market
from core.plan import Plan
from tests.unit.explanation.worlds import explained, job, plan, world
from tests.unit.planning import courses, pause_gbp, random_instance

QUICK = Effort(time_limit_s=60, trials_a_job=20)
SEEDS = range(12)


def charged(instance: Instance, made: Plan, wanted: JobInstance) -> dict[str, float]:
    """The least charge of a job at each of its sites at the plan's prices, where there is a course."""
    market = Market.of(instance)
    headroom = np.array([price.headroom_gbp_per_kw_slot for price in made.prices])
    per_kw = market.cost_gbp_per_kw(market.probability) + market.pue * headroom
    per_kw = per_kw + made.carbon_cap_price_gbp_per_kg * market.carbon_kg_per_kw
    least: dict[str, float] = {}
    for site, power in courses(instance, wanted):
        if (power * market.pue[site] > market.headroom_kw[site] + 1e-6).any():
            continue
        name, charge = instance.sites[site].id, float(power @ per_kw[site]) + pause_gbp(wanted, power)
        least[name] = min(charge, least.get(name, np.inf))
    return least


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("carbon_cap", [False, True])
def test_the_options_are_the_best_course_of_each_site_at_the_final_prices(seed: int, carbon_cap: bool) -> None:
    instance = random_instance(seed, jobs=6, carbon_cap=carbon_cap)
    made = negotiate(instance, seed, QUICK).plan
    jobs = {wanted.id: wanted for wanted in instance.jobs}
    for name, why in explain(instance, made, [a.job for a in made.assignments]).items():
        least = charged(instance, made, jobs[name])
        assert [option.site for option in why.sites if option.course is None] == [
            site for site in jobs[name].sites if site not in least
        ]
        for option in why.sites:
            if option.course is None:
                assert option.reject is Reject.LIMITS
            elif option.reject is None:
                assert option.course == why.chosen
            elif jobs[name].kind != "elastic":
                assert option.course.priced_gbp == pytest.approx(least[option.site])
            else:
                assert option.course.priced_gbp >= least[option.site] - 1e-9


@pytest.mark.parametrize("seed", SEEDS)
def test_a_condition_costs_what_the_job_would_save_without_it(seed: int) -> None:
    instance = random_instance(seed, jobs=8, slots=7)
    made = negotiate(instance, seed, QUICK).plan
    jobs = {wanted.id: wanted for wanted in instance.jobs if wanted.kind != "elastic"}
    everywhere = tuple(site.id for site in instance.sites)
    for name, why in explain(instance, made, [a.job for a in made.assignments if a.job in jobs]).items():
        wanted = jobs[name]
        without: dict[tuple[str, str], dict[str, Any]] = {
            ("window_start", "started as early as it likes"): {"earliest_slot": 0},
            ("deadline", "had no deadline within the plan"): {"latest_slot": instance.slots},
            ("deadline", "finished up to 1 h later"): {"latest_slot": min(wanted.latest_slot + 2, instance.slots)},
            ("sites", "ran at any site"): {"sites": everywhere},
            ("max_price", "had no price limit"): {"max_price_gbp_per_kwh": None},
            ("max_carbon", "had no carbon limit"): {"max_carbon_g_per_kwh": None},
            ("pauses", "could pause as often as it likes"): {"kind": "pausable"},
        }
        present = min(charged(instance, made, wanted).values())
        told = {(lift.constraint, lift.change): lift.saving_gbp for lift in why.lifts}
        for condition, change in without.items():
            free = wanted.model_copy(update=change)
            saved = present - min(charged(instance, made, free).values())
            assert told.get(condition, 0.0) == pytest.approx(saved, abs=1e-7), condition


def rejects(why: Explanation) -> dict[str, str | None]:
    return {option.site: option.reject for option in why.sites}


CHEAP, DEAR = {"price_gbp_per_kwh": 0.05}, {"price_gbp_per_kwh": 0.2}


def test_a_cheaper_site_that_is_full_has_no_whole_headroom_and_a_dearer_one_is_dearer() -> None:
    instance = world(
        [job(sites=["s0", "s1", "s2"]), job(id="big", sites=["s1"], power_kw=95.0, duration_slots=8)],
        {"s0": {}, "s1": CHEAP, "s2": DEAR},
    )
    made = plan(instance, ("j", "s0", [(0, 2, 10.0)]), ("big", "s1", [(0, 8, 95.0)]))
    why = explained(instance, made)
    assert rejects(why) == {"s0": None, "s1": Reject.NO_WHOLE_HEADROOM, "s2": Reject.DEARER}
    assert why.next_best is not None
    assert (why.next_best.site, why.next_best.reject) == ("s1", Reject.NO_WHOLE_HEADROOM)


def test_a_cheaper_site_with_room_is_owned_up_to_as_overlooked() -> None:
    instance = world([job(sites=["s0", "s1"])], {"s0": {}, "s1": CHEAP})
    assert rejects(explained(instance, plan(instance, ("j", "s0", [(0, 2, 10.0)])))) == {
        "s0": None,
        "s1": Reject.OVERLOOKED,
    }


def test_a_site_that_its_limits_exclude_has_no_course() -> None:
    instance = world([job(sites=["s0", "s1"], max_price_gbp_per_kwh=0.15)], {"s0": {}, "s1": DEAR})
    why = explained(instance, plan(instance, ("j", "s0", [(0, 2, 10.0)])))
    assert rejects(why) == {"s0": None, "s1": Reject.LIMITS}


def test_the_parts_of_a_price_are_told_apart() -> None:
    instance = world([job(home="s1", migration_cost_gbp=3.0)], {"s0": {"pue": 1.2}, "s1": {}})
    made = plan(instance, ("j", "s0", [(0, 2, 10.0)]), headroom_prices={"s0": 0.5}, carbon_cap_price_gbp_per_kg=2.0)
    chosen = explained(instance, made).chosen
    assert chosen is not None
    assert chosen.energy_kwh == pytest.approx(12.0)
    assert chosen.cost_gbp == pytest.approx(12.0 * 0.1 + 3.0)
    assert chosen.carbon_kg == pytest.approx(1.2)
    assert chosen.carbon_gbp == pytest.approx(0.12)
    assert chosen.headroom_gbp == pytest.approx(2 * 12.0 * 0.5)
    assert chosen.caps_gbp == pytest.approx(2.4)
    assert chosen.priced_gbp == pytest.approx(1.2 + 3.0 + 0.12 + 12.0 + 2.4)


def test_money_and_carbon_are_those_of_the_plans_scenarios_at_its_weights() -> None:
    double = {"probability": 0.5, "price_gbp_per_kwh": {"s0": [0.2] * 8}}
    instance = world([job()], scenarios=[{"probability": 0.5}, double])
    course = plan(instance, ("j", "s0", [(0, 2, 10.0)]), scenario_weights=(0.25, 0.75))
    chosen = explained(instance, course).chosen
    assert chosen is not None
    assert chosen.cost_gbp == pytest.approx(10.0 * (0.25 * 0.1 + 0.75 * 0.2))
    assert chosen.carbon_kg == pytest.approx(1.0)


def test_the_next_window_begins_or_ends_hours_away() -> None:
    prices = [0.3, 0.3, 0.1, 0.1, 0.15, 0.3, 0.3, 0.12, 0.12, 0.3]
    instance = world([job(latest_slot=10)], {"s0": {"price_gbp_per_kwh": prices}}, slots=10)
    why = explained(instance, plan(instance, ("j", "s0", [(2, 4, 10.0)])))
    assert why.next_here is not None
    assert why.next_here.course is not None
    assert (why.next_here.course.start_slot, why.next_here.reject) == (7, Reject.DEARER)
    assert why.next_best == why.next_here


def test_running_at_once_is_at_the_cheapest_site_with_room_or_says_that_there_is_none() -> None:
    prices = [0.3, 0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    sites = {"s0": {"price_gbp_per_kwh": prices}, "s1": {"price_gbp_per_kwh": 0.4}}
    wanted = job(sites=["s0", "s1"], max_price_gbp_per_kwh=0.2)
    big = job(id="big", power_kw=95.0)
    instance = world([wanted, big], sites)
    made = plan(instance, ("j", "s0", [(2, 4, 10.0)]), ("big", "s0", [(0, 2, 95.0)]))
    why = explained(instance, made)
    assert why.run_now is not None
    assert (why.run_now.site, why.run_now.start_slot, why.run_now_fits) == ("s1", 0, True)
    alone = world([wanted, big], {"s0": sites["s0"], "s1": sites["s1"] | {"headroom_kw": 5.0}})
    why = explained(alone, made)
    assert why.run_now is not None
    assert (why.run_now.site, why.run_now_fits) == ("s0", False)
    assert why.run_now.cost_gbp == pytest.approx(10 * 0.3)


def test_a_job_that_fills_its_site_could_run_there_at_once_because_it_gives_its_own_room_back() -> None:
    instance = world([job(power_kw=80.0, duration_slots=4)])
    why = explained(instance, plan(instance, ("j", "s0", [(2, 6, 80.0)])))
    assert why.run_now_fits


def test_the_planned_course_costs_no_move_and_moving_at_no_cost_is_worth_what_it_saves() -> None:
    prices = [0.2, 0.2, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2]
    standing = {"site": "s0", "runs": [[0, 2, 10.0]]}
    instance = world([job(planned=standing, move_cost_gbp=5.0)], {"s0": {"price_gbp_per_kwh": prices}})
    why = explained(instance, plan(instance, ("j", "s0", [(0, 2, 10.0)])))
    assert why.chosen is not None
    assert why.chosen.cost_gbp == pytest.approx(2.0)
    (planned,) = [lift for lift in why.lifts if lift.constraint == "planned"]
    assert (planned.saving_gbp, planned.saving_cost_gbp) == (pytest.approx(1.0), pytest.approx(1.0))


def test_hardware_and_home_have_their_price() -> None:
    sites = {"s0": {"hardware_kw": {"gpu": 50.0}}, "s1": CHEAP}
    wanted = job(sites=["s0", "s1"], hardware="gpu", home="s0", migration_cost_gbp=0.2)
    instance = world([wanted], sites)
    scarce = {"s0": {"gpu": (0.03,) * 8}}
    why = explained(instance, plan(instance, ("j", "s0", [(0, 2, 10.0)]), hardware_prices=scarce))
    assert why.chosen is not None
    assert why.chosen.hardware_gbp == pytest.approx(0.6)
    assert rejects(why)["s1"] is Reject.LIMITS
    saved = {lift.constraint: lift.saving_gbp for lift in why.lifts}
    assert saved["hardware"] == pytest.approx(0.6 + 0.5 - 0.2), "it would move to the cheap site and pay for that"
    assert saved["home"] == 0.0


def test_a_job_that_comes_after_another_is_told_what_waiting_costs() -> None:
    prices = [0.1, 0.1, 0.1, 0.1, 0.3, 0.3, 0.3, 0.3]
    instance = world([job(id="first", duration_slots=4), job(after=["first"])], {"s0": {"price_gbp_per_kwh": prices}})
    made = plan(instance, ("first", "s0", [(0, 4, 10.0)]), ("j", "s0", [(4, 6, 10.0)]))
    saved = {lift.constraint: lift.saving_gbp for lift in explained(instance, made).lifts}
    assert saved["after"] == pytest.approx(2.0)


def test_shared_carbon_caps_cost_those_under_them() -> None:
    instance = world([job()], tenant_carbon_caps_kg={"default": 1.0})
    made = plan(instance, ("j", "s0", [(0, 2, 10.0)]), tenant_carbon_prices_gbp_per_kg={"default": 4.0})
    saved = {lift.constraint: lift.saving_gbp for lift in explained(instance, made).lifts}
    assert saved["shared_caps"] == pytest.approx(4.0)
    free = world([job(tenant="other")], tenant_carbon_caps_kg={"default": 1.0})
    assert "shared_caps" not in {lift.constraint for lift in explained(free, made).lifts}


def test_its_own_carbon_cap_costs_what_a_dirtier_course_would_save() -> None:
    sites = {"s0": {"carbon_g_per_kwh": [50.0] * 4 + [400.0] * 4, "price_gbp_per_kwh": [0.5] * 4 + [0.1] * 4}}
    instance = world([job(carbon_cap_kg=0.6)], sites)
    why = explained(instance, plan(instance, ("j", "s0", [(0, 2, 10.0)])))
    (cap,) = [lift for lift in why.lifts if lift.constraint == "cap_kg"]
    assert cap.saving_cost_gbp == pytest.approx(4.0)
    assert cap.saving_kg == pytest.approx(-3.5)
    assert cap.saving_gbp == pytest.approx(4.0 - 0.35)


def test_only_conditions_that_a_job_has_are_listed() -> None:
    instance = world([job()])
    made = plan(instance, ("j", "s0", [(0, 2, 10.0)]))
    assert {lift.constraint for lift in explained(instance, made).lifts} == {"pauses"}


def test_the_scarcest_slots_are_listed_with_what_they_are_worth() -> None:
    instance = world([job(duration_slots=3)])
    prices = {"s0": np.array([0.0, 0.02, 0.05, 0, 0, 0, 0, 0])}
    contested = explained(instance, plan(instance, ("j", "s0", [(0, 3, 10.0)]), headroom_prices=prices)).contested
    assert [(held.slot, held.worth_gbp) for held in contested] == [(2, pytest.approx(0.5)), (1, pytest.approx(0.2))]


def test_a_job_that_has_begun_is_told_its_place_and_no_alternatives() -> None:
    instance = world([job()], frozen=[{"job": "j", "site": "s0", "runs": [[0, 2, 10.0]]}])
    why = explained(instance, plan(instance, ("j", "s0", [(0, 2, 10.0)])))
    assert why.frozen
    assert why.chosen is not None
    assert (why.sites, why.lifts, why.next_here) == ((), (), None)


def test_a_site_without_room_for_the_job_at_any_time_is_no_option() -> None:
    instance = world([job(sites=["s0", "s1"])], {"s0": {}, "s1": CHEAP | {"headroom_kw": 5.0}})
    why = explained(instance, plan(instance, ("j", "s0", [(0, 2, 10.0)])))
    assert rejects(why)["s1"] is Reject.LIMITS


def test_all_jobs_are_explained_unless_some_are_named_and_unknown_ones_are_left_out() -> None:
    instance = world([job(), job(id="k")])
    made = plan(instance, ("j", "s0", [(0, 2, 10.0)]))
    assert list(Explainer(instance, made).explain()) == ["j", "k"]
    assert list(explain(instance, made, ["k", "nobody"])) == ["k"]
    assert explain(instance, made)["k"].chosen is None


def test_a_plan_of_many_is_explained_in_batches_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = random_instance(3, jobs=12, sites=3, slots=8)
    made = negotiate(instance, 3, QUICK).plan
    whole = Explainer(instance, made).explain()
    monkeypatch.setattr("agents.explanation.explainer.CELLS_AT_ONCE", 8)
    monkeypatch.setattr("agents.explanation.courses.CELLS", 8)
    assert Explainer(instance, made).explain() == whole


def test_an_instance_without_jobs_has_nothing_to_explain() -> None:
    instance = world([])
    assert explain(instance, plan(instance)) == {}
    assert Explainer(instance, plan(instance)).refuse() == ()
