"""The slot ledger: rows of plan and baseline, applied, metered, settled and summed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from core.errors import NotFound
from core.job import JobStatus
from core.ledger import Leg, SlotEntry, Totals
from core.series import Kind
from core.slots import SLOT_HOURS
from store.database import Database
from store.tables import jobs, slot_entries

TABLE = slot_entries
UNDONE = (JobStatus.FAILED, JobStatus.CANCELLED)
FIELDS = (
    "job_id",
    "leg",
    "slot_start",
    "site_id",
    "power_kw",
    "pue",
    "price_gbp_per_kwh",
    "price_kind",
    "carbon_g_per_kwh",
    "carbon_kind",
    "delivered_kwh",
    "settled",
    "carbon_forecast_g_per_kwh",
    "room_kw",
)
FIGURES = ("pue", "price_gbp_per_kwh", "price_kind", "carbon_g_per_kwh", "carbon_kind", "settled")
MANY = 500


class State(NamedTuple):
    """What a plan may change of a job."""

    status: JobStatus
    site_id: str | None
    reason: str | None


_MEASURED = (
    sa.update(TABLE)
    .where(
        TABLE.c.leg == Leg.PLAN.value,
        TABLE.c.job_id == sa.bindparam("at_job_id"),
        TABLE.c.slot_start == sa.bindparam("at_slot_start"),
    )
    .values(delivered_kwh=sa.bindparam("measured_kwh"))
)


class LedgerRepository:
    """What each job draws in each slot, as planned and as its baseline would have."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def apply_plan(
        self,
        plan_start: datetime,
        entries: Sequence[SlotEntry],
        placed: Mapping[str, str],
        waiting: Mapping[str, str],
        *,
        at: datetime,
    ) -> int:
        """Put a plan in force, in one transaction; the number of jobs placed.

        Rows from ``plan_start`` on of all jobs named are replaced. Placed jobs (id to site) become scheduled unless
        they have begun; waiting ones (id to reason) go back to pending. Jobs that have ended meanwhile are left alone.
        """
        with self._database.writing() as connection:
            states = _present(connection, sorted({*placed, *waiting}))
            alive = {job_id for job_id, state in states.items() if not state.status.terminal}
            for some in _parts(sorted(alive)):
                connection.execute(
                    sa.delete(TABLE).where(
                        TABLE.c.leg == Leg.PLAN.value, TABLE.c.slot_start >= plan_start, TABLE.c.job_id.in_(some)
                    )
                )
            _insert(connection, [entry for entry in entries if entry.job_id in alive and entry.job_id in placed])
            ready = {job_id: site for job_id, site in placed.items() if job_id in alive}
            wanted = {job_id: State(JobStatus.SCHEDULED, site, None) for job_id, site in ready.items()}
            wanted |= {job: State(JobStatus.PENDING, None, why) for job, why in waiting.items() if job in alive}
            _move(connection, wanted, states, at)
        return len(ready)

    def add_baseline(self, entries: Sequence[SlotEntry]) -> None:
        """Store the baseline rows of jobs that had none."""
        with self._database.writing() as connection:
            _insert(connection, entries)

    def entries(
        self,
        *,
        job_id: str | None = None,
        leg: Leg | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        site_id: str | None = None,
    ) -> list[SlotEntry]:
        """Rows whose slot starts in ``[start, end)``, by slot and job."""
        matches = [
            *([TABLE.c.job_id == job_id] if job_id is not None else []),
            *([TABLE.c.leg == leg.value] if leg is not None else []),
            *([TABLE.c.slot_start >= start] if start is not None else []),
            *([TABLE.c.slot_start < end] if end is not None else []),
            *([TABLE.c.site_id == site_id] if site_id is not None else []),
        ]
        return self._read(*matches)

    def of_jobs(self, job_ids: Sequence[str]) -> dict[str, list[SlotEntry]]:
        """All rows of some jobs, by job, each by slot; a job without rows is left out."""
        found: dict[str, list[SlotEntry]] = {}
        for some in _parts(job_ids):
            for row in self._read(TABLE.c.job_id.in_(some)):
                found.setdefault(row.job_id, []).append(row)
        return found

    def drawn_by_tenant(self, start: datetime, end: datetime) -> list[tuple[str, str, datetime, float]]:
        """Tenant, site, slot and kWh at the meter of all planned slots that start in ``[start, end)``, summed."""
        key = jobs.c.tenant, TABLE.c.site_id, TABLE.c.slot_start
        energy = sa.func.coalesce(TABLE.c.delivered_kwh, TABLE.c.power_kw * SLOT_HOURS) * TABLE.c.pue
        query = (
            sa.select(*key, sa.func.sum(energy))
            .join(jobs, jobs.c.job_id == TABLE.c.job_id)
            .where(TABLE.c.leg == Leg.PLAN.value, TABLE.c.slot_start >= start, TABLE.c.slot_start < end)
            .group_by(*key)
            .order_by(*key)
        )
        with self._database.reading() as connection:
            return [(row[0], row[1], row[2], float(row[3])) for row in connection.execute(query)]

    def drawn_by_site(self, start: datetime, end: datetime) -> dict[tuple[str, datetime], float]:
        """kWh that jobs were measured to draw at the meter, by site and slot, for starts in ``[start, end)``."""
        key = TABLE.c.site_id, TABLE.c.slot_start
        query = (
            sa.select(*key, sa.func.sum(TABLE.c.delivered_kwh * TABLE.c.pue))
            .where(TABLE.c.leg == Leg.PLAN.value, TABLE.c.slot_start >= start, TABLE.c.slot_start < end)
            .where(TABLE.c.delivered_kwh.is_not(None))
            .group_by(*key)
        )
        with self._database.reading() as connection:
            return {(row[0], row[1]): float(row[2]) for row in connection.execute(query)}

    def unsettled(self, before: datetime) -> list[SlotEntry]:
        """Rows of slots that started before ``before`` and have no final figures."""
        return self._read(TABLE.c.settled.is_(False), TABLE.c.slot_start < before)

    def record_deliveries(self, entries: Sequence[SlotEntry]) -> None:
        """Note the IT energy measured in planned slots, in one transaction.

        :raises NotFound: when one of them is not planned; then none is noted.
        """
        with self._database.writing() as connection:
            for entry in entries:
                if not connection.execute(_MEASURED, _reading(entry)).rowcount:
                    raise NotFound(f"job {entry.job_id!r} has no planned slot at {entry.slot_start:%Y-%m-%d %H:%M}Z")

    def scale_baseline(self, job_id: str, share: float) -> None:
        """Compare a job that ended early with as much of its baseline: ``share`` of the energy in every slot."""
        with self._database.writing() as connection:
            connection.execute(
                sa.update(TABLE)
                .where(TABLE.c.job_id == job_id, TABLE.c.leg == Leg.BASELINE.value)
                .values(delivered_kwh=TABLE.c.power_kw * (SLOT_HOURS * share))
            )

    def settle(self, entries: Sequence[SlotEntry]) -> None:
        """Store firmer figures of rows that are there."""
        statement = (
            sa.update(TABLE)
            .where(
                TABLE.c.job_id == sa.bindparam("at_job_id"),
                TABLE.c.leg == sa.bindparam("at_leg"),
                TABLE.c.slot_start == sa.bindparam("at_slot_start"),
            )
            .values({name: sa.bindparam(name) for name in FIGURES})
        )
        rows = []
        for entry in entries:
            row = _columns(entry)
            rows.append(
                {name: row[name] for name in FIGURES} | {f"at_{n}": row[n] for n in ("job_id", "leg", "slot_start")}
            )
        if rows:
            with self._database.writing() as connection:
                connection.execute(statement, rows)

    def drop_plan(self, job_id: str, from_slot: datetime) -> None:
        """Remove planned rows from ``from_slot`` on in which nothing has been delivered."""
        with self._database.writing() as connection:
            connection.execute(
                sa.delete(TABLE).where(
                    TABLE.c.job_id == job_id,
                    TABLE.c.leg == Leg.PLAN.value,
                    TABLE.c.slot_start >= from_slot,
                    TABLE.c.delivered_kwh.is_(None),
                )
            )

    def totals_by_job(self, job_ids: Iterable[str] | None = None) -> dict[tuple[str, Leg], Totals]:
        """Sums of each job's legs.

        A job that failed or was cancelled has no baseline here: what it did not do has saved nothing.
        """
        if job_ids is None:
            return self._totals_by_job()
        found: dict[tuple[str, Leg], Totals] = {}
        for some in _parts(list(job_ids)):
            found |= self._totals_by_job(TABLE.c.job_id.in_(some))
        return found

    def totals(self, leg: Leg) -> Totals:
        """Sums over all rows of a leg."""
        with self._database.reading() as connection:
            return _totals(connection.execute(sa.select(*_sums()).where(TABLE.c.leg == leg.value)).one())

    def _totals_by_job(self, *matches: sa.ColumnElement[bool]) -> dict[tuple[str, Leg], Totals]:
        undone = sa.select(jobs.c.job_id).where(jobs.c.status.in_([status.value for status in UNDONE]))
        counted = sa.or_(TABLE.c.leg == Leg.PLAN.value, TABLE.c.job_id.not_in(undone))
        query = sa.select(TABLE.c.job_id, TABLE.c.leg, *_sums()).where(counted, *matches)
        query = query.group_by(TABLE.c.job_id, TABLE.c.leg)
        with self._database.reading() as connection:
            return {(row.job_id, Leg(row.leg)): _totals(row) for row in connection.execute(query)}

    def _read(self, *matches: sa.ColumnElement[bool]) -> list[SlotEntry]:
        query = (
            sa.select(*(TABLE.c[name] for name in FIELDS))
            .where(*matches)
            .order_by(TABLE.c.slot_start, TABLE.c.job_id, TABLE.c.leg)
        )
        with self._database.reading() as connection:
            return [_entry(row) for row in connection.execute(query)]


