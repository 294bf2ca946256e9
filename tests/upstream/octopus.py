"""The Octopus Energy API: products, tariffs and rates, newest first and in pages, by the published Agile formula."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import numpy as np

from core.slots import LONDON, format_utc
from tests.upstream.faults import Fault, Row
from tests.upstream.wire import Refusal, Reply, Request, json_reply
from tests.upstream.world import World, at, slot_of, slots

PAGE, LARGEST_PAGE = 100, 1500
PUBLISHED_AT, LATE_AT = time(16), time(18, 30)
STALE, SUCCEEDED = timedelta(days=2), timedelta(days=30)
VAT_CHANGES = (datetime(2026, 9, 30, 23, tzinfo=UTC), datetime(2027, 3, 31, 23, tzinfo=UTC))
LEVY_CUT = datetime(2026, 3, 31, 23, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Gsp:
    """A region's factors in the Agile and Outgoing formulas."""

    distribution: float
    peak_p: float
    outgoing: tuple[float, float, float]


GSPS = {
    "A": Gsp(2.1, 13, (0.95, 1.09, 7.04)), "B": Gsp(2.0, 14, (0.94, 0.78, 6.27)), "C": Gsp(2.0, 12, (0.95, 1.30, 5.93)),
    "D": Gsp(2.2, 13, (0.97, 1.26, 5.97)), "E": Gsp(2.1, 12, (0.94, 0.77, 6.50)), "F": Gsp(2.1, 12, (0.95, 0.87, 4.88)),
    "G": Gsp(2.1, 12, (0.96, 1.10, 5.89)), "H": Gsp(2.1, 12, (0.94, 0.93, 7.05)), "J": Gsp(2.2, 12, (0.94, 1.09, 7.41)),
    "K": Gsp(2.2, 12, (0.94, 0.97, 5.46)), "L": Gsp(2.3, 11, (0.93, 0.83, 7.14)), "M": Gsp(2.0, 13, (0.96, 0.72, 5.78)),
    "N": Gsp(2.1, 13, (0.97, 0.90, 3.85)), "P": Gsp(2.4, 12, (0.96, 1.36, 2.68)),
}  # fmt: skip
POSTCODES = {
    "EN2": "C",
    "BS16": "L",
    "SW1A": "C",
    "LS1": "M",
    "G1": "N",
    "IV1": "P",
    "M1": "G",
    "CF10": "K",
    "BN1": "J",
}


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Product:
    """A product on or off sale.

    :param cap_exc_p: most that a unit rate may be before VAT.
    :param rates_end: end of its published rates; None while it goes on.
    """

    code: str
    on_sale: datetime
    off_sale: datetime | None
    cap_exc_p: float
    rates_end: datetime | None = None
    direction: str = "IMPORT"
    flat_exc_p: float | None = None


CURRENT, OUTGOING, FLAT = "AGILE-24-10-01", "AGILE-OUTGOING-19-05-13", "VAR-22-11-01"
PRODUCTS = {
    product.code: product
    for product in (
        Product("AGILE-18-02-21", _day("2018-02-21"), _day("2022-07-22"), 33.33, _day("2024-07-01")),
        Product("AGILE-22-07-22", _day("2022-07-22"), _day("2022-08-29"), 52.38, _day("2026-03-28")),
        Product("AGILE-22-08-31", _day("2022-08-31"), _day("2022-10-06"), 74.29, _day("2026-03-28")),
        Product("AGILE-FLEX-22-11-25", _day("2022-11-25"), _day("2023-12-11"), 95.0, _day("2025-01-01")),
        Product("AGILE-23-12-06", _day("2023-12-06"), _day("2024-04-03"), 95.0),
        Product("AGILE-24-04-03", _day("2024-04-03"), _day("2024-10-01"), 95.0),
        Product(CURRENT, _day("2024-10-01"), None, 95.0),
        Product("AGILE-BB-24-10-01", _day("2024-10-01"), None, 95.0, _day("2025-10-01")),
        Product(OUTGOING, _day("2019-05-13"), None, 95.0, direction="EXPORT"),
        Product(FLAT, _day("2022-11-01"), None, 95.0, flat_exc_p=24.5),
    )
}


