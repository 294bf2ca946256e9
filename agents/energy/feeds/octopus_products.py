"""The Agile products of Octopus: which were on sale when, what each is capped at, and which is on sale now.

Customers stay on the product that they signed up for, and a product that is no longer sold is still priced each day
until it is retired.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any, Literal

from agents.energy.feed import Get
from agents.energy.feeds.octopus_api import paged
from core.errors import FeedInvalid
from core.slots import LONDON, require_aware

Direction = Literal["IMPORT", "EXPORT"]
PREFIX = "AGILE-"
BUNDLED = "-BB-"
"""Products sold together with something else; all ended on 1 October 2025."""
MOST_PAGES = 5
_SIGNED_ON = re.compile(r"-(\d{2})-(\d{2})-(\d{2})$")


@dataclass(frozen=True, slots=True)
class Product:
    """An import product.

    :param sold_from: first local day on which it was the one on sale.
    :param cap_p: highest unit rate, p/kWh including 5 % VAT.
    """

    code: str
    sold_from: date
    cap_p: float


PRODUCTS = (
    Product("AGILE-18-02-21", date(2018, 2, 21), 35),
    Product("AGILE-22-07-22", date(2022, 7, 22), 55),
    Product("AGILE-22-08-31", date(2022, 8, 31), 78),
    Product("AGILE-VAR-22-10-19", date(2022, 10, 19), 100),
    Product("AGILE-FLEX-22-11-25", date(2022, 11, 25), 100),
    Product("AGILE-23-12-06", date(2023, 12, 6), 100),
    Product("AGILE-24-04-03", date(2024, 4, 3), 100),
    Product("AGILE-24-10-01", date(2024, 10, 1), 100),
)
"""Import products in the order in which they were sold, each until the next."""
_BY_CODE = {product.code: product for product in PRODUCTS}


def cap_p(code: str) -> float | None:
    """The cap of a product in p/kWh including 5 % VAT; None where it is not known."""
    return _BY_CODE[code].cap_p if code in _BY_CODE else None


def _london_midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=LONDON).astimezone(UTC)


def sold_from(code: str) -> datetime | None:
    """When a product was first on sale: by the table, else by the day in its code, else None."""
    if code in _BY_CODE:
        return _london_midnight(_BY_CODE[code].sold_from)
    signed = _SIGNED_ON.search(code)
    if signed is None:
        return None
    year, month, day = (int(part) for part in signed.groups())
    try:
        return _london_midnight(date(2000 + year, month, day))
    except ValueError:
        return None


def import_periods(code: str, start: datetime, end: datetime) -> list[tuple[str, datetime, datetime]]:
    """Whose prices ``[start, end)`` has: those of ``code``, and before it began those of the product then on sale."""
    begun = sold_from(code)
    if begun is None or begun <= start:
        return [(code, start, end)]
    sold = [(product.code, _london_midnight(product.sold_from)) for product in PRODUCTS]
    before = [(other, since) for other, since in sold if since < begun]
    turns = [*before, (code, begun), ("", end)]
    cut = [(owner, max(since, start), min(until, end)) for (owner, since), (_, until) in pairwise(turns)]
    return [period for period in cut if period[1] < period[2]]


def on_sale(get: Get, base_url: str, direction: Direction, now: datetime) -> list[str]:
    """Codes of the Agile products for homes that are on sale at ``now``, the newest first; may be empty."""
    where = "Octopus products:"
    asked = {"brand": "OCTOPUS_ENERGY", "is_variable": "true", "is_business": "false", "page_size": "100"}
    pages = paged(get, f"{base_url.rstrip('/')}/products/", asked, MOST_PAGES, where)
    listed = [row for page in pages for row in page if _is_agile(row, direction)]
    sold = [(_moment(row, "available_from", where), row) for row in listed]
    return [str(row["code"]) for since, row in _newest_first(sold) if since <= now < _end_of_sale(row, where)]


def _newest_first(sold: Sequence[tuple[datetime, Mapping[str, Any]]]) -> list[tuple[datetime, Mapping[str, Any]]]:
    return sorted(sold, key=lambda pair: (pair[0], str(pair[1]["code"])), reverse=True)


def _is_agile(row: Mapping[str, Any], direction: Direction) -> bool:
    code = row.get("code")
    if not isinstance(code, str) or not code.startswith(PREFIX) or BUNDLED in code:
        return False
    special = any(row.get(name) for name in ("is_prepay", "is_business", "is_restricted"))
    return row.get("direction") == direction and not special


def _end_of_sale(row: Mapping[str, Any], where: str) -> datetime:
    return datetime.max.replace(tzinfo=UTC) if row.get("available_to") is None else _moment(row, "available_to", where)


def _moment(row: Mapping[str, Any], name: str, where: str) -> datetime:
    try:
        return require_aware(datetime.fromisoformat(row[name]))
    except (KeyError, TypeError, ValueError) as error:
        raise FeedInvalid(f"{where} {name} of {row.get('code')} is {row.get(name)!r}, a time was expected.") from error
