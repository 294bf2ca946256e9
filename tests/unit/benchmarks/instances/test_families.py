"""Every named instance is valid, comes from its seed, and is what the benchmarks say of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.instances import NAMES, build
from benchmarks.instances.__main__ import main
from benchmarks.instances.demand import MIXED, PENALTY_GBP_PER_KWH
from benchmarks.instances.families import FAMILIES, ten_sites
from benchmarks.instances.faults import FAULTS
from benchmarks.instances.figures import FIRST_SLOT, TEN_ZONES, figures
from core.errors import InputError
from core.instance import Instance, read_instance

LARGE = ("b4-100k", "b4-1m", "b4-10k", "b4-full-10k")
PLANNED = [name for name in NAMES if name not in LARGE and not name.startswith("b6-")]
ZONES = tuple(climate.region for climate in TEN_ZONES)


def mean_load_kw(instance: Instance) -> float:
    demand = sum((job.power_kw or job.levels[-1].power_kw) * (job.duration_slots or job.work) for job in instance.jobs)
    return demand / instance.slots


@pytest.mark.parametrize("name", PLANNED)
def test_a_family_makes_valid_instances_and_the_same_from_the_same_seed(name: str) -> None:
    made = build(name, None)
    assert Instance.model_validate(made).jobs
    assert build(name, None) == made
    assert build(name, None, seed=2)["jobs"] != made["jobs"]


@pytest.mark.parametrize(
    ("name", "jobs", "sites", "slots"),
    [
        ("b1", 300, 3, 672),
        ("b2-mixed-1.3", 1000, 1, 720),
        ("b3-20", 20, 1, 96),
        ("b4-1k", 1000, 10, 96),
        ("b4-full-300", 300, 10, 96),
        ("b5", 1400, 10, 672),
    ],
)
def test_sizes_are_those_of_the_table(name: str, jobs: int, sites: int, slots: int) -> None:
    made = build(name, None)
    assert (len(made["jobs"]), len(made["sites"]), made["slots"]) == (jobs, sites, slots)


@pytest.mark.parametrize(("name", "factor"), [("b2-block-1.17", 1.17), ("b2-mixed-2.1", 2.1), ("b3-100", 1.8)])
def test_a_cap_is_a_multiple_of_the_mean_load(name: str, factor: float) -> None:
    instance = Instance.model_validate(build(name, None))
    (headroom_kw,) = set(instance.sites[0].headroom_kw)
    assert headroom_kw == pytest.approx(factor * mean_load_kw(instance), abs=1e-3)


def test_jobs_at_ten_sites_ask_for_the_share_of_headroom_named() -> None:
    instance = Instance.model_validate(ten_sites("b4", None, 1, jobs=500, shares=MIXED, utilisation=0.4))
    pue = np.mean([site.pue for site in instance.sites])
    headroom = np.sum([site.headroom_kw for site in instance.sites]) / instance.slots
    assert mean_load_kw(instance) * pue / headroom == pytest.approx(0.4, rel=0.01)
    assert all(len(set(job.sites)) == 3 for job in instance.jobs)


@pytest.mark.parametrize("name", ["b2-mixed-1.3", "b4-1k", "b5"])
def test_every_window_holds_its_job(name: str) -> None:
    instance = Instance.model_validate(build(name, None))
    assert all(job.latest_slot - job.earliest_slot >= job.least_slots for job in instance.jobs)


def test_no_site_of_b1_can_ever_be_full() -> None:
    instance = Instance.model_validate(build("b1", None))
    all_at_once = sum(job.power_kw for job in instance.jobs) * max(max(site.pue) for site in instance.sites)
    assert min(min(site.headroom_kw) for site in instance.sites) >= all_at_once - 1e-3


def test_jobs_of_b1_arrive_in_office_hours_and_are_due_on_a_working_morning() -> None:
    instance = Instance.model_validate(build("b1", None))
    assert all(job.earliest_slot // 48 % 7 < 5 and 18 <= job.earliest_slot % 48 < 34 for job in instance.jobs)
    due = {job.latest_slot for job in instance.jobs} - {instance.slots}
    assert all(slot % 48 == 18 and slot // 48 % 7 < 5 for slot in due)


@pytest.mark.shared
@pytest.mark.parametrize("recorded", [False, True])
def test_leaving_a_job_out_is_dearer_than_any_half_hour(recorded: bool, request: pytest.FixtureRequest) -> None:
    found = figures(ZONES, 672, request.getfixturevalue("shared_data") if recorded else None)
    rate = found.pue * (found.price + 100 * found.carbon / 1e6)
    assert rate.max() < PENALTY_GBP_PER_KWH


@pytest.mark.shared
def test_recorded_figures_are_those_of_the_file(shared_data: Path) -> None:
    found = figures(("GB", "DE-LU"), 48, shared_data)
    assert (found.source, found.start) == ("recorded", FIRST_SLOT)
    assert found.price.shape == found.carbon.shape == (2, 48)
    assert not np.isnan(found.price).any()
    assert found.price[1, 0] == found.price[1, 1]  # hourly
    assert figures(("GB",), 48, None).source == "synthetic"


def test_every_feature_of_the_formulation_occurs_in_the_full_instance() -> None:
    instance = Instance.model_validate(build("b4-full-300", None))
    of_jobs = {name for job in instance.jobs for name in job.model_fields_set if getattr(job, name)}
    assert of_jobs >= {
        "hardware", "carbon_cap_kg", "max_price_gbp_per_kwh", "max_carbon_g_per_kwh", "home", "migration_cost_gbp",
        "planned", "move_cost_gbp", "gang", "after", "restart_slots", "min_run_slots", "max_pauses", "pause_cost_gbp",
        "levels",
    }  # fmt: skip
    of_sites = {name for site in instance.sites for name in site.model_fields_set if getattr(site, name)}
    assert of_sites >= {"hardware_kw", "battery", "mining", "inference", "sold_kw"}
    assert instance.frozen
    assert instance.scenarios
    assert instance.risk
    assert instance.carbon_cap_kg
    assert instance.tenant_carbon_caps_kg
    assert instance.region_carbon_caps_kg


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_is_refused_by_the_reader_or_is_an_instance(name: str, tmp_path: Path) -> None:
    path = tmp_path / "fault.json"
    path.write_text(json.dumps(FAULTS[name].make(name, None, 1)))
    if FAULTS[name].refused:
        with pytest.raises(InputError, match=r"fault\.json: "):
            read_instance(path)
    else:
        read_instance(path)


def test_large_instances_come_from_the_same_makers() -> None:
    assert set(LARGE) <= FAMILIES.keys()
    assert {FAMILIES[name].func for name in LARGE} == {FAMILIES["b4-1k"].func, FAMILIES["b4-full-300"].func}


def test_the_command_writes_the_instance(tmp_path: Path) -> None:
    assert main(["b3-20", "--out", str(tmp_path / "made.json"), "--seed", "3"]) == 0
    assert read_instance(tmp_path / "made.json") == Instance.model_validate(build("b3-20", None, 3))
