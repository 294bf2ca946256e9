"""Points 22 and 23 of the checklist: what a claim of carbon may say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mypy import api
from pydantic import ValidationError

from accounting.carbon import Attributional
from accounting.claims import CarbonClaim, ClaimLevel, FeasibleBaseline, Saving
from agents.settlement.claims import ClaimInForce
from agents.settlement.day_claims import day_claims
from agents.settlement.register import read_register
from audit.bodies.carbon import CarbonClaimBody, ShareBody
from audit.record import Record
from core.errors import Conflict, InputError
from core.ledger import Leg
from core.series import Kind
from core.slots import SLOTS_PER_DAY
from tests.evidence.test_worked_example import claim
from tests.house import START, Bench
from tests.unit.agents.test_carbon import body, row
from tests.unit.settlement.test_agent import begin, state
from tests.unit.settlement.test_scope2 import NOON, TWINS, certificate, claimed, in_force, restarted
from web.statements import Account, accounts, statement

KWH = st.floats(0, 1000).map(lambda kwh: round(kwh, 3))


def delivery(seq, job_id, carbon):
    told = {"job_id": job_id, "carbon": carbon.model_dump()}
    return ClaimInForce((Record(seq, "", "", "delivery", START, told, b""),))


@given(st.lists(st.tuples(KWH, KWH), min_size=1, max_size=3))
def test_point_22_the_claim_is_the_sum_of_the_records_rebound_included(energies):
    records = []
    for number, (usual, drawn) in enumerate(energies):
        plan = replace(row(10, g=100.0), delivered_kwh=drawn, carbon_kind=Kind.ESTIMATE)
        baseline = replace(row(0, Leg.BASELINE), delivered_kwh=usual, carbon_kind=Kind.ESTIMATE)
        records.append(delivery(number, f"job-{number}", body([plan], [baseline])))
    told = [record.carbon for record in records]
    total = day_claims(records).book.attributional().saved
    assert total.kg == sum(Decimal(each["attributional"]["saved_kg"]) for each in told)
    moved = [
        (each["mwh"], g) for claim in told for name, g in (("displaced", 200), ("rebound", 100)) for each in claim[name]
    ]
    assert abs(total.kg - sum(Decimal(mwh) * g for mwh, g in moved)) < Decimal("0.001")


def test_point_22_a_claim_without_its_rebound_is_refused():
    whole = claim()
    with pytest.raises(Conflict, match="leaves out 1"):
        CarbonClaim(whole.subject, whole.baseline, whole.periods[:1])


def test_point_22_no_kwh_is_claimed_twice():
    carbon = body([row(10, g=100.0)], [row(0, Leg.BASELINE)])
    once, twice = (day_claims([delivery(seq, "job-1", carbon) for seq in range(count)]) for count in (1, 2))
    assert twice.book.by_forecast() == once.book.by_forecast()
    assert "claimed its kWh" in twice.refused[1]


def test_point_22_no_certificate_is_claimed_twice(tmp_path):
    path = tmp_path / "settlement.toml"
    path.write_text(certificate())
    bench = Bench.build(tmp_path / "var", sites=TWINS, settlement_file=path)
    begin(bench)
    state(bench, SLOTS_PER_DAY)
    bench.at(10 * SLOTS_PER_DAY)
    again = restarted(bench)
    path.write_text(certificate(site_id="leeds", start=NOON + timedelta(days=9)))
    assert claimed(state(again, 10 * SLOTS_PER_DAY), "leeds") == {}
    assert in_force(again) == {"gc-1": {"london"}}
    again.house.close()
    path.write_text(certificate() + certificate(site_id="leeds"))
    with pytest.raises(InputError, match="gc-1 is listed twice"):
        read_register(path)


def test_point_22_scope_2_is_stated_by_both_methods_and_no_saving_is_taken_off_it(tmp_path):
    path = tmp_path / "settlement.toml"
    path.write_text(certificate())
    bench = Bench.build(tmp_path / "var", sites=TWINS, settlement_file=path)
    begin(bench)
    stated = [each for each in state(bench, SLOTS_PER_DAY) if each["site_id"] == "london"]
    found = statement(bench.house.log, "london", START.date(), bench.clock.now()).scope2
    bench.house.close()
    assert found.location_kg == sum(Decimal(each["scope2"]["location_kg"]) for each in stated)
    assert found.market_kg == sum(Decimal(each["scope2"]["market_kg"]) for each in stated) < found.location_kg
    assert [(each.gc_id, each.matched_wh) for each in found.certificates] == [("gc-1", found.matched_wh)]
    assert {kind for kind, _ in found.sources} == {"simulated"}


@pytest.mark.slow
def test_point_22_the_two_accounts_are_different_types_to_mypy(tmp_path):
    module = tmp_path / "sums.py"
    lines = [
        "from accounting.carbon import Attributional, Consequential",
        "def total(a: Attributional, c: Consequential):",
    ]
    module.write_text("\n".join([*lines, "    a + a", "    a + c", ""]))
    told, _, status = api.run(["--strict", "--check-untyped-defs", str(module)])
    assert status == 1
    assert [line for line in told.splitlines() if "operand" in line and ":4:" in line]
    assert not [line for line in told.splitlines() if ":3:" in line]


@pytest.mark.parametrize("left_out", ["against", "level", "saved"])
def test_point_23_no_saving_without_baseline_level_and_interval(left_out):
    mass = Attributional(Decimal(20), Decimal(3))
    whole = {"against": claim().baseline, "level": ClaimLevel.METERED, "saved": mass, "of": mass}
    assert Saving(**whole).percent == 100
    with pytest.raises(TypeError):
        Saving(**{name: value for name, value in whole.items() if name != left_out})


def test_point_23_the_baseline_has_a_name_and_could_have_been_run():
    draw = claim().baseline.schedule[0]
    with pytest.raises(Conflict, match="could not have been run"):
        FeasibleBaseline("dearest hour", (replace(draw, kw=draw.room_kw + 1),))
    with pytest.raises(Conflict, match="needs the name"):
        FeasibleBaseline("", (draw,))


def test_point_23_the_sum_of_a_day_says_all_three():
    share = ShareBody(saved_kg="19.79", low_kg="13.29", high_kg="26.29", baseline_kg="144.42", saved_percent="13.70")
    carbon = body([row(10)], [row(0, Leg.BASELINE)]).model_copy(update={"attributional": share})
    found = day_claims([delivery(1, "job-1", carbon)])
    assert accounts(found)["attributional"] == Account("19.790000", "13.290000", "26.290000", "forecast", 1, 0)
    assert found.book.policies == ("run-at-submission",)


@pytest.mark.parametrize("field", ["baseline_policy", "claim_level", "baseline_schedule", "rebound"])
def test_point_23_no_record_of_a_claim_without_them(field):
    with pytest.raises(ValidationError, match=field):
        CarbonClaimBody.model_validate({})


def test_point_23_the_record_of_a_share_has_its_interval():
    share = {"saved_kg": "1", "baseline_kg": "2", "saved_percent": "50"}
    with pytest.raises(ValidationError, match="low_kg"):
        CarbonClaimBody.model_validate({"attributional": share})
