from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounting.flows import FLOWS, RECEIPT, SETTLEMENT_REPORT, FlowRecord, FlowState
from accounting.working_days import WorkingDays
from core.errors import Conflict
from tests.unit.accounting.samples import at

SP = at(36)
CLOSED = datetime(2026, 10, 20, 15, 30, tzinfo=UTC)
EARLY = CLOSED - timedelta(minutes=30)
CALENDAR = WorkingDays(frozenset({date(2026, 10, 21)}))
FILE = "ab" * 32
MESSAGES = [RECEIPT, SETTLEMENT_REPORT, *sorted({code for flow in FLOWS.values() for code in flow.answers})]


def due(name="SEV"):
    return FlowRecord.due(name, SP, CALENDAR)


@pytest.mark.parametrize(
    ("name", "deadline"),
    [
        ("WMAN", CLOSED),
        ("ECVN", CLOSED),
        ("SEV", CLOSED),
        ("SEV default", datetime(2026, 10, 19, 22, 59, tzinfo=UTC)),
        ("delivered volume", datetime(2026, 10, 22, 23, tzinfo=UTC)),
    ],
)
def test_each_flow_has_its_deadline(name, deadline):
    assert due(name).deadline == deadline


def test_at_gate_closure_a_file_is_in_time_and_after_it_is_missed():
    assert due().sent(CLOSED, FILE).state is FlowState.SENT
    late = due().sent(CLOSED + timedelta(seconds=1), FILE)
    assert (late.state, late.sent_at, late.file_sha256) == (
        FlowState.MISSED,
        CLOSED + timedelta(seconds=1),
        FILE,
    )


def test_what_is_due_is_missed_once_its_deadline_has_passed():
    assert due().looked_at(CLOSED) == due()
    assert due().looked_at(CLOSED + timedelta(seconds=1)).state is FlowState.MISSED
    sent = due().sent(EARLY, FILE)
    assert sent.looked_at(CLOSED + timedelta(days=1)) is sent


def test_a_receipt_is_no_acceptance():
    assert due().sent(EARLY, FILE).answered(RECEIPT, EARLY).state is FlowState.ACKNOWLEDGED


def test_an_accepted_volume_is_settled_by_a_settlement_report():
    accepted = due().sent(EARLY, FILE).answered(RECEIPT, EARLY).answered("P0330", EARLY)
    assert accepted.state is FlowState.ACCEPTED
    assert accepted.answered(SETTLEMENT_REPORT, EARLY).state is FlowState.SETTLED


def test_a_rejection_keeps_its_code():
    refused = due().sent(EARLY, FILE).answered("P0329", EARLY, "unit not registered")
    assert (refused.state, refused.reject_code) == (FlowState.REJECTED, "unit not registered")


def test_a_notification_is_never_accepted_but_may_be_settled():
    sent = due("WMAN").sent(EARLY, FILE)
    assert not sent.flow.tells_acceptance
    with pytest.raises(Conflict, match="does not answer"):
        sent.answered("P0330", EARLY)
    assert sent.answered(SETTLEMENT_REPORT, EARLY).state is FlowState.SETTLED


def test_what_was_not_accepted_cannot_be_settled():
    with pytest.raises(Conflict, match="not accepted"):
        due().sent(EARLY, FILE).answered(SETTLEMENT_REPORT, EARLY)


def test_acceptance_cannot_be_made_up():
    sent = due().sent(EARLY, FILE)
    with pytest.raises(Conflict, match="no message that accepts it"):
        FlowRecord(sent.flow, sent.deadline, FlowState.ACCEPTED, EARLY)
    with pytest.raises(Conflict, match="no message that accepts it"):
        FlowRecord(sent.flow, sent.deadline, FlowState.ACCEPTED, EARLY, heard=RECEIPT)


def test_nothing_is_sent_twice_or_answered_before_it_is_sent():
    with pytest.raises(Conflict, match="cannot become"):
        due().sent(EARLY, FILE).sent(EARLY, FILE)
    with pytest.raises(Conflict, match="cannot become"):
        due().answered("P0330", EARLY)


@given(st.sampled_from(sorted(FLOWS)), st.lists(st.sampled_from(MESSAGES), max_size=6), st.booleans())
def test_whatever_is_heard_only_an_acceptance_makes_accepted(name, messages, late):
    record = due(name).sent(CLOSED + timedelta(days=9) if late else CLOSED - timedelta(days=2), FILE)
    for message in messages:
        try:
            record = record.answered(message, EARLY)
        except Conflict:
            continue
    heard_acceptance = any(FLOWS[name].answers.get(message) is FlowState.ACCEPTED for message in messages)
    assert record.state is not FlowState.ACCEPTED or (heard_acceptance and not late)
