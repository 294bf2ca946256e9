"""Settlement: ledger rows of slots that have passed get the firmest price and carbon there are for them.

Energies are never touched. A figure is replaced by one at least as firm (settled before estimate before forecast before
simulated), so a later vintage of the same kind counts, and a forecast is never put in the place of a published figure.
A carbon estimate goes on being restated by later vintages until it is :data:`ESTIMATE_FINAL_AFTER` old.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from core.ledger import SlotEntry
from core.series import Kind, Series
from core.slots import SLOT, slots_between

ESTIMATE_FINAL_AFTER = timedelta(hours=48)
"""Age after the end of a half-hour at which a carbon estimate counts as the last word of its source.

The Carbon Intensity API publishes ``actual`` half an hour after a period and has revised it for more than a day.
"""


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure, its kind, and whether its source will say no more about the slot."""

    value: float
    kind: Kind
    final: bool


def _observed(series: Series | None, slot_start: datetime) -> tuple[float, Kind]:
    """What ``series`` holds for a slot; MISSING outside of it."""
    if series is None:
        return float("nan"), Kind.MISSING
    position = slots_between(series.start, slot_start)
    if not 0 <= position < len(series):
        return float("nan"), Kind.MISSING
    return float(series.values[position]), Kind(int(series.kinds[position]))


def _firmer(held: float, held_kind: Kind, series: Series | None, slot_start: datetime, last: Kind) -> _Figure:
    """The firmer of the figure held and the one observed.

    Figures of kind ``last`` or firmer are final; a simulated one is when the source still simulates that passed slot.
    """
    value, kind = _observed(series, slot_start)
    if kind is Kind.MISSING or kind > held_kind:
        return _Figure(held, held_kind, held_kind <= last)
    return _Figure(value, kind, kind <= last or kind is Kind.SIMULATED)


def _settled(
    entry: SlotEntry, price: Series | None, carbon: Series | None, now: datetime, final_after: timedelta
) -> SlotEntry:
    if entry.settled:
        return entry
    old = now >= entry.slot_start + SLOT + final_after
    last = Kind.ESTIMATE if old else Kind.SETTLED
    cost = _firmer(entry.price_gbp_per_kwh, entry.price_kind, price, entry.slot_start, Kind.ESTIMATE)
    intensity = _firmer(entry.carbon_g_per_kwh, entry.carbon_kind, carbon, entry.slot_start, last)
    firmer = replace(
        entry,
        price_gbp_per_kwh=cost.value,
        price_kind=cost.kind,
        carbon_g_per_kwh=intensity.value,
        carbon_kind=intensity.kind,
        settled=cost.final and intensity.final,
    )
    return entry if firmer == entry else firmer


def settle(
    entries: Iterable[SlotEntry],
    price: Mapping[str, Series],
    carbon: Mapping[str, Series],
    now: datetime,
    final_after: timedelta = ESTIMATE_FINAL_AFTER,
) -> list[SlotEntry]:
    """Rows with the firmest figures known, in the order given; a row that gains nothing is returned as the same object.

    :param entries: rows of slots that have ended, such as the ledger's ``unsettled(before=now)``; settled rows stay.
    :param price: what was observed by site id, GBP/kWh; a site or slot may be absent.
    :param carbon: what was observed by site id, gCO2/kWh; likewise.
    :param final_after: age from which a carbon estimate is final.
    """
    return [_settled(entry, price.get(entry.site_id), carbon.get(entry.site_id), now, final_after) for entry in entries]
