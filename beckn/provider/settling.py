"""What came of contracts: baselines when they begin, actuals when meters have told, and what is paid in the end.

Each stage is told to the buyer unasked, once. A turn-down delivers what jobs drew less than the declared baseline; a
window delivers what stayed free for the buyer, shared by all who bought of the same half-hour.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from loguru import logger

from agents.flexibility.actuals import Available
from audit.bodies.trade import SettledBody
from audit.fields import dec
from beckn.correspondence import Correspondence
from beckn.packs.contracts import performance
from beckn.packs.grid import Column, Grid
from beckn.packs.performance import Measured
from beckn.packs.settlement import Interval, Settlement, settle
from beckn.packs.turn_down import METHOD
from beckn.provider.items import ZERO, Carbon, Item, Line, read_items, write_items
from beckn.provider.paper import Paper, Standing
from beckn.provider.records import Records
from core.clock import Clock
from core.errors import SlackwaterError
from core.series import Kind
from core.site import Site
from core.slots import SLOT, format_utc
from core.trade import Contract, ContractState, Product, Side
from store.bookings import BookingRepository
from store.contracts import ContractRepository
from store.trading import Trading

KEPT = "capacity-kept"
"""methodology of a window: BASELINE is what was promised, USAGE what of it the provider took back"""
MILLI = Decimal("0.001")


class Meters(Protocol):
    """What was measured."""

    def drawn_kw(self, site_id: str, starts: Collection[datetime]) -> dict[datetime, float | None]: ...

    def available_kw(self, site_id: str, starts: Collection[datetime]) -> list[Available]: ...


Intensities = Callable[[str, datetime, int], Sequence[tuple[float, Kind]]]
"""intensity in g/kWh and its kind, of a site's zone for half-hours from an instant on"""


@dataclass(frozen=True, slots=True)
class Ledgers:
    """Where contracts stand and what was measured."""

    contracts: ContractRepository
    bookings: BookingRepository
    trading: Trading
    meters: Meters
    carbon: Intensities
    sites: Callable[[], Mapping[str, Site]]


@dataclass(frozen=True, slots=True)
class _Reading:
    """One half-hour as it was measured, kW at the meter; ``usage`` is None where it is not known."""

    baseline: Decimal
    usage: Decimal | None
    kind: Kind

    @property
    def delivered(self) -> Decimal:
        """What counts."""
        return ZERO if self.usage is None else max(ZERO, self.baseline - self.usage)


_NOTHING = _Reading(ZERO, ZERO, Kind.MISSING)
"""of a window's half-hour in which nothing was sold: there is nothing to keep, and no meter to wait for"""