def successor_of(now: datetime) -> str:
    """Code of the product that is on sale where the current one is retired; signed on for a month."""
    return f"AGILE-{now - SUCCEEDED:%y-%m-%d}"


@lru_cache(maxsize=200_000)
def _is_peak(slot: int) -> bool:
    return 16 <= at(slot).astimezone(LONDON).hour < 19


def vat_at(instant: datetime) -> float:
    """VAT on domestic electricity: none from 1 October 2026 to 31 March 2027 local time, else 5 %."""
    return 0.0 if VAT_CHANGES[0] <= instant < VAT_CHANGES[1] else 0.05


def agile_exc_p(world: World, product: Product, letter: str, starts: np.ndarray, floor_p: float = 0.0) -> np.ndarray:
    """Unit rates before VAT of a product and region by slot, p/kWh to two decimals; ``floor_p`` is for export."""
    gsp, wholesale = GSPS[letter], world.wholesale_p(starts)
    peak = np.array([_is_peak(int(slot)) for slot in starts], dtype=bool)
    if product.flat_exc_p is not None:
        return np.full(starts.shape, product.flat_exc_p)
    if product.direction == "EXPORT":
        a, b, c = gsp.outgoing
        return np.round(np.maximum(floor_p, a * wholesale + b + c * peak), 2)
    levy = 3.333 * (starts >= slot_of(LEVY_CUT))
    return np.round(np.minimum(product.cap_exc_p, gsp.distribution * wholesale + gsp.peak_p * peak - levy), 2)


def published_until(now: datetime, at_time: time = PUBLISHED_AT) -> datetime:
    """End of the Agile prices that are public: 23:00 local today, or tomorrow from ``at_time`` local on."""
    local = now.astimezone(LONDON)
    day = local.date() + timedelta(days=int(local.time() >= at_time))
    return datetime(day.year, day.month, day.day, 23, tzinfo=LONDON).astimezone(UTC)


