from dataclasses import replace

import pytest
from pydantic import ValidationError

from agents.negotiation import Effort, negotiate, warm_up
from core.instance import Course, Frozen, Instance
from tests.unit.planning import optimum_gbp, random_instance, violations

QUICK = Effort(time_limit_s=60, trials_a_job=40)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("carbon_cap", [False, True])
def test_the_exact_optimum_lies_between_bound_and_plan(seed, carbon_cap):
    instance = random_instance(seed, carbon_cap=carbon_cap)
    plan = negotiate(instance, seed, QUICK).plan
    best = optimum_gbp(instance)
    assert violations(instance, plan) == []
    assert plan.bound_gbp <= best + 1e-6
    assert plan.objective_gbp >= best - 1e-6


def test_plans_of_small_instances_are_mostly_the_best_possible():
    missed = []
    for seed in range(40):
        instance = random_instance(seed)
        missed.append(negotiate(instance, seed, QUICK).plan.objective_gbp > optimum_gbp(instance) + 1e-6)
    assert sum(missed) <= 4


@pytest.mark.parametrize("seed", range(3))
def test_the_same_instance_and_seed_give_the_same_plan(seed):
    instance = random_instance(seed, jobs=20, sites=3, slots=12)
    one, two = (negotiate(instance, seed, QUICK).plan for _ in range(2))
    assert one.model_copy(update={"wall_s": 0}) == two.model_copy(update={"wall_s": 0})


@pytest.mark.parametrize("seed", range(10))
def test_frozen_assignments_appear_unchanged_and_the_rest_fits_beside_them(seed):
    instance = random_instance(seed, jobs=6)
    served = negotiate(instance, seed, QUICK).plan.assignments[:2]
    frozen = tuple(Frozen(job=row.job, site=row.site, runs=row.runs) for row in served)
    again = instance.model_copy(update={"frozen": frozen})
    plan = negotiate(again, seed, QUICK).plan
    assert violations(again, plan) == []
    assert plan.bound_gbp <= optimum_gbp(again) + 1e-6


def test_an_instance_in_which_nothing_fits_is_answered_with_reasons():
    instance = random_instance(1, jobs=6)
    dark = tuple(site.model_copy(update={"headroom_kw": (0.0,) * 6}) for site in instance.sites)
    plan = negotiate(instance.model_copy(update={"sites": dark}), 0, QUICK).plan
    assert plan.assignments == ()
    assert len(plan.unserved) == 6
    assert all(row.reason for row in plan.unserved)
    assert plan.objective_gbp == pytest.approx(sum(job.unserved_penalty_gbp for job in instance.jobs))


def test_no_jobs_make_an_empty_plan():
    instance = random_instance(1).model_copy(update={"jobs": ()})
    plan = negotiate(instance).plan
    assert (plan.assignments, plan.unserved, plan.objective_gbp, plan.gap) == ((), (), 0, 0)


def test_one_slot_is_enough_for_a_plan():
    instance = random_instance(5, jobs=5, slots=1)
    assert violations(instance, negotiate(instance, 0, QUICK).plan) == []


@pytest.mark.parametrize("seed", range(8))
def test_a_carbon_cap_of_nought_leaves_only_what_emits_nothing(seed):
    instance = random_instance(seed, jobs=5).model_copy(update={"carbon_cap_kg": 0.0})
    plan = negotiate(instance, seed, QUICK).plan
    assert violations(instance, plan) == []
    assert plan.bound_gbp <= optimum_gbp(instance) + 1e-6


def test_without_contention_one_round_is_enough():
    instance = random_instance(3, jobs=5)
    wide = tuple(site.model_copy(update={"headroom_kw": (1000.0,) * 6}) for site in instance.sites)
    outcome = negotiate(instance.model_copy(update={"sites": wide}), 0, QUICK)
    assert outcome.plan.gap < 5e-4
    assert len(outcome.rounds) == 1


def test_a_time_limit_of_nearly_nothing_still_gives_a_valid_plan_and_an_honest_gap():
    instance = random_instance(7, jobs=20, sites=2, slots=8)
    plan = negotiate(instance, 0, Effort(time_limit_s=1e-6)).plan
    assert violations(instance, plan) == []
    assert plan.gap == pytest.approx((plan.objective_gbp - plan.bound_gbp) / abs(plan.bound_gbp))


@pytest.mark.parametrize("seed", range(12))
def test_a_plan_that_opens_at_the_standing_one_keeps_it_where_nothing_has_changed(seed):
    instance = random_instance(seed, jobs=8)
    first = negotiate(instance, seed, QUICK).plan
    courses = {made.job: Course(site=made.site, runs=made.runs) for made in first.assignments}
    jobs = tuple(
        job.model_copy(update={"planned": courses[job.id], "move_cost_gbp": 0.01}) if job.id in courses else job
        for job in instance.jobs
    )
    again = Instance.model_validate(instance.model_copy(update={"jobs": jobs, "opening": first.prices}).model_dump())
    plan = negotiate(again, seed, replace(QUICK, target_gap=first.gap + 1e-9)).plan
    assert violations(again, plan) == []
    assert plan.objective_gbp <= first.objective_gbp + 1e-9
    if plan.objective_gbp == pytest.approx(first.objective_gbp, abs=1e-9):
        assert {made.job: made.runs for made in plan.assignments} == {
            job: course.runs for job, course in courses.items()
        }


