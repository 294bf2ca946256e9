"""``signals``: test the feeds, fill in the past, show figures, name a region, read again what decisions rested on."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import get_args

from tqdm import tqdm

from agents.energy.agent import EnergyAgent
from agents.energy.build import build_energy, client_of
from agents.energy.client import Bounds
from agents.energy.feed import Declaration, FeedStatus
from agents.energy.feeds import carbon_regions, octopus_regions
from agents.energy.reread import Reread, Rereader
from agents.energy.zones import require_known
from agents.site.profiles import load_sites
from audit.verify import records_in
from commands.keeping import log_path
from core.clock import Clock
from core.errors import InputError
from core.instance import read_instance
from core.series import Kind, Series
from core.settings import Settings
from core.slots import SLOT, format_utc, require_aware, slot_ceil, slot_floor
from core.vintage import Quantity
from store.database import Database
from store.scores import ScoreRepository
from store.vintages import VintageRepository

STRETCH = timedelta(days=13)
"""Asked for at a time while filling in the past, so that progress shows and a fault costs little."""
PATIENCE_S = 130.0
"""A person waits for a host that allows two requests a minute; the loop asks it again later instead."""
WIDTH = 28


@dataclass(frozen=True, slots=True)
class Station:
    """The energy agent with its store, and no server around it."""

    energy: EnergyAgent
    vintages: VintageRepository
    now: datetime


@contextmanager
def _station(settings: Settings, clock: Clock) -> Iterator[Station]:
    """An energy agent over the store of ``DATA_DIR``; the database is made and migrated, nothing is asked."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.resolved_database_url)
    try:
        database.migrate()
        zones = tuple(dict.fromkeys(site.zone for site in load_sites(settings.sites_file)))
        vintages = VintageRepository(database)
        client = client_of(settings, Bounds(longest_wait_s=PATIENCE_S))
        energy = build_energy(settings, clock, vintages, ScoreRepository(database), zones, client)
        yield Station(energy, vintages, clock.now())
    finally:
        database.close()


