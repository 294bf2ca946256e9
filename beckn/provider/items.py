"""What a contract of ours is about, half-hour by half-hour, and how it is written into the contract's document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from beckn.packs.settlement import HOURS, PENNY
from core.slots import SLOT, format_utc, slots_between
from core.trade import Contract, Product

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Carbon:
    """Intensity of a half-hour and the kind of that figure."""

    g_per_kwh: Decimal
    kind: str


@dataclass(frozen=True, slots=True)
class Line:
    """One half-hour.

    :param kw: promised at the meter, 0 where the buyer wants nothing. :param price: :param penalty: per kWh.
    :param baseline_kw: of a turn-down, what jobs draw in the plan in force.
    :param carbon_g_per_kwh: as quoted, of ``carbon_kind``. :param outturn: as known when the half-hour was settled.
    :param kinds: of the figures that price and carbon rest on.
    """

    starts: datetime
    kw: Decimal
    price: Decimal
    penalty: Decimal
    baseline_kw: Decimal | None = None
    carbon_g_per_kwh: Decimal | None = None
    carbon_kind: str | None = None
    outturn: Carbon | None = None
    kinds: tuple[str, ...] = ()

    @property
    def amount(self) -> Decimal:
        """What it comes to if all is delivered."""
        return self.kw * HOURS * self.price


@dataclass(frozen=True, slots=True)
class Item:
    """One commitment: half-hours on end of one product at one site.

    :param tick_id: of the plan that it was quoted by. :param confidence: of a turn-down, 0 to 1.
    """

    commitment_id: str
    product: Product
    site_id: str
    offer_id: str
    tick_id: str
    lines: tuple[Line, ...]

    @property
    def resource_id(self) -> str:
        """As in the catalogue."""
        return f"{self.product.value}.{self.site_id}"

    @property
    def starts(self) -> datetime:
        """Of the first half-hour."""
        return self.lines[0].starts

    @property
    def ends(self) -> datetime:
        """Of the last half-hour."""
        return self.lines[-1].starts + SLOT

    @property
    def wanted(self) -> tuple[Line, ...]:
        """The half-hours in which something is promised."""
        return tuple(line for line in self.lines if line.kw > 0)

    @property
    def most_kw(self) -> Decimal:
        """The most of any half-hour."""
        return max(line.kw for line in self.lines)


@dataclass(frozen=True, slots=True)
class Asked:
    """Half-hours on end that a buyer asks for: ``kw`` at the meter for each from ``starts``."""

    commitment_id: str
    product: Product
    site_id: str
    starts: datetime
    kw: tuple[Decimal, ...]


def total_of(items: Sequence[Item]) -> Decimal:
    """What the buyer pays if all is delivered, to the penny."""
    return sum((line.amount for item in items for line in item.lines), ZERO).quantize(PENNY)


def span_of(items: Sequence[Item]) -> tuple[datetime, datetime]:
    """From the first half-hour in which something is promised to the end of the last."""
    wanted = [line.starts for item in items for line in item.wanted] or [items[0].starts]
    return min(wanted), max(wanted) + SLOT


def earliest(items: Sequence[Item]) -> datetime:
    """The first half-hour in which something is promised."""
    return span_of(items)[0]


def write_items(items: Sequence[Item]) -> list[dict[str, Any]]:
    """For the contract's document."""
    return [
        {
            "commitment_id": item.commitment_id,
            "product": item.product.value,
            "site_id": item.site_id,
            "offer_id": item.offer_id,
            "tick_id": item.tick_id,
            "lines": [
                {
                    "start": format_utc(line.starts),
                    "kw": str(line.kw),
                    "price": str(line.price),
                    "penalty": str(line.penalty),
                    "baseline_kw": None if line.baseline_kw is None else str(line.baseline_kw),
                    "carbon_g_per_kwh": None if line.carbon_g_per_kwh is None else str(line.carbon_g_per_kwh),
                    "carbon_kind": line.carbon_kind,
                    "outturn": None if line.outturn is None else [str(line.outturn.g_per_kwh), line.outturn.kind],
                    "kinds": list(line.kinds),
                }
                for line in item.lines
            ],
        }
        for item in items
    ]


def read_items(contract: Contract) -> tuple[Item, ...]:
    """The items of a contract of ours."""
    return tuple(
        Item(
            commitment_id=told["commitment_id"],
            product=Product(told["product"]),
            site_id=told["site_id"],
            offer_id=told["offer_id"],
            tick_id=told["tick_id"],
            lines=tuple(_line(line) for line in told["lines"]),
        )
        for told in contract.document["items"]
    )


def _line(told: Mapping[str, Any]) -> Line:
    def figure(name: str) -> Decimal | None:
        return None if told[name] is None else Decimal(told[name])

    return Line(
        starts=datetime.fromisoformat(told["start"]),
        kw=Decimal(told["kw"]),
        price=Decimal(told["price"]),
        penalty=Decimal(told["penalty"]),
        baseline_kw=figure("baseline_kw"),
        carbon_g_per_kwh=figure("carbon_g_per_kwh"),
        carbon_kind=told["carbon_kind"],
        outturn=None if told["outturn"] is None else Carbon(Decimal(told["outturn"][0]), told["outturn"][1]),
        kinds=tuple(told["kinds"]),
    )


def slots_of(start: datetime, end: datetime) -> tuple[datetime, ...]:
    """The half-hours from ``start`` to ``end``."""
    return tuple(start + SLOT * number for number in range(slots_between(start, end)))


def notice_deadline(items: Sequence[Item], notice: timedelta) -> datetime:
    """Until when a buyer may still change its mind."""
    return earliest(items) - notice
