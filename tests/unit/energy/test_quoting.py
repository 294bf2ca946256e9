from __future__ import annotations

from dataclasses import replace

import numpy as np

from agents.energy.book import Book
from agents.energy.quoting import Layers
from core.series import Kind, Series, Unit
from core.slots import SLOT
from tests.unit.energy.fakes import utc

NOW = utc(2026, 11, 20, 12)
NAN = float("nan")


def series(values, kind, source, start=NOW):
    return Series.of(start, np.array(values), kind, Unit.GBP_PER_KWH, source, NOW)


def test_each_slot_takes_the_firmest_figure_and_names_where_it_is_from():
    published = Book.of("fetch-1", series([1.0, 2.0], Kind.SETTLED, "feed"))
    layers = Layers.of_book(published, NOW, 6)
    layers.under(Layers.of_book(Book.of("fetch-2", series([7.0] * 2, Kind.FORECAST, "model", NOW + SLOT)), NOW, 6))
    assert layers.has_gaps
    layers.under(Layers.of(series([9.0] * 6, Kind.SIMULATED, "simulated")))
    assert not layers.has_gaps
    assert layers.series.values.tolist() == [1, 2, 7, 9, 9, 9]
    assert [(o.first, o.last, o.source, o.fetch_id) for o in layers.origins()] == [
        (0, 2, "feed", "fetch-1"),
        (2, 3, "model", "fetch-2"),
        (3, 6, "simulated", None),
    ]


def test_where_nothing_was_laid_the_weaker_stands_under_its_own_name():
    layers = Layers.of(series([NAN] * 3, Kind.MISSING, "feed"))
    layers.under(Layers.of(series([9.0, NAN, 9.0], Kind.SIMULATED, "simulated")))
    assert layers.series.source == "simulated"
    assert [(o.first, o.last) for o in layers.origins()] == [(0, 1), (2, 3)]


def test_intervals_are_laid_with_their_figures():
    layers = Layers.of(series([1.0, NAN], Kind.SETTLED, "feed"))
    weaker = series([5.0, 5.0], Kind.FORECAST, "model").with_interval(np.full(2, 4.0), np.full(2, 6.0))
    layers.under(Layers.of(weaker))
    low, high = layers.series.interval
    assert (low.tolist(), high.tolist()) == ([1.0, 4.0], [1.0, 6.0])


def test_a_forecast_laid_under_stale_figures_is_stale_too():
    layers = Layers.of(replace(series([NAN, NAN], Kind.MISSING, "feed"), stale=True))
    layers.under(Layers.of(series([5.0, 5.0], Kind.FORECAST, "model")))
    assert layers.series.stale
