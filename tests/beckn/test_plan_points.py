"""The points of the checklist that the planner answers for."""

from __future__ import annotations

from agents.flexibility.alert import Action
from agents.flexibility.firm import Wanted
from core.slots import SLOT
from core.trade import Hold, Reduction
from store.trading import Trading
from tests.house import START, Bench


def test_point_18_a_commitment_is_never_above_what_may_move_and_keeps_every_deadline(bench: Bench):
    stuck = bench.submit("fixed", allowed_regions=["london"], earliest_start=START + 2 * SLOT)
    free = bench.submit("deferrable", allowed_regions=["london"], power_kw=40, latest_finish=START + 40 * SLOT)
    bench.tick()
    load = bench.house.loop.movable()
    assert load is not None
    row = load.site_ids.index("london")
    busiest = [int(slot) for slot in (load.planned_kw[row] > 0).nonzero()[0]]
    assert (load.movable_kw <= load.planned_kw + 1e-9).all()
    assert ((load.confidence >= 0) & (load.confidence <= 1)).all()
    assert load.simulated[row, busiest].all(), "simulated figures are labelled"

    asked = [Wanted("london", load.start + SLOT * slot, float(load.planned_kw[row, slot])) for slot in busiest]
    firm = bench.house.loop.firm(asked)
    assert not firm.served
    assert firm.share < 1.0
    assert stuck.job_id in firm.reason

    whole = bench.house.loop.firm([one for one in asked if (one.starts - START) / SLOT not in range(2, 6)] or asked)
    with Trading(bench.house.database).work() as work:
        work.hold_reductions(
            [
                Reduction("c-1", one.site_id, one.starts, one.baseline_kw, one.reduction_kw, Hold.COMMITTED)
                for one in whole.promises
            ]
        )
    assert bench.tick().unserved == 0
    standing = bench.house.loop.standing()
    for one in whole.promises:
        assert standing.planned_kw[row, int((one.starts - START) / SLOT)] <= one.cap_kw + 1e-6
    for job in (stuck, free):
        assert len(bench.rows(job)) == 4
        assert bench.rows(job)[-1].slot_start + SLOT <= job.window_end


def test_point_24_an_alert_is_answered_by_what_breaks_no_promise(bench: Bench):
    pausable = bench.submit("pausable", allowed_regions=["london"], latest_finish=START + 20 * SLOT)
    fixed = bench.submit("fixed", allowed_regions=["leeds"], latest_finish=START + 20 * SLOT)
    bench.tick()
    first = round((bench.rows(pausable)[0].slot_start - START) / SLOT)
    for slot in range(first + 1):
        bench.at(slot)
        bench.house.dispatcher.dispatch()
    bench.tick()
    bench.at(first + 0.1)
    bench.house.dispatcher.dispatch()
    coming = bench.rows(pausable)[1]
    answer = bench.house.loop.answer_alert("london", [coming.slot_start], coming.power_kw * coming.pue)
    assert answer.action is Action.PAUSE
    assert answer.means is not None
    assert answer.means.job_ids == (pausable.job_id,)
    assert {means.action for means in answer.considered} == {Action.PAUSE, Action.SHIFT}

    row = [row for row in bench.rows(fixed) if row.slot_start > bench.clock.now()]
    if row:
        stays = bench.house.loop.answer_alert("leeds", [row[0].slot_start], row[0].power_kw * row[0].pue)
        assert stays.action is Action.CONTINUE
        assert "missing its deadline" in stays.reason