def test_standing_courses_that_no_longer_fit_are_left_and_newcomers_are_seated_at_once():
    instance = random_instance(3, jobs=8)
    first = negotiate(instance, 3, QUICK).plan
    used = first.assignments[0]
    less = tuple(
        site.model_copy(update={"headroom_kw": tuple(0.0 if site.id == used.site else kw for kw in site.headroom_kw)})
        for site in instance.sites
    )
    jobs = tuple(
        job.model_copy(update={"planned": Course(site=made.site, runs=made.runs)})
        for made in first.assignments[1:]
        for job in instance.jobs
        if job.id == made.job
    )
    newcomers = tuple(job for job in instance.jobs if job.id not in {one.id for one in jobs})
    again = instance.model_copy(update={"sites": less, "jobs": (*jobs, *newcomers), "opening": first.prices})
    plan = negotiate(Instance.model_validate(again.model_dump()), 3, QUICK).plan
    assert violations(again, plan) == []
    assert used.site not in {made.site for made in plan.assignments}
    assert plan.objective_gbp <= negotiate(again.model_copy(update={"opening": ()}), 3, QUICK).plan.objective_gbp + 0.01


def test_who_stands_makes_way_for_a_newcomer_that_has_no_other_place_without_a_round():
    site = {"id": "s", "region": "GB", "headroom_kw": [10] * 4, "price_gbp_per_kwh": [0.1] * 4}
    wants = {"kind": "block", "power_kw": 10, "duration_slots": 2, "sites": ["s"], "unserved_penalty_gbp": 100}
    stands = {"planned": {"site": "s", "runs": [[0, 2, 10]]}, "move_cost_gbp": 0.001}
    made = {
        "name": "newcomer",
        "start": "2023-03-01T00:00:00Z",
        "slots": 4,
        "carbon_price_gbp_per_tonne": 0,
        "sites": [site | {"carbon_g_per_kwh": [0] * 4, "pue": 1}],
        "jobs": [
            wants | stands | {"id": "stands", "earliest_slot": 0, "latest_slot": 4},
            wants | {"id": "new", "earliest_slot": 0, "latest_slot": 2},
        ],
        "opening": [{"site": "s", "headroom_gbp_per_kw_slot": [0] * 4}],
    }
    outcome = negotiate(Instance.model_validate(made), 0, replace(QUICK, target_gap=0.01))
    assert {one.job: one.runs for one in outcome.plan.assignments} == {"stands": ((2, 4, 10),), "new": ((0, 2, 10),)}
    assert len(outcome.rounds) == 1


@pytest.mark.parametrize(
    ("prices", "told"),
    [
        ({"site": "nowhere", "headroom_gbp_per_kw_slot": [0] * 6}, "unknown site 'nowhere'"),
        ({"site": "s0", "headroom_gbp_per_kw_slot": [0] * 5}, "6 figures of at least 0"),
        ({"site": "s0", "headroom_gbp_per_kw_slot": [-1] * 6}, "6 figures of at least 0"),
        ({"site": "s0", "headroom_gbp_per_kw_slot": [float("nan")] * 6}, "6 figures of at least 0"),
    ],
)
def test_opening_prices_that_fit_nowhere_are_refused(prices, told):
    with pytest.raises(ValidationError, match=told):
        Instance.model_validate(random_instance(0).model_dump() | {"opening": [prices]})


def test_rounds_and_clearings_are_at_most_as_many_as_asked(monkeypatch):
    warm_up()
    cleared = []

    def relaxed(master, time_limit_s):
        cleared.append(master)

    instance = random_instance(0, jobs=20, sites=3, slots=12)
    monkeypatch.setattr("agents.policy.master.Master.relaxed", relaxed)
    taken = []
    monkeypatch.setattr("agents.rounds.Rounds.round", lambda rounds, progress: taken.append(progress))
    hard = Effort(time_limit_s=60, target_gap=-1.0, trials_a_job=0)
    negotiate(instance, 0, replace(hard, rounds=5, clearings=0))
    assert (taken, cleared) == ([0.0, 0.25, 0.5, 0.75, 1.0], [])
    taken.clear()
    negotiate(instance, 0, replace(hard, clearings=2))
    assert (len(taken), len(cleared)) == (120, 1)


@pytest.mark.parametrize("seed", range(5))
def test_a_plan_made_with_little_effort_is_valid_and_its_bound_holds(seed):
    instance = random_instance(seed)
    plan = negotiate(instance, seed, Effort(time_limit_s=60, rounds=3, clearings=1, trials_a_job=0)).plan
    assert violations(instance, plan) == []
    assert plan.bound_gbp <= optimum_gbp(instance) + 1e-6
