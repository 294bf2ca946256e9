"""Previews: priced against what the standing plan leaves, and true to what an award would be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core.job import JobRequest
from core.ledger import Leg, Totals
from core.slots import SLOT
from tests.house import START, Bench


def request(bench: Bench, kind: str, **changes: Any) -> JobRequest:
    fields: dict[str, Any] = {
        "job_name": kind,
        "flexibility_type": kind,
        "duration_hours": 2,
        "power_kw": 20,
        "latest_finish": bench.clock.now() + timedelta(hours=24),
    }
    return JobRequest.model_validate({**fields, **changes})


@pytest.mark.parametrize("kind", ["fixed", "deferrable", "pausable", "throttlable"])
def test_on_an_empty_system_the_preview_is_what_the_award_turns_out_to_be(bench: Bench, kind: str):
    asked = request(bench, kind)
    seen = bench.house.loop.preview(asked)
    job = bench.house.jobs.submit(asked)
    bench.tick()
    rows, worth = bench.rows(job), Totals.of(bench.rows(job))
    assert seen.best is not None
    assert (seen.best.site_id, seen.best.start) == (rows[0].site_id, rows[0].slot_start)
    assert seen.best.end == rows[-1].slot_start + SLOT
    assert (seen.best.cost_gbp, seen.best.carbon_kg) == (pytest.approx(worth.cost_gbp), pytest.approx(worth.carbon_kg))
    assert seen.best.kinds == ("simulated",)
    baseline = bench.rows(job, Leg.BASELINE)
    assert seen.now is not None
    assert (seen.now.site_id, seen.now.start) == (baseline[0].site_id, baseline[0].slot_start)
    assert seen.now.cost_gbp == pytest.approx(Totals.of(baseline).cost_gbp)


def test_a_preview_after_a_tick_sees_a_window_beyond_the_two_days_that_are_always_quoted(bench: Bench):
    bench.tick()
    day = timedelta(days=1)
    asked = request(bench, "deferrable", earliest_start=START + 4 * day, latest_finish=START + 5 * day)
    best = bench.house.loop.preview(asked).best
    assert best is not None
    assert START + 4 * day <= best.start < best.end <= START + 5 * day


def test_a_preview_avoids_what_is_planned_already(bench: Bench):
    asked = request(bench, "deferrable", power_kw=90, allowed_regions=["london"])
    first = bench.house.loop.preview(asked).best
    bench.house.jobs.submit(asked)
    bench.tick()
    second = bench.house.loop.preview(asked).best
    assert first is not None
    assert second is not None
    assert second.end <= first.start or second.start >= first.end


def test_a_preview_that_finds_no_room_says_so_and_stores_nothing(bench: Bench):
    found = bench.house.loop.preview(request(bench, "deferrable", carbon_cap_g_per_kwh=0))
    assert found.best is None
    assert found.reason
    assert bench.house.jobs.counts() == {}
    assert bench.house.log.head()[0] == 0


def test_the_standing_plan_says_what_is_free(bench: Bench):
    bench.submit(power_kw=50)
    bench.tick()
    standing = bench.house.loop.standing()
    assert standing.planned_kw.sum() > 0
    assert (standing.free_kw == standing.headroom_kw - standing.planned_kw - standing.sold_kw).all()
    assert standing.tick is not None
    assert standing.site_ids == ("london", "leeds", "oslo")
    assert standing.prices_gbp_per_kw_slot.shape == (3, standing.slots)