class Octopus:
    """Mounted at ``/octopus``, with ``/v1`` below."""

    name = "octopus"

    def __init__(self) -> None:
        routes: tuple[tuple[str, Callable[..., Reply]], ...] = (
            (r"/v1/products/", self._products),
            (r"/v1/products/(?P<code>[^/]+)/", self._product),
            (
                r"/v1/products/(?P<code>[^/]+)/electricity-tariffs/(?P<tariff>[^/]+)/(?P<what>standard-unit-rates|standing-charges)/",
                self._rates,
            ),
            (r"/v1/industry/grid-supply-points/", self._grid_supply_points),
            (r"/v1/electricity-meter-points/(?P<mpan>\d+)/", self._meter_point),
        )
        self._routes = [(re.compile(pattern), answer) for pattern, answer in routes]

    def settings(self, base: str) -> Mapping[str, str]:
        return {"octopus_url": f"{base}/v1"}

    def answer(self, request: Request) -> Reply:
        for pattern, answer in self._routes:
            if match := pattern.fullmatch(request.path):
                return answer(request, **match.groupdict())
        raise Refusal(json_reply({"detail": "Not found."}, 404))

    # -- products -------------------------------------------------------------------------------------------------

    def products(self, request: Request) -> dict[str, Product]:
        """Every product that there is at the present instant, by code."""
        found = {code: product for code, product in PRODUCTS.items() if product.on_sale <= request.now}
        if {Fault.RETIRED, Fault.RETIRED_STALE} & set(request.faults):
            begun = _day((request.now - SUCCEEDED).date().isoformat())
            successor = successor_of(request.now)
            found[successor] = Product(successor, begun, None, 95.0)
            old = found.pop(CURRENT)
            if Fault.RETIRED_STALE in request.faults:
                ended = at(np.floor(slot_of(request.now))) - STALE
                found[CURRENT] = Product(CURRENT, old.on_sale, begun, 95.0, ended)
        return found

    def _find(self, request: Request, code: str) -> Product:
        product = self.products(request).get(code)
        if product is None:
            raise Refusal(json_reply({"detail": "No EnergyProduct matches the given query."}, 404))
        return product

    def _products(self, request: Request) -> Reply:
        on_sale = [p for p in self.products(request).values() if p.off_sale is None or p.off_sale > request.now]
        return json_reply(_page(request, [self._described(request, product) for product in on_sale]))

    @staticmethod
    def _described(request: Request, product: Product) -> Row:
        agile = product.flat_exc_p is None
        return {
            "code": product.code,
            "direction": product.direction,
            "full_name": f"{'Agile' if agile else 'Flexible'} Octopus {product.code}",
            "display_name": "Agile Octopus" if agile else "Flexible Octopus",
            "description": "",
            "is_variable": True,
            "is_green": True,
            "is_tracker": False,
            "is_prepay": False,
            "is_business": False,
            "is_restricted": False,
            "term": 12,
            "available_from": product.on_sale.astimezone(LONDON).isoformat(),
            "available_to": product.off_sale and product.off_sale.astimezone(LONDON).isoformat(),
            "brand": "BULB" if "-BB-" in product.code else "OCTOPUS_ENERGY",
            "links": [{"href": f"{request.base}/v1/products/{product.code}/", "method": "GET", "rel": "self"}],
        }

    def _product(self, request: Request, code: str) -> Reply:
        product = self._find(request, code)
        tariffs = {
            f"_{letter}": {"direct_debit_monthly": {"code": f"E-1R-{code}-{letter}", "standing_charge_exc_vat": 45.0}}
            for letter in GSPS
        }
        return json_reply({**self._described(request, product), "single_register_electricity_tariffs": tariffs})

    # -- rates ----------------------------------------------------------------------------------------------------

    def _rates(self, request: Request, code: str, tariff: str, what: str) -> Reply:
        product, letter = self._find(request, code), tariff[-1]
        if tariff != f"E-1R-{code}-{letter}" or letter not in GSPS:
            raise Refusal(json_reply({"detail": "No ElectricityTariff matches the given query."}, 404))
        start, end = _period(request)
        if what == "standing-charges":
            rows = self._standing_charges(request, product, letter)
        elif product.flat_exc_p is not None:
            rows = self._flat(request, product)
        else:
            rows = self._half_hours(request, product, letter, start, end)
        wanted = [row for row in rows if _overlaps(row, start, end)]
        return json_reply(_page(request, sorted(wanted, key=lambda row: row["valid_from"], reverse=True)))

    def _half_hours(
        self, request: Request, product: Product, letter: str, start: datetime | None, end: datetime | None
    ) -> list[Row]:
        until = published_until(request.now, LATE_AT if Fault.LATE in request.faults else PUBLISHED_AT)
        until = min(until, product.rates_end or until)
        first = max(product.on_sale, start or product.on_sale) - timedelta(minutes=30)
        starts = slots(max(first, product.on_sale), min(until, end or until))
        floor_p = -np.inf if Fault.UNFLOORED in request.faults else 0.0
        exc = agile_exc_p(request.world, product, letter, starts, floor_p)
        rate = 0.0 if product.direction == "EXPORT" else vat_at(request.now)
        rows = [
            (slot, _rate(float(price), rate, at(slot), at(slot + 1))) for slot, price in zip(starts, exc, strict=True)
        ]
        spoilt = request.spoil(rows, "value_exc_vat", "value_inc_vat")
        if Fault.TWO_PAYMENTS in request.faults:
            return [each for row in spoilt for each in _two_payments(row)]
        return spoilt

    @staticmethod
    def _flat(request: Request, product: Product) -> list[Row]:
        """An open record, for each way of paying: its VAT is that of today, whatever the slot's was."""
        price = product.flat_exc_p or 0.0
        return _two_payments(_rate(price, vat_at(request.now), product.on_sale, None))

    @staticmethod
    def _standing_charges(request: Request, product: Product, letter: str) -> list[Row]:
        """Pence a day; none is paid for export. They rose at the levy's change."""
        if product.direction == "EXPORT":
            return []
        first = 40.0 + ord(letter) % 10
        vat = vat_at(request.now)
        rows = [
            _rate(first, vat, product.on_sale, LEVY_CUT),
            _rate(first + 5.5, vat, max(LEVY_CUT, product.on_sale), None),
        ]
        return [row for row in rows if datetime.fromisoformat(row["valid_from"]) <= request.now]

    # -- places ---------------------------------------------------------------------------------------------------

    def _grid_supply_points(self, request: Request) -> Reply:
        postcode = request.query.get("postcode", "").upper().replace(" ", "")
        found = sorted({letter for outward, letter in POSTCODES.items() if postcode.startswith(outward)})
        return json_reply(_page(request, [{"group_id": f"_{letter}"} for letter in found]))

    def _meter_point(self, request: Request, mpan: str) -> Reply:
        return json_reply({"gsp": "_J", "mpan": mpan, "profile_class": 1})


