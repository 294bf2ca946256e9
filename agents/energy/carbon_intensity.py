"""Carbon intensity of Great Britain and its 14 regions from the Carbon Intensity API (NESO), half-hourly, 48 h ahead.

API: https://carbon-intensity.github.io/api-definitions/. Times are UTC to the minute; a range answers with the rows
whose *end* lies within it, both ends included, and stops at the end of a year. National rows carry ``actual`` from
about half an hour after the slot, null until then. Regional rows never do: once the slot has passed, their last
revision is the firmest figure that will ever exist, so it is labelled an estimate like the national ``actual``, which
is modelled too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from agents.energy.client import JsonClient
from agents.energy.feed import FetchedSeries
from agents.energy.halfhours import slot_index
from agents.energy.reading import SPURIOUS_ZERO_ABOVE_G, instant, mapping, number, rows, series_of
from agents.energy.zones import GB, REGIONS
from core.clock import Clock
from core.errors import FeedInvalid
from core.series import Kind, Unit
from core.slots import SLOT, require_aware, slot_ceil, slot_floor
from core.vintage import Quantity

NAME = "carbon-intensity"
LONGEST_RANGE = timedelta(days=13)
HIGHEST_G = 1500.0


def ranges(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Cut ``[start, end)`` into ranges of at most 13 days, none across 1 January UTC."""
    while start < end:
        new_year = datetime(start.year + 1, 1, 1, tzinfo=UTC)
        stop = min(start + LONGEST_RANGE, new_year, end)
        yield start, stop
        start = stop


def _minute(moment: datetime) -> str:
    return require_aware(moment).strftime("%Y-%m-%dT%H:%MZ")


def _rows_of(answer: Any, region_id: int | None, where: str) -> list[Mapping[str, Any]]:
    """The rows in an answer, whichever of the API's three shapes it has; an answer without rows has none."""
    data = mapping(answer, where).get("data", [])
    if isinstance(data, list) and data and "data" in mapping(data[0], where):
        data = data[0]
    if isinstance(data, list):
        return rows(data, where)
    region = mapping(data, where)
    if region.get("regionid") != region_id:
        raise FeedInvalid(f"{where} is about region {region.get('regionid')!r}, {region_id!r} was asked for.")
    return rows(region.get("data"), where)


def _figure(row: Mapping[str, Any], *, passed: bool, regional: bool, where: str) -> tuple[float, int] | None:
    """Value and kind of a row, or None where it has no figure."""
    intensity = mapping(row.get("intensity"), f"{where} intensity")
    forecast, actual = (
        None if intensity.get(name) is None else number(intensity[name], 0, HIGHEST_G, f"{where} {name} (g/kWh)")
        for name in ("forecast", "actual")
    )
    if actual is not None and not (actual == 0 and (forecast or 0) > SPURIOUS_ZERO_ABOVE_G):
        return actual, Kind.ESTIMATE
    if forecast is None:
        return None
    return forecast, Kind.ESTIMATE if regional and passed else Kind.FORECAST


class CarbonIntensityFeed:
    """The feed ``carbon-intensity``: zone ``GB`` and the 14 ``GB-<letter>``."""

    name = NAME
    quantity: Quantity = "carbon"
    zones = frozenset({GB, *REGIONS})
    attribution = "Carbon intensity: NESO Carbon Intensity API (carbonintensity.org.uk), CC BY 4.0"

    def __init__(self, client: JsonClient, base_url: str, clock: Clock) -> None:
        self._client = client
        self._base = base_url.rstrip("/")
        self._clock = clock
        self.host = urlsplit(self._base).netloc

    def fetch(self, zone: str, start: datetime, end: datetime) -> FetchedSeries:
        now = self._clock.now()
        region_id = REGIONS[zone].carbon_region_id if zone in REGIONS else None
        answers = [self._client.get(url) for url in self._urls(region_id, slot_floor(start), end, now)]
        where = f"Carbon Intensity API, {zone}:"
        found = [row for answer, _ in answers for row in _rows_of(answer, region_id, where)]
        figures = _figures(found, slot_floor(start), slot_ceil(end), now, regional=region_id is not None, where=where)
        source = f"Carbon Intensity API {zone}"
        series = series_of(figures, Unit.G_PER_KWH, source, now, feed=where.rstrip(":"))
        return FetchedSeries(series, b"\n".join(body for _, body in answers))

    def overdue(self, known_until: datetime, now: datetime) -> bool:  # noqa: ARG002  published all day long
        """Never: nothing is due at a set hour."""
        return False

    def _urls(self, region_id: int | None, start: datetime, end: datetime, now: datetime) -> Iterator[str]:
        """Past slots by range, then 48 h ahead from the present slot."""
        base = f"{self._base}/intensity" if region_id is None else f"{self._base}/regional/intensity"
        region = "" if region_id is None else f"/regionid/{region_id}"
        present = slot_floor(now)
        for first, last in ranges(start, min(end, present)):
            yield f"{base}/{_minute(first)}/{_minute(last)}{region}"
        if end > present:
            yield f"{base}/{_minute(present)}/fw48h{region}"


def _figures(
    found: Iterable[Mapping[str, Any]], start: datetime, end: datetime, now: datetime, *, regional: bool, where: str
) -> dict[int, tuple[float, int]]:
    """Figures by index of the slots in ``[start, end)``. Of two rows for one slot the firmer stays, then the later."""
    figures: dict[int, tuple[float, int]] = {}
    for row in found:
        begin, stop = instant(row.get("from"), f"{where} from"), instant(row.get("to"), f"{where} to")
        if stop - begin != SLOT:
            raise FeedInvalid(f"{where} row from {begin} to {stop} is not one half-hour.")
        if not start <= begin < end:
            continue
        figure = _figure(row, passed=stop <= now, regional=regional, where=where)
        index = slot_index(begin)
        if figure is not None and (index not in figures or figure[1] <= figures[index][1]):
            figures[index] = figure
    return figures
