"""Spatial constraints of an intent, over points: within or touching an area, away from it, or at most so far away.

An area is a Polygon, a MultiPolygon, a Point or a bounding box, in degrees of WGS 84. A point on the edge of an area
intersects it but is not within it. Distances are along the great circle.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from beckn import jsonpath
from beckn.jsonpath import Budget
from beckn.packs.reading import at, inner, listing, mapping, number, text
from beckn.protocol.faults import Fault

MOST_CONSTRAINTS = 10
_MOST_POSITIONS = 1000
_EARTH_M = 6_371_008.8
_SRIDS = frozenset({"EPSG:4326", "4326", "CRS84", "http://www.opengis.net/def/crs/OGC/1.3/CRS84"})
_FIELDS = frozenset({"op", "targets", "geometry", "distanceMeters", "quantifier", "srid"})
Position = tuple[float, float]
Ring = tuple[Position, ...]
_QUANTIFIERS: Mapping[str, Callable[[list[bool]], bool]] = {
    "ANY": any,
    "ALL": lambda found: bool(found) and all(found),
    "NONE": lambda found: not any(found),
}


@dataclass(frozen=True, slots=True)
class Area:
    """Polygons, each an outer ring and holes; or one point."""

    polygons: tuple[tuple[Ring, ...], ...] = ()
    point: Position | None = None

    @property
    def size(self) -> int:
        """How many positions it has."""
        return sum(len(ring) for rings in self.polygons for ring in rings) + 1

    def side(self, position: Position) -> int:
        """1 inside, 0 on the edge or at the point, -1 outside."""
        if self.point is not None:
            return 0 if position == self.point else -1
        return max((_polygon_side(rings, position) for rings in self.polygons), default=-1)


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint of an intent."""

    op: str
    targets: tuple[jsonpath.Path, ...]
    area: Area
    metres: float
    quantifier: str

    def holds(self, resource: Mapping[str, Any], budget: Budget) -> bool:
        """Whether a resource meets it; a resource without a point at the targets meets none but ``NONE``."""
        found = [node.value for target in self.targets for node in target.find(resource, budget)]
        points = [point for each in found if (point := _point(each)) is not None]
        budget.spend(len(points) * self.area.size)
        return _QUANTIFIERS[self.quantifier]([self._meets(point) for point in points])

    def _meets(self, position: Position) -> bool:
        side = self.area.side(position)
        if self.op == "S_DWITHIN":
            return self.area.point is not None and distance_m(position, self.area.point) <= self.metres
        if self.op == "S_WITHIN":
            return side == 1 or (self.area.point is not None and side == 0)
        return side < 0 if self.op == "S_DISJOINT" else side >= 0


_OPS = frozenset({"S_WITHIN", "S_INTERSECTS", "S_DISJOINT", "S_DWITHIN"})


def read_constraints(found: Any, path: str) -> list[Constraint]:
    """Read ``intent.spatial``; :class:`Fault` ``SCH_`` for what cannot be read or is not served."""
    whole = listing({"spatial": found}, "spatial", path, MOST_CONSTRAINTS)
    return [_constraint(mapping(each, f"{path}[{i}]"), f"{path}[{i}]") for i, each in enumerate(whole)]


def _constraint(found: Mapping[str, Any], path: str) -> Constraint:
    if unknown := sorted(found.keys() - _FIELDS):
        raise Fault("SCH_FIELD_NOT_ALLOWED", f"{unknown[0][:40]} is no part of a constraint", path)
    op = text(found, "op", path).upper()
    if op not in _OPS:
        raise Fault("SCH_TYPE_NOT_SUPPORTED", f"{op[:40]} is not served for points", at(path, "op"))
    if found.get("srid") is not None and text(found, "srid", path) not in _SRIDS:
        raise Fault("SCH_TYPE_NOT_SUPPORTED", "coordinates are in EPSG:4326", at(path, "srid"))
    quantifier = text(found, "quantifier", path).upper() if found.get("quantifier") is not None else "ANY"
    if quantifier not in _QUANTIFIERS:
        raise Fault("SCH_INVALID_ENUM", "quantifier is ANY, ALL or NONE", at(path, "quantifier"))
    area = read_area(inner(found, "geometry", path), at(path, "geometry"))
    metres = 0.0
    if op == "S_DWITHIN":
        if area.point is None:
            raise Fault("SCH_TYPE_NOT_SUPPORTED", "distances are from a Point", at(path, "geometry"))
        if found.get("distanceMeters") is None:
            raise Fault("SCH_REQUIRED_FIELD_MISSING", "distanceMeters is missing", at(path, "distanceMeters"))
        metres = float(number(found["distanceMeters"], at(path, "distanceMeters")))
    targets = found.get("targets")
    several = listing(found, "targets", path, 10) if isinstance(targets, list) else [targets]
    read = [jsonpath.parse(each, at(path, "targets")).without("catalogs", "resources") for each in several]
    return Constraint(op, tuple(read), area, metres, quantifier)


