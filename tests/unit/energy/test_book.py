from __future__ import annotations

from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agents.energy.book import NOWHERE, Book, runs
from core.series import Kind, Series, Unit
from core.slots import SLOT
from tests.unit.energy.fakes import utc

NOW = utc(2026, 11, 20, 12)
PERIOD = timedelta(minutes=30)
NAN = float("nan")


def series(values, kind=Kind.FORECAST, start=NOW, issued_at=NOW, source="s"):
    return Series.of(start, np.array(values, dtype=float), kind, Unit.G_PER_KWH, source, issued_at)


def merged(older, newer):
    return Book.of("old", older).updated("new", newer)


def test_the_newer_answer_wins_and_names_the_whole():
    result = merged(series([1, 2]), series([5, 6], issued_at=NOW + PERIOD))
    assert result.series.values.tolist() == [5, 6]
    assert result.series.issued_at == NOW + PERIOD


def test_a_firmer_figure_is_not_replaced_by_a_forecast_but_is_by_its_own_revision():
    older = series([1, 2], Kind.ESTIMATE)
    assert merged(older, series([5, 6])).series.values.tolist() == [1, 2]
    assert merged(older, series([5, 6], Kind.ESTIMATE)).series.values.tolist() == [5, 6]


def test_forecasts_that_the_newer_answer_no_longer_makes_are_dropped():
    result = merged(series([1, 2, 3, 4]), series([5, NAN], issued_at=NOW + PERIOD)).series
    assert result.values.tolist() == [5]
    assert result.end == NOW + SLOT


def test_what_came_before_the_newer_answer_is_kept():
    result = merged(series([1, 2]), series([5], start=NOW + 2 * SLOT, issued_at=NOW + SLOT))
    assert result.series.values.tolist() == [1, 2, 5]


def test_slots_older_than_ten_days_are_let_go_with_their_answer():
    later = NOW + timedelta(days=11)
    result = merged(series([1] * 96, Kind.ESTIMATE), series([5], start=later, issued_at=later))
    assert result.series.start == later - timedelta(days=10)
    assert [fetch_id for fetch_id, _ in merged(series([1], Kind.ESTIMATE), series([5])).answers] == ["old"]


def test_each_slot_remembers_the_answer_that_it_is_from():
    older = series([1, 1, 1], Kind.ESTIMATE, source="first")
    newer = series([5, NAN, 5, 5], Kind.ESTIMATE, start=NOW + SLOT, issued_at=NOW + PERIOD, source="second")
    book = merged(older, newer)
    found = runs(book.origins(NOW, 5), book.answers)
    assert [(o.first, o.last, o.fetch_id, o.source) for o in found] == [
        (0, 1, "old", "first"),
        (1, 2, "new", "second"),
        (2, 3, "old", "first"),
        (3, 5, "new", "second"),
    ]


def test_outside_a_book_slots_are_from_nowhere():
    book = Book.of("id", series([1, 2]))
    assert book.origins(NOW - SLOT, 4).tolist() == [NOWHERE, 0, 0, NOWHERE]
    assert runs(book.origins(NOW + 9 * SLOT, 3), book.answers) == ()


def test_what_is_too_old_to_be_believed_keeps_what_has_happened():
    before = Series.of(NOW, np.array([1.0, 2.0]), Kind.ESTIMATE, Unit.G_PER_KWH, "s", NOW)
    firm = Book.of("id", before.window(NOW, 4).overlay(series([9, 9, 9, 9]))).firm()
    assert firm.series.values.tolist() == [1, 2]
    assert firm.origin.tolist() == [0, 0]


figures = st.tuples(
    st.integers(0, 20),
    st.lists(st.sampled_from([1.0, 2.0, NAN]), min_size=1, max_size=20),
    st.sampled_from([Kind.SETTLED, Kind.ESTIMATE, Kind.FORECAST]),
)


@given(st.lists(figures, min_size=1, max_size=6))
def test_every_figure_of_a_book_is_the_one_of_the_answer_it_names(answers):
    told = {
        str(number): series(values, kind, NOW + SLOT * first, NOW + SLOT * number)
        for number, (first, values, kind) in enumerate(answers)
    }
    book = None
    for fetch_id, one in told.items():
        book = Book.of(fetch_id, one) if book is None else book.updated(fetch_id, one)
    known = book.series.kinds != Kind.MISSING
    assert np.array_equal(book.origin != NOWHERE, known)
    for at in np.flatnonzero(known):
        source = told[book.answers[book.origin[at]][0]]
        slot = source.window(book.series.start + SLOT * int(at), 1)
        assert (slot.values[0], slot.kinds[0]) == (book.series.values[at], book.series.kinds[at])
