"""Points 22 and 23 of the checklist: what a claim of carbon may say."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mypy import api
from pydantic import ValidationError

from accounting.carbon import Attributional
from accounting.certificates import Certificate, CertificateLedger
from accounting.claims import CarbonClaim, ClaimBook, ClaimLevel, FeasibleBaseline, Saving
from audit.bodies.carbon import CarbonClaimBody
from core.errors import Conflict
from core.slots import SLOT
from tests.evidence.test_worked_example import claim
from tests.unit.accounting.samples import at

KWH = st.decimals(0, 1000, places=3)


@given(st.lists(st.tuples(KWH, KWH), min_size=2, max_size=2))
def test_point_22_the_claim_is_the_sum_of_the_records_rebound_included(energies):
    whole = claim()
    periods = [
        replace(period, baseline_kwh=usual, actual_kwh=drawn)
        for period, (usual, drawn) in zip(whole.periods, energies, strict=True)
    ]
    book = ClaimBook()
    book.add(replace(whole, periods=tuple(periods)))
    records = [period.saved_kwh * period.outturn.g_per_kwh / 1000 for period in periods]
    assert book.saved_kg() == sum(records, Decimal(0))


def test_point_22_a_claim_without_its_rebound_is_refused():
    whole = claim()
    with pytest.raises(Conflict, match="leaves out 1"):
        CarbonClaim(whole.subject, whole.baseline, whole.periods[:1])


def test_point_22_no_kwh_is_claimed_twice():
    book = ClaimBook()
    book.add(claim())
    with pytest.raises(Conflict, match="already"):
        book.add(claim())


def test_point_22_no_certificate_is_claimed_twice():
    ledger, half = CertificateLedger(), ("london", at(36))
    certificate = Certificate("gc-1", "test", "GB-C", at(36), at(36) + SLOT, 100)
    ledger.claim(certificate, "GB-C", {half: 100}, {half: Decimal(300)})
    with pytest.raises(Conflict, match="claimed already"):
        ledger.claim(certificate, "GB-C", {half: 1}, {half: Decimal(300)})


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


def test_point_23_a_headline_says_all_three():
    headline = claim().attributional().headline()
    assert headline == "19.8 kg (13.7 %), 95 % 13.3 to 26.3 kg, against run-at-submission, metered"


@pytest.mark.parametrize("field", ["baseline_policy", "claim_level", "baseline_schedule", "rebound"])
def test_point_23_no_record_of_a_claim_without_them(field):
    with pytest.raises(ValidationError, match=field):
        CarbonClaimBody.model_validate({})


def test_point_23_the_record_of_a_share_has_its_interval():
    share = {"saved_kg": "1", "baseline_kg": "2", "saved_percent": "50"}
    with pytest.raises(ValidationError, match="low_kg"):
        CarbonClaimBody.model_validate({"attributional": share})
