from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from accounting.certificates import Certificate, CertificateLedger, whole_wh
from accounting.scope2 import Consumption, FunctionalUnit, Scope2, SoftwareCarbonIntensity
from core.errors import Conflict
from core.slots import SLOT
from tests.unit.accounting.samples import at
from tests.unit.accounting.test_carbon import grid

HALF = ("london", at(36))
METERED = {HALF: Decimal("300.0009"), ("london", at(37)): Decimal(100)}


def certificate(gc_id="gc-1", wh=250_000, **changes):
    fields = {"issuer": "test", "zone": "GB-C", "site_id": "london", "start": at(36), "end": at(36) + 2 * SLOT}
    return Certificate(gc_id=gc_id, wh=wh, **fields | changes)


def test_wh_are_whole_and_rounded_down():
    assert [whole_wh(Decimal(kwh)) for kwh in ("0.0019", "300.0009", "-1")] == [1, 300_000, 0]


def test_a_certificate_is_claimed_once():
    ledger = CertificateLedger()
    ledger.claim(certificate(), "GB-C", {HALF: 100_000}, METERED)
    with pytest.raises(Conflict, match="claimed already"):
        ledger.claim(certificate(), "GB-C", {("london", at(37)): 1}, METERED)
    assert [(each.gc_id, wh) for each, wh in ledger.used(HALF)] == [("gc-1", 100_000)]


def test_a_wh_is_matched_once():
    ledger = CertificateLedger()
    ledger.claim(certificate(), "GB-C", {HALF: 250_000}, METERED)
    with pytest.raises(Conflict, match="left to match"):
        ledger.claim(certificate("gc-2"), "GB-C", {HALF: 50_001}, METERED)
    assert [each.gc_id for each, _ in ledger.used(HALF)] == ["gc-1"]
    ledger.claim(certificate("gc-2"), "GB-C", {HALF: 50_000}, METERED)
    assert ledger.matched_wh(HALF) == 300_000


def test_a_certificate_is_for_its_interval_and_no_more_than_it_says():
    with pytest.raises(Conflict, match="is not for london in the half-hour"):
        CertificateLedger().claim(certificate(), "GB-C", {("london", at(38)): 1}, METERED)
    with pytest.raises(Conflict, match="is not for leeds"):
        CertificateLedger().claim(certificate(), "GB-C", {("leeds", at(36)): 1}, METERED)
    with pytest.raises(Conflict, match="cannot be delivered"):
        CertificateLedger().claim(certificate(), "DE-LU", {HALF: 1}, METERED)
    with pytest.raises(Conflict, match="less than is claimed"):
        CertificateLedger().claim(certificate(wh=10), "GB-C", {HALF: 11}, METERED)


def test_a_certificate_is_matched_with_what_is_left_of_its_half_hours_the_earlier_first():
    ledger = CertificateLedger()
    for gc_id, wh in (("gc-1", 350_000), ("gc-2", 900_000), ("gc-3", 1)):
        ledger.match(certificate(gc_id, wh), "GB-C", METERED)
    used = {(each.gc_id, half[1]): wh for half in METERED for each, wh in ledger.used(half)}
    assert used == {("gc-1", at(36)): 300_000, ("gc-1", at(37)): 50_000, ("gc-2", at(37)): 50_000}
    ledger.match(certificate("gc-3", 1), "GB-C", {("london", at(37)): Decimal(101)})
    with pytest.raises(Conflict, match="gc-3 is claimed already, for london"):
        ledger.match(certificate("gc-3", 1), "GB-C", METERED)


def test_a_certificate_that_is_claimed_elsewhere_is_not_matched():
    ledger = CertificateLedger({"gc-1": "leeds on 2026-10-19"})
    with pytest.raises(Conflict, match="claimed already, for leeds on 2026-10-19"):
        ledger.match(certificate(), "GB-C", METERED)
    with pytest.raises(Conflict, match="cannot be delivered in DE-LU"):
        ledger.match(certificate("gc-2"), "DE-LU", METERED)
    assert ledger.matched_wh(HALF) == 0


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"wh": 0}, "greater than or equal to 1"),
        ({"end": at(36)}, "one half-hour or two"),
        ({"end": at(36) + 3 * SLOT}, "one half-hour or two"),
        ({"start": at(36) + timedelta(minutes=15)}, "from :00 or :30 on"),
        ({"start": at(48), "end": at(48) + 2 * SLOT}, "within one settlement day"),
    ],
)
def test_a_certificate_of_nothing_or_of_no_whole_half_hours_of_a_day_is_refused(changes, why):
    with pytest.raises(ValueError, match=why):
        certificate(**changes)


def test_both_methods_of_scope_2_stand_side_by_side():
    matched = Consumption(Decimal(300), grid(200), Decimal(400), matched_wh=200_000)
    found = Scope2.of([matched, Consumption(Decimal(100), grid(100))])
    assert (found.location_kg, found.market_kg, found.without_residual_mix) == (70, 50, 1)


def test_a_residual_mix_of_nothing_is_not_the_grids_average():
    found = Scope2.of([Consumption(Decimal(300), grid(200), Decimal(0))])
    assert (found.location_kg, found.market_kg, found.without_residual_mix) == (60, 0, 0)


def test_no_more_is_matched_than_was_drawn():
    with pytest.raises(ValueError, match="are matched"):
        Consumption(Decimal(1), grid(200), matched_wh=1001)


def test_sci_is_by_location_whatever_certificates_say():
    drawn = Consumption(Decimal(10), grid(200), matched_wh=10_000)
    assert SoftwareCarbonIntensity.of([drawn], FunctionalUnit("GPU hour", Decimal(4))).operational_g == 2000


@pytest.mark.parametrize(("name", "count"), [("", 1), ("GPU hour", 0)])
def test_a_functional_unit_is_stated(name, count):
    with pytest.raises(ValueError, match="functional unit"):
        FunctionalUnit(name, Decimal(count))
