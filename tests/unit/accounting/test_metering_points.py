from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from accounting.metering_points import BalancingUnit, MeteringPoint, gsp_group_of

PAIR = {"import_msid": "1012345678901", "baseline_indicator": "B"}


def unit(**changes):
    return BalancingUnit.model_validate(
        {"site_id": "london", "lead_party": "TESTCO", "bmu": "V__CTEST001", "points": [PAIR]} | changes
    )


def test_a_unit_carries_its_gsp_group_in_its_name():
    assert unit().gsp_group == "_C"
    assert (gsp_group_of("GB-C"), gsp_group_of("GB"), gsp_group_of("DE-LU")) == ("_C", None, None)


@pytest.mark.parametrize("bmu", ["2__CTEST001", "V__CTEST01", "V__CTEST0011", "V__cTEST001"])
def test_a_name_that_is_no_secondary_unit_is_refused(bmu):
    with pytest.raises(ValidationError, match="bmu"):
        unit(bmu=bmu)


def test_a_metering_point_is_named_once_and_has_13_digits():
    with pytest.raises(ValidationError, match="named twice"):
        unit(points=[PAIR, PAIR])
    with pytest.raises(ValidationError, match="import_msid"):
        unit(points=[PAIR | {"import_msid": "101234567890"}])


def test_consent_is_that_in_force_on_the_day():
    flags = [{"valid_from": "2026-06-01", "shared": True}, {"valid_from": "2026-01-01", "shared": False}]
    point = MeteringPoint.model_validate(PAIR | {"consents": flags})
    assert [point.consent(day) for day in (date(2025, 12, 31), date(2026, 5, 31), date(2026, 6, 1))] == [
        None,
        False,
        True,
    ]


def test_a_pair_is_one_text_with_or_without_export():
    assert MeteringPoint.model_validate(PAIR).pair == "1012345678901/"
    assert MeteringPoint.model_validate(PAIR | {"export_msid": "1012345678902"}).pair == "1012345678901/1012345678902"
