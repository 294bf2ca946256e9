import pytest

from agents.job.concessions import concessions
from tests.unit.planning import random_instance


def a_job(**changes):
    instance = random_instance(0, jobs=1, sites=3, slots=20)
    base = {
        "kind": "block", "levels": None, "work": None, "power_kw": 10.0, "duration_slots": 4, "pause_cost_gbp": None,
        "earliest_slot": 2, "latest_slot": 12, "sites": ("s0",),
        "max_price_gbp_per_kwh": None, "max_carbon_g_per_kwh": None,
    }  # fmt: skip
    return instance.jobs[0].model_copy(update=base | changes), instance


def words(job, instance):
    return [concession.change for concession in concessions(job, instance)]


def test_a_later_finish_is_offered_first_and_never_beyond_the_horizon():
    job, instance = a_job()
    offers = concessions(job, instance)
    assert offers[0].change.startswith("finish up to")
    assert all(offer.job.latest_slot <= instance.slots for offer in offers)


def test_no_later_finish_is_offered_at_the_end_of_the_horizon():
    job, instance = a_job(latest_slot=20)
    assert not [text for text in words(job, instance) if text.startswith("finish")]


@pytest.mark.parametrize(
    ("limit", "offer"),
    [("max_price_gbp_per_kwh", "lift the price limit"), ("max_carbon_g_per_kwh", "lift the carbon limit")],
)
def test_a_limit_can_be_lifted_only_where_there_is_one(limit, offer):
    with_limit, instance = a_job(**{limit: 0.1})
    without, _ = a_job()
    assert offer in words(with_limit, instance)
    assert offer not in words(without, instance)


def test_other_regions_are_offered_unless_all_are_allowed():
    near, instance = a_job()
    anywhere, _ = a_job(sites=("s0", "s1", "s2"))
    assert "run in any region" in words(near, instance)
    assert "run in any region" not in words(anywhere, instance)


def test_half_power_does_the_same_work_within_the_window():
    job, instance = a_job()
    slower = next(offer.job for offer in concessions(job, instance) if "half power" in offer.change)
    assert slower.power_kw * slower.duration_slots == job.power_kw * job.duration_slots
    tight, _ = a_job(latest_slot=9)
    assert not [text for text in words(tight, instance) if "half power" in text]
