"""What was delivered is settled on actual figures, whoever planned it."""

from __future__ import annotations

import pytest

from benchmarks.backtest.settlement import Delivery, settle
from core.job import capped_levels
from tests.unit.benchmarks.backtest.worlds import TWO_SITES, block


def test_two_half_hours_by_hand() -> None:
    pausable = block(1, kind="pausable", duration_slots=2, power_kw=1.0, pause_cost_gbp=3.0)
    made = [Delivery(0, 1, 1, 2.0), Delivery(1, 0, 0, 1.0), Delivery(1, 0, 1, 1.0)]
    settled = settle(TWO_SITES, [block(), pausable], made)
    # 2 kW at FR for half an hour are 1 kWh at -0.05; 1 kW at GB draws 0.75 kWh in each, at 0.10 and 0.30
    assert settled.energy_gbp.tolist() == pytest.approx([-0.05, 0.75 * 0.4])
    assert settled.carbon_kg.tolist() == pytest.approx([0.040, 0.75 * 0.4])
    assert settled.cost_gbp(100.0).tolist() == pytest.approx([-0.05 + 0.004, 0.3 + 0.03])
    assert settled.pauses.tolist() == [0, 0]
    assert not settled.missed.any()
    assert settled.faults == ()
    assert settled.peak_share == pytest.approx(0.5)


def test_a_job_whose_work_is_not_done_is_missed_and_pays_its_penalty_and_its_energy() -> None:
    settled = settle(TWO_SITES, [block(duration_slots=2), block(1)], [Delivery(0, 1, 0, 2.0)])
    assert settled.missed.tolist() == [True, True]
    assert settled.penalty_gbp.tolist() == [7.0, 7.0]
    assert settled.cost_gbp(0.0).tolist() == pytest.approx([7.2, 7.0])


def test_an_elastic_job_does_the_work_of_its_levels() -> None:
    levels = [level.model_dump() for level in capped_levels(4.0)]
    elastic = block(kind="elastic", levels=levels, work=1.5)
    assert settle(TWO_SITES, [elastic], [Delivery(0, 1, 0, 2.0), Delivery(0, 1, 1, 2.0)]).missed.tolist() == [False]
    short = elastic | {"work": 1.7}
    assert settle(TWO_SITES, [short], [Delivery(0, 1, 0, 2.0), Delivery(0, 1, 1, 2.0)]).missed.tolist() == [True]
    assert settle(TWO_SITES, [elastic], [Delivery(0, 1, 0, 3.1), Delivery(0, 1, 1, 2.0)]).missed.tolist() == [True]


@pytest.mark.parametrize(
    ("job", "made", "fault"),
    [
        (block(power_kw=5.0), [Delivery(0, 0, 0, 5.0)], "gb draws 7.500 kW in half-hour 0 where there are 6.000 kW"),
        (block(earliest_slot=1), [Delivery(0, 0, 0, 2.0)], "outside its window"),
        (block(latest_slot=1), [Delivery(0, 0, 1, 2.0)], "outside its window"),
        (block(sites=("fr",)), [Delivery(0, 0, 0, 2.0)], "a site that it may not use"),
        (block(), [Delivery(0, 0, 0, 2.0), Delivery(0, 1, 0, 2.0)], "twice at once"),
        (block(), [Delivery(0, 0, 0, 2.0), Delivery(0, 1, 1, 2.0)], "two sites"),
    ],
)
def test_what_no_plan_may_do_is_a_fault(job: dict[str, object], made: list[Delivery], fault: str) -> None:
    assert any(fault in found for found in settle(TWO_SITES, [job], made).faults)


def test_a_pause_is_paid_and_breaks_a_block() -> None:
    longer = TWO_SITES.__class__(
        TWO_SITES.start,
        TWO_SITES.zones,
        *(
            figures[:, [0, 1, 0]]
            for figures in (TWO_SITES.price, TWO_SITES.carbon, TWO_SITES.pue, TWO_SITES.headroom_kw)
        ),
    )
    made = [Delivery(0, 0, 0, 2.0), Delivery(0, 0, 2, 2.0), Delivery(1, 0, 0, 1.0)]
    asked = {"duration_slots": 2, "latest_slot": 3}
    paused = settle(longer, [block(kind="pausable", pause_cost_gbp=3.0, **asked), block(1)], made)
    assert paused.pauses.tolist() == [1, 0]
    assert paused.other_gbp.tolist() == [3.0, 0.0]
    (fault,) = settle(longer, [block(**asked), block(1)], made).faults
    assert "interrupted" in fault