def check(arguments: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    """0 when every feed that was asked answers; 1 otherwise. The answers are stored like any others."""
    with _station(settings, clock) as station:
        station.energy.refresh(force=True)
        statuses, notices = station.energy.status(), station.energy.notices()
        locked = [declared for declared in station.energy.declarations() if not declared.ready]
    if arguments.json:
        print(json.dumps([asdict(status) for status in statuses], default=str))
    else:
        for status in statuses:
            print(_line(status))
        for declared in locked:
            print(_not_asked(declared))
        for notice in notices:
            print(f"! {notice.feed}: {notice.detail}")
    return 1 if any(status.error for status in statuses) else 0


def _line(status: FeedStatus) -> str:
    until = f"known until {status.known_until:%Y-%m-%d %H:%M}Z" if status.known_until else "nothing known"
    noted = "".join(f"\n    {finding.flag}: {finding.detail}" for finding in status.findings)
    head = f"{status.feed:{WIDTH}} {status.zone:14} {status.quantity:16} {status.state:10}"
    return f"{head} {until} {status.error or ''}".rstrip() + noted


def _not_asked(declared: Declaration) -> str:
    return f"{declared.name:{WIDTH}} not asked: set {declared.key_setting} to your key"


def backfill(arguments: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    """Ask the feeds of a zone for the past and store it; 1 when a stretch could not be had."""
    require_known(arguments.zone)
    with _station(settings, clock) as station:
        start = _instant(arguments.start, "--from")
        end = min(_instant(arguments.end, "--to") if arguments.end else station.now, station.now)
        if end <= start:
            raise InputError(f"--from {start:%Y-%m-%d} is not before {end:%Y-%m-%d}", field="--from", value=start)
        _require_feeds(arguments.feed, station.energy)
        failed = _fill(station, arguments, start, end)
    for reason in failed:
        print(f"! {reason}")
    return 1 if failed else 0


def _fill(station: Station, arguments: argparse.Namespace, start: datetime, end: datetime) -> list[str]:
    """Ask stretch by stretch; the faults met, each once."""
    failed: dict[str, None] = {}
    figures: dict[tuple[str, Quantity], int] = {}
    stretches = -(-(end - start) // STRETCH)
    for number in tqdm(range(stretches), unit=" stretches", disable=arguments.json, leave=False):
        first = start + STRETCH * number
        for fetch in station.energy.backfill(arguments.zone, first, min(first + STRETCH, end), arguments.feed):
            if fetch.error is not None:
                failed[f"{fetch.feed}: {fetch.error}"] = None
            for quantity, series in fetch.series.items():
                known = int((series.kinds != Kind.MISSING).sum())
                figures[fetch.feed, quantity] = figures.get((fetch.feed, quantity), 0) + known
    if arguments.json:
        print(json.dumps([{"feed": f, "quantity": q, "figures": n} for (f, q), n in figures.items()]))
    else:
        for (feed, name), count in figures.items():
            print(f"{feed:{WIDTH}} {name:16} {count} figures stored")
        if not figures:
            print("no figures were stored")
    return list(failed)


def show(arguments: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    """Print a series as it is known now, slot by slot; nothing is asked of the network."""
    require_known(arguments.zone)
    if arguments.quantity not in QUANTITIES:
        raise InputError(
            f"there is no quantity {arguments.quantity!r}",
            field="quantity",
            value=arguments.quantity,
            remedy=f"Use one of {', '.join(QUANTITIES)}.",
        )
    with _station(settings, clock) as station:
        start = slot_floor(_instant(arguments.start, "--from") if arguments.start else station.now)
        series = _series(station.energy, arguments.zone, arguments.quantity, start, int(2 * arguments.hours))
    if arguments.json:
        print(json.dumps(list(_rows(series))))
        return 0
    print(f"{arguments.zone} {arguments.quantity}, {series.unit.value}; {series.source}")
    for row in _rows(series):
        value = "        –" if row["value"] is None else f"{row['value']:9.4f}"
        width = "" if row["low"] == row["high"] else f"  ({row['low']:.4f} to {row['high']:.4f})"
        print(f"{row['slot_start']}  {value}  {row['kind']}{width}")
    return 0


def _series(energy: EnergyAgent, zone: str, quantity: Quantity, start: datetime, slots: int) -> Series:
    """Known figures; those of price and carbon that are not published yet as they are expected."""
    known = energy.known(zone, quantity, start, slots)
    if quantity not in ("price", "carbon"):
        return known
    quote = energy.quote((zone,), start, slots)
    expected = quote.price[zone] if quantity == "price" else quote.carbon[zone]
    return expected if (known.kinds == Kind.MISSING).all() else known.overlay(expected)


def _rows(series: Series) -> Iterator[dict[str, object]]:
    low, high = series.interval
    for number, (value, kind) in enumerate(zip(series.values.tolist(), series.kinds.tolist(), strict=True)):
        missing = kind == Kind.MISSING
        yield {
            "slot_start": format_utc(series.start + SLOT * number),
            "value": None if missing else value,
            "low": None if missing else float(low[number]),
            "high": None if missing else float(high[number]),
            "kind": Kind(kind).label,
        }


def reread(arguments: argparse.Namespace, settings: Settings, clock: Clock) -> int:  # noqa: ARG001  one shape for all
    """Compare the figures of recorded rounds with the stored bytes; 1 where a figure differs."""
    database = Database(settings.resolved_database_url)
    try:
        reader = Rereader(VintageRepository(database))
        rounds = list(_rounds(settings))[-arguments.last :]
        found = {body["round_id"]: _again(reader, body, settings) for body in tqdm(rounds, unit=" rounds", leave=False)}
    finally:
        database.close()
    if arguments.json:
        print(json.dumps({round_id: asdict(result) for round_id, result in found.items()}, default=str))
    else:
        for odd in (each for result in found.values() for each in result.mismatches):
            where = f"{odd.zone} {odd.quantity} {format_utc(odd.slot)}"
            print(f"! {where}: planned with {odd.planned:g}, {odd.fetch_id} says {odd.read}: {odd.why}")
        compared, unstored = (sum(getattr(r, name) for r in found.values()) for name in ("compared", "unstored"))
        print(f"{len(found)} rounds: {compared} figures read again, {unstored} rest on no stored answer")
    return 1 if any(result.mismatches for result in found.values()) else 0


def region(arguments: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    """Name the grid zone of a postcode; 1 where its sources name different ones."""
    client = client_of(settings)
    try:
        get = client.recording(clock.now())
        by_supply = octopus_regions.region_of_postcode(get, settings.octopus_url, arguments.postcode)
        by_network = carbon_regions.region_of_postcode(get, settings.carbon_intensity_url, arguments.postcode)
    finally:
        client.close()
    zones = [found.zone for found in by_supply]
    if arguments.json:
        print(json.dumps({"price": zones, "carbon": by_network.zone}))
    else:
        for found in by_supply:
            print(f"{found.zone}  {found.name}, by its grid supply point: where prices are looked up")
        print(f"{by_network.zone}  {by_network.name}, by its network operator: where carbon is looked up")
    return 0 if by_network.zone in zones else 1


def _again(reader: Rereader, body: Mapping[str, object], settings: Settings) -> Reread:
    return reader.round(body, read_instance(settings.data_dir / str(body["instance_path"])))


def _rounds(settings: Settings) -> Iterator[Mapping[str, object]]:
    """The bodies of all recorded rounds, in order; the chain is checked on the way."""
    return (record.body for record in records_in(log_path(settings)) if record.kind == "negotiation_round")


def _require_feeds(names: list[str], energy: EnergyAgent) -> None:
    """Each name must be a feed's."""
    known = [declared.name for declared in energy.declarations()]
    if unknown := [name for name in names if name not in known]:
        raise InputError(
            f"there is no feed {unknown[0]!r}",
            field="--feed",
            value=unknown[0],
            remedy=f"Use one of {', '.join(known)}." if known else "Set SIGNALS to auto or live: no feed is asked now.",
        )


def _instant(text: str, field: str) -> datetime:
    """A day, or a time with its offset, as an instant on a half-hour."""
    try:
        read = datetime.fromisoformat(text if "T" in text else f"{text}T00:00Z")
        return slot_ceil(require_aware(read))
    except ValueError as error:
        raise InputError(
            f"{field} {text!r} is no day and no time with an offset", field=field, value=text,
            remedy="Write it like 2023-01-31 or 2023-01-31T16:00Z.",
        ) from error  # fmt: skip


QUANTITIES = get_args(Quantity)
ACTIONS: Mapping[str, Callable[[argparse.Namespace, Settings, Clock], int]] = {
    "check": check,
    "backfill": backfill,
    "show": show,
    "reread": reread,
    "region": region,
}
