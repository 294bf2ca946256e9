from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from accounting.certificates import Certificate, CertificateLedger, whole_wh
from accounting.scope2 import Consumption, FunctionalUnit, Hardware, Scope2, SoftwareCarbonIntensity
from core.errors import Conflict
from core.slots import SLOT
from tests.unit.accounting.samples import at
from tests.unit.accounting.test_carbon import grid

HALF = ("london", at(36))
METERED = {HALF: Decimal("300.0009"), ("london", at(37)): Decimal(100)}


def certificate(gc_id="gc-1", wh=250_000, **changes):
    fields = {"issuer": "test", "zone": "GB-C", "start": at(36), "end": at(36) + 2 * SLOT}
    return Certificate(gc_id=gc_id, wh=wh, **fields | changes)


def test_wh_are_whole_and_rounded_down():
    assert [whole_wh(Decimal(kwh)) for kwh in ("0.0019", "300.0009", "-1")] == [1, 300_000, 0]


def test_a_certificate_is_claimed_once():
    ledger = CertificateLedger()
    ledger.claim(certificate(), "GB-C", {HALF: 100_000}, METERED)
    with pytest.raises(Conflict, match="claimed already"):
        ledger.claim(certificate(), "GB-C", {("london", at(37)): 1}, METERED)
    assert (ledger.matched_wh(HALF), ledger.gc_ids(HALF)) == (100_000, ("gc-1",))


def test_a_wh_is_matched_once():
    ledger = CertificateLedger()
    ledger.claim(certificate(), "GB-C", {HALF: 250_000}, METERED)
    with pytest.raises(Conflict, match="left to match"):
        ledger.claim(certificate("gc-2"), "GB-C", {HALF: 50_001}, METERED)
    assert ledger.gc_ids(HALF) == ("gc-1",)
    ledger.claim(certificate("gc-2"), "GB-C", {HALF: 50_000}, METERED)
    assert ledger.matched_wh(HALF) == 300_000


def test_a_certificate_is_for_its_interval_and_no_more_than_it_says():
    with pytest.raises(Conflict, match="is not for the half-hour"):
        CertificateLedger().claim(certificate(), "GB-C", {("london", at(38)): 1}, METERED)
    with pytest.raises(Conflict, match="cannot be delivered"):
        CertificateLedger().claim(certificate(), "DE-LU", {HALF: 1}, METERED)
    with pytest.raises(Conflict, match="less than is claimed"):
        CertificateLedger().claim(certificate(wh=10), "GB-C", {HALF: 11}, METERED)


@pytest.mark.parametrize("changes", [{"wh": 0}, {"end": at(36)}, {"end": at(36) + timedelta(minutes=61)}])
def test_a_certificate_longer_than_an_hour_or_of_nothing_is_refused(changes):
    with pytest.raises(ValueError, match="at least 1 Wh and at most an hour"):
        certificate(**changes)


def test_both_methods_of_scope_2_stand_side_by_side():
    matched = Consumption(Decimal(300), grid(200), grid(400), matched_wh=200_000)
    found = Scope2.of([matched, Consumption(Decimal(100), grid(100))])
    assert (found.location_kg, found.market_kg, found.without_residual_mix) == (70, 50, 1)


def test_no_more_is_matched_than_was_drawn():
    with pytest.raises(ValueError, match="are matched"):
        Consumption(Decimal(1), grid(200), matched_wh=1001)


def test_sci_is_operational_and_embodied_carbon_for_each_unit():
    hardware = Hardware(Decimal(3_000_000), Decimal(40_000), Decimal(4), Decimal("0.5"))
    sci = SoftwareCarbonIntensity.of(
        [Consumption(Decimal(10), grid(200), matched_wh=10_000)], [hardware], FunctionalUnit("GPU hour", Decimal(4))
    )
    assert (hardware.share_g, sci.operational_g, sci.g_per_unit) == (150, 2000, Decimal("537.5"))


@pytest.mark.parametrize(("name", "count"), [("", 1), ("GPU hour", 0)])
def test_a_functional_unit_is_stated(name, count):
    with pytest.raises(ValueError, match="functional unit"):
        FunctionalUnit(name, Decimal(count))


def test_hardware_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="lifetime above 0"):
        Hardware(Decimal(1), Decimal(0), Decimal(1), Decimal(1))
