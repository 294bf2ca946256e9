"""Dispatch: makes the ledger's rows of the current slot happen, meters the slots that have passed, ends jobs.

A job starts only from a row, and rows are written after their decision is on the log: append before act. Every end
appends a ``delivery`` record first and changes the job's status after it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from agents.site import orphans
from agents.site.agent import SiteAgent
from agents.site.delivery import Deliveries
from agents.site.executor import Executor, Exit
from agents.site.local_executor import GRACE_S, LocalExecutor, output_tail
from agents.site.metering import ASLEEP, WORK_TOLERANCE_SLOTS, least_slots, shortfall, suffices, work_slots
from agents.site.simulated_executor import SimulatedExecutor
from agents.site.underway import Active, DispatchReport, End, Notes
from audit.log import AuditLog
from audit.record import Entry
from core.clock import Clock
from core.errors import LogUnavailable, SlackwaterError, StoreUnavailable
from core.job import FlexibilityType, Job, JobStatus
from core.ledger import Leg, SlotEntry
from core.slots import SLOT, slot_floor, slots_between
from store.jobs import JobRepository
from store.ledger import LedgerRepository

_LOG = logging.getLogger(__name__)
UNDER_WAY = frozenset({JobStatus.RUNNING, JobStatus.PAUSED})
SERVER_DIED = "the server stopped while its command ran; what it drew after its last metered slot is not counted"
CANCELLED = "cancelled"
SERVER_CLOSED = "the server was stopped while its command ran"
OUT_OF_TIME = "ran out of its awarded time"


class Dispatcher:
    """Runs what the ledger awards. All public methods may be called from any thread.

    :param output_dir: folder with one sub-folder a job, ``output_dir/<job_id>/output.txt`` its output. One dispatcher
        owns it: :meth:`recover` ends commands that an earlier process left behind there.
    :param seed: of the simulated meters.
    """

    def __init__(
        self,
        clock: Clock,
        jobs: JobRepository,
        ledger: LedgerRepository,
        log: AuditLog,
        sites: SiteAgent,
        output_dir: Path,
        seed: int,
        *,
        grace_s: float = GRACE_S,
    ) -> None:
        self._clock = clock
        self._jobs = jobs
        self._ledger = ledger
        self._log = log
        self._sites = sites
        self._deliveries = Deliveries(ledger, log, sites)
        self._output_dir = output_dir
        self._grace_s = grace_s
        self._local = LocalExecutor(clock, output_dir, grace_s=grace_s)
        self._simulated = SimulatedExecutor(clock, seed)
        self._lock = threading.RLock()
        self._active: dict[str, Active] = {}
        self._metered_to: datetime | None = None
        self._followed: datetime | None = None
        self._cancelled: set[str] = set()
        self._held_back: dict[str, str] = {}

    def dispatch(self) -> DispatchReport:
        """Make the current slot's rows happen. Safe to call at any time and any number of times.

        Never raises for a fault of a job, the log or the store: it is reported in ``errors``, keeps nobody else from
        going on where that is possible, and the next call takes up what this one had to leave.
        """
        return self._reported(self._work)

    def recover(self) -> DispatchReport:
        """Take over what an earlier process left: end orphaned commands as failed, go on with simulated jobs.

        Slots that passed meanwhile are metered; a job that missed its start is given back or failed with the reason.
        """
        return self._reported(self._catch_up)

    def cancel(self, job_id: str) -> None:
        """Record that a job is cancelled; end it when it is under way, never start it when it is not.

        A command that has ended by itself keeps its own end.
        :class:`LogUnavailable` when the record cannot be written: the command is stopped all the same, and the end is
        recorded by a later :meth:`dispatch`.
        """
        with self._lock:
            slot = slot_floor(self._clock.now())
            active = self._active.get(job_id)
            if active is None:
                job = self._jobs.get(job_id)
                if not job.status.terminal:
                    self._log.append_all(
                        [Entry("delivery", self._deliveries.unstarted(job, self._clock.now()), "site")]
                    )
                self._cancelled.add(job_id)
                self._ledger.drop_plan(job_id, slot)
                return
            self._cancelled.add(job_id)
            if not self._ended(active):
                active.cancelled = True
                active.executor.stop([job_id], CANCELLED)
                active.ended = active.executor.poll(job_id) or Exit(self._clock.now(), reason=CANCELLED)
            if active.recorded is None:
                self._record([active], slot)
            self._settle_status(active)

    def output(self, job_id: str) -> str:
        """The tail of what the job's command wrote, at most 64 KiB; :class:`NotFound` for an unknown job."""
        return output_tail(self._output_dir, self._jobs.get(job_id).job_id)

    def close(self) -> None:
        """Stop all commands and end their jobs as failed; simulated jobs go on after the next start."""
        with self._lock:
            self._stop([active for active in self._active.values() if active.executor is self._local], SERVER_CLOSED)
            self._reported(lambda _slot, _notes: None)

    def _reported(self, work: Callable[[datetime, Notes], None]) -> DispatchReport:
        with self._lock:
            notes = Notes()
            slot = slot_floor(self._clock.now())
            try:
                work(slot, notes)
                self._finish(slot, notes)
            except StoreUnavailable as error:
                notes.error(str(error))
            return notes.report()

    def _work(self, slot: datetime, notes: Notes) -> None:
        self._catch_up(slot, notes)
        rows = {row.job_id: row for row in self._ledger.entries(leg=Leg.PLAN, start=slot, end=slot + SLOT)}
        if self._followed != slot:
            self._rowless(slot, rows, notes)
            self._followed = slot
        self._follow(rows, notes)
        self._start_all([row for job_id, row in rows.items() if job_id not in self._active], notes)

    def _catch_up(self, slot: datetime, notes: Notes) -> None:
        """Meter the slots that passed since the last call, after taking over at the first."""
        if self._metered_to is None:
            self._metered_to = self._take_over(slot, notes)
        if self._metered_to < slot:
            self._meter_passed(self._metered_to, slot, notes)
            self._metered_to = slot

    def _take_over(self, slot: datetime, notes: Notes) -> datetime:
        """Adopt the jobs that are under way. Returns the first slot in which an open job may have unmetered rows."""
        left = orphans.remembered(self._output_dir)
        if ended := orphans.end_all(left, self._grace_s):
            _LOG.warning("ended %d orphaned processes of %d commands", ended, len(left))
        for job_id in left:
            orphans.forget(self._output_dir, job_id)
        open_jobs = self._jobs.open_jobs()
        for job in open_jobs:
            if job.status in UNDER_WAY and job.job_id not in self._active:
                self._guard(notes, self._adopt, job, slot)
        return min([slot, *(job.first_slot for job in open_jobs if job.status is not JobStatus.PENDING)])

    def _adopt(self, job: Job, slot: datetime) -> None:
        if self._end_from_log(job, slot):
            return
        executor = self._executor(job)
        lost = None if job.command is None else Exit(self._clock.now(), reason=SERVER_DIED)
        paused = job.status is JobStatus.PAUSED
        self._active[job.job_id] = Active(job, executor, job.site_id or "", job.power_kw, paused, ended=lost)

    def _end_from_log(self, job: Job, slot: datetime) -> bool:
        """Bring a job's status up to its ``delivery`` record, when the server died between the two."""
        records, _ = self._log.records(kind="delivery", job_id=job.job_id, limit=1)
        if not records:
            return False
        reason = f"ended as record {records[0].seq} of the decision log says"
        self._ledger.drop_plan(job.job_id, slot)
        self._jobs.transition(
            job.job_id,
            JobStatus(records[0].body["status"]),
            at=self._clock.now(),
            reason=reason,
            exit_status=records[0].body.get("exit_status"),
        )
        return True

    def _meter_passed(self, start: datetime, slot: datetime, notes: Notes) -> None:
        """Record what the rows of ``[start, slot)`` delivered, each once."""
        due = [row for row in self._ledger.entries(leg=Leg.PLAN, start=start, end=slot) if row.delivered_kwh is None]
        self._keep([self._read(self._active[row.job_id], row) for row in due if row.job_id in self._active])
        missed: dict[str, list[SlotEntry]] = {}
        for row in due:
            if row.job_id not in self._active:
                missed.setdefault(row.job_id, []).append(row)
        for rows in missed.values():
            self._guard(notes, self._missed, rows, slot, notes)

    @staticmethod
    def _read(active: Active, row: SlotEntry) -> SlotEntry:
        """``row`` with what it delivered by its end, or by the end of its job."""
        until = row.slot_start + SLOT if active.ended is None else active.ended.ended_at
        kwh = active.executor.delivered_kwh(row.job_id, row.slot_start, row.power_kw, until)
        return replace(row, delivered_kwh=kwh)

    def _keep(self, rows: list[SlotEntry]) -> None:
        if rows:
            self._ledger.record_deliveries(rows)

    def _missed(self, rows: list[SlotEntry], slot: datetime, notes: Notes) -> None:
        """Rows that passed without their job having started: they delivered nothing; wait again, or fail."""
        first = rows[0]
        job = self._jobs.get(first.job_id)
        if job.status is not JobStatus.SCHEDULED:
            self._ledger.drop_plan(job.job_id, first.slot_start)
            return
        awarded = self._ledger.entries(job_id=job.job_id, leg=Leg.PLAN, start=first.slot_start)
        if not suffices(job, [row for row in awarded if row.slot_start >= slot]):
            why = self._held_back.pop(job.job_id, ASLEEP)
            self._give_back(job, first, slot, f"missed {len(rows)} of {len(awarded)} awarded slots {why}", notes)
        self._keep([replace(row, delivered_kwh=0.0) for row in rows])

    def _give_back(self, job: Job, first: SlotEntry, slot: datetime, reason: str, notes: Notes) -> None:
        """Let a job that missed its start wait for another plan, or fail it when its window has no room for one."""
        now = self._clock.now()
        if job.flexibility_type is not FlexibilityType.FIXED and self._has_room(job, slot):
            self._jobs.transition(job.job_id, JobStatus.PENDING, at=now, reason=f"{reason}; waits again")
            self._ledger.drop_plan(job.job_id, slot)
            notes.returned.append(job.job_id)
        else:
            ended = Exit(now, reason=reason)
            idle = Active(job, self._simulated, first.site_id, first.power_kw, paused=True, ended=ended)
            self._active[job.job_id] = idle

    @staticmethod
    def _has_room(job: Job, slot: datetime) -> bool:
        return slots_between(slot + SLOT, job.window_end) >= least_slots(job)

    def _rowless(self, slot: datetime, rows: dict[str, SlotEntry], notes: Notes) -> None:
        """Jobs under way that have no row now: pause those with rows to come or that may get some, stop the others.

        A job of any kind pauses in a gap: without a row it has no power.
        """
        overdue = []
        for active in [a for a in self._active.values() if a.job.job_id not in rows and not self._ended(a)]:
            if active.paused_until is not None and slot < active.paused_until:
                continue
            if later := self._ledger.entries(job_id=active.job.job_id, leg=Leg.PLAN, start=slot + SLOT):
                self._guard(notes, self._pause, active, notes)
                active.paused_until = later[0].slot_start
            elif self._may_wait(active.job, slot):
                self._guard(notes, self._pause, active, notes)
            else:
                overdue.append(active)
        self._stop(overdue, OUT_OF_TIME)

    def _may_wait(self, job: Job, slot: datetime) -> bool:
        """Whether a job that may be interrupted has work left, and room for it in its window, for a later plan."""
        if job.flexibility_type not in (FlexibilityType.PAUSABLE, FlexibilityType.THROTTLABLE):
            return False
        drawn = [row for row in self._ledger.entries(job_id=job.job_id, leg=Leg.PLAN) if row.delivered_kwh]
        left = job.work_slots - work_slots(job, drawn)
        fastest = max((level.work_per_slot for level in job.levels), default=1.0)
        return WORK_TOLERANCE_SLOTS < left <= slots_between(slot + SLOT, job.window_end) * fastest

    def _follow(self, rows: dict[str, SlotEntry], notes: Notes) -> None:
        """Jobs under way that have a row now: resume them, and give them its power."""
        for row in rows.values():
            active = self._active.get(row.job_id)
            if active is None or self._ended(active):
                continue
            if active.power_kw != row.power_kw:
                active.executor.set_power(row.job_id, row.power_kw)
                active.power_kw = row.power_kw
            if active.paused:
                self._guard(notes, self._resume, active, row, notes)

    def _pause(self, active: Active, notes: Notes) -> None:
        if not active.paused:
            self._jobs.transition(active.job.job_id, JobStatus.PAUSED, at=self._clock.now())
            active.executor.pause(active.job.job_id)
            active.paused = True
            notes.paused.append(active.job.job_id)

    def _resume(self, active: Active, row: SlotEntry, notes: Notes) -> None:
        self._jobs.transition(row.job_id, JobStatus.RUNNING, at=self._clock.now(), site_id=row.site_id)
        active.executor.resume(row.job_id)
        active.paused, active.paused_until, active.site_id = False, None, row.site_id
        notes.resumed.append(row.job_id)

    def _start_all(self, rows: list[SlotEntry], notes: Notes) -> None:
        """Start scheduled jobs; none while the log cannot record how they end."""
        if not rows:
            return
        healthy, why = self._log.healthy()
        for row in rows:
            if row.job_id in self._cancelled or row.delivered_kwh is not None:
                continue
            if healthy:
                self._guard(notes, self._start, row, notes)
            else:
                self._held_back[row.job_id] = "while the decision log could not be written"
                notes.error(f"no job is started while the decision log cannot be written: {why}")

    def _start(self, row: SlotEntry, notes: Notes) -> None:
        job = self._jobs.get(row.job_id)
        if job.status is not JobStatus.SCHEDULED:
            return
        self._sites.get(row.site_id)
        self._jobs.transition(job.job_id, JobStatus.RUNNING, at=self._clock.now(), site_id=row.site_id)
        active = Active(job, self._executor(job), row.site_id, row.power_kw)
        active.executor.start(job, row.site_id, row.power_kw)
        self._active[job.job_id] = active
        notes.started.append(job.job_id)

    def _stop(self, group: list[Active], reason: str) -> None:
        for executor in (self._local, self._simulated):
            executor.stop([active.job.job_id for active in group if active.executor is executor], reason)

    @staticmethod
    def _ended(active: Active) -> bool:
        active.ended = active.ended or active.executor.poll(active.job.job_id)
        return active.ended is not None

    def _finish(self, slot: datetime, notes: Notes) -> None:
        """Record and close all jobs whose execution is over, with one append for all."""
        ending = [active for active in self._active.values() if self._ended(active)]
        if not ending:
            return
        try:
            self._record([active for active in ending if active.recorded is None], slot)
        except LogUnavailable as error:
            notes.error(str(error))
        for active in ending:
            if active.recorded is not None:
                self._guard(notes, self._settle_status, active, notes)

    def _record(self, ending: Iterable[Active], slot: datetime) -> None:
        ends = [(active, self._end_of(active, slot)) for active in ending]
        self._log.append_all([Entry("delivery", end.body, "site") for _, end in ends])
        for active, end in ends:
            active.recorded = end

    def _end_of(self, active: Active, slot: datetime) -> End:
        """The verdict on an ended job; the current slot is metered up to now, later rows count as not delivered."""
        job, ended = active.job, active.ended or Exit(self._clock.now())
        drawing = not active.paused and ended.ended_at > slot
        entries = self._ledger.entries(job_id=job.job_id, leg=Leg.PLAN)
        if drawing:
            last = [self._read(active, row) for row in entries if row.slot_start == slot and row.delivered_kwh is None]
            self._keep(last)
            entries = [row for row in entries if row.slot_start != slot or row.delivered_kwh is not None] + last
        reason = ended.reason if job.command is not None else ended.reason or shortfall(job, entries)
        status = JobStatus.FAILED if reason else JobStatus.COMPLETED
        if active.cancelled:
            status, reason = JobStatus.CANCELLED, ended.reason or CANCELLED
        body = self._deliveries.body(job, status, entries, ended, active.executor, active.site_id)
        return End(status, reason, ended.exit_status, body)

    def _settle_status(self, active: Active, notes: Notes | None = None) -> None:
        """Drop the rows to come and move the job to its terminal state, unless another has done so.

        A command that ended early is compared with as much of its baseline as it used of its award.
        """
        end = active.recorded
        if end is None:
            return
        job_id, now = active.job.job_id, self._clock.now()
        self._ledger.drop_plan(job_id, slot_floor(now))
        if active.job.command is not None and end.status is JobStatus.COMPLETED and end.share < 1:
            self._ledger.scale_baseline(job_id, end.share)
        if not self._jobs.get(job_id).status.terminal:
            self._jobs.transition(job_id, end.status, at=now, reason=end.reason, exit_status=end.exit_status)
        active.executor.forget(job_id)
        del self._active[job_id]
        if notes is not None:
            notes.ended(job_id, end.status)

    def _executor(self, job: Job) -> Executor:
        return self._simulated if job.command is None else self._local

    @staticmethod
    def _guard(notes: Notes, act: Callable[..., None], *args: object) -> None:
        """Do one job's part; its fault is reported and keeps to itself, but a store that is down concerns all."""
        try:
            act(*args)
        except StoreUnavailable:
            raise
        except SlackwaterError as error:
            notes.error(str(error))