def read_area(geometry: Mapping[str, Any], path: str) -> Area:
    """Read a GeoJSON geometry; :class:`Fault` where it is none that is served here."""
    kind = text(geometry, "type", path)
    coordinates = geometry.get("coordinates")
    if coordinates is None and geometry.get("bbox") is not None:
        return _box(geometry, path)
    here = at(path, "coordinates")
    left = [_MOST_POSITIONS]
    if kind == "Point":
        return Area(point=_position(coordinates, here, left))
    if kind not in {"Polygon", "MultiPolygon"}:
        raise Fault("SCH_TYPE_NOT_SUPPORTED", f"geometry {kind[:40]!r} is not served", at(path, "type"))
    polygons = [coordinates] if kind == "Polygon" else coordinates
    if not isinstance(polygons, list) or not 0 < len(polygons) <= _MOST_POSITIONS:
        raise Fault("SCH_INVALID_FORMAT", "there is no polygon", here)
    return Area(tuple(_rings(each, here, left) for each in polygons))


def _box(geometry: Mapping[str, Any], path: str) -> Area:
    here = at(path, "bbox")
    box = [float(number(each, here)) for each in listing(geometry, "bbox", path, 4)]
    if len(box) != 4:
        raise Fault("SCH_INVALID_FORMAT", "a bounding box is west, south, east, north", here)
    west, south, east, north = box
    spans = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    return Area(tuple((((w, south), (e, south), (e, north), (w, north), (w, south)),) for w, e in spans))


def _rings(found: Any, path: str, left: list[int]) -> tuple[Ring, ...]:
    if not isinstance(found, list) or not 0 < len(found) <= _MOST_POSITIONS:
        raise Fault("SCH_INVALID_FORMAT", "a polygon is a list of rings", path)
    rings = []
    for each in found:
        if not isinstance(each, list) or len(each) < 4 or each[0] != each[-1]:
            raise Fault("SCH_INVALID_FORMAT", "a ring has at least four positions and ends where it begins", path)
        rings.append(tuple(_position(position, path, left) for position in each))
    return tuple(rings)


def _position(found: Any, path: str, left: list[int]) -> Position:
    left[0] -= 1
    if left[0] < 0:
        raise Fault("SCH_INVALID_FORMAT", f"the geometry has more than {_MOST_POSITIONS} positions", path)
    if not isinstance(found, list) or not 2 <= len(found) <= 3:
        raise Fault("SCH_INVALID_FORMAT", "a position is a longitude and a latitude", path)
    longitude, latitude = (float(number(each, path)) for each in found[:2])
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise Fault("SCH_INVALID_FORMAT", "the position is not on earth", path)
    return longitude, latitude


def _point(found: Any) -> Position | None:
    """The position of a GeoJSON point; None for anything else."""
    if not isinstance(found, Mapping) or found.get("type") != "Point":
        return None
    try:
        return _position(found.get("coordinates"), "$", [1])
    except Fault:
        return None


def _polygon_side(rings: Sequence[Ring], position: Position) -> int:
    outer, *holes = (_ring_side(ring, position) for ring in rings)
    return min(outer, *(-hole for hole in holes)) if holes else outer


def _ring_side(ring: Ring, position: Position) -> int:
    """1 inside, 0 on the ring, -1 outside, by how often a ray crosses it."""
    x, y = position
    inside = False
    for (x1, y1), (x2, y2) in pairwise(ring):
        turn = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
        if turn == 0 and min(x1, x2) <= x <= max(x1, x2) and min(y1, y2) <= y <= max(y1, y2):
            return 0
        if (y1 > y) != (y2 > y) and (turn > 0) == (y2 > y1):
            inside = not inside
    return 1 if inside else -1


def distance_m(one: Position, other: Position) -> float:
    """Metres along the great circle."""
    (lon1, lat1), (lon2, lat2) = ((math.radians(lon), math.radians(lat)) for lon, lat in (one, other))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * _EARTH_M * math.asin(math.sqrt(min(1.0, half)))
