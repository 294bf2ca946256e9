from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounting.carbon import Attributional, Consequential
from accounting.claims import (
    AccountTotal,
    CarbonClaim,
    ClaimBook,
    ClaimLevel,
    Draw,
    FeasibleBaseline,
    RecordedClaim,
    Saving,
    level_of,
)
from core.errors import Conflict
from core.series import Kind
from tests.unit.accounting.samples import at
from tests.unit.accounting.test_carbon import grid, period

KWH = st.decimals(0, 1000, places=3)


def drawn(sp=36, kw=1000, room=1200):
    return Draw("london", at(sp), Decimal(kw), Decimal(room))


def baseline(*draws, policy="run-at-submission"):
    return FeasibleBaseline(policy, draws or (drawn(),))


def claim(*periods, subject="job-1", against=None):
    return CarbonClaim(subject, against or baseline(), periods or (period(500, 300), period(420, 628, sp=6)))


def test_a_baseline_that_could_not_have_been_run_is_no_baseline():
    with pytest.raises(Conflict, match="could not have been run"):
        baseline(drawn(kw=1300))


@pytest.mark.parametrize("made", [lambda: FeasibleBaseline("", (drawn(),)), lambda: FeasibleBaseline("x", ())])
def test_a_baseline_has_a_name_and_a_schedule(made):
    with pytest.raises(Conflict, match="needs the name"):
        made()


@pytest.mark.parametrize("left_out", ["against", "level", "saved"])
def test_a_saving_cannot_be_made_without_baseline_level_or_interval(left_out):
    mass = Attributional(Decimal(1), Decimal(1))
    whole = {"against": baseline(), "level": ClaimLevel.METERED, "saved": mass, "of": mass}
    with pytest.raises(TypeError):
        Saving(**{name: value for name, value in whole.items() if name != left_out})
    with pytest.raises(TypeError, match="a saving needs"):
        Saving(**whole | {left_out: None})


def test_a_saving_may_be_negative():
    saving = claim(period(500, 600)).attributional()
    assert (saving.saved.kg, saving.percent) == (-20, -20)


def test_displaced_and_rebound_half_hours_are_told_apart_and_both_count():
    both = claim()
    assert [p.sp_start for p in both.displaced] == [at(36)]
    assert [p.sp_start for p in both.rebound] == [at(6)]
    assert both.attributional().saved.kg == Decimal(200 * 200 - 208 * 200) / 1000


def test_a_claim_holds_every_half_hour_of_its_baseline_and_none_twice():
    with pytest.raises(Conflict, match="leaves out 1"):
        claim(period(420, 628, sp=6))
    with pytest.raises(Conflict, match="twice"):
        claim(period(500, 300), period(500, 300))


def test_without_an_intensity_there_is_no_saving():
    assert claim(period(500, 300, forecast=None, outturn=None)).attributional() is None
    assert claim(period(500, 300, outturn=None)).attributional() is not None
    assert claim(period(500, 300)).consequential() is None
    assert claim(period(500, 300, marginal=394)).consequential().percent is None


def test_the_forecast_account_stays_a_forecast():
    settled = claim(period(500, 300, settled=True, outturn=grid(100, Kind.SETTLED)))
    assert settled.attributional().level is ClaimLevel.SETTLED
    assert settled.attributional(forecast=True).level is ClaimLevel.FORECAST
    assert settled.attributional(forecast=True).saved.kg == 40


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({}, ClaimLevel.METERED),
        ({"metered": False}, ClaimLevel.FORECAST),
        ({"outturn": None}, ClaimLevel.FORECAST),
        ({"outturn": grid(200, Kind.SIMULATED)}, ClaimLevel.FORECAST),
        ({"settled": True}, ClaimLevel.METERED),
        ({"settled": True, "outturn": grid(200, Kind.SETTLED)}, ClaimLevel.SETTLED),
        ({"settled": True, "outturn": replace(grid(200), final=True)}, ClaimLevel.SETTLED),
        ({"settled": True, "outturn": replace(grid(200, Kind.SIMULATED), final=True)}, ClaimLevel.FORECAST),
    ],
)
def test_a_half_hour_is_as_firm_as_its_energy_and_its_intensity(changes, level):
    assert level_of(period(500, 300, **changes)) is level


def test_a_claim_is_as_firm_as_its_weakest_half_hour():
    assert claim(period(500, 300), period(420, 628, sp=6, metered=False)).level is ClaimLevel.FORECAST


def told(subject="job-1", level=ClaimLevel.METERED, kg=None, rising=None, halves=(36, 6)):
    """A claim as its record has it: ``kg`` by average intensity, ``rising`` by marginal."""
    return RecordedClaim(
        subject=subject,
        policy="run-at-submission",
        level=level,
        halves=frozenset(("london", at(sp)) for sp in halves),
        by_forecast=Attributional(Decimal(9), Decimal(1)),
        attributional=None if kg is None else Attributional(Decimal(kg), Decimal(3)),
        consequential=None if rising is None else Consequential(Decimal(rising), Decimal(4)),
    )


def test_no_half_hour_of_a_job_is_claimed_twice():
    book = ClaimBook()
    book.add(told(kg=1))
    with pytest.raises(Conflict, match="job-1 has claimed its kWh of 2026-10-20 16:30Z at london already"):
        book.add(told(kg=2, halves=(36, 7)))
    book.add(told("job-2", kg=4))
    assert book.attributional().saved == Attributional(Decimal(5), Decimal(18).sqrt())


def test_a_sum_is_as_firm_as_its_weakest_claim_and_accounts_stay_apart():
    book = ClaimBook()
    book.add(told("job-1", ClaimLevel.SETTLED, kg=1, rising=-2))
    book.add(told("job-2", ClaimLevel.METERED, kg=2))
    book.add(told("job-3", ClaimLevel.FORECAST))
    assert (book.attributional().level, book.attributional().parts, book.attributional().unknown) == (
        ClaimLevel.METERED,
        3,
        1,
    )
    assert book.consequential() == AccountTotal(Consequential(Decimal(-2), Decimal(4)), ClaimLevel.SETTLED, 3, 2)
    assert (book.by_forecast().saved.kg, book.by_forecast().level) == (27, ClaimLevel.FORECAST)
    assert book.policies == ("run-at-submission",)


@given(st.lists(KWH, min_size=1, max_size=12))
def test_the_claims_are_the_sum_of_the_records(savings):
    book = ClaimBook()
    for number, kg in enumerate(savings):
        book.add(told(f"job-{number}", kg=kg))
    assert book.attributional().saved.kg == sum(savings, Decimal(0))


def test_where_no_figure_is_known_there_is_no_sum():
    book = ClaimBook()
    book.add(told())
    assert book.attributional() == AccountTotal(None, ClaimLevel.FORECAST, 1, 1)


def test_a_mass_comes_back_from_the_ends_of_its_interval():
    mass = Attributional(Decimal(5), Decimal("1.5"))
    back = Attributional.within(mass.kg, *mass.interval_kg)
    assert (back.kg, round(back.sigma_kg, 9)) == (5, Decimal("1.5"))
