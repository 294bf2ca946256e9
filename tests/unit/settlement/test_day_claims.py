"""Claims of a day's deliveries, added up from their records."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from accounting.claims import ClaimLevel
from agents.settlement.claims import ClaimInForce
from agents.settlement.day_claims import day_claims, recorded_claim
from audit.record import Record
from core.ledger import Leg
from core.series import Kind
from tests.unit.agents.test_carbon import START, body, row

TURNED_OUT = {"carbon_kind": Kind.ESTIMATE, "delivered_kwh": 50.0}


def claimed(seq: int = 7, job_id: str = "job-1", slot: int = 10, **changes: object) -> ClaimInForce:
    """A delivery whose job moved from the first half-hour to ``slot``, where the grid is half as dirty."""
    plan = replace(row(slot, g=100.0), **{**TURNED_OUT, **changes})
    carbon = body([plan], [replace(row(0, Leg.BASELINE), **TURNED_OUT)])
    told = {"job_id": job_id, "carbon": carbon.model_dump()}
    return ClaimInForce((Record(seq, "", "", "delivery", START, told, b""),))


def test_a_claim_is_read_with_its_interval_and_every_half_hour_of_either_course():
    told = claimed().carbon
    claim = recorded_claim("job-1", told)
    assert {(site, (start - START).seconds // 1800) for site, start in claim.halves} == {("london", 0), ("london", 10)}
    low, high = (Decimal(told["attributional"][name]) for name in ("low_kg", "high_kg"))
    assert [round(end, 6) for end in claim.attributional.interval_kg] == [low, high]
    assert (claim.policy, claim.level, claim.consequential) == ("run-at-submission", ClaimLevel.METERED, None)


def test_a_half_hour_drawn_as_the_baseline_would_have_is_one_of_the_claim():
    carbon = body([row(0)], [row(0, Leg.BASELINE)]).model_dump()
    assert (carbon["displaced"], carbon["rebound"]) == ([], [])
    assert recorded_claim("job-1", carbon).halves == {("london", START)}


def test_the_sum_is_that_of_the_records():
    records = [claimed(), claimed(9, "job-2", 20), claimed(11, "job-3", carbon_kind=Kind.FORECAST)]
    found = day_claims(records).book.attributional()
    known = [record.carbon["attributional"] for record in records]
    assert found.saved.kg == sum(Decimal(each["saved_kg"]) for each in known if each)
    assert (found.level, found.parts, found.unknown) == (ClaimLevel.METERED, 3, 1)


def test_a_record_that_counts_a_half_hour_of_its_job_again_is_left_out_and_named():
    once, twice = day_claims([claimed()]), day_claims([claimed(), claimed(9, slot=20)])
    assert twice.book.attributional() == once.book.attributional()
    assert list(twice.refused) == [9]
    assert "job-1 has claimed its kWh of 2026-10-20 16:30Z at london already" in twice.refused[9]
