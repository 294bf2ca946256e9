"""Generated instances are what the benchmarks say they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.instances import KINDS, generate
from core.instance import read_instance, write_json


def demand_over_headroom(instance: object) -> float:
    headroom = np.array([site.headroom_kw for site in instance.sites])
    pue = np.array([site.pue for site in instance.sites]).mean()
    demand = sum((j.power_kw or j.levels[-1].power_kw) * (j.duration_slots or j.work) for j in instance.jobs)
    return float(demand * pue / headroom.sum())


@pytest.mark.parametrize("utilisation", [0.3, 0.6])
def test_all_jobs_together_ask_for_the_share_of_headroom_named(utilisation: float) -> None:
    assert demand_over_headroom(generate(utilisation=utilisation)) == pytest.approx(utilisation, rel=0.01)


def test_the_same_seed_gives_the_same_instance_and_another_seed_another() -> None:
    assert generate(jobs=20, seed=3) == generate(jobs=20, seed=3)
    assert generate(jobs=20, seed=3) != generate(jobs=20, seed=4)


def test_every_kind_and_tier_occurs_and_every_window_holds_its_job() -> None:
    instance = generate()
    assert {job.kind for job in instance.jobs} == set(KINDS)
    assert len({job.tier for job in instance.jobs}) == 4
    assert all(job.latest_slot - job.earliest_slot >= (job.duration_slots or job.work) for job in instance.jobs)


def test_a_typical_job_takes_a_tenth_to_a_fifth_of_a_site() -> None:
    instance = generate()
    mean_headroom = np.mean([site.headroom_kw for site in instance.sites])
    powers = np.array([job.power_kw or job.levels[-1].power_kw for job in instance.jobs])
    assert 0.1 <= np.median(powers) / mean_headroom <= 0.2


def test_a_carbon_cap_is_a_share_of_the_emission_at_the_mean_intensity() -> None:
    half, whole = generate(jobs=20, carbon_cap_share=0.5), generate(jobs=20, carbon_cap_share=1.0)
    assert half.carbon_cap_kg == pytest.approx(whole.carbon_cap_kg / 2, rel=1e-3)
    assert generate(jobs=20).carbon_cap_kg is None


def test_an_instance_survives_its_file(tmp_path: Path) -> None:
    instance = generate(jobs=5, sites=2, slots=48)
    write_json(instance, tmp_path / "small.json.gz")
    assert read_instance(tmp_path / "small.json.gz") == instance
