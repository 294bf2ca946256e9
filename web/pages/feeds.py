"""Feeds as the signals page shows them: one group a source, its zones inside, those with problems first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agents.energy.feed import Declaration, FeedStatus
from agents.energy.places import place_of
from agents.energy.zones import ZONES
from core.site import Site
from core.vintage import Quantity
from web.pages.quantities import list_of, title

NO_KEY = "no key"
STATES = ("never", "stale", "simulated", "replayed", NO_KEY, "live")
"""Worst first."""
NOTED = "noted"
"""The filter for rows with findings, whatever their state."""
TITLES = {"simulated": "Slackwater's simulation", "replay": "Recorded figures"}
"""Of what is no feed and yet gives figures."""
_GIVES = {"simulated": "Zones for which no feed is asked", "replay": "Played as if they were live"}


@dataclass(frozen=True, slots=True)
class Row:
    """One feed for one zone and quantity.

    :param where: the zone with its name, for people.
    :param gives: what it is about; empty where the source says so for all its rows.
    """

    status: FeedStatus
    where: str
    gives: str

    @property
    def troubled(self) -> bool:
        """Whether someone should look at it."""
        return self.status.state in {"never", "stale"} or bool(self.status.error or self.status.findings)


@dataclass(frozen=True, slots=True)
class Source:
    """One feed with its zones.

    :param counts: rows by state, the worst first.
    :param findings: how many were noted over all rows.
    :param declaration: None for what is simulated or replayed.
    """

    name: str
    title: str
    gives: str
    counts: Mapping[str, int]
    findings: int
    rows: tuple[Row, ...]
    declaration: Declaration | None

    @property
    def troubled(self) -> bool:
        """Whether any of its rows is."""
        return any(row.troubled for row in self.rows)


def zone_names(sites: Iterable[Site]) -> dict[str, str]:
    """Names of grid zones, and of places by the sites they are near."""
    names = {zone.zone: f"{zone.zone} {zone.name}" for zone in ZONES.values()}
    for zone in ZONES.values():
        names[place_of(zone.latitude, zone.longitude)] = f"Weather of {zone.name}"
    for site in sites:
        names[place_of(site.latitude, site.longitude)] = f"Weather at {site.name}"
    return names


def sources(
    statuses: Sequence[FeedStatus], declarations: Sequence[Declaration], names: Mapping[str, str]
) -> list[Source]:
    """Every feed as one group, those without a key too; the troubled first, then in the order they are declared."""
    declared = {each.name: each for each in declarations}
    by_name: dict[str, list[FeedStatus]] = {each.name: [] for each in declarations}
    for status in statuses:
        by_name.setdefault(status.feed, []).append(status)
    groups = [
        _source(name, group, declared.get(name), names)
        for name, group in by_name.items()
        if group or (name in declared and not declared[name].ready)
    ]
    return sorted(groups, key=lambda source: (not source.troubled, STATES.index(next(iter(source.counts)))))


def _source(name: str, group: Sequence[FeedStatus], declared: Declaration | None, names: Mapping[str, str]) -> Source:
    several = len({status.quantity for status in group}) > 1
    rows = [Row(each, names.get(each.zone, each.zone), title(each.quantity) if several else "") for each in group]
    found = Counter[str](status.state for status in group)
    counts = {state: found[state] for state in STATES if found[state]} or {NO_KEY: 1}
    return Source(
        name=name,
        title=declared.title if declared else TITLES.get(name, name),
        gives=list_of(declared.quantities) if declared else _GIVES.get(name, ""),
        counts=counts,
        findings=sum(len(status.findings) for status in group),
        rows=tuple(sorted(rows, key=lambda row: (not row.troubled, STATES.index(row.status.state)))),
        declaration=declared,
    )


def tally(statuses: Iterable[FeedStatus], declarations: Iterable[Declaration]) -> dict[str, int]:
    """How many rows are in each state, the worst first, and how many have findings."""
    every = list(statuses)
    found = Counter[str](status.state for status in every)
    found[NO_KEY] = sum(not each.ready for each in declarations)
    counts = {state: found[state] for state in STATES if found[state]}
    noted = sum(bool(status.findings) for status in every)
    return counts | ({NOTED: noted} if noted else {})


def matching(statuses: Iterable[FeedStatus], zone: str, state: str) -> list[FeedStatus]:
    """The statuses of a zone and in a state; an empty text stands for any."""
    return [
        status
        for status in statuses
        if zone in {"", status.zone} and (state in {"", status.state} or (state == NOTED and status.findings))
    ]


def used_quantities(declarations: Iterable[Declaration], asked: frozenset[str]) -> tuple[Quantity, ...]:
    """What the feeds named in ``asked`` may give, in the order they are declared."""
    found = (quantity for each in declarations if each.name in asked for quantity in each.quantities)
    return tuple(dict.fromkeys(found))
