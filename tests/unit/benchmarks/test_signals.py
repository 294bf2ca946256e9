"""The bench of forecasts knows nothing too early, and its measures are what they are called."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from benchmarks import signals
from benchmarks.signals import (
    LAGS,
    MARKER,
    OWN,
    OWN_AFTER_PUBLISHED,
    OWN_ALONE,
    RIDGE_YEAR,
    Result,
    alike,
    evaluate,
    hanging_together,
    persistence,
    regret,
    report,
    shortfalls,
    written,
)
from benchmarks.signals_data import (
    CARBON_AHEAD_SLOTS,
    Case,
    Figures,
    Issue,
    agile_case,
    carbon_case,
    london_slot,
    published_carbon,
    with_neighbours,
    with_published_carbon,
    with_weather,
)
from benchmarks.signals_models import Own, PlainRidge, Published, baselines
from core.halfhours import instant_of, slot_index
from core.series import LEVEL_SIGMAS
from forecasting.history import History
from tests.unit.forecasting.worlds import START, noisy

FIRST = slot_index(START)
DAYS = 60
FIRST_ISSUE = FIRST + 40 * 48 + 31


class Oracle:
    """Knows what comes, and adds ``error`` to it."""

    name = "oracle"

    def __init__(self, error: float = 0.0) -> None:
        self.error = error
        self.histories: list[History] = []

    def forecast(self, case: Case, number: int, slots: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        issue = case.issues[number]
        self.histories.append(case.history(issue, 20))
        found = case.target.between(issue.known_until, issue.known_until + slots) + self.error
        return found, found - 1.0, found + 1.0


@pytest.fixture
def case() -> Case:
    """Forecasts at 15:30 of seven days from 23:00 on, as of Agile."""
    issues = []
    for day in range(8):
        now = FIRST_ISSUE + 48 * day
        days = tuple(now + 15 + 48 * ahead for ahead in range(8))
        issues.append(Issue(now, days[0], days))
    target = Figures(FIRST, noisy(DAYS))
    neighbours = {"price@FR": Figures(FIRST, noisy(DAYS, seed=4))}
    return Case("made up", "p/kWh", target, tuple(issues), None, FIRST, FIRST + DAYS * 48, neighbours=neighbours)


def test_regret_is_what_the_chosen_half_hours_cost_more_than_the_cheapest() -> None:
    outturn = np.array([5.0, 1.0, 4.0, 2.0])
    assert regret(outturn, outturn, 2) == 0
    assert regret(-outturn, outturn, 2) == pytest.approx((5 + 4) / 2 - (1 + 2) / 2)
    assert regret(np.array([0.0, 1.0, 0.5, 2.0]), outturn, 2) == pytest.approx(4.5 - 1.5)


def test_slots_without_an_outturn_are_not_chosen_among() -> None:
    outturn = np.array([np.nan, 1.0, 4.0, 2.0])
    assert regret(np.array([-9.0, 5.0, 0.0, 1.0]), outturn, 2) == pytest.approx(3 - 1.5)


def test_there_is_no_regret_where_nothing_was_forecast() -> None:
    assert np.isnan(regret(np.array([np.nan, 1.0]), np.array([1.0, 2.0]), 1))
    assert np.isnan(regret(np.ones(3), np.ones(3), 8))


def test_who_knows_all_has_no_error_and_no_regret(case: Case) -> None:
    result = evaluate(case, Oracle())
    assert result.means("mae") == pytest.approx(np.zeros(7))
    assert result.means("regret") == pytest.approx(np.zeros(7))
    assert result.means("next_day") == pytest.approx(0)
    assert result.means("inside") == pytest.approx(np.ones(7))


def test_who_is_off_by_two_everywhere_errs_by_two_and_regrets_nothing(case: Case) -> None:
    result = evaluate(case, Oracle(2.0))
    assert result.means("mae") == pytest.approx(np.full(7, 2.0))
    assert result.means("inside") == pytest.approx(np.zeros(7))
    assert result.means("regret") == pytest.approx(np.zeros(7))


def test_the_next_day_mixes_known_figures_with_forecast_ones(case: Case) -> None:
    issue = case.issues[0]
    values = case.target.values.copy()
    start = issue.now - FIRST
    values[start : start + 48] = np.arange(48)[::-1]
    values[start : start + 8] = -5.0
    known_cheap = replace(case, target=Figures(FIRST, values), issues=(issue,))
    assert evaluate(known_cheap, Oracle(2.0)).means("next_day") == pytest.approx(0)
    assert evaluate(known_cheap, Oracle(-50.0)).means("next_day") > 5


def test_days_outside_the_judged_span_are_not_judged(case: Case) -> None:
    cut = replace(case, first_judged=case.issues[4].days[0], end_judged=case.issues[4].days[1])
    judged = np.isfinite(evaluate(cut, Oracle()).mae)
    assert judged.sum() == 5
    assert [tuple(at) for at in np.argwhere(judged)] == [(0, 4), (1, 3), (2, 2), (3, 1), (4, 0)]


def test_a_model_is_given_nothing_that_was_not_known(case: Case) -> None:
    oracle = Oracle()
    evaluate(case, oracle)
    assert [history.end for history in oracle.histories] == [issue.known_until for issue in case.issues]
    assert all(history.values.size == 20 * 48 for history in oracle.histories)


def test_of_the_neighbours_nothing_is_known_of_the_last_hour_of_the_day_ahead_or_later(case: Case) -> None:
    issue = case.issues[0]
    prices = with_neighbours(case, case.history(issue, 20), issue).covariates["price@FR"]
    assert prices.size == 20 * 48 + 46
    assert prices[-1] == case.neighbours["price@FR"].between(issue.days[1] - 3, issue.days[1] - 2)[0]


@pytest.mark.parametrize("late", [0, 5])
def test_no_model_changes_its_forecast_when_the_future_does(case: Case, late: int) -> None:
    issue = case.issues[late]
    values = case.target.values.copy()
    values[issue.known_until - FIRST :] = -1000.0
    neighbours = case.neighbours["price@FR"].values.copy()
    neighbours[issue.days[1] - 2 - FIRST :] = 1000.0
    other = replace(
        case, target=Figures(FIRST, values), neighbours={"price@FR": Figures(FIRST, neighbours)}, issues=case.issues
    )
    for world in (case, other):
        assert world.issues[late].known_until > FIRST
    models = [
        [*baselines(), PlainRidge("ridge", 300), Own("own", 300, lambda h, i, c=world: with_neighbours(c, h, i))]
        for world in (case, other)
    ]
    for one, two in zip(*models, strict=True):
        for number in range(late + 1):
            slots = 7 * 48
            before, after = one.forecast(case, number, slots)[0], two.forecast(other, number, slots)[0]
            assert np.array_equal(before, after), one.name


def test_a_published_carbon_forecast_is_as_it_stood_a_day_before_and_better_near_than_far() -> None:
    truth = Figures(FIRST, np.full(400 * 48, 500.0))
    near, far, past = [], [], []
    for day in range(20, 380, 3):
        now = FIRST + day * 48
        error = published_carbon(truth, Issue(now, now, ()), now - 48) - 500
        assert error.size == 48 + CARBON_AHEAD_SLOTS
        past.append(error[0])
        near.append(error[48 + 2])
        far.append(error[48 + 50])
    assert np.abs(near).mean() < 0.5 * np.abs(far).mean()
    assert np.abs(past).mean() == pytest.approx(np.abs(far).mean(), rel=0.35)
    assert 17 < np.abs(far).mean() < 27


def test_a_past_carbon_forecast_stays_as_it_was_published() -> None:
    truth = Figures(FIRST, np.full(40 * 48, 500.0))
    now = FIRST + 30 * 48
    first, later = (published_carbon(truth, Issue(at, at, ()), FIRST + 20 * 48) for at in (now, now + 48))
    assert first[: 10 * 48] == pytest.approx(later[: 10 * 48])


def test_forecast_weather_errs_more_the_further_ahead_and_never_holds_the_analysis_itself(case: Case) -> None:
    weather = {"wind_speed": Figures(FIRST, np.full(DAYS * 48, 20.0))}
    misses = []
    for issue in case.issues:
        history = with_weather(weather, case.history(issue, 20), issue)
        wind = history.covariates["wind_speed"]
        assert wind.size == 20 * 48 + 7 * 48
        misses.append(np.abs(wind - 20.0))
    daily = np.mean(misses, axis=0).reshape(-1, 48).mean(axis=1)
    assert (daily[:20] > 1).all()
    assert daily[20] < daily[21] < daily[26]


def test_after_a_published_forecast_that_is_passed_on_comes_our_own_with_its_interval(case: Case) -> None:
    told = np.full(96, 7.0)
    own = Own("own", 300, lambda history, _: replace(history, values=np.concatenate([history.values, told])))
    mean, low, high = own.forecast(case, 0, 7 * 48)
    assert (mean.size, low.size, high.size) == (7 * 48,) * 3
    assert (mean[:96] == 7.0).all()
    assert np.isnan(low[:96]).all()
    assert ((low[96:] <= mean[96:]) & (mean[96:] <= high[96:])).all()
    inside = evaluate(case, own).means("inside")
    assert np.isfinite(inside).tolist() == [False, False, True, True, True, True, True]


def test_a_published_forecast_ends_with_its_last_whole_day(case: Case) -> None:
    found, _, _ = Published("published", lambda _: np.ones(96 + 7)).forecast(case, 0, 7 * 48)
    assert np.isfinite(found).sum() == 96


def test_the_same_half_hour_of_last_week_is_found_across_a_clock_change() -> None:
    first = slot_index(datetime(2023, 2, 1, tzinfo=UTC))
    values = np.array([instant_of(first + slot).timestamp() for slot in range(70 * 48)])
    days = tuple(london_slot(date(2023, 3, 25 + ahead), 23) for ahead in range(6))
    issue = Issue(days[0] - 15, days[0], days)
    case = Case("clock", "s", Figures(first, values), (issue,), None, first, first + 70 * 48)
    seasonal = next(model for model in baselines() if "week" in model.name)
    found = seasonal.forecast(case, 0, days[-1] - days[0])[0]
    truth = case.target.between(days[0], days[-1])
    hours = (truth - found) / 3600
    assert np.isin(hours, [7 * 24, 7 * 24 - 1]).all()
    assert hours[-1] == 7 * 24 - 1
    assert days[1] - days[0] == 46


def test_the_report_has_a_row_for_each_model_and_an_empty_cell_for_each_figure_not_given(case: Case) -> None:
    half = Published("half", lambda issue: case.target.between(issue.known_until, issue.known_until + 96))
    lines = report(case, [evaluate(case, model) for model in (Oracle(), half)])
    rows = [line for line in lines if line.startswith("| half")]
    assert len(rows) == 2
    assert rows[0].count("|") == 10
    assert rows[0].count("0.00") == 2
    assert sum(line.startswith("| oracle") for line in lines) == 3


def test_a_promise_that_is_not_kept_is_named(case: Case) -> None:
    good, bad = evaluate(case, Oracle(1.0)), evaluate(case, Oracle(2.0))
    perfect = replace(good, name=OWN, inside=np.full((8, 7), 0.9), fit_s=np.array([0.5]), mae=good.mae * 0.96)
    assert shortfalls([perfect, replace(good, name=RIDGE_YEAR)], OWN, (RIDGE_YEAR,), 0.03) == []
    own, bar = replace(bad, name=OWN_ALONE, fit_s=np.array([2.0])), replace(good, name=RIDGE_YEAR)
    missed = shortfalls([own, bar], OWN_ALONE, (RIDGE_YEAR,), 0.03)
    assert any("mae 2.000 is not 3% below the 1.000 of plain asinh ridge" in text for text in missed)
    assert any("0.0% of outturns" in text for text in missed)
    assert any("2.00 s" in text for text in missed)


def test_coverage_is_judged_on_the_days_that_have_an_interval(case: Case) -> None:
    told = np.full((8, 7), 0.9)
    told[:, :2] = np.nan
    good = evaluate(case, Oracle(1.0))
    after = replace(good, name=OWN_AFTER_PUBLISHED, inside=told, fit_s=np.array([0.5]))
    bar = replace(good, name=RIDGE_YEAR, mae=good.mae * 2, regret=good.regret + 1.0)
    assert shortfalls([after, bar], OWN_AFTER_PUBLISHED, (RIDGE_YEAR,), 0.0) == []
    narrow = replace(after, inside=told - 0.2)
    (missed,) = shortfalls([narrow, bar], OWN_AFTER_PUBLISHED, (RIDGE_YEAR,), 0.0)
    assert "70.0% of outturns" in missed


def test_the_table_is_written_between_its_markers_and_nowhere_else() -> None:
    text = f"before\n{MARKER}\nold\n{MARKER}\nafter\n"
    assert written(text, "new") == f"before\n{MARKER}\nnew\n{MARKER}\nafter\n"
    with pytest.raises(ValueError, match="1 lines"):
        written(f"{MARKER}\n", "new")


def test_without_recorded_figures_there_is_nothing_to_judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert signals.main(["--data", str(tmp_path / "none")]) == 0
    assert "nothing to judge" in capsys.readouterr().out


@pytest.mark.shared
def test_recorded_agile_prices_are_known_to_eleven_in_the_evening_and_days_have_46_to_48_slots(
    shared_data: Path,
) -> None:
    case = agile_case(shared_data)
    assert len(case.issues) == 273 + 6
    assert {issue.known_until - issue.now for issue in case.issues} == {15}
    lengths = {end - start for issue in case.issues for start, end in zip(issue.days, issue.days[1:], strict=False)}
    assert lengths == {46, 48}
    issue = next(issue for issue in case.issues if issue.days[1] - issue.days[0] == 46)
    assert instant_of(issue.days[0]) == datetime(2023, 3, 25, 23, tzinfo=UTC)
    assert instant_of(issue.days[1]) == datetime(2023, 3, 26, 22, tzinfo=UTC)


@pytest.mark.shared
def test_a_month_of_recorded_prices_is_forecast_better_than_by_the_plain_ridge(shared_data: Path) -> None:
    case = agile_case(shared_data)
    month = replace(case, issues=case.issues[140:168])
    ridge = evaluate(month, PlainRidge(RIDGE_YEAR, 393))
    own = evaluate(month, Own(OWN, 393, lambda history, issue: with_neighbours(month, history, issue)))
    assert own.means("mae")[0] < 0.97 * ridge.means("mae")[0]
    assert own.means("regret")[0] < 0.97 * ridge.means("regret")[0]
    assert 0.84 < own.means("inside").mean() < 0.97


@pytest.mark.shared
def test_recorded_carbon_leaves_out_what_is_no_figure(shared_data: Path) -> None:
    case, forecast = carbon_case(shared_data)
    assert np.isnan(case.target.values).sum() == 10
    assert np.nanmin(case.target.values) > 0
    issue = case.issues[0]
    history = with_published_carbon(forecast, case.history(issue, 30), issue)
    assert history.covariates["carbon_forecast"].size == history.values.size + 1 + CARBON_AHEAD_SLOTS
    assert {(issue.now - issue.known_until) for issue in case.issues} == {1}


def wandering(seed: int, phi: float, slots: int = 300) -> np.ndarray:
    """Shocks of unit variance, each ``phi`` of the one before and the rest new."""
    rng, found = np.random.default_rng(seed), [0.0]
    for _ in range(slots + 100):
        found.append(phi * found[-1] + np.sqrt(1 - phi**2) * rng.normal())
    return np.array(found[-slots:])


def shocked(*shocks: tuple[int, np.ndarray]) -> Result:
    nothing = np.zeros((1, 7))
    return Result("model", nothing, nothing, nothing, np.zeros(1), np.zeros(1), shocks)


def test_how_errors_fade_is_measured_within_each_issue():
    result = shocked(*((1000 * seed, wandering(seed, 0.9)) for seed in range(200)))
    assert persistence(result) == pytest.approx([0.9**lag for lag in LAGS], abs=0.06)


def test_errors_of_two_quantities_are_compared_slot_by_slot_whatever_the_issues_began_with():
    shock = wandering(1, 0.5)
    assert alike(shocked((0, shock)), shocked((10, shock[10:]))) == pytest.approx(1)
    assert alike(shocked((0, shock)), shocked((10, -shock[10:]))) == pytest.approx(-1)
    assert abs(alike(shocked((0, shock)), shocked((10, wandering(2, 0.5)[10:])))) < 0.3
    table = "\n".join(hanging_together(shocked((0, shock)), shocked((0, -shock))))
    assert "| price |" in table
    assert "correlation -1.00" in table


@pytest.mark.parametrize(("error", "shock"), [(e, -e * LEVEL_SIGMAS) for e in (0.5, -0.5, 2.0)] + [(9.0, -5.0)])
def test_a_shock_is_the_error_in_standard_deviations_of_its_interval(case: Case, error: float, shock: float) -> None:
    result = evaluate(case, Oracle(error))
    assert result.shocks[0][0] == case.issues[0].known_until
    assert result.shocks[0][1] == pytest.approx(np.full(7 * 48, shock))
