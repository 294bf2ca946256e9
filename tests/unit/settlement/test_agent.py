from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from accounting.runs import as_of, binding
from agents.settlement.bodies import statement_of
from audit.log import AuditLog
from core.errors import LogUnavailable
from core.slots import SLOT, SLOTS_PER_DAY, format_utc
from tests.house import START, Bench

UNIT = """
[[unit]]
site_id = "london"
lead_party = "TESTCO"
bmu = "V__CTEST001"
points = [{ import_msid = "1012345678901", baseline_indicator = "B" }]
"""
ACTIVATION = """
[[activation]]
site_id = "london"
settlement_date = 2023-03-01
first_period = 36
last_period = 37
trigger = "BOA"
"""


def register(bench: Bench) -> Path:
    return bench.house.settings.settlement_file


def state(bench: Bench, slot: float) -> list[dict]:
    """Bodies that a look at slot ``slot`` appends, in order."""
    before, _ = bench.house.log.head()
    bench.at(slot)
    bench.house.loop._tick._with.settlement.state(bench.clock.now())
    after, _ = bench.house.log.head()
    return [bench.house.log.get(seq).body for seq in range(before, after)]


def begin(bench: Bench) -> None:
    """A job on the log, so that the log has begun; none of it at a site that is settled."""
    bench.submit(allowed_regions=["oslo"])
    bench.tick()


def test_a_day_is_stated_once_it_has_passed_for_sites_in_gsp_groups(bench: Bench):
    begin(bench)
    assert state(bench, SLOTS_PER_DAY - 1) == []
    stated = state(bench, SLOTS_PER_DAY)
    assert len(stated) == 2 * SLOTS_PER_DAY
    assert {body["site_id"] for body in stated} == {"london", "leeds"}
    assert [body["settlement_period"] for body in stated[:SLOTS_PER_DAY]] == list(range(1, 49))
    assert state(bench, SLOTS_PER_DAY + 1) == []


def test_without_a_unit_nothing_is_made_up(bench: Bench):
    begin(bench)
    body = state(bench, SLOTS_PER_DAY)[0]
    unknown = "bmu", "lead_party", "msid_pair_commit", "baseline_indicator", "consent", "run", "trigger", "comp"
    assert [body[name] for name in unknown] == [None] * len(unknown)
    assert (body["gsp_group"], body["data_kinds"], body["flows"]) == ("_C", ["simulated"], [])
    assert body["baseline_mwh"] == body["metered_mwh"]
    assert body["deviation_mwh"] == "0.0000"
    assert Decimal(body["metered_mwh"]) < 0
    assert len(body["days_used"]) == 10
    assert len(body["accuracy"]["days"]) == 10


def test_a_job_counts_at_the_meter(bench: Bench):
    job = bench.submit(allowed_regions=["london"], power_kw=30)
    bench.tick()
    first, last = bench.rows(job)[0].slot_start, bench.rows(job)[-1].slot_start
    bench.clock.set(first)
    bench.house.dispatcher.dispatch()
    bench.clock.set(last + SLOT)
    bench.house.dispatcher.dispatch()
    row = bench.rows(job)[0]
    assert row.delivered_kwh
    stated = {body["sp_start_utc"]: body for body in state(bench, 2 * SLOTS_PER_DAY) if body["site_id"] == "london"}
    own_kw = bench.house.sites.read_meters(bench.house.sites.sites()[:1], first, 1)[0][0, 0]
    metered_kwh = -1000 * float(stated[format_utc(first)]["metered_mwh"])
    assert metered_kwh == pytest.approx(own_kw * 0.5 + row.site_kwh, abs=0.1)


def test_a_unit_is_named_with_its_pair_as_a_commitment(bench: Bench):
    register(bench).write_text(UNIT)
    begin(bench)
    body = state(bench, SLOTS_PER_DAY)[0]
    assert (body["bmu"], body["run"], body["baseline_indicator"]) == ("V__CTEST001", "II", "B")
    assert body["msid_pair_commit"] == bench.house.log.commit("msid_pair", "1012345678901/")
    assert "1012345678901" not in bench.house.log.path.read_text()


