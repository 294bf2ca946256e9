"""The standing plan as arrays."""

from __future__ import annotations

from tests.house import Bench


def test_the_standing_plan_says_what_is_free(bench: Bench):
    bench.submit(power_kw=50)
    bench.tick()
    standing = bench.house.loop.standing()
    assert standing.planned_kw.sum() > 0
    assert (standing.free_kw == standing.headroom_kw - standing.planned_kw - standing.sold_kw).all()
    assert standing.tick is not None
    assert standing.site_ids == ("london", "leeds", "oslo")
    assert standing.prices_gbp_per_kw_slot.shape == (3, standing.slots)
