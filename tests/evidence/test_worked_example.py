"""A job moves from the evening of 20 October 2026 to the night after: every figure of it, the carbon rise included."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from decimal import Decimal
from functools import cache

import pytest

from accounting.carbon import Intensity, PeriodCarbon
from accounting.claims import CarbonClaim, ClaimLevel, Draw, FeasibleBaseline
from accounting.compensation import CompensationScheme
from accounting.metering_points import BalancingUnit
from accounting.runs import Restatement, Run
from accounting.settlement_days import SettlementDay
from accounting.volumes import Total, to_meter
from agents.settlement.bodies import PeriodFigures, Place, period_body, restated
from audit.canonical import canonical
from core.series import Kind
from tests.unit.accounting.samples import EVENT, at, days_before, method, worked_history

NIGHT = SettlementDay(EVENT).before(-1).date
UNIT = BalancingUnit.model_validate(
    {
        "site_id": "london",
        "lead_party": "TESTCO",
        "bmu": "V__CTEST001",
        "points": [{"import_msid": "1012345678901", "baseline_indicator": "B"}],
    }
)
SCHEME = CompensationScheme.model_validate(
    {
        "payer": "suppliers_by_final_demand",
        "payee": "host_supplier",
        "mode": "mutualised",
        "triggers": ["WMAN"],
        "sourcing_costs": [{"valid_from": "2026-08-01", "gbp_mwh": "98.53"}],
    }
)
EXPECTED = {
    "settlement_date": "2026-10-20",
    "settlement_period": 36,
    "sp_count": 48,
    "sp_start_utc": "2026-10-20T16:30:00Z",
    "bmu": "V__CTEST001",
    "gsp_group": "_C",
    "method": "BL01",
    "ub_mwh": "-0.5000",
    "ida_mwh": "-0.0100",
    "ida_applied": False,
    "baseline_mwh": "-0.5000",
    "metered_mwh": "-0.3000",
    "deviation_mwh": "0.2000",
    "run": "II",
    "trigger": "WMAN",
    "scrp_gbp_mwh": "98.53",
    "comp": {
        "payer": "suppliers_by_final_demand",
        "payee": "host_supplier",
        "mode": "mutualised",
        "gbp": "19.71",
        "indicative": True,
    },
}
LEAF = "e80c35d18d725979482f65a938587ead88911d05dd9ecdc10bda2a1572a75a09"
MOVED = {at(36): (204, 210), at(6, NIGHT): (101, 95)}
"""intensity by outturn and by forecast, g/kWh"""


@cache
def body(start):
    bl01, history = method(worked_history()), worked_history()
    figures = PeriodFigures(start, bl01.baseline(start, "WMAN"), history[start], frozenset({Kind.SETTLED}), "WMAN")
    place = Place("london", "GB-C", UNIT, UNIT.points[0])
    stated = period_body(
        place, figures, bl01.parameters, SCHEME, lambda text: hashlib.sha256(text.encode()).hexdigest()
    )
    return restated(stated, Run.II, Restatement(0, None))


@cache
def claim(sigma=Decimal("0.03")):
    periods = []
    for start, (outturn, forecast) in MOVED.items():
        imported, usual = to_meter(Decimal(body(start).metered_mwh))[0], to_meter(Decimal(body(start).baseline_mwh))[0]
        periods.append(
            PeriodCarbon(
                site_id="london",
                sp_start=start,
                baseline_kwh=usual,
                actual_kwh=imported,
                sigma_kwh=sigma * usual,
                forecast=Intensity(Decimal(forecast), Decimal(0), Kind.FORECAST, "NESO"),
                outturn=Intensity(Decimal(outturn), Decimal(0), Kind.ESTIMATE, "NESO"),
                marginal=Intensity(Decimal(394), Decimal(0), Kind.ESTIMATE, "CCGT", "NESO 2024"),
                metered=True,
            )
        )
    draws = tuple(Draw("london", each.sp_start, each.baseline_kwh * 2, Decimal(1500)) for each in periods)
    return CarbonClaim("job-1", FeasibleBaseline("run-at-submission", draws), tuple(periods))


def test_the_record_of_the_evening_comes_out_field_by_field():
    stated = body(at(36)).model_dump()
    assert {name: stated[name] for name in EXPECTED} == EXPECTED
    assert canonical({"kind": "settlement_period", "body": {name: stated[name] for name in EXPECTED}}) == canonical(
        {"kind": "settlement_period", "body": EXPECTED}
    )


def test_the_pair_stands_in_the_record_as_a_commitment_only():
    text = canonical(body(at(36)).model_dump()).decode()
    assert UNIT.points[0].import_msid not in text
    assert body(at(36)).msid_pair_commit == hashlib.sha256(b"1012345678901/").hexdigest()


def test_the_ten_days_are_those_before_the_event():
    assert body(at(36)).days_used == [day.isoformat() for day in days_before(EVENT, 10, working=True)]


def test_the_leaf_of_the_short_record_is_the_published_one():
    stated = body(at(36)).model_dump()
    names = "baseline_mwh", "bmu", "deviation_mwh", "metered_mwh", "settlement_date", "settlement_period"
    short = {name: stated[name] for name in names} | {"kind": "settlement_period", "seq": 7}
    assert hashlib.sha256(b"\x00" + canonical(short)).hexdigest() == LEAF


def test_the_deviations_and_their_sum():
    deviations = [Decimal(body(start).deviation_mwh) for start in MOVED]
    assert deviations == [Decimal("0.2000"), Decimal("-0.2080")]
    assert Total.of(deviations) == Total(Decimal("-0.0080"), 2, 0)


def test_the_naive_claim_of_one_job_by_forecast_is_not_what_the_site_saved():
    assert round(100 * Decimal(210 - 95) / 210, 1) == Decimal("54.8")
    assert round(claim().attributional().percent, 1) == Decimal("13.7")


def test_the_attributional_account():
    saving = claim().attributional()
    assert round(saving.of.kg, 2) == Decimal("144.42")
    assert round(saving.of.kg - saving.saved.kg, 2) == Decimal("124.63")
    assert round(saving.saved.kg, 2) == Decimal("19.79")
    assert round(saving.saved.u95_kg, 1) == Decimal("6.5")
    assert saving.level is ClaimLevel.METERED


def test_by_the_consequential_account_emissions_rise():
    avoided = claim().consequential()
    assert round(avoided.saved.kg, 2) == Decimal("-3.15")
    assert [each.sp_start for each in claim().rebound] == [at(6, NIGHT)]


@pytest.mark.parametrize("start", list(MOVED))
def test_a_balanced_accepted_bid_would_be_adjusted(start):
    bl01 = method(worked_history())
    accepted = bl01.baseline(start, "BOA")
    assert accepted.ida_applied
    assert replace(accepted, ida_applied=False, baseline_mwh=accepted.ub_mwh) == bl01.baseline(start, "WMAN")