def _rate(exc_p: float, vat: float, start: datetime, end: datetime | None) -> Row:
    return {
        "value_exc_vat": exc_p,
        "value_inc_vat": round(exc_p * (1 + vat), 6),
        "valid_from": format_utc(start),
        "valid_to": end and format_utc(end),
        "payment_method": None,
    }


def _two_payments(row: Row) -> list[Row]:
    dearer = {name: round(row[name] * 1.06 + 1, 4) for name in ("value_exc_vat", "value_inc_vat")}
    return [{**row, **dearer, "payment_method": "NON_DIRECT_DEBIT"}, {**row, "payment_method": "DIRECT_DEBIT"}]


def _instant(request: Request, name: str) -> datetime | None:
    """A time of the query; one without an offset is London's."""
    text = request.query.get(name)
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(json_reply({name: ["Enter a valid date/time."]}, 400)) from None
    return (read if read.tzinfo else read.replace(tzinfo=LONDON)).astimezone(UTC) - request.back


def _period(request: Request) -> tuple[datetime | None, datetime | None]:
    start, end = _instant(request, "period_from"), _instant(request, "period_to")
    if end is not None and start is None:
        raise Refusal(json_reply({"period_from": ["This field is required if period_to is given."]}, 400))
    if start is not None and end is not None and start > end:
        raise Refusal(json_reply({"period_from": ["Must not be greater than `period_to`."]}, 400))
    return start, end


def _overlaps(row: Row, start: datetime | None, end: datetime | None) -> bool:
    begins = datetime.fromisoformat(row["valid_from"])
    ends = datetime.fromisoformat(row["valid_to"]) if row["valid_to"] else None
    return (end is None or begins < end) and (start is None or ends is None or ends > start)


def _page(request: Request, rows: list[Any]) -> Row:
    """One page of ``rows``, with the addresses of its neighbours."""
    size = min(int(request.query.get("page_size") or PAGE), LARGEST_PAGE)
    number = int(request.query.get("page") or 1)
    first = (number - 1) * size
    if number < 1 or (first >= len(rows) and number > 1):
        raise Refusal(json_reply({"detail": "Invalid page."}, 404))

    def neighbour(page: int) -> str:
        return f"{request.base}{request.path}?{urlencode({**request.query, 'page': page})}"

    return {
        "count": len(rows),
        "next": neighbour(number + 1) if first + size < len(rows) else None,
        "previous": neighbour(number - 1) if number > 1 else None,
        "results": rows[first : first + size],
    }
