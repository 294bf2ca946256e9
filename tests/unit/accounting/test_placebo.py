from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from accounting.gaming import window_test
from accounting.placebo import Accuracy, accuracy, placebo, placebo_days
from accounting.settlement_days import SettlementDay
from accounting.volumes import from_meter
from tests.unit.accounting.samples import EVENT, at, flat, method, worked_history

DAY = SettlementDay(EVENT)
QUARTER = EVENT - timedelta(days=130)
FIVE_PERCENT = Accuracy((), 480, Decimal(0), Decimal("0.05"))


def test_on_a_constant_history_the_baseline_is_exact():
    found = placebo(method(flat(QUARTER, EVENT)), DAY)
    assert (found.bias, found.cvrmse, len(found.days), found.periods) == (0, 0, 10, 480)


def test_placebo_days_are_no_events_and_none_is_the_day_itself():
    yesterday = EVENT - timedelta(days=1)
    days = [each.date for each in placebo_days(method(flat(QUARTER, EVENT), yesterday), DAY, 5)]
    assert len(days) == 5
    assert not {EVENT, yesterday} & set(days)


def test_without_history_nothing_is_said_of_accuracy():
    assert placebo(method({}), DAY) is None


def test_bias_and_cvrmse_are_shares_of_what_was_metered():
    found = accuracy([], [(Decimal(110), Decimal(100)), (Decimal(100), Decimal(100))])
    assert found.bias == Decimal("0.05")
    assert round(found.cvrmse, 4) == Decimal("0.0707")


@given(st.lists(st.tuples(st.decimals(0, 100, places=2), st.decimals(1, 100, places=2)), min_size=1))
def test_the_usual_error_is_never_below_the_bias(pairs):
    found = accuracy([], pairs)
    assert found.cvrmse >= abs(found.bias) * Decimal("0.999999")


def test_a_window_of_usual_load_is_not_flagged():
    residuals = method(worked_history()).residuals(at(36))
    found = window_test(residuals, Decimal("0.5"), FIVE_PERCENT, 1, Decimal("98.53"))
    assert found.excess_mwh == Decimal("0.01")
    assert not found.flagged


def test_an_inflated_window_is_flagged_with_what_it_would_have_paid():
    history = flat(QUARTER, EVENT)
    for start in method(history).window(at(36)):
        history[start] = from_meter(Decimal(650))
    found = window_test(method(history).residuals(at(36)), Decimal("0.5"), FIVE_PERCENT, 4, Decimal(100))
    assert found.flagged
    assert (found.extra_mwh, found.extra_gbp) == (Decimal("0.6"), Decimal(60))


def test_a_window_that_used_less_would_pay_nothing_more():
    found = window_test([Decimal("0.1")] * 6, Decimal("0.5"), FIVE_PERCENT, 4, Decimal(100))
    assert (found.flagged, found.extra_gbp) == (False, 0)
