"""The flexibility desk: what is still free is offered slot by slot and booked without selling it twice.

A booking is reserved in the store, then recorded on the decision log, then confirmed: append before act. What a
crash leaves half done is finished or given back by :meth:`FlexibilityDesk.recover`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from agents.standing import StandingPlan
from audit.bodies.booking import BookingBody
from audit.fields import dec
from beckn.headroom import Headroom
from beckn.models import BecknSlot, Certificate, SlotFilter, parse_slot_id, slot_id_of
from beckn.planner import Planner, Sites
from core.clock import Clock
from core.errors import Conflict, InputError, NotFound
from core.ledger import Booking
from core.series import BoolArray, FloatArray, Kind
from core.slots import SLOT, format_utc, slots_between

if TYPE_CHECKING:
    from audit.log import AuditLog
    from core.site import Site
    from store.bookings import BookingRepository
    from store.reductions import ReductionRepository

_EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class _Offer:
    """Free headroom of the standing plan: ``free_kw`` (S, T) in whole kW, 0 where a slot is not for sale."""

    plan: StandingPlan
    free_kw: FloatArray


class FlexibilityDesk:
    """Searches and books free headroom.

    :param planner: gives the standing plan; bookings are made under its ``plan_lock``.
    :param on_booked: called after each new booking, so that the next plan leaves the headroom alone.
    """

    def __init__(
        self,
        clock: Clock,
        planner: Planner,
        sites: Sites,
        bookings: BookingRepository,
        reductions: ReductionRepository,
        log: AuditLog,
        on_booked: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._planner = planner
        self._sites = sites
        self._bookings = bookings
        self._reductions = reductions
        self._log = log
        self._on_booked = on_booked

    def search(self, filters: SlotFilter) -> list[BecknSlot]:
        """The free slots that ``filters`` asks for, in order of start, then site, up to its limit."""
        return self.find(filters)[0]

    def find(self, filters: SlotFilter) -> tuple[list[BecknSlot], int]:
        """As :meth:`search`, with the number of slots that match when there is no limit."""
        sites = {site.site_id: site for site in self._sites.sites()}
        _check_place(filters, sites)
        offer = self._offer()
        wanted = _wanted(offer, filters, sites)
        columns, rows = np.nonzero(wanted.T)
        pairs = zip(rows[: filters.limit].tolist(), columns[: filters.limit].tolist(), strict=True)
        return [_slot(offer, sites[offer.plan.site_ids[row]], int(row), int(column)) for row, column in pairs], int(
            rows.size
        )

    def confirm(self, slot_id: str, job_id: str, power_kw: float | None = None) -> Booking:
        """Book ``power_kw`` (default: all) of a slot for ``job_id``; the same pair again answers the same booking.

        :raises NotFound: the standing plan has no such slot.
        :raises Conflict: the slot is booked, has begun, or has less power free.
        :raises LogUnavailable: the booking could not be recorded, and was given back.
        """
        with self._planner.plan_lock:
            known = self._known(slot_id)
            if known is not None and known.job_id == job_id:
                return known
            if known is not None:
                raise Conflict(f"slot {slot_id} is already booked", remedy="Search again and choose another slot.")
            confirmed = self._book(slot_id, job_id, power_kw)
        self._on_booked()
        return confirmed

    def recover(self) -> tuple[int, int]:
        """Finish what a crash left reserved: bookings (confirmed, released), by whether the log has their record."""
        with self._planner.plan_lock:
            left = [self._finish(b) for b in self._bookings.active(*_EVER) if b.state == "reserved"]
        return sum(booking is not None for booking in left), sum(booking is None for booking in left)

    def _known(self, slot_id: str) -> Booking | None:
        """The active booking of ``slot_id``; one left reserved by a failure is finished first."""
        _, start = _parsed(slot_id)
        found = [b for b in self._bookings.active(start, start + SLOT) if b.slot_id == slot_id]
        if not found:
            return None
        return self._finish(found[0]) if found[0].state == "reserved" else found[0]

    def _book(self, slot_id: str, job_id: str, power_kw: float | None) -> Booking:
        """Reserve, record, confirm. Needs the plan lock."""
        site_id, start = _parsed(slot_id)
        offer = self._offer()
        row, column = self._cell(offer, slot_id, site_id, start)
        free = float(offer.free_kw[row, column])
        power = free if power_kw is None else power_kw
        if power <= 0 or power > free:
            raise Conflict(
                f"slot {slot_id} has {free:.0f} kW free, not {power:g} kW",
                remedy="Search again and ask for no more than the slot's power_kw.",
            )
        booking = self._draft(offer.plan, slot_id, job_id, power, (row, column))
        plan = offer.plan
        for_sale = plan.headroom_kw - plan.planned_kw - plan.reserved_kw
        self._bookings.reserve(booking, {start: float(for_sale[row, column])})
        kinds = {Kind(int(codes[row, column])).label for codes in (plan.price_kind, plan.carbon_kind)}
        return self._record(booking, sorted(kinds))

    def _draft(self, plan: StandingPlan, slot_id: str, job_id: str, power_kw: float, cell: tuple[int, int]) -> Booking:
        start = plan.start + SLOT * cell[1]
        return Booking(
            booking_id=str(uuid.uuid4()),
            slot_id=slot_id,
            job_id=job_id,
            site_id=plan.site_ids[cell[0]],
            start=start,
            end=start + SLOT,
            power_kw=power_kw,
            price_gbp_per_kwh=float(plan.price[cell]),
            carbon_g_per_kwh=float(plan.carbon[cell]),
            state="reserved",
            created_at=self._clock.now(),
        )

    def _record(self, booking: Booking, data_kinds: list[str]) -> Booking:
        try:
            record = self._log.append("booking", _body(booking, data_kinds), agent="beckn")
        except Exception:
            self._bookings.release(booking.booking_id)
            raise
        self._bookings.confirm(booking.booking_id, record.seq)
        return replace(booking, state="confirmed", log_seq=record.seq)

    def _finish(self, booking: Booking) -> Booking | None:
        """Confirm a reserved booking whose record is on the log; release any other."""
        records, _ = self._log.records(kind="booking", text=booking.booking_id, limit=1)
        if not records:
            self._bookings.release(booking.booking_id)
            return None
        self._bookings.confirm(booking.booking_id, records[0].seq)
        return replace(booking, state="confirmed", log_seq=records[0].seq)

    def _cell(self, offer: _Offer, slot_id: str, site_id: str, start: datetime) -> tuple[int, int]:
        """Row and column of a slot in the standing plan."""
        column = slots_between(offer.plan.start, start)
        on_grid = offer.plan.start + SLOT * column == start
        if site_id not in offer.plan.site_ids or not on_grid or column >= offer.plan.slots:
            raise NotFound(f"the standing plan has no slot {slot_id}", remedy="Search for the slots on offer.")
        if start <= self._clock.now():
            raise Conflict(f"slot {slot_id} has begun", remedy="Search for slots that start later.")
        return list(offer.plan.site_ids).index(site_id), column

    def _offer(self) -> _Offer:
        """What is free: a slot of which something is booked is not for sale again."""
        plan = self._planner.standing()
        span = plan.start, plan.start + SLOT * plan.slots
        found = Headroom.of(plan, self._bookings.active(*span), self._reductions.active(*span), self._clock.now())
        return _Offer(plan, np.where(found.booked, 0.0, found.free_kw))


def _check_place(filters: SlotFilter, sites: Mapping[str, Site]) -> None:
    """Raise :class:`InputError` for a site or region that no site has."""
    regions = {name for site in sites.values() for name in site.regions()}
    for field, value, known in (("site_id", filters.site_id, set(sites)), ("region", filters.region, regions)):
        if value is not None and value not in known:
            raise InputError(
                f"there is no {field} {value!r}",
                field=field,
                value=value,
                remedy=f"Use one of {', '.join(sorted(known))}.",
            )


def _wanted(offer: _Offer, filters: SlotFilter, sites: Mapping[str, Site]) -> BoolArray:
    """Cells (S, T) that are for sale and match ``filters``."""
    plan = offer.plan
    here = np.array([_matches(sites.get(site_id), filters) for site_id in plan.site_ids], dtype=np.bool_)
    wanted = here[:, np.newaxis] & (offer.free_kw >= max(1.0, filters.min_power_kw))
    if filters.max_price_gbp_per_kwh is not None:
        wanted &= plan.price <= filters.max_price_gbp_per_kwh
    if filters.max_carbon_g_per_kwh is not None:
        wanted &= plan.carbon <= filters.max_carbon_g_per_kwh
    column = np.arange(plan.slots)
    if filters.start is not None:
        wanted &= column >= (filters.start - plan.start) / SLOT
    if filters.end is not None:
        wanted &= column + 1 <= (filters.end - plan.start) / SLOT
    return wanted


def _matches(site: Site | None, filters: SlotFilter) -> bool:
    if site is None:
        return False
    return filters.site_id in {None, site.site_id} and (filters.region is None or filters.region in site.regions())


def _slot(offer: _Offer, site: Site, row: int, column: int) -> BecknSlot:
    plan = offer.plan
    start = plan.start + SLOT * column
    price_kind, carbon_kind = Kind(int(plan.price_kind[row, column])), Kind(int(plan.carbon_kind[row, column]))
    return BecknSlot(
        slot_id=slot_id_of(site.site_id, start),
        site_id=site.site_id,
        zone=site.zone,
        country=site.country,
        start=start,
        end=start + SLOT,
        power_kw=float(offer.free_kw[row, column]),
        price_gbp_per_kwh=float(plan.price[row, column]),
        carbon_g_per_kwh=float(plan.carbon[row, column]),
        price_kind=price_kind.label,
        carbon_kind=carbon_kind.label,
        simulated=Kind.SIMULATED in {price_kind, carbon_kind},
        certificate=None if plan.tick is None else Certificate.of(plan.tick),
    )


def _body(booking: Booking, data_kinds: list[str]) -> BookingBody:
    """The audit record of ``booking``, as it will stand once recorded."""
    return BookingBody(
        booking_id=booking.booking_id,
        slot_id=booking.slot_id,
        job_id=booking.job_id,
        site_id=booking.site_id,
        start=format_utc(booking.start),
        end=format_utc(booking.end),
        power_kw=dec(booking.power_kw, 3),
        price_gbp_per_kwh=dec(booking.price_gbp_per_kwh, 6),
        carbon_g_per_kwh=dec(booking.carbon_g_per_kwh, 3),
        state="confirmed",
        data_kinds=data_kinds,
    )


def _parsed(slot_id: str) -> tuple[str, datetime]:
    try:
        return parse_slot_id(slot_id)
    except ValueError as error:
        raise InputError(
            f"{slot_id!r} names no slot",
            field="slot_id",
            value=slot_id,
            remedy="Send a slot_id that a search answered.",
        ) from error
