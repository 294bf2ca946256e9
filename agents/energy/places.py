"""Places: points of a grid of a quarter degree, which weather is asked for by; written ``lat,lon``.

A quarter degree is at most 28 km, about the step of the weather analyses, so that neighbouring sites share an answer.
"""

from __future__ import annotations

import math
import re

from core.errors import NotFound

STEP_DEGREES = 0.25
_PLACE = re.compile(r"-?\d{1,2}\.\d{2},-?\d{1,3}\.\d{2}")


def _nearest(degrees: float) -> float:
    """The nearest quarter degree, halves to the north and east; never minus zero."""
    return math.floor(degrees / STEP_DEGREES + 0.5) * STEP_DEGREES


def place_of(latitude: float, longitude: float) -> str:
    """The place nearest to a point, such as ``51.50,-0.25``.

    :param latitude: degrees north, -90 to 90; :class:`ValueError` outside.
    :param longitude: degrees east, -180 to 180; :class:`ValueError` outside. The date line is written -180.
    """
    if not -90 <= latitude <= 90 or not -180 <= longitude <= 180:
        raise ValueError(f"latitude {latitude} and longitude {longitude} degrees are no point on Earth")
    east = _nearest(longitude)
    return f"{_nearest(latitude):.2f},{-180.0 if east >= 180 else east:.2f}"


def is_place(zone: str) -> bool:
    """Whether ``zone`` is a place in the one spelling that :func:`place_of` gives it."""
    if _PLACE.fullmatch(zone) is None:
        return False
    latitude, longitude = (float(part) for part in zone.split(","))
    return abs(latitude) <= 90 and abs(longitude) <= 180 and place_of(latitude, longitude) == zone


def coordinates(place: str) -> tuple[float, float]:
    """Latitude and longitude of a place in degrees; :class:`core.errors.NotFound` for anything else."""
    if not is_place(place):
        raise NotFound(f"{place!r} is no place", remedy="Write it as place_of does, such as 51.50,-0.25.")
    latitude, longitude = place.split(",")
    return float(latitude), float(longitude)
