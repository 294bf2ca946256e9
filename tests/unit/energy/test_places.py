"""Places for weather."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.energy.places import coordinates, is_place, place_of
from core.errors import NotFound


def test_a_point_is_named_by_the_nearest_quarter_degree():
    assert place_of(51.51, -0.13) == "51.50,-0.25"
    assert place_of(51.51, -0.12) == "51.50,0.00"
    assert place_of(-33.87, 151.21) == "-33.75,151.25"


def test_zero_is_never_written_with_a_minus():
    assert place_of(-0.05, -0.05) == "0.00,0.00"


def test_the_date_line_is_one_place():
    assert place_of(0, 180) == place_of(0, -180) == place_of(0, 179.99) == "0.00,-180.00"


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_a_place_lies_within_an_eighth_of_a_degree_and_names_itself(latitude, longitude):
    place = place_of(latitude, longitude)
    north, east = coordinates(place)
    assert abs(north - latitude) <= 0.125
    assert min(abs(east - longitude), 360 - abs(east - longitude)) <= 0.125
    assert place_of(north, east) == place
    assert is_place(place)


@pytest.mark.parametrize("zone", ["GB-C", "51.5,-0.25", "51.51,-0.25", "95.00,0.00", "0.00,180.00", "-0.00,0.00", ""])
def test_another_spelling_is_no_place(zone):
    assert not is_place(zone)
    with pytest.raises(NotFound, match="is no place"):
        coordinates(zone)


@pytest.mark.parametrize(("latitude", "longitude"), [(90.1, 0), (0, 180.1), (float("nan"), 0)])
def test_a_point_off_the_earth_is_refused(latitude, longitude):
    with pytest.raises(ValueError, match="no point on Earth"):
        place_of(latitude, longitude)
