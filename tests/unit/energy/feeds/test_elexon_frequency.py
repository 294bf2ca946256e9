from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from agents.energy.feed import Ask, Flag
from core.errors import FeedInvalid
from core.series import Kind, Unit
from core.slots import SLOT
from tests.unit.energy.feeds.elexon_answers import FEEDS, Upstream, fetch, samples, utc

START = utc(2026, 11, 20, 10)
NOW = START + 4 * SLOT + timedelta(minutes=7)
END = START + 8 * SLOT


def read(rows, start=START, end=END, now=NOW):
    return fetch("elexon-frequency", {"/datasets/FREQ": {"data": rows}}, start, end, now)


def test_a_half_hour_has_the_mean_and_the_largest_deviation_of_its_samples():
    fetched = read(samples(START, 480, lambda i: 49.7 if i == 130 else 50.1))
    mean, deviation = fetched.series["frequency"], fetched.series["frequency_deviation"]
    assert mean.values.tolist() == pytest.approx([50.1, (119 * 50.1 + 49.7) / 120, 50.1, 50.1])
    assert deviation.values.tolist() == pytest.approx([0.1, 0.3, 0.1, 0.1])
    assert (mean.unit, deviation.unit) == (Unit.HERTZ, Unit.HERTZ)
    assert mean.kinds_used() == (Kind.SETTLED,)
    assert (mean.start, mean.issued_at) == (START, NOW)
    assert fetched.findings == ()


def test_the_half_hour_under_way_is_left_out_without_a_word():
    fetched = read(samples(START, 480 + 28))
    assert fetched.series["frequency"].end == START + 4 * SLOT
    assert fetched.findings == ()


def test_a_half_hour_that_lost_samples_is_missing_and_said_so():
    rows = [row for i, row in enumerate(samples(START, 480)[::-1]) if not 120 <= i < 133]
    fetched = read(rows)
    assert np.isnan(fetched.series["frequency"].values).tolist() == [False, True, False, False]
    (found,) = fetched.findings
    assert (found.flag, found.start, found.end) == (Flag.GAP, START + SLOT, START + 2 * SLOT)
    assert "1 half-hour had fewer than 108 of 120" in found.detail


def test_twelve_lost_samples_still_make_a_half_hour():
    rows = [row for i, row in enumerate(samples(START, 480)[::-1]) if not 120 <= i < 132]
    assert not np.isnan(read(rows).series["frequency"].values).any()


@pytest.mark.parametrize("fault", [0.0, 46.9, 52.1])
def test_a_telemetry_fault_is_no_deviation(fault):
    fetched = read(samples(START, 480, lambda i: fault if i == 3 else 50.0))
    assert fetched.series["frequency_deviation"].values.max() == 0.0
    assert [found.flag for found in fetched.findings] == [Flag.OUTLIER]


def test_a_null_sample_is_not_zero():
    fetched = read(samples(START, 480, lambda i: None if i == 3 else 50.0))
    assert fetched.series["frequency_deviation"].values.max() == 0.0


def test_a_range_is_asked_in_pieces_of_a_day_and_the_sample_on_the_seam_counts_once():
    start = START - timedelta(days=2)
    at = {}

    def answer(parameters):
        first = datetime.fromisoformat(parameters["measurementDateTimeFrom"])
        last = datetime.fromisoformat(parameters["measurementDateTimeTo"])
        at[first] = last
        count = int((last - first).total_seconds()) // 15 + 1
        return {"data": samples(first, count, lambda i: 50.12 if i in {0, count - 1} else 50.0)}

    upstream = Upstream({"/datasets/FREQ": answer})
    fetched = FEEDS["elexon-frequency"].fetch(Ask("GB", start, END, NOW, upstream))
    assert all(last - first <= timedelta(hours=24) for first, last in at.items())
    assert len(at) == 3
    assert len(fetched.series["frequency"]) == 100
    first_of_chunk = fetched.series["frequency"].values[[0, 48, 96]]
    assert first_of_chunk.tolist() == pytest.approx([50 + 0.12 / 120] * 3, abs=1e-9)
    assert fetched.findings == ()
    assert upstream.asked[0] == (
        "https://elexon.example/bmrs/api/v1/datasets/FREQ",
        {"measurementDateTimeFrom": "2026-11-18T10:00Z", "measurementDateTimeTo": "2026-11-19T10:00Z"},
    )


def test_a_bare_array_is_read_like_an_envelope():
    bodies = {"/datasets/FREQ": samples(START, 480)}
    assert len(fetch("elexon-frequency", bodies, START, END, NOW).series["frequency"]) == 4


def test_samples_of_another_time_than_asked_are_no_answer():
    with pytest.raises(FeedInvalid, match="no figures for the time asked"):
        read(samples(START, 480), START - timedelta(days=90), START - timedelta(days=89))


def test_a_feed_that_stopped_hours_ago_is_no_answer_about_the_present():
    start = START - timedelta(hours=12)
    with pytest.raises(FeedInvalid, match="no figures after 2026-11-20 04:00 UTC"):
        read(samples(start, 6 * 240), start)


def test_only_half_hours_that_are_over_can_be_asked_for():
    with pytest.raises(FeedInvalid, match="past slots only"):
        read([], NOW - timedelta(minutes=5), END)


@pytest.mark.parametrize(
    "at",
    ["2026-11-20T10:00:00+00:00", "2026-11-20T10:00:00", "today", "          todayZ", None, 7, "2026-13-01T00:00Z"],
)
def test_a_sample_without_a_plain_utc_time_is_refused(at):
    with pytest.raises(FeedInvalid, match="measurementTime"):
        read([{"measurementTime": at, "frequency": 50.0}])


@pytest.mark.parametrize("hertz", ["50.0", True, [50.0]])
def test_a_frequency_that_is_no_number_of_hertz_is_refused(hertz):
    with pytest.raises(FeedInvalid, match="frequency is"):
        read([*samples(START, 480), {"measurementTime": "2026-11-20T10:00:00Z", "frequency": hertz}])


@pytest.mark.parametrize("body", [{}, {"error": "x"}, [1], "x", b"<html>", b'{"data":[{"frequency":NaN}]}'])
def test_an_answer_of_another_shape_is_refused(body):
    with pytest.raises(FeedInvalid):
        fetch("elexon-frequency", {"/datasets/FREQ": body}, START, END, NOW)


def test_a_sample_with_two_figures_is_flagged():
    rows = samples(START, 480)
    fetched = read([*rows, rows[-1] | {"frequency": 50.3}])
    assert fetched.series["frequency_deviation"].values[0] == pytest.approx(0.3)
    assert [(found.flag, found.end) for found in fetched.findings] == [(Flag.DUPLICATE, START + SLOT)]


def test_a_second_row_that_is_a_fault_does_not_take_the_sample_away():
    rows = samples(START, 480)
    fetched = read([*rows, *(row | {"frequency": 400.0} for row in rows)])
    assert fetched.series["frequency"].values.tolist() == [50.0] * 4
    assert [found.flag for found in fetched.findings] == [Flag.OUTLIER]
