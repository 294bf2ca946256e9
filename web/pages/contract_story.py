"""A contract as its page tells it: half-hour by half-hour what was promised, what came, and what it comes to.

Figures come from the contract's document: from what this side noted, or where it noted nothing from the contract as it
is on the wire. Carbon stands apart: nothing is owed for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from beckn.packs.grid import MOST_INTERVALS
from beckn.packs.settlement import HOURS
from core.slots import SLOT, require_aware
from core.trade import Contract, Product
from web.dues import Due, due, figure, objects, on_the_wire, part, role

PRODUCTS: Mapping[Product, str] = {
    Product.COMPUTE_WINDOW: "Compute window",
    Product.TURN_DOWN: "Turn-down",
}
_PROMISED = ("CAPACITY_CLEARED", "CAPACITY_OFFERED")
_ZERO = Decimal(0)
_LAST = datetime.max.replace(tzinfo=UTC) - SLOT * (2 * MOST_INTERVALS)
"""a series that starts later is none: it would leave the calendar"""
_Cells = dict[datetime, dict[str, Decimal]]


@dataclass(frozen=True, slots=True)
class HalfHour:
    """One half-hour at one site; powers in kW, None where not told.

    :param price: :param short_price: per kWh delivered and per kWh short. :param pay: to the seller;
        :param penalty: to the buyer. :param kinds: of the figures that the price rests on, or of what was measured.
    """

    site_id: str
    start: datetime
    kw: Decimal | None = None
    price: Decimal | None = None
    short_price: Decimal | None = None
    baseline_kw: Decimal | None = None
    usage_kw: Decimal | None = None
    delivered_kw: Decimal | None = None
    settled_kwh: Decimal | None = None
    pay: Decimal | None = None
    penalty: Decimal | None = None
    kinds: tuple[str, ...] = ()
    carbon_g_per_kwh: Decimal | None = None
    carbon_kind: str = "forecast"


@dataclass(frozen=True, slots=True)
class Sums:
    """Of the half-hours: kWh promised and settled, amounts exact; None where no half-hour tells it."""

    promised_kwh: Decimal | None
    settled_kwh: Decimal | None
    pay: Decimal | None
    penalty: Decimal | None

    @property
    def net(self) -> Decimal | None:
        """To the seller, exact; negative where it pays."""
        return None if self.pay is None else self.pay - (self.penalty or _ZERO)


@dataclass(frozen=True, slots=True)
class ContractStory:
    """What the pages tell of a contract.

    :param role: ours, ``seller`` or ``buyer``. :param most_kw: of any half-hour.
    :param prices: lowest and highest price per kWh. :param stage: how far its settlement is.
    """

    contract: Contract
    role: str
    due: Due
    half_hours: tuple[HalfHour, ...]
    most_kw: Decimal | None
    prices: tuple[Decimal, Decimal] | None
    site_ids: tuple[str, ...]
    stage: str | None
    dispute: str | None

    @property
    def peer_contract_id(self) -> str | None:
        """By which a contract that we asked for goes over the wire; None where it is ours, or not told."""
        told = part(self.contract.document, "contract", "id")
        return told if isinstance(told, str) and told != self.contract.contract_id else None

    @property
    def alerts(self) -> list[Mapping[str, Any]]:
        """Events of the grid about it, with what was answered."""
        return objects(self.contract.document.get("alerts"))

    @property
    def product(self) -> str:
        """In words."""
        return PRODUCTS[self.contract.product]

    @property
    def settled(self) -> bool:
        """Whether any half-hour has been settled."""
        return any(each.pay is not None for each in self.half_hours)

    @property
    def measured(self) -> bool:
        """Whether there is a baseline or a reading of any half-hour."""
        return any((each.baseline_kw or each.usage_kw) is not None for each in self.half_hours)

    @property
    def kw_places(self) -> int:
        """Decimals with which every power of the half-hours is told, 3 at most."""
        powers = [
            power
            for each in self.half_hours
            for power in (each.kw, each.baseline_kw, each.usage_kw, each.delivered_kw)
            if power is not None
        ]
        return next((places for places in range(3) if all(round(each, places) == each for each in powers)), 3)

    @property
    def with_carbon(self) -> tuple[HalfHour, ...]:
        """The half-hours whose carbon is told."""
        return tuple(each for each in self.half_hours if each.carbon_g_per_kwh is not None)

    @property
    def sums(self) -> Sums:
        """Over the half-hours."""
        return Sums(
            _sum([each.kw * HOURS if each.kw is not None else None for each in self.half_hours]),
            _sum([each.settled_kwh for each in self.half_hours]),
            _sum([each.pay for each in self.half_hours]),
            _sum([each.penalty for each in self.half_hours]),
        )


def story_of(contract: Contract) -> ContractStory:
    """What there is to tell of a contract."""
    rows = half_hours(contract)
    powers = [row.kw for row in rows if row.kw is not None]
    prices = [row.price for row in rows if row.price is not None and row.kw != 0]
    stage = contract.document.get("stage")
    return ContractStory(
        contract=contract,
        role=role(contract),
        due=due(contract),
        half_hours=rows,
        most_kw=max(powers, default=None),
        prices=(min(prices), max(prices)) if prices else None,
        site_ids=tuple(dict.fromkeys(row.site_id for row in rows)),
        stage=stage if isinstance(stage, str) else None,
        dispute=_dispute(contract.document.get("dispute")),
    )


def half_hours(contract: Contract) -> tuple[HalfHour, ...]:
    """The half-hours in which something is promised or was settled, in order of sites and time."""
    document = contract.document
    wired = _wired(document)
    promised = dict(_items(document, wired)) or dict(_commitments(wired))
    settled = {
        (_site(row), start): row
        for row in objects(document.get("settled"))
        if (start := _instant(row.get("start"))) is not None
    }
    keys = sorted(promised.keys() | settled.keys())
    return tuple(_half_hour(key, promised.get(key, {}), settled.get(key, {})) for key in keys)


def _half_hour(key: tuple[str, datetime], line: Mapping[str, Any], row: Mapping[str, Any]) -> HalfHour:
    told = {**line, **{name: value for name, value in row.items() if value is not None}}
    kinds = tuple(each for each in _list(told.get("kinds")) if isinstance(each, str))
    carbon_kind = told.get("carbon_kind")
    if not isinstance(carbon_kind, str):
        carbon_kind = "simulated" if "simulated" in _list(line.get("kinds")) else "forecast"
    return HalfHour(
        site_id=key[0],
        start=key[1],
        kw=figure(line.get("kw")),
        price=figure(line.get("price")),
        short_price=figure(line.get("penalty")),
        baseline_kw=figure(told.get("baseline_kw")),
        usage_kw=figure(row.get("usage_kw")),
        delivered_kw=figure(row.get("delivered_kw")),
        settled_kwh=figure(row.get("settled_kwh")),
        pay=figure(row.get("pay")),
        penalty=figure(row.get("penalty")),
        kinds=kinds,
        carbon_g_per_kwh=figure(told.get("carbon_g_per_kwh")),
        carbon_kind=carbon_kind,
    )


def _items(
    document: Mapping[str, Any], wired: Mapping[str, _Wired]
) -> Iterator[tuple[tuple[str, datetime], Mapping[str, Any]]]:
    """What this side noted, with the kind of carbon that the wire tells."""
    for item in objects(document.get("items")):
        site_id = _site(item)
        for line in objects(item.get("lines")):
            start, kw = _instant(line.get("start")), figure(line.get("kw"))
            if start is None or kw == 0:
                continue
            kind = wired[site_id].carbon_kinds.get(start) if site_id in wired else None
            yield (site_id, start), (line if kind is None else {"carbon_kind": kind, **line})


@dataclass(frozen=True, slots=True)
class _Wired:
    """What the wire tells of one site."""

    cells: _Cells
    carbon: _Cells
    carbon_kinds: Mapping[datetime, str]


def _wired(document: Mapping[str, Any]) -> dict[str, _Wired]:
    """What commitments tell, by site: the resource's figures, the offer's and what was promised."""
    found: dict[str, _Wired] = {}
    for commitment in objects(part(on_the_wire(document), "commitments")):
        resources = objects(commitment.get("resources"))
        resource = part(resources[0], "resourceAttributes") if resources else None
        site_id = part(resource, "siteId") or (resources[0].get("id") if resources else None)
        cells: _Cells = {}
        for told in (resource, part(commitment, "offer", "offerAttributes"), commitment.get("commitmentAttributes")):
            for start, figures in _series(told).items():
                cells.setdefault(start, {}).update(figures)
        carbon = _series(part(resource, "carbon"))
        kinds = [str(kind) for kind in _list(part(resource, "carbon", "kinds"))]
        labelled = dict(zip(carbon, kinds, strict=False))
        found[site_id if isinstance(site_id, str) else ""] = _Wired(cells, carbon, labelled)
    return found


def _commitments(wired: Mapping[str, _Wired]) -> Iterator[tuple[tuple[str, datetime], Mapping[str, Any]]]:
    """The half-hours of commitments in which something is promised."""
    for site_id, told in wired.items():
        for start, figures in told.cells.items():
            kw = next((figures[name] for name in _PROMISED if name in figures), None)
            if kw:
                yield (
                    (site_id, start),
                    {
                        "kw": kw,
                        "price": figures.get("CLEARING_PRICE", figures.get("PRICE")),
                        "penalty": figures.get("SHORTFALL_PENALTY"),
                        "carbon_g_per_kwh": told.carbon.get(start, {}).get("CARBON_INTENSITY"),
                        "carbon_kind": told.carbon_kinds.get(start),
                    },
                )


def _series(attributes: Any) -> _Cells:
    """The first figure of each payload of a time series of half-hours, by start; empty where it is none."""
    start = _instant(part(attributes, "intervalPeriod", "start"))
    if start is None or start > _LAST:
        return {}
    found: _Cells = {}
    for i, interval in enumerate(objects(part(attributes, "intervals"))[:MOST_INTERVALS]):
        cells = found.setdefault(start + SLOT * i, {})
        for payload in objects(interval.get("payloads")):
            values, name = _list(payload.get("values")), payload.get("type")
            value = figure(values[0]) if values else None
            if value is not None and isinstance(name, str):
                cells[name] = value
    return found


def _site(told: Mapping[str, Any]) -> str:
    found = told.get("site_id")
    return found if isinstance(found, str) else ""


def _instant(text: Any) -> datetime | None:
    """An instant told as text; None where it is none, or has no zone."""
    try:
        return require_aware(datetime.fromisoformat(text)).astimezone(UTC) if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dispute(told: Any) -> str | None:
    """What is in dispute, in words."""
    if isinstance(told, Mapping) and isinstance(told.get("why"), str):
        figures = f": {told.get('told')} is told, {told['ours']} is reckoned" if told.get("ours") else ""
        return f"{told['why']}{figures}"
    if isinstance(told, Mapping):
        told = next((told[name] for name in ("reason", "message", "detail") if isinstance(told.get(name), str)), told)
    return None if told is None else str(told)


def _sum(figures: Sequence[Decimal | None]) -> Decimal | None:
    known = [each for each in figures if each is not None]
    return sum(known, _ZERO) if known else None