def _parts(items: Sequence[str]) -> list[Sequence[str]]:
    """Chunks that every database takes as bound parameters."""
    return [items[start : start + MANY] for start in range(0, len(items), MANY)]


def _present(connection: Connection, job_ids: Sequence[str]) -> dict[str, State]:
    """State, site and reason of jobs, locked until the end of the transaction."""
    found: dict[str, State] = {}
    for some in _parts(job_ids):
        columns = jobs.c.job_id, jobs.c.status, jobs.c.site_id, jobs.c.reason
        query = sa.select(*columns).where(jobs.c.job_id.in_(some)).order_by(jobs.c.job_id).with_for_update()
        rows = connection.execute(query)
        found |= {job_id: State(JobStatus(status), site_id, reason) for job_id, status, site_id, reason in rows}
    return found


def _changes(before: State, after: State) -> bool:
    """Whether a job that has not begun would be another than before: plans leave most jobs as they are."""
    return before.status in (JobStatus.PENDING, JobStatus.SCHEDULED) and before != after


def _insert(connection: Connection, entries: Sequence[SlotEntry]) -> None:
    if entries:
        connection.execute(sa.insert(TABLE), [_columns(entry) for entry in entries])


def _move(connection: Connection, wanted: Mapping[str, State], states: Mapping[str, State], at: datetime) -> None:
    """Put the jobs that have not begun into the states wanted of them."""
    rows = [
        {"at_job_id": job_id, "to": to.status.value, "at_site": to.site_id, "at_reason": to.reason, "at_time": at}
        for job_id, to in wanted.items()
        if _changes(states[job_id], to)
    ]
    if rows:
        connection.execute(
            sa.update(jobs)
            .where(jobs.c.job_id == sa.bindparam("at_job_id"))
            .values(
                status=sa.bindparam("to"),
                reason=sa.bindparam("at_reason"),
                site_id=sa.bindparam("at_site"),
                updated_at=sa.bindparam("at_time"),
            ),
            rows,
        )


