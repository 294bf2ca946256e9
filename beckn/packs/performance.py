"""What was measured for a contract: per meter the baseline and what was drawn, in one message or in pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from beckn.packs.grid import Grid, read_grid, require_columns, require_same, write_report
from beckn.packs.reading import at, inner, listing, mapping, text
from beckn.packs.settlement import NOT_SETTLED
from beckn.protocol.faults import Fault

PERFORMANCE_CONTEXT = "https://schema.nfh.global/DemandFlexPerformance/v2.0/context.jsonld"
KIND = "DemandFlexPerformance"
_MOST_METERS = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of the meters a message has; ``sequence`` counts from 0, ``total`` counts meters of all pages."""

    sequence: int
    is_last: bool
    size: int | None = None
    total: int | None = None
    collection: str | None = None

    def wire(self) -> dict[str, Any]:
        """As ``pageInfo``."""
        told = {
            "@type": "PageInfo",
            "sequence": self.sequence,
            "pageSize": self.size,
            "total": self.total,
            "isLast": self.is_last,
            "collectionId": self.collection,
        }
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Measured:
    """Meters of a contract; each grid has BASELINE and, once it is over, USAGE, kW."""

    event_id: str
    methodology: str
    meters: Mapping[str, Grid]
    page: Page | None = None

    @property
    def settles(self) -> bool:
        """Whether it may settle the contract; what resources say of themselves does not."""
        return self.methodology not in NOT_SETTLED

    def wire(self) -> dict[str, Any]:
        """As ``performanceAttributes``."""
        told: dict[str, Any] = {
            "@context": PERFORMANCE_CONTEXT,
            "@type": KIND,
            "eventId": self.event_id,
            "methodology": self.methodology,
            "meters": [
                {"meterId": meter_id, "telemetry": {"@type": "TimeSeries", **write_report(grid)}}
                for meter_id, grid in self.meters.items()
            ],
        }
        return told if self.page is None else {**told, "pageInfo": self.page.wire()}

    def pages(self, size: int, collection: str) -> Iterator[Measured]:
        """The same in messages of at most ``size`` meters, in order; at least one."""
        rest = iter(self.meters.items())
        count = max(1, -(-len(self.meters) // size))
        for sequence in range(count):
            page = Page(sequence, sequence == count - 1, size, len(self.meters), collection)
            yield Measured(self.event_id, self.methodology, dict(islice(rest, size)), page)


def read_measured(attributes: Any, terms: Grid, path: str) -> Measured:
    """Read ``performanceAttributes``, with meters in the message itself.

    :raises Fault: ``SCH_``, with the JSONPath: meters lack or come twice, a grid has no baseline, other columns or
        other half-hours than those of the terms.
    """
    found = mapping(attributes, path)
    if found.get("@type") != KIND:
        raise Fault("SCH_TYPE_NOT_SUPPORTED", f"the type is not {KIND}", f"{path}['@type']")
    if found.get("metersRef") is not None:
        raise Fault("SCH_TYPE_NOT_SUPPORTED", "meters are taken from the message only", at(path, "metersRef"))
    methodology = text(found, "methodology", path)
    allowed = None if methodology in NOT_SETTLED else ("BASELINE", "USAGE")
    meters: dict[str, Grid] = {}
    for i, each in enumerate(listing(found, "meters", path, _MOST_METERS)):
        here = f"{path}.meters[{i}]"
        meter = mapping(each, here)
        meter_id = text(meter, "meterId", here)
        if meter_id in meters:
            raise Fault("SCH_ATTRIBUTE_PACK_INVALID", "the meter comes twice", at(here, "meterId"))
        grid = read_grid(inner(meter, "telemetry", here), at(here, "telemetry"), allowed)
        require_columns(grid, ("BASELINE",) if allowed else (), at(here, "telemetry"))
        require_same(grid, terms, at(here, "telemetry"))
        meters[meter_id] = grid
    page = None if found.get("pageInfo") is None else _page(inner(found, "pageInfo", path), at(path, "pageInfo"))
    return Measured(text(found, "eventId", path), methodology, meters, page)


def _page(found: Mapping[str, Any], path: str) -> Page:
    last = found.get("isLast")
    if not isinstance(last, bool):
        raise Fault("SCH_SCHEMA_VALIDATION_FAILED", "it is neither true nor false", at(path, "isLast"))
    sequence = _count(found, "sequence", path)
    if sequence is None:
        raise Fault("SCH_REQUIRED_FIELD_MISSING", "sequence is missing", at(path, "sequence"))
    collection = text(found, "collectionId", path) if found.get("collectionId") is not None else None
    return Page(sequence, last, _count(found, "pageSize", path), _count(found, "total", path), collection)


def _count(found: Mapping[str, Any], name: str, path: str) -> int | None:
    value = found.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1_000_000):
        raise Fault("SCH_SCHEMA_VALIDATION_FAILED", f"{name} is no count", at(path, name))
    return value


def assemble(pages: Iterable[Measured], path: str = "$") -> Measured | None:
    """All pages in one, in whichever order they came; None while one is missing.

    A page that came twice counts once.

    :raises Fault: pages contradict each other: two of one number differ, two are the last, a meter is on two, or their
        count of meters is not the total they tell.
    """
    found: dict[int, Measured] = {}
    for each in pages:
        page = each.page or Page(0, is_last=True)
        if found.setdefault(page.sequence, each) != each:
            raise Fault("SCH_ATTRIBUTE_PACK_INVALID", f"two pages {page.sequence} differ", at(path, "pageInfo"))
    lasts = [number for number, each in found.items() if each.page is None or each.page.is_last]
    if len(lasts) > 1 or (lasts and max(found) > lasts[0]):
        raise Fault("SCH_ATTRIBUTE_PACK_INVALID", "a page follows the last", at(path, "pageInfo"))
    if not lasts or len(found) != lasts[0] + 1:
        return None
    ordered = [found[number] for number in sorted(found)]
    meters = {meter_id: grid for each in ordered for meter_id, grid in each.meters.items()}
    totals = {each.page.total for each in ordered if each.page is not None and each.page.total is not None}
    if len(meters) != sum(len(each.meters) for each in ordered) or totals - {len(meters)}:
        raise Fault("SCH_ATTRIBUTE_PACK_INVALID", "the pages have other meters than they tell", at(path, "meters"))
    return Measured(ordered[0].event_id, ordered[0].methodology, meters)
