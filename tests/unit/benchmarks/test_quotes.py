"""The benchmark of quotes measures what it says, both ways."""

from __future__ import annotations

from benchmarks.quotes import measure, planned


def test_quotes_of_every_kind_are_timed_through_the_application_and_over_http():
    with planned(0) as (house, application):
        found = measure(application, 12)
        assert house.jobs.counts() == {}
    assert found.keys() == {"handler", "HTTP"}
    assert all(seconds.shape == (12, 2) and (seconds > 0).all() for seconds in found.values())