def _columns(entry: SlotEntry) -> dict[str, Any]:
    return {
        "job_id": entry.job_id,
        "leg": entry.leg.value,
        "slot_start": entry.slot_start,
        "site_id": entry.site_id,
        "power_kw": float(entry.power_kw),
        "pue": float(entry.pue),
        "price_gbp_per_kwh": float(entry.price_gbp_per_kwh),
        "price_kind": int(entry.price_kind),
        "carbon_g_per_kwh": float(entry.carbon_g_per_kwh),
        "carbon_kind": int(entry.carbon_kind),
        "delivered_kwh": _double(entry.delivered_kwh),
        "settled": bool(entry.settled),
        "carbon_forecast_g_per_kwh": _double(entry.carbon_forecast_g_per_kwh),
        "room_kw": _double(entry.room_kw),
    }


def _double(figure: float | None) -> float | None:
    return None if figure is None else float(figure)


def _reading(entry: SlotEntry) -> dict[str, Any]:
    return {
        "at_job_id": entry.job_id,
        "at_slot_start": entry.slot_start,
        "measured_kwh": float(entry.delivered_kwh or 0.0),
    }


def _entry(row: Row[*tuple[Any, ...]]) -> SlotEntry:
    job_id, leg, slot_start, site_id, power, pue, price, price_kind, carbon, carbon_kind, *measured = row
    kinds = Kind(price_kind), Kind(carbon_kind)
    return SlotEntry(job_id, Leg(leg), slot_start, site_id, power, pue, price, kinds[0], carbon, kinds[1], *measured)


def _sums() -> tuple[sa.ColumnElement[Any], ...]:
    """The columns of :class:`Totals`, as SQL."""
    simulated = sa.or_(TABLE.c.price_kind == int(Kind.SIMULATED), TABLE.c.carbon_kind == int(Kind.SIMULATED))
    energy = sa.func.coalesce(TABLE.c.delivered_kwh, TABLE.c.power_kw * SLOT_HOURS) * TABLE.c.pue
    return (
        sa.func.coalesce(sa.func.sum(energy), 0.0).label("energy_kwh"),
        sa.func.coalesce(sa.func.sum(energy * TABLE.c.price_gbp_per_kwh), 0.0).label("cost_gbp"),
        sa.func.coalesce(sa.func.sum(energy * TABLE.c.carbon_g_per_kwh / 1000.0), 0.0).label("carbon_kg"),
        sa.func.count().label("row_count"),
        sa.func.coalesce(sa.func.sum(sa.case((TABLE.c.settled, 1), else_=0)), 0).label("settled_count"),
        sa.func.coalesce(sa.func.sum(sa.case((simulated, 1), else_=0)), 0).label("simulated_count"),
    )


def _totals(row: Row[Any]) -> Totals:
    return Totals(
        float(row.energy_kwh),
        float(row.cost_gbp),
        float(row.carbon_kg),
        int(row.row_count),
        int(row.settled_count),
        int(row.simulated_count),
    )
