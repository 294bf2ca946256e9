from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from accounting.flows import FlowState
from accounting.working_days import WorkingDays
from agents.settlement.register import read_register
from core.errors import InputError
from tests.conformance.project import code_blocks, document
from tests.unit.accounting.samples import EVENT, at

WHOLE = """
bank_holidays = [2026-12-28]

[bl01]
selection = "highest_usage"

[runs.working_days]
SF = 16
R1 = 39

[compensation]
payer = "suppliers_by_final_demand"
payee = "host_supplier"
mode = "mutualised"
triggers = ["WMAN"]
sourcing_costs = [{ valid_from = 2026-08-01, gbp_mwh = "98.53" }]

[[unit]]
site_id = "london"
lead_party = "TESTCO"
bmu = "V__CTEST001"
points = [{ import_msid = "1012345678901", baseline_indicator = "B" }]

[[activation]]
site_id = "london"
settlement_date = 2026-10-20
first_period = 36
last_period = 37
trigger = "WMAN"

[[activation.flows]]
flow = "WMAN"
sent_at = 2026-10-20T15:00:00Z
file_sha256 = "%s"
""" % ("ab" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "settlement.toml"
    made.write_text(WHOLE)
    return made


def test_a_whole_file_is_read(path):
    register = read_register(path)
    assert register.unit("london").bmu == "V__CTEST001"
    assert register.unit("leeds") is None
    assert register.event_days("london") == {EVENT}
    assert register.body.bl01.selection == "highest_usage"
    assert register.body.compensation.sourcing_cost(EVENT) == Decimal("98.53")
    assert [register.activation("london", at(period)) is None for period in (35, 36, 37, 38)] == [
        True,
        False,
        False,
        True,
    ]


def test_the_file_of_the_guide_can_be_read(tmp_path):
    (example,) = code_blocks(document("docs/evidence.md"), "toml")
    path = tmp_path / "settlement.toml"
    path.write_text(example)
    assert read_register(path).activation("london", at(36)).trigger == "WMAN"


def test_without_a_file_no_site_has_a_unit():
    register = read_register(None)
    assert (register.unit("london"), register.activation("london", at(36))) == (None, None)


def test_a_flow_stands_as_the_file_says(path):
    (submission,) = read_register(path).activation("london", at(36)).flows
    now = datetime(2026, 10, 22, tzinfo=UTC)
    assert submission.record(at(36), WorkingDays(), now).state is FlowState.SENT
    assert submission.record(at(33), WorkingDays(), now).state is FlowState.MISSED
    unsent = submission.model_copy(update={"sent_at": None, "file_sha256": None})
    assert unsent.record(at(36), WorkingDays(), now).state is FlowState.MISSED


@pytest.mark.parametrize(
    ("said", "instead", "field"),
    [
        ('bmu = "V__CTEST001"', 'bmu = "2__CTEST001"', "unit.0.bmu"),
        ('flow = "WMAN"', 'flow = "letter"', "flow 'letter'"),
        ("SF = 16", "SF = 60", "runs"),
        ("last_period = 37", "last_period = 51", "last_period"),
        ("bank_holidays", "holidays", "holidays"),
        ('mode = "mutualised"', "mode = ", "is not TOML"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(path, said, instead, field):
    path.write_text(WHOLE.replace(said, instead))
    with pytest.raises(InputError, match=field):
        read_register(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_register(tmp_path / "none.toml")
