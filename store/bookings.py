"""Bookings of flexibility: capacity held for others, never more than there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from core.errors import Conflict, NotFound
from core.ledger import Booking
from core.slots import SLOT, slot_starts, slots_between
from store.database import Database, hold_lock
from store.rows import columns_of
from store.tables import bookings

ACTIVE = ("held", "reserved", "confirmed")
TOLERANCE_KW = 1e-6


class BookingRepository:
    """Reservations are made one after another, so that two never see the same free capacity."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(self, booking: Booking, limit_kw: Mapping[datetime, float]) -> None:
        """Hold capacity in state ``reserved``.

        :param limit_kw: power at the meter that may be booked in all, for each slot of the booking.
        :raises Conflict: when the slot is taken, or a half-hour would be overbooked; nothing is stored.
        """
        with self._database.writing() as connection:
            hold_lock(connection, "bookings")
            held = _active(connection, booking.start, booking.end, booking.site_id)
            if any(other.slot_id == booking.slot_id for other in held):
                raise Conflict(f"slot {booking.slot_id} is booked already", remedy="Search again for free slots.")
            for slot in slot_starts(booking.start, slots_between(booking.start, booking.end)):
                used = sum(other.power_kw for other in held if other.start < slot + SLOT and other.end > slot)
                limit = limit_kw.get(slot, 0.0)
                if used + booking.power_kw > limit + TOLERANCE_KW:
                    raise Conflict(
                        f"{booking.site_id} has {max(limit - used, 0):.1f} kW free at {slot:%Y-%m-%d %H:%M}Z, "
                        f"{booking.power_kw:.1f} kW were asked for",
                        remedy="Search again for free slots, or ask for less power.",
                    )
            connection.execute(sa.insert(bookings).values(_columns(booking)))

    def confirm(self, booking_id: str, log_seq: int) -> Booking:
        """The booking's decision is on the log as ``log_seq``; :class:`Conflict` when it was released before."""
        return self._change(booking_id, state="confirmed", log_seq=log_seq)

    def release(self, booking_id: str) -> Booking:
        """Give the capacity back."""
        return self._change(booking_id, state="released")

    def active(self, start: datetime, end: datetime) -> list[Booking]:
        """Reserved and confirmed bookings that overlap ``[start, end)``, by start and id."""
        with self._database.reading(snapshot=False) as connection:
            return _active(connection, start, end)

    def get(self, booking_id: str) -> Booking:
        """One booking; :class:`NotFound`."""
        with self._database.reading(snapshot=False) as connection:
            return _booking(_row(connection, booking_id))

    def _change(self, booking_id: str, **values: Any) -> Booking:
        with self._database.writing() as connection:
            present = _booking(_row(connection, booking_id, lock=True))
            booking = replace(present, **values)
            if present.state == "released" and booking.state in ACTIVE:
                raise Conflict(f"booking {booking_id} was released: its capacity may be another's", remedy="Book anew.")
            connection.execute(sa.update(bookings).where(bookings.c.booking_id == booking_id).values(values))
            return booking


def hold(connection: Connection, held: Sequence[Booking]) -> None:
    """Keep capacity for contracts; the caller has seen that it is free."""
    if held:
        connection.execute(sa.insert(bookings), [_columns(booking) for booking in held])


def release(connection: Connection, booking_ids: Sequence[str]) -> None:
    """Give back what is still held of these."""
    held = sa.and_(bookings.c.booking_id.in_(booking_ids), bookings.c.state.in_(ACTIVE))
    connection.execute(sa.update(bookings).where(held).values(state="released"))


def change_of_contract(connection: Connection, contract_id: str, state: str, log_seq: int | None = None) -> None:
    """Confirm or release what a contract holds."""
    values: dict[str, Any] = {"state": state} | ({} if log_seq is None else {"log_seq": log_seq})
    active = sa.and_(bookings.c.contract_id == contract_id, bookings.c.state.in_(ACTIVE))
    connection.execute(sa.update(bookings).where(active).values(values))


def lessen(connection: Connection, contract_id: str, place: tuple[str, datetime], left_kw: float) -> None:
    """Keep ``left_kw`` of what a contract has at a site in a half-hour."""
    of_place = sa.and_(
        bookings.c.contract_id == contract_id,
        bookings.c.site_id == place[0],
        bookings.c.starts == place[1],
        bookings.c.state.in_(ACTIVE),
    )
    values: dict[str, Any] = {"power_kw": left_kw} if left_kw > 0 else {"state": "released"}
    connection.execute(sa.update(bookings).where(of_place).values(values))


def release_lapsed(connection: Connection, now: datetime) -> set[str]:
    """Give back what is held beyond its time; the ids of the contracts."""
    lapsed = sa.and_(bookings.c.state == "held", bookings.c.held_until <= now)
    found = {row.contract_id for row in connection.execute(sa.select(bookings.c.contract_id).where(lapsed))}
    if found:
        connection.execute(sa.update(bookings).where(lapsed).values(state="released"))
    return found


def _row(connection: Connection, booking_id: str, *, lock: bool = False) -> Row[Any]:
    query = sa.select(bookings).where(bookings.c.booking_id == booking_id)
    found = connection.execute(query.with_for_update() if lock else query).first()
    if found is None:
        raise NotFound(f"there is no booking {booking_id!r}")
    return found


def _active(connection: Connection, start: datetime, end: datetime, site_id: str | None = None) -> list[Booking]:
    matches = [bookings.c.state.in_(ACTIVE), bookings.c.starts < end, bookings.c.ends > start]
    if site_id is not None:
        matches.append(bookings.c.site_id == site_id)
    query = sa.select(bookings).where(*matches).order_by(bookings.c.starts, bookings.c.booking_id)
    return [_booking(row) for row in connection.execute(query)]


def _columns(booking: Booking) -> dict[str, Any]:
    columns = columns_of(booking)
    return columns | {"starts": columns.pop("start"), "ends": columns.pop("end")}


def _booking(row: Row[Any]) -> Booking:
    return Booking(
        booking_id=row.booking_id,
        slot_id=row.slot_id,
        job_id=row.job_id,
        site_id=row.site_id,
        start=row.starts,
        end=row.ends,
        power_kw=row.power_kw,
        price_gbp_per_kwh=row.price_gbp_per_kwh,
        carbon_g_per_kwh=row.carbon_g_per_kwh,
        state=row.state,
        created_at=row.created_at,
        log_seq=row.log_seq,
        held_until=row.held_until,
        contract_id=row.contract_id,
    )
