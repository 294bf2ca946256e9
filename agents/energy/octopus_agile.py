"""Octopus Agile import prices of the 14 GB regions, half-hourly, published about 16:00 local for the next day.

API: https://docs.octopus.energy/rest/. Rates come newest first, in pages, for each slot that overlaps the period asked.
``value_inc_vat`` of a long or open record carries the latest VAT, so prices are made from ``value_exc_vat``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from agents.energy.client import JsonClient, Refused
from agents.energy.feed import FetchedSeries
from agents.energy.halfhours import agile_known_until, slot_index
from agents.energy.reading import instant, mapping, number, rows, series_of
from agents.energy.tariff import with_vat_gbp
from agents.energy.zones import GB, REGIONS, price_region
from core.clock import Clock
from core.errors import FeedInvalid
from core.series import Kind, Unit
from core.slots import SLOT, format_utc, slot_ceil, slot_floor
from core.vintage import Quantity

NAME = "octopus-agile"
PAGE_SIZE = "1500"
MOST_PAGES = 20
LIMIT_P = 500.0
NOT_FOUND = 404
RETIRED = "Set OCTOPUS_PRODUCT to the Agile product that is on sale, and restart."
PAID_BY = (None, "DIRECT_DEBIT")
"""Payment methods whose rates are used; the dearer NON_DIRECT_DEBIT rows are left."""


class OctopusAgileFeed:
    """The feed ``octopus-agile``: the 14 ``GB-<letter>``, and ``GB`` as London."""

    name = NAME
    quantity: Quantity = "price"
    zones = frozenset({GB, *REGIONS})
    attribution = "Electricity prices: Octopus Energy API, Agile tariff, © Octopus Energy"

    def __init__(self, client: JsonClient, base_url: str, product: str, clock: Clock) -> None:
        self._client = client
        self._base = base_url.rstrip("/")
        self._product = product
        self._clock = clock
        self.host = urlsplit(self._base).netloc

    def fetch(self, zone: str, start: datetime, end: datetime) -> FetchedSeries:
        now = self._clock.now()
        letter = price_region(zone).letter
        where = f"Octopus {self._product} region {letter}:"
        try:
            pages = list(self._pages(letter, slot_floor(start), slot_ceil(end), where))
        except Refused as error:
            if error.status != NOT_FOUND:
                raise
            raise FeedInvalid(f"{where} there is no such product or region ({error}).", remedy=RETIRED) from error
        found = [row for page, _ in pages for row in rows(page.get("results"), where)]
        prices_p = _prices_p(found, slot_floor(start), slot_ceil(end), where)
        _require_current(prices_p, now, where)
        source = f"Octopus Agile {self._product} region {letter}"
        series = series_of(_with_vat(prices_p), Unit.GBP_PER_KWH, source, now, feed=where.rstrip(":"))
        return FetchedSeries(series, b"\n".join(body for _, body in pages))

    def overdue(self, known_until: datetime, now: datetime) -> bool:
        """Whether tomorrow's prices are missing after 16:00 local. They may come as late as 20:00."""
        return known_until < agile_known_until(now)

    def _pages(
        self, letter: str, start: datetime, end: datetime, where: str
    ) -> Iterator[tuple[Mapping[str, Any], bytes]]:
        url: str | None = (
            f"{self._base}/products/{self._product}/electricity-tariffs/"
            f"E-1R-{self._product}-{letter}/standard-unit-rates/"
        )
        parameters: dict[str, str] | None = {
            "period_from": format_utc(start),
            "period_to": format_utc(end),
            "page_size": PAGE_SIZE,
        }
        for _ in range(MOST_PAGES):
            if url is None:
                return
            answer, body = self._client.get(url, parameters)
            page = mapping(answer, where)
            yield page, body
            url, parameters = self._next(page, where), None
        if url is not None:
            raise FeedInvalid(f"{where} more than {MOST_PAGES} pages.")

    def _next(self, page: Mapping[str, Any], where: str) -> str | None:
        """The next page's address, which must be of the same host."""
        url = page.get("next")
        if url is None:
            return None
        if not isinstance(url, str) or urlsplit(url)[:2] != urlsplit(self._base)[:2]:
            raise FeedInvalid(f"{where} next page {url!r} is not at {self._base}.")
        return url


def _prices_p(found: Iterable[Mapping[str, Any]], start: datetime, end: datetime, where: str) -> dict[int, float]:
    """Pence before VAT by slot index within ``[start, end)``, ascending; a rate without an end holds to ``end``."""
    prices: dict[int, float] = {}
    for row in found:
        if row.get("payment_method") not in PAID_BY:
            continue
        begin = max(instant(row.get("valid_from"), f"{where} valid_from"), start)
        stop = end if row.get("valid_to") is None else min(instant(row["valid_to"], f"{where} valid_to"), end)
        price = number(row.get("value_exc_vat"), -LIMIT_P, LIMIT_P, f"{where} value_exc_vat (p/kWh)")
        for index in range(slot_index(begin), slot_index(stop)):
            prices.setdefault(index, price)
    return dict(sorted(prices.items()))


def _require_current(prices_p: Mapping[int, float], now: datetime, where: str) -> None:
    """The newest rate must reach the present: a product that ends in the past was retired."""
    if not prices_p:
        raise FeedInvalid(f"{where} no prices are published for the time asked.", remedy=RETIRED)
    if max(prices_p) < slot_index(now):
        age = (slot_index(now) - max(prices_p)) * SLOT
        raise FeedInvalid(f"{where} the newest price is {age} old.", remedy=RETIRED)


def _with_vat(prices_p: Mapping[int, float]) -> dict[int, tuple[float, int]]:
    index = np.fromiter(prices_p, dtype=np.int64)
    prices_gbp = with_vat_gbp(np.fromiter(prices_p.values(), dtype=np.float64), index)
    return {int(i): (float(p), Kind.SETTLED) for i, p in zip(index, prices_gbp, strict=True)}