class Settling:
    """Brings contracts that we sold to their end."""

    def __init__(
        self,
        ledgers: Ledgers,
        paper: Paper,
        records: Records,
        correspondence: Correspondence,
        clock: Clock,
        currency: str,
    ) -> None:
        self._with = ledgers
        self._paper = paper
        self._records = records
        self._correspondence = correspondence
        self._clock = clock
        self._currency = currency

    def advance(self) -> int:
        """Take every contract in force as far as is known; how many stages were told."""
        told = 0
        for contract in self._with.contracts.in_states([ContractState.ACTIVE]):
            if contract.side is Side.PROVIDER:
                try:
                    told += self._advanced(contract)
                except SlackwaterError as error:
                    logger.error("contract {} waits: {}", contract.contract_id, error.diagnostics())
        return told

    def _advanced(self, contract: Contract) -> int:
        stage, now = contract.document.get("stage"), self._clock.now()
        items = read_items(contract)
        if stage is None and now >= contract.starts:
            self._tell(contract, items, "baselines", self._baselines(items))
            return 1
        if now < contract.ends or stage is None:
            return 0
        readings = [self._readings(item) for item in items]
        if any(reading.usage is None for each in readings for reading in each):
            return 0
        measured = self._measured(items, readings)
        if stage == "baselines":
            self._tell(contract, items, "actuals", measured)
        else:
            self._settle(contract, items, readings, measured)
        return 1

    def _tell(
        self, contract: Contract, items: Sequence[Item], stage: str, measured: Sequence[Mapping[str, Any]]
    ) -> None:
        """One stage, stored and owed together."""
        wire = self._wire(contract, items, measured, None)
        changed = replace(
            contract,
            updated_at=self._clock.now(),
            document={**contract.document, "stage": stage, "wire": wire},
        )
        with self._with.trading.work() as work:
            work.save(changed)
            work.send(self._correspondence.unasked(changed, "on_status", {"contract": wire}), changed.contract_id)

    def _settle(
        self,
        contract: Contract,
        items: Sequence[Item],
        readings: Sequence[Sequence[_Reading]],
        measured: Sequence[Mapping[str, Any]],
    ) -> None:
        """Recorded first, then stored and owed."""
        pairs = [
            (line, reading) for item, each in zip(items, readings, strict=True) for line, reading in _of(item, each)
        ]
        settlement = settle(
            [Interval(line.kw, reading.delivered, line.price, line.penalty) for line, reading in pairs], self._currency
        )
        items = tuple(self._with_outturn(item) for item in items)
        complete = replace(contract, state=ContractState.COMPLETE, updated_at=self._clock.now())
        wire = self._wire(complete, items, measured, settlement)
        bodies = _bodies(items, readings, settlement)
        document = {
            **contract.document,
            "stage": "settled",
            "items": write_items(items),
            "wire": wire,
            "settled": [body.model_dump() for body in bodies],
        }
        complete = replace(complete, document=document)
        total = dec(settlement.total, 2)
        self._records.event("settled", complete, items, None, settled=bodies, total=total)
        with self._with.trading.work() as work:
            work.save(complete)
            work.send(self._correspondence.unasked(complete, "on_status", {"contract": wire}), complete.contract_id)

    def _wire(
        self,
        contract: Contract,
        items: Sequence[Item],
        measured: Sequence[Mapping[str, Any]],
        settlement: Settlement | None,
    ) -> dict[str, Any]:
        until = datetime.fromisoformat(contract.document["valid_until"])
        standing = Standing(
            contract.contract_id, contract.state, contract.document["buyer"], until, measured, settlement
        )
        return self._paper.contract(items, self._with.sites(), standing)

    def _readings(self, item: Item) -> list[_Reading]:
        """Every half-hour of an item as it was measured."""
        starts = [line.starts for line in item.lines]
        if item.product is Product.TURN_DOWN:
            drawn = self._with.meters.drawn_kw(item.site_id, starts)
            return [_reduced(line, drawn[line.starts]) for line in item.lines]
        available = {
            one.starts: one
            for one in self._with.meters.available_kw(item.site_id, [line.starts for line in item.wanted])
        }
        return [
            self._kept(item.site_id, line, available[line.starts]) if line.kw > 0 else _NOTHING for line in item.lines
        ]

    def _kept(self, site_id: str, line: Line, available: Available) -> _Reading:
        """What of a window stayed free, where several share what there was."""
        if available.available_kw is None:
            return _Reading(line.kw, None, Kind.MISSING)
        sold = self._with.bookings.active(line.starts, line.starts + SLOT)
        total = sum(booking.power_kw for booking in sold if booking.site_id == site_id)
        share = 1.0 if total <= 0 else min(1.0, available.available_kw / total)
        taken = line.kw - (line.kw * Decimal(str(share))).quantize(MILLI)
        return _Reading(line.kw, max(ZERO, taken), available.kind)

    def _baselines(self, items: Sequence[Item]) -> list[dict[str, Any]]:
        return [_told(item, "baselines", _BEGUN, [(_baseline(line), None) for line in item.lines]) for item in items]

    def _measured(self, items: Sequence[Item], readings: Sequence[Sequence[_Reading]]) -> list[dict[str, Any]]:
        return [
            _told(item, "actuals", _ENDED, [(one.baseline, one.usage) for one in each])
            for item, each in zip(items, readings, strict=True)
        ]

    def _with_outturn(self, item: Item) -> Item:
        """Carbon as it is known now, for half-hours that are over."""
        known = self._with.carbon(item.site_id, item.starts, len(item.lines))
        lines = []
        for line, (intensity, kind) in zip(item.lines, known, strict=True):
            if kind is Kind.MISSING or line.carbon_g_per_kwh is None:
                lines.append(line)
                continue
            lines.append(replace(line, outturn=Carbon(Decimal(str(round(intensity, 3))), kind.label)))
        return replace(item, lines=tuple(lines))


_BEGUN = ("DELIVERY_STARTED", "Delivery has begun, baselines told")
_ENDED = ("DELIVERY_COMPLETE", "Delivery is over, actuals measured")


def _told(
    item: Item, stage: str, status: tuple[str, str], cells: Sequence[tuple[Decimal, Decimal | None]]
) -> dict[str, Any]:
    """The performance of one item."""
    columns = {"BASELINE": Column.of("KW", [baseline for baseline, _ in cells], reading_type="FORECAST")}
    if all(usage is not None for _, usage in cells):
        columns["USAGE"] = Column.of("KW", [usage for _, usage in cells], reading_type="DIRECT_READ")
    method = METHOD if item.product is Product.TURN_DOWN else KEPT
    measured = Measured(item.commitment_id, method, {item.site_id: Grid(item.starts, columns)})
    return performance(f"{stage}-{item.commitment_id}", *status, [item.commitment_id], measured.wire())


def _baseline(line: Line) -> Decimal:
    return line.kw if line.baseline_kw is None else line.baseline_kw


def _reduced(line: Line, drawn_kw: float | None) -> _Reading:
    usage = None if drawn_kw is None else Decimal(str(round(drawn_kw, 3)))
    return _Reading(_baseline(line), usage, Kind.SETTLED if usage is not None else Kind.MISSING)


def _of(item: Item, readings: Sequence[_Reading]) -> list[tuple[Line, _Reading]]:
    return list(zip(item.lines, readings, strict=True))


def _bodies(items: Sequence[Item], readings: Sequence[Sequence[_Reading]], settlement: Settlement) -> list[SettledBody]:
    """The settled half-hours for the record."""
    rows = iter(settlement.rows)
    bodies = []
    for item, each in zip(items, readings, strict=True):
        for line, reading in _of(item, each):
            row = next(rows)
            bodies.append(
                SettledBody(
                    site_id=item.site_id,
                    start=format_utc(line.starts),
                    baseline_kw=dec(reading.baseline, 3),
                    usage_kw=None if reading.usage is None else dec(reading.usage, 3),
                    delivered_kw=dec(row.delivered_kw, 3),
                    settled_kwh=dec(row.settled_kwh, 4),
                    pay=dec(row.pay, 6),
                    penalty=dec(row.penalty, 6),
                    data_kinds=[reading.kind.label],
                )
            )
    return bodies