def test_an_activation_noted_later_restates_its_periods_and_keeps_the_earlier_view(bench: Bench):
    register(bench).write_text(UNIT)
    begin(bench)
    state(bench, SLOTS_PER_DAY)
    register(bench).write_text(UNIT + ACTIVATION)
    stated = state(bench, SLOTS_PER_DAY + 1)
    assert [body["settlement_period"] for body in stated] == [36, 37]
    assert [(body["revision"], body["trigger"], body["ida_applied"]) for body in stated] == [(1, "BOA", True)] * 2
    assert stated[0]["window_test"] is not None
    records, _ = bench.house.log.records(kind="settlement_period", limit=1000)
    versions = [statement_of(record.seq, record.recorded_at, record.body) for record in records]
    (key,) = {each.key for each in versions if each.seq == bench.house.log.head()[0] - 2}
    then = min(each.recorded_at for each in versions if each.key == key)
    assert as_of(versions, then)[key].figures["trigger"] is None
    assert as_of(versions, bench.clock.now())[key].figures["trigger"] == "BOA"
    assert binding(versions, bench.clock.now()) == {}


@pytest.mark.parametrize(("sent_at", "trigger", "flow"), [("16:00", "WMAN", "sent"), ("16:31", None, "missed")])
def test_a_notification_that_was_missed_triggers_nothing(bench: Bench, sent_at: str, trigger: str, flow: str):
    sent = f'{{ flow = "WMAN", sent_at = 2023-03-01T{sent_at}:00Z, file_sha256 = "{"ab" * 32}" }}'
    activation = ACTIVATION.replace("BOA", "WMAN").replace("last_period = 37", "last_period = 36")
    register(bench).write_text(f"{UNIT}{activation}flows = [{sent}]\n")
    begin(bench)
    (body,) = [body for body in state(bench, SLOTS_PER_DAY) if body["flows"]]
    assert (body["trigger"], body["flows"][0]["state"], body["ida_applied"]) == (trigger, flow, False)
    assert (body["baseline_mwh"] == body["metered_mwh"]) is (trigger is None)


def test_nothing_is_stated_again_after_a_restart(bench: Bench):
    begin(bench)
    assert state(bench, SLOTS_PER_DAY)
    bench.house.close()
    again = Bench.build(bench.folder, at=bench.clock.now(), settlement_file=register(bench))
    try:
        assert state(again, SLOTS_PER_DAY) == []
    finally:
        again.house.close()


def test_a_meter_keeps_what_it_said_when_a_site_is_changed(bench: Bench):
    begin(bench)
    state(bench, SLOTS_PER_DAY)
    sites = bench.house.sites
    sites.change(sites.get("london").model_copy(update={"own_load_kw": 5.0}))
    assert state(bench, SLOTS_PER_DAY + 1) == []


def test_a_file_that_cannot_be_used_states_nothing_and_stops_no_plan(bench: Bench):
    begin(bench)
    register(bench).write_text("unit = 3")
    assert state(bench, SLOTS_PER_DAY) == []
    register(bench).write_text("")
    assert len(state(bench, SLOTS_PER_DAY + 0.5)) == 2 * SLOTS_PER_DAY


class FullLog:
    """A log that can be read but not written."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    def append_all(self, bodies: object) -> None:
        raise LogUnavailable("the disk is full")


def test_what_the_log_did_not_take_is_stated_later(bench: Bench):
    begin(bench)
    settlement = bench.house.loop._tick._with.settlement
    settlement._log = FullLog(bench.house.log)
    with pytest.raises(LogUnavailable):
        state(bench, SLOTS_PER_DAY)
    settlement._log = bench.house.log
    assert len(state(bench, SLOTS_PER_DAY)) == 2 * SLOTS_PER_DAY


def test_a_log_that_has_not_begun_has_nothing_to_state(bench: Bench):
    assert state(bench, 3 * SLOTS_PER_DAY) == []
    assert bench.clock.now() > START


def test_the_tick_states(bench: Bench):
    begin(bench)
    bench.at(SLOTS_PER_DAY)
    bench.tick()
    _, count = bench.house.log.records(kind="settlement_period")
    assert count == 2 * SLOTS_PER_DAY
