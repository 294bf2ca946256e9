"""Points 16 to 21 of the checklist: what a dispute about a settlement period turns on."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounting.bl01 import Baseline, Bl01Parameters, Days
from accounting.flows import FLOWS, RECEIPT, FlowRecord, FlowState
from accounting.placebo import placebo
from accounting.runs import PeriodKey, Run, as_of, binding, restate
from accounting.settlement_days import SettlementDay
from accounting.volumes import PairVolume, from_meter, to_meter
from accounting.working_days import WorkingDays
from agents.settlement.bodies import PeriodFigures, Place, figures_of, period_body, restated, statement_of
from agents.settlement.statement import day_statement
from audit.record import Record
from core.errors import Conflict, InputError
from core.slots import SLOT, SLOTS_PER_DAY, format_utc, settlement_period
from tests.evidence.test_worked_example import UNIT, body
from tests.house import Bench, small_site
from tests.unit.accounting.samples import EVENT, at, flat, method, put, worked_history
from tests.unit.settlement.test_agent import state

KWH = st.decimals(0, 10_000, places=3)
LONG_AGO = EVENT - timedelta(days=61)
CLOSED = at(34)
TWO_PAIRS = UNIT.model_copy(
    update={"points": (*UNIT.points, UNIT.points[0].model_copy(update={"import_msid": "1012345678902"}))}
)


@pytest.mark.parametrize(
    ("day", "count", "first"),
    [
        (date(2027, 3, 28), 46, datetime(2027, 3, 28, tzinfo=UTC)),
        (date(2026, 10, 20), 48, datetime(2026, 10, 19, 23, tzinfo=UTC)),
        (date(2026, 10, 25), 50, datetime(2026, 10, 24, 23, tzinfo=UTC)),
    ],
)
def test_point_16_days_have_46_48_or_50_periods_at_the_right_offset(day, count, first):
    starts = SettlementDay(day).starts()
    assert (len(starts), starts[0]) == (count, first)
    assert [settlement_period(start).period for start in starts] == list(range(1, count + 1))


def test_point_16_period_47_of_a_short_day_is_refused():
    with pytest.raises(InputError, match="1 to 46, not 47"):
        SettlementDay(date(2027, 3, 28)).period_start(47)


def test_point_17_a_constant_history_is_its_own_baseline():
    assert method(flat(LONG_AGO, EVENT)).baseline(at(36), "BOA").baseline_mwh == Decimal("-0.5")


def test_point_17_ten_kwh_more_in_the_whole_window_adjust_by_ten():
    history = flat(LONG_AGO, EVENT)
    for period in range(28, 34):
        put(history, EVENT, period, 510)
    assert method(history).baseline(at(36), "BOA").ida_mwh == Decimal("-0.01")


def test_point_17_event_days_are_skipped_and_used_only_when_data_are_short():
    yesterday, day = EVENT - timedelta(days=1), SettlementDay(EVENT)
    assert method(flat(LONG_AGO, EVENT), yesterday).days(day).skipped == (yesterday,)
    short = method(flat(EVENT - timedelta(days=14), EVENT), yesterday)
    assert yesterday in short.days(day).used


def test_point_17_bank_holidays_missing_periods_and_clock_changes_drop_a_day():
    history = flat(date(2026, 8, 1), date(2026, 11, 1))
    assert date(2026, 8, 31) not in method(history).days(SettlementDay(date(2026, 9, 2))).used
    assert date(2026, 10, 25) not in method(history).days(SettlementDay(date(2026, 11, 1))).used
    del history[at(1, EVENT - timedelta(days=1))]
    assert EVENT - timedelta(days=1) not in method(history).days(SettlementDay(EVENT)).used


def test_point_17_a_notification_alone_is_not_adjusted_and_nothing_at_all_is_metered():
    bl01 = method(worked_history())
    assert bl01.baseline(at(36), "WMAN").baseline_mwh == Decimal("-0.5")
    assert bl01.baseline(at(36), None).baseline_mwh == Decimal("-0.3")


def test_point_17_neither_order_nor_the_future_matters():
    history = worked_history()
    known = [(start, mwh) for start, mwh in history.items() if start < CLOSED]
    random.Random(1).shuffle(known)
    assert method(dict(known)).baseline(at(36), "BOA") == method(history).baseline(at(36), "BOA")


def test_point_17_bias_and_cvrmse_are_reported_on_placebo_days():
    history = flat(EVENT - timedelta(days=130), EVENT)
    noise = random.Random(3)
    for start in list(history):
        history[start] = from_meter(Decimal(500 + noise.randint(-25, 25)))
    found = placebo(method(history), SettlementDay(EVENT))
    assert len(found.days) == 10
    assert abs(found.bias) < Decimal("0.01")
    assert Decimal("0.02") < found.cvrmse < Decimal("0.05")


@given(KWH, KWH)
def test_point_18_turn_down_is_positive_and_meters_round_trip(usual, metered):
    deviation = PairVolume("B", from_meter(metered), from_meter(usual)).deviation_mwh
    assert (deviation >= 0) if metered <= usual else (deviation <= 0)
    assert to_meter(from_meter(metered)) == (metered, 0)
    assert to_meter(from_meter(Decimal(0), metered)) == (0, metered)


def test_point_19_a_restatement_appends_and_every_earlier_view_can_be_had():
    first, when = body(at(36)), datetime(2026, 10, 21, tzinfo=UTC)
    key = PeriodKey("london", EVENT, 36, first.msid_pair_commit)
    held = statement_of(4, when, first.model_dump())
    corrected = first.model_copy(update={"metered_mwh": "-0.3010", "deviation_mwh": "0.1990"})
    version = restate(held, Run.SF, figures_of(corrected.model_dump()))
    second = restated(corrected, Run.SF, version)
    assert (second.revision, second.supersedes_seq, second.run) == (1, 4, "SF")
    records = [held, statement_of(9, when + timedelta(days=20), second.model_dump())]
    assert as_of(records, when + timedelta(days=19))[key].figures["deviation_mwh"] == "0.2000"
    assert as_of(records, when + timedelta(days=20))[key].figures["deviation_mwh"] == "0.1990"
    assert binding(records, when + timedelta(days=19)) == {}
    assert binding(records, when + timedelta(days=20))[key].seq == 9


@pytest.mark.parametrize("name", sorted(FLOWS))
def test_point_20_sent_is_never_shown_as_accepted(name):
    sent = FlowRecord.due(name, at(36), WorkingDays()).sent(CLOSED - timedelta(days=2), "ab" * 32)
    assert sent.state.value == "sent"
    assert sent.answered(RECEIPT, CLOSED).state.value == "acknowledged"
    with pytest.raises(Conflict, match="no message that accepts it"):
        FlowRecord(sent.flow, sent.deadline, FlowState.ACCEPTED)


@pytest.mark.parametrize("name", ["WMAN", "SEV"])
def test_point_20_a_late_notification_is_missed(name):
    due = FlowRecord.due(name, at(36), WorkingDays())
    assert due.sent(CLOSED, "ab" * 32).state is FlowState.SENT
    assert due.sent(CLOSED + timedelta(seconds=1), "ab" * 32).state is FlowState.MISSED
    assert due.looked_at(CLOSED + timedelta(seconds=1)).state is FlowState.MISSED


def committed(msid):
    return sha256(msid.encode()).hexdigest()


class Stated:
    """A log that holds the bodies given and nothing else."""

    def __init__(self, bodies):
        when = datetime(2026, 10, 21, tzinfo=UTC)
        self._records = [
            Record(seq, "", "", "settlement_period", when, each.model_dump(), b"") for seq, each in enumerate(bodies)
        ]

    def matching(self, **_filters):
        return iter(self._records)


@given(st.lists(st.lists(st.tuples(KWH, KWH), min_size=2, max_size=2), min_size=1, max_size=8))
def test_point_21_pairs_add_up_to_the_unit_and_periods_to_the_day(periods):
    bodies = []
    for number, pairs in enumerate(periods, start=1):
        for point, (metered, usual) in zip(TWO_PAIRS.points, pairs, strict=True):
            baseline = Baseline(Days((), (), 10), None, None, False, from_meter(usual))
            figures = PeriodFigures(at(number), baseline, from_meter(metered), frozenset())
            place = Place("london", "GB-C", TWO_PAIRS, point)
            bodies.append(period_body(place, figures, Bl01Parameters(), None, committed))
    found = day_statement(Stated(bodies), "london", EVENT, CLOSED + timedelta(days=9), None, WorkingDays())
    for name, total in found.totals.items():
        assert total.mwh == sum(Decimal(getattr(each, name)) for each in bodies)
        assert (total.parts, total.unknown) == (2 * len(periods), 0)


def test_point_21_it_energy_times_pue_reconciles_to_the_meter(tmp_path):
    site = small_site("london", own_load_kw=40.0)
    bench = Bench.build(tmp_path, sites=(site,))
    job = bench.submit(power_kw=30)
    bench.tick()
    starts = [row.slot_start for row in bench.rows(job)]
    for start in (*starts, starts[-1] + SLOT):
        bench.clock.set(start)
        bench.house.dispatcher.dispatch()
    own_kwh = {start: Decimal(bench.house.sites.read_meters([site], start, 1)[0][0, 0]) / 2 for start in starts}
    state(bench, 2 * SLOTS_PER_DAY)
    records, _ = bench.house.log.records(kind="settlement_period", limit=1000)
    at_meter = {record.body["sp_start_utc"]: Decimal(record.body["scope2"]["import_kwh"]) for record in records}
    (delivered,), _ = bench.house.log.records(kind="delivery")
    bench.house.close()
    explained = Decimal(delivered.body["it_kwh"]) * Decimal(delivered.body["pue"])
    metered = sum(at_meter[format_utc(start)] - own_kwh[start] for start in starts)
    assert explained > 50
    assert abs(metered - explained) < explained / 1000
    assert abs(Decimal(delivered.body["site_kwh"]) - explained) < explained / 1000
