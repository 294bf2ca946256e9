"""Which lots to buy: the cheapest half-hours of several providers' offers together, carbon weighed in money. No I/O.

Within a half-hour the cheapest split over lots is found exactly, least amounts of lots kept; half-hours are then taken
by what they come to. A lot that does not tell its carbon is reckoned at the highest intensity that any lot tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from beckn.consumer.lots import Lot
from beckn.packs.settlement import HOURS
from core.slots import SLOT

_ZERO = Decimal(0)
_GRAMS = Decimal(1_000_000)
MOST_LOTS = 200
"""of one half-hour: the cheapest; more are not looked at"""
MOST_SPLITS = 20_000
"""ways to split one half-hour that are looked at; the best of them is taken"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of all providers together.

    :param kw: in each of ``count`` half-hours that lie in [``earliest``, ``latest``), on end where ``contiguous``.
    :param max_price: GBP/kWh; :param max_carbon: g/kWh, then lots that tell none are left aside.
    :param carbon_price: GBP/t that carbon is weighed at. :param partial: less than all is better than nothing.
    """

    kw: Decimal
    count: int
    earliest: datetime
    latest: datetime
    contiguous: bool = False
    max_price: Decimal | None = None
    max_carbon: Decimal | None = None
    carbon_price: Decimal = _ZERO
    partial: bool = False

    @property
    def kw_slots(self) -> Decimal:
        """kW times half-hours."""
        return self.kw * self.count


@dataclass(frozen=True, slots=True)
class Part:
    """So much of a lot."""

    lot: Lot
    kw: Decimal


@dataclass(frozen=True, slots=True)
class _Priced:
    """A lot and what a kW of it weighs for a half-hour."""

    lot: Lot
    weight: Decimal


@dataclass(frozen=True, slots=True)
class _Filled:
    """One half-hour as it would be bought."""

    starts: datetime
    parts: tuple[Part, ...]
    kw: Decimal
    weight: Decimal


def choose(lots: Iterable[Lot], wanted: Wanted) -> tuple[Part, ...] | None:
    """The cheapest parts that come to what is wanted; None where it cannot be had.

    With ``partial`` the most that can be had, and of that the cheapest; None where nothing can.
    """
    priced = weighed([lot for lot in lots if _fits(lot, wanted)], wanted.carbon_price)
    filled = [_fill(starts, of, wanted.kw, partial=wanted.partial) for starts, of in sorted(_by_slot(priced).items())]
    good = [each for each in filled if each is not None]
    chosen = _on_end(good, wanted) if wanted.contiguous else _any(good, wanted)
    return None if not chosen else tuple(part for each in chosen for part in each.parts)


def replace(lots: Iterable[Lot], missing: Mapping[datetime, Decimal], wanted: Wanted) -> tuple[Part, ...] | None:
    """The cheapest parts that come to ``missing`` kW in just these half-hours; None where they cannot be had."""
    priced = _by_slot(weighed([lot for lot in lots if _fits(lot, wanted)], wanted.carbon_price))
    found: list[Part] = []
    for starts, kw in sorted(missing.items()):
        filled = _fill(starts, priced.get(starts, []), kw, partial=wanted.partial)
        if filled is None and not wanted.partial:
            return None
        found += () if filled is None else filled.parts
    return tuple(found) or None


def cost(parts: Iterable[Part]) -> Decimal:
    """GBP if all is delivered, not rounded."""
    return sum((part.kw * HOURS * part.lot.price for part in parts), _ZERO)


def carbon_kg(parts: Iterable[Part]) -> Decimal | None:
    """kg as the providers tell it; None where one does not."""
    told = [None if part.lot.carbon is None else part.kw * HOURS * part.lot.carbon / 1000 for part in parts]
    known = [each for each in told if each is not None]
    return sum(known, _ZERO) if len(known) == len(told) else None


def weighed(lots: Sequence[Lot], carbon_price: Decimal) -> list[_Priced]:
    """Lots with what a kW of each weighs for half an hour, GBP: its price and its carbon."""
    most = max((lot.carbon for lot in lots if lot.carbon is not None), default=_ZERO)
    return [
        _Priced(lot, HOURS * (lot.price + carbon_price * (most if lot.carbon is None else lot.carbon) / _GRAMS))
        for lot in lots
    ]


def _fits(lot: Lot, wanted: Wanted) -> bool:
    dear = wanted.max_price is not None and lot.price > wanted.max_price
    dirty = wanted.max_carbon is not None and (lot.carbon is None or lot.carbon > wanted.max_carbon)
    return not dear and not dirty and wanted.earliest <= lot.starts and lot.starts + SLOT <= wanted.latest


def _by_slot(priced: Iterable[_Priced]) -> dict[datetime, list[_Priced]]:
    slots: dict[datetime, list[_Priced]] = {}
    for each in priced:
        slots.setdefault(each.lot.starts, []).append(each)
    return slots


def _any(filled: Sequence[_Filled], wanted: Wanted) -> Sequence[_Filled]:
    """The best half-hours, wherever they lie."""
    best = sorted(filled, key=lambda each: (-each.kw, each.weight, each.starts))[: wanted.count]
    return best if wanted.partial or len(best) == wanted.count else ()


def _on_end(filled: Sequence[_Filled], wanted: Wanted) -> Sequence[_Filled]:
    """The best half-hours on end, in one row; with ``partial`` the row may be shorter."""
    at = {each.starts: each for each in filled}
    rows = []
    for first in at:
        row: list[_Filled] = []
        while len(row) < wanted.count and (each := at.get(first + SLOT * len(row))) is not None:
            row.append(each)
        if wanted.partial or len(row) == wanted.count:
            rows.append(row)
    if not rows:
        return ()
    return min(rows, key=lambda row: (-sum(x.kw for x in row), sum(x.weight for x in row), row[0].starts))


def _fill(starts: datetime, priced: Sequence[_Priced], kw: Decimal, *, partial: bool) -> _Filled | None:
    """The cheapest way to ``kw`` in one half-hour; with ``partial`` to the most below it where it cannot be had."""
    ordered = sorted(priced, key=lambda each: (each.weight, each.lot.peer_id, each.lot.resource_id))[:MOST_LOTS]
    parts = _Splits(ordered).cheapest(kw)
    if parts is None and partial:
        parts = _most(ordered, kw)
    if not parts:
        return None
    weight_of = {id(each.lot): each.weight for each in ordered}
    weight = sum((weight_of[id(part.lot)] * part.kw for part in parts), _ZERO)
    return _Filled(starts, parts, sum((part.kw for part in parts), _ZERO), weight)


def _most(ordered: Sequence[_Priced], kw: Decimal) -> tuple[Part, ...]:
    """As much as can be had without more than ``kw``, the cheap lots first."""
    parts, left = [], kw
    for each in ordered:
        taken = min(each.lot.available_kw, left)
        if taken > 0 and taken >= each.lot.minimum_kw:
            parts.append(Part(each.lot, taken))
            left -= taken
    return tuple(parts)


class _Splits:
    """Splits power over lots in order of weight. Branches only where a lot would be taken below its least amount."""

    def __init__(self, ordered: Sequence[_Priced]) -> None:
        self._ordered = ordered
        self._best: tuple[Decimal, tuple[Decimal, ...]] | None = None
        self._left = MOST_SPLITS

    def cheapest(self, kw: Decimal) -> tuple[Part, ...] | None:
        """The cheapest parts that come to ``kw``; None where none do."""
        least = tuple(_ZERO for _ in self._ordered)
        most = tuple(each.lot.available_kw for each in self._ordered)
        self._search(kw, least, most)
        if self._best is None:
            return None
        taken = zip(self._ordered, self._best[1], strict=True)
        return tuple(Part(each.lot, power) for each, power in taken if power > 0)

    def _search(self, kw: Decimal, least: tuple[Decimal, ...], most: tuple[Decimal, ...]) -> None:
        """Look at all splits with each lot between its bounds."""
        self._left -= 1
        relaxed = self._relaxed(kw, least, most)
        if relaxed is None or self._left < 0:
            return
        weight = sum((each.weight * power for each, power in zip(self._ordered, relaxed, strict=True)), _ZERO)
        if self._best is not None and weight >= self._best[0]:
            return
        broken = [i for i, power in enumerate(relaxed) if 0 < power < self._ordered[i].lot.minimum_kw]
        if not broken:
            self._best = weight, relaxed
            return
        i = broken[0]
        self._search(kw, _with(least, i, self._ordered[i].lot.minimum_kw), most)
        self._search(kw, least, _with(most, i, _ZERO))

    @staticmethod
    def _relaxed(kw: Decimal, least: tuple[Decimal, ...], most: tuple[Decimal, ...]) -> tuple[Decimal, ...] | None:
        """The cheapest split where a lot may be taken at any amount between its bounds."""
        left = kw - sum(least)
        if left < 0:
            return None
        found = []
        for low, high in zip(least, most, strict=True):
            taken = min(high - low, left)
            found.append(low + taken)
            left -= taken
        return tuple(found) if left == 0 else None


def _with(bounds: tuple[Decimal, ...], place: int, bound: Decimal) -> tuple[Decimal, ...]:
    return (*bounds[:place], bound, *bounds[place + 1 :])
