"""Rates of an Octopus product, unit rates and standing charges alike, as figures of half-hours.

They come newest first, in pages: every record that overlaps the period asked, a half-hour long or open. Of a long or
open record ``value_inc_vat`` carries the latest VAT, so figures are made from ``value_exc_vat``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np

from agents.energy.client import NotStored, Refused
from agents.energy.feed import Authorise, Get
from agents.energy.feeds.octopus_api import PAGE_SIZE, paged
from agents.energy.reading import numbers, slot_of
from core.errors import FeedInvalid
from core.halfhours import instant_of, slot_index
from core.series import BoolArray, FloatArray, IntArray
from core.slots import format_utc
from core.vintage import RawAnswer

Which = Literal["standard-unit-rates", "standing-charges"]
LIMIT_P = 500.0
"""Far beyond every cap, p/kWh or p/day: what is further out is no rate at all."""
PAID_BY = (None, "DIRECT_DEBIT")
"""Payment methods whose rates are used; the dearer NON_DIRECT_DEBIT ones are left."""
OPEN = np.iinfo(np.int64).max
GONE = (404, 410)


class NoSuchProduct(FeedInvalid):
    """The API has no such product, or not in this region."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates of half-hours in order, (n,) each.

    :param index: slots that have a rate.
    :param exc_vat_p: pence before VAT, per kWh or per day.
    :param until_changed: whether the record has no end: it holds until it is changed.
    :param disputed: slots at which records begin that differ from each other, (m,).
    """

    index: IntArray
    exc_vat_p: FloatArray
    until_changed: BoolArray
    disputed: IntArray

    @classmethod
    def none(cls) -> Rates:
        """No slot has a rate."""
        return cls(np.array([], dtype=np.int64), np.array([]), np.array([], dtype=bool), np.array([], dtype=np.int64))

    def followed_by(self, later: Rates) -> Rates:
        """These rates, then those of later slots."""
        return Rates(
            np.concatenate((self.index, later.index)),
            np.concatenate((self.exc_vat_p, later.exc_vat_p)),
            np.concatenate((self.until_changed, later.until_changed)),
            np.concatenate((self.disputed, later.disputed)),
        )


def rates(get: Get, base_url: str, tariff: tuple[str, str], which: Which, start: datetime, end: datetime) -> Rates:
    """Rates of the slots of ``[start, end)`` for a ``tariff``: product code and region letter.

    :raises NoSuchProduct: the API does not know the product (any more).
    :raises FeedInvalid: its answer is not what it documents.
    """
    code, letter = tariff
    where = f"Octopus {code} region {letter}:"
    url = f"{base_url.rstrip('/')}/products/{code}/electricity-tariffs/E-1R-{code}-{letter}/{which}/"
    asked = {"period_from": format_utc(start), "period_to": format_utc(end), "page_size": str(PAGE_SIZE)}
    first, last = slot_index(start), slot_index(end)
    records_at_most = len(PAID_BY) * (last - first + 1)
    pages = paged(_or_no_such_product(get, where), url, asked, 1 + -(-records_at_most // PAGE_SIZE), where)
    return _by_half_hour([row for page in pages for row in page], first, last, where)


def _or_no_such_product(get: Get, where: str) -> Get:
    """``get``, whose 404 says that the product is gone.

    An address that is not among stored answers means the same: a refusal has no body that could have been stored.
    An answer that cannot be used (too long, say) is no such refusal: the product is still there.
    """

    def asked(
        url: str, parameters: Mapping[str, str] | None = None, *, authorise: Authorise | None = None
    ) -> RawAnswer:
        try:
            return get(url, parameters, authorise=authorise)
        except (Refused, NotStored) as error:
            if isinstance(error, Refused) and error.status not in GONE:
                raise
            raise NoSuchProduct(f"{where} there is no such product or region ({error})") from error

    return asked


def _by_half_hour(found: Sequence[Mapping[str, Any]], first: int, last: int, where: str) -> Rates:
    """The rate of each slot from ``first`` to before ``last``: of the record that began last, if it still holds."""
    used = [row for row in found if row.get("payment_method") in PAID_BY]
    if not used:
        return Rates.none()
    begins = np.array([slot_of(row.get("valid_from"), f"{where} valid_from") for row in used], dtype=np.int64)
    ends = np.array([_end_of(row, where) for row in used], dtype=np.int64)
    values = numbers([row.get("value_exc_vat") for row in used], -LIMIT_P, LIMIT_P, f"{where} value_exc_vat (p)")
    wrong = np.flatnonzero((ends <= begins) | np.isnan(values))
    if wrong.size:
        at = instant_of(int(begins[wrong[0]]))
        raise FeedInvalid(f"{where} the record from {format_utc(at)} has no price, or ends before it begins.")
    begins, ends, values, disputed = _each_once(begins, ends, values)
    slots = np.arange(first, last, dtype=np.int64)
    record = np.searchsorted(begins, slots, side="right") - 1
    held = (record >= 0) & (slots < ends[record])
    slots, record = slots[held], record[held]
    return Rates(slots, values[record], ends[record] == OPEN, disputed[(disputed >= first) & (disputed < last)])


def _end_of(row: Mapping[str, Any], where: str) -> int:
    return int(OPEN) if row.get("valid_to") is None else slot_of(row["valid_to"], f"{where} valid_to")


def _each_once(begins: IntArray, ends: IntArray, values: FloatArray) -> tuple[IntArray, IntArray, FloatArray, IntArray]:
    """The records in order of begin, of those that begin together the first given; the slots where they differ."""
    order = np.argsort(begins, kind="stable")
    begins, ends, values = begins[order], ends[order], values[order]
    again = np.append(False, begins[1:] == begins[:-1])
    differs = np.append(False, values[1:] != values[:-1])
    return begins[~again], ends[~again], values[~again], np.unique(begins[again & differs])
