from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounting.savings import JobSavings, portfolio, savings_by_job
from core.ledger import Leg, Totals

FIGURE = st.floats(-1e6, 1e6)
NONE = Totals()


@st.composite
def totals(draw):
    rows = draw(st.integers(0, 5))
    if not rows:
        return NONE
    return Totals(draw(st.floats(0, 1e6)), draw(FIGURE), draw(st.floats(0, 1e6)), rows, draw(st.integers(0, rows)))


RECORDS = st.lists(st.builds(JobSavings, st.uuids().map(str), totals(), totals()), max_size=8)


def job(plan: Totals, baseline: Totals) -> JobSavings:
    return JobSavings("job-1", plan, baseline)


def test_a_saving_is_the_baseline_less_the_plan():
    record = job(Totals(10, 2.0, 1.0, 2, 0), Totals(10, 5.0, 4.0, 2, 0))
    assert (record.cost_saved_gbp, record.carbon_saved_kg) == (3.0, 3.0)
    assert record.cost_saved_percent == 60.0


def test_a_loss_is_shown_as_a_negative_saving():
    record = job(Totals(10, 6.0, 5.0, 2, 0), Totals(10, 5.0, 4.0, 2, 0))
    assert (record.cost_saved_gbp, record.carbon_saved_kg) == (-1.0, -1.0)
    assert record.cost_saved_percent == -20.0


def test_against_a_baseline_that_was_paid_to_run_a_loss_stays_negative():
    assert job(Totals(10, 1.0, 1.0, 1, 0), Totals(10, -4.0, 1.0, 1, 0)).cost_saved_percent == -125.0


def test_there_is_no_percentage_of_nothing():
    record = job(Totals(10, 6.0, 5.0, 2, 0), Totals(10, 0.0, 0.0, 2, 0))
    assert record.cost_saved_percent is None
    assert record.cost_saved_gbp == -6.0


@pytest.mark.parametrize(("plan", "baseline"), [(NONE, Totals(1, 9.0, 9.0, 1, 1)), (Totals(1, 9.0, 9.0, 1, 1), NONE)])
def test_a_job_that_lacks_a_leg_claims_nothing(plan, baseline):
    record = job(plan, baseline)
    assert not record.comparable
    assert (record.cost_saved_gbp, record.carbon_saved_kg) == (0.0, 0.0)
    assert record.cost_saved_percent is None


@pytest.mark.parametrize(
    ("plan_settled", "baseline_settled", "state"),
    [(0, 0, "forecast"), (1, 0, "part settled"), (2, 1, "part settled"), (2, 2, "settled")],
)
def test_the_state_is_settled_only_when_every_row_of_both_legs_is(plan_settled, baseline_settled, state):
    assert job(Totals(1, 1, 1, 2, plan_settled), Totals(1, 1, 1, 2, baseline_settled)).state == state


def test_nothing_at_all_is_a_forecast():
    assert portfolio([]).state == "forecast"
    assert portfolio([]).cost_saved_percent is None


def test_jobs_are_matched_with_their_legs():
    plan, baseline, lonely = Totals(1, 1, 1, 1, 0), Totals(2, 2, 2, 1, 0), Totals(3, 3, 3, 1, 0)
    records = savings_by_job({("a", Leg.PLAN): plan, ("b", Leg.PLAN): lonely, ("a", Leg.BASELINE): baseline})
    assert records == [JobSavings("a", plan, baseline), JobSavings("b", lonely, NONE)]


@given(RECORDS)
def test_the_portfolio_is_the_sum_of_its_records(records):
    total = portfolio(records)
    assert total.jobs == len(records)
    assert total.compared == sum(record.comparable for record in records)
    assert total.cost_saved_gbp == pytest.approx(sum(r.cost_saved_gbp for r in records), abs=1e-6)
    assert total.carbon_saved_kg == pytest.approx(sum(r.carbon_saved_kg for r in records), abs=1e-6)
    compared = [r for r in records if r.comparable]
    for leg in ("plan", "baseline"):
        for field in ("energy_kwh", "cost_gbp", "carbon_kg", "rows", "settled_rows"):
            expected = sum(getattr(getattr(r, leg), field) for r in compared)
            assert getattr(getattr(total, leg), field) == pytest.approx(expected)


@given(RECORDS)
def test_the_portfolio_is_settled_only_when_each_record_is(records):
    compared = [record for record in records if record.comparable]
    assert (portfolio(records).state == "settled") == (
        bool(compared) and all(record.state == "settled" for record in compared)
    )


def test_a_settled_saving_that_rests_on_simulated_figures_says_so():
    firm = JobSavings("j", Totals(1, 1, 1, 2, 2), Totals(2, 2, 2, 2, 2))
    part = JobSavings("k", Totals(1, 1, 1, 2, 2, 1), Totals(2, 2, 2, 2, 2))
    assert (firm.state, part.state) == ("settled", "settled, simulated")
    assert portfolio([firm, part]).state == "settled, simulated"
