"""The negotiation loop: the APScheduler ticks at which the agents meet, the dispatch, and the feeds' refresh.

Ticks run on a period and at once when asked (a job arrived, flexibility was booked). One tick runs at a time; a
request during a tick starts another after it. A tick that fails is logged, recorded, shown and retried; the standing
plan stays in force meanwhile.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from apscheduler.schedulers.background import BackgroundScheduler
from loguru import logger

from agents.flexibility.agent import Flexibility, Sources
from agents.flexibility.alert import CourseOfAction
from agents.flexibility.firm import Firm, Wanted
from agents.flexibility.movable import MovableLoad
from agents.job.arrivals import ExpectedLoad
from agents.quotes.quote import Quote, quote
from agents.sharing import TenantShare
from agents.site.dispatch import Dispatcher
from agents.site.underway import DispatchReport
from agents.sold import Sold
from agents.standing import StandingPlan, Waiting, waiting
from agents.tick import LEAST_HORIZON, Parties, Terms, Tick
from core.clock import SystemClock
from core.errors import PlanTooLate, SlackwaterError, Unavailable
from core.job import JobRequest
from core.ledger import TickRecord
from core.score import Score
from core.slots import SLOT, slot_ceil

DEBOUNCE_S = 0.2
RETRY_S = 15.0
REFRESH_S = 60.0
LEAST_LEAD_S = 1.0
MOST_LEAD_S = 120.0
SYSTEM = SystemClock()
"""the scheduler keeps the machine's time, whatever clock the plan keeps"""


class Lease(Protocol):
    """Makes one process of several the leader: only it ticks and dispatches."""

    def acquire(self) -> bool:
        """True when this process leads from now on, or did already."""
        ...

    def release(self) -> None:
        """Stop leading."""
        ...


@dataclass(frozen=True, slots=True)
class LoopStatus:
    """The state of the loop, for pages and /health."""

    running: bool
    leading: bool
    ticking: bool
    last: TickRecord | None
    last_error: str | None
    next_at: datetime | None
    dispatch_errors: int
    """acts of the dispatcher that failed since the start"""


class NegotiationLoop:
    """Keeps the plan in force.

    :param tick_seconds: period of the negotiation in the clock's seconds.
    """

    def __init__(
        self, parties: Parties, terms: Terms, dispatcher: Dispatcher, lease: Lease, tick_seconds: float
    ) -> None:
        self.plan_lock = threading.RLock()
        self._with = parties
        self._terms = terms
        self._dispatcher = dispatcher
        self._lease = lease
        self._period = timedelta(seconds=tick_seconds)
        self._tick = Tick(parties, terms, self.plan_lock)
        self._flexibility = Flexibility(
            Sources(
                in_force=self._tick,
                plan_lock=self.plan_lock,
                plan_start=self._plan_start,
                open_jobs=lambda: frozenset(job.job_id for job in parties.jobs.open_jobs()),
                sold=Sold(parties.bookings, parties.reductions),
                solver=parties.solver,
                seed=terms.seed,
            )
        )
        self._one_at_a_time = threading.Lock()
        self._again = threading.Event()
        self._scheduler: BackgroundScheduler | None = None
        self._leading = False
        self._dispatch_errors = 0
        self._last: TickRecord | None = None
        self._last_error: str | None = None
        self._lead_s = LEAST_LEAD_S
        self._load_scores: tuple[Score, ...] = ()

    def start(self) -> None:
        """Begin to tick, dispatch and refresh in background threads."""
        clock = self._with.clock
        scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 300}
        )
        slot_s = clock.real_seconds(SLOT)
        dispatch_s = max(0.2, min(5.0, slot_s / 10))
        soon = SYSTEM.now()
        scheduler.add_job(self._lead, "interval", seconds=5, id="lead", next_run_time=soon)
        scheduler.add_job(self._refresh, "interval", seconds=REFRESH_S, id="refresh", next_run_time=soon)
        scheduler.add_job(self._learn, "interval", seconds=REFRESH_S, id="learn", next_run_time=soon)
        tick_s = max(0.5, clock.real_seconds(self._period))
        scheduler.add_job(self._scheduled, "interval", seconds=tick_s, id="tick", next_run_time=soon)
        scheduler.add_job(self._prune, "interval", days=1, id="prune", next_run_time=soon)
        scheduler.add_job(self._dispatch, "interval", seconds=dispatch_s, id="dispatch", next_run_time=soon)
        scheduler.start()
        self._scheduler = scheduler

    def stop(self) -> None:
        """Stop the threads; a tick that is under way ends first."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=True)
            self._scheduler = None
        if self._leading:
            self._lease.release()
            self._leading = False
        self._with.solver.close()

    def request_tick(self, trigger: str) -> None:
        """Have a tick run as soon as may be; returns at once."""
        self._again.set()
        logger.debug("tick requested: {}", trigger)
        if self._scheduler is not None and not self._one_at_a_time.locked():
            self._bring_forward(DEBOUNCE_S)

    def tick(self, trigger: str) -> TickRecord:
        """Run one tick now, after any that is under way; never raises for a plan that failed.

        :raises Unavailable: when another process leads, because only the leader plans.
        """
        if self._scheduler is not None and not self._leading:
            raise Unavailable("this process does not lead, so it does not plan", remedy="Ask the one that leads.")
        with self._one_at_a_time:
            self._again.clear()
            started, began = self._with.clock.now(), time.monotonic()
            try:
                record = self._tick.run(trigger, self._plan_start())
                self._last_error = None
                self._lead_s = max(LEAST_LEAD_S, 2 * (time.monotonic() - began))
            except PlanTooLate as error:
                self._lead_s = min(MOST_LEAD_S, max(LEAST_LEAD_S, 2 * (time.monotonic() - began)))
                record = self._unplanned(trigger, started, "late", error.diagnostics())
            except SlackwaterError as error:
                logger.error("tick failed: {}", error.diagnostics())
                record = self._unplanned(trigger, started, "failed", error.diagnostics())
            except Exception as error:  # noqa: BLE001,RUF100  a tick must not end the loop; it is logged and shown
                logger.exception("tick failed")
                record = self._unplanned(trigger, started, "failed", f"{type(error).__name__}; see the server log")
            self._last = record
        self._keep(record)
        if self._again.is_set():
            self._bring_forward(DEBOUNCE_S)
        return record

    @property
    def leading(self) -> bool:
        """Whether this process plans: where nothing runs in the background, whoever asks does."""
        return self._leading or self._scheduler is None

    def status(self) -> LoopStatus:
        """What the loop is doing."""
        job = self._scheduler.get_job("tick") if self._scheduler is not None else None
        return LoopStatus(
            running=self._scheduler is not None,
            leading=self._leading,
            ticking=self._one_at_a_time.locked(),
            last=self._last,
            last_error=self._last_error,
            next_at=job.next_run_time if job is not None else None,
            dispatch_errors=self._dispatch_errors,
        )

    def standing(self) -> StandingPlan:
        """The plan in force; before the first tick, what the agents quote with nothing planned."""
        return self._tick.standing or self._tick.quoted(self._plan_start(), LEAST_HORIZON)

    def expected(self) -> tuple[ExpectedLoad, ...]:
        """Load that nobody has submitted yet and that may come within two days."""
        return self._tick.expected(self._with.clock.now())

    def shares(self) -> list[TenantShare]:
        """How every tenant stands that has open jobs or used something of late."""
        return self._tick.sharing.shares(self._with.clock.now())

    def waiting(self, job_id: str) -> Waiting | None:
        """When the plan in force has room for a job that waits; None where it does not know, or serves it."""
        explainer = self._tick.explainer
        return None if explainer is None else waiting(explainer, job_id)

    def quote(self, request: JobRequest, deadlines: Sequence[datetime] | None = None) -> Quote:
        """What a job would cost by each of ``deadlines`` against the plan in force; nothing is stored.

        :raises InputError: it would not be accepted, or a deadline is too far off.
        :raises Unavailable: this process has no plan in force.
        """
        job = self._with.jobs.drafted(request)
        book = self._tick.book
        if book is None or (self._scheduler is not None and not self._leading):
            raise Unavailable(
                "no plan is in force here to quote against",
                remedy="The process that leads makes one soon after its start: ask again then, or ask that one.",
            )
        sites = self._with.jobs.allowed_sites(job, book.sites)
        return quote(job, sites, book, self._with.clock.now(), self._plan_start(), deadlines)

    def movable(self) -> MovableLoad | None:
        """What load of the plan in force may be moved away; None where nothing is planned here."""
        return self._flexibility.movable()

    def firm(self, wanted: Sequence[Wanted]) -> Firm:
        """What it costs to move load away, certified; :class:`Unavailable` where nothing is planned here."""
        return self._flexibility.firm(wanted)

    def answer_alert(self, site_id: str, starts: Sequence[datetime], needed_kw: float) -> CourseOfAction:
        """What to do about an alert; :class:`Unavailable` where nothing is planned here."""
        return self._flexibility.answer_alert(site_id, starts, needed_kw)

    def _plan_start(self) -> datetime:
        """The first slot that a plan begun now can still decide: twice the time of the last tick must be left."""
        clock = self._with.clock
        per_hour = clock.real_seconds(timedelta(hours=1))
        lead = timedelta(hours=self._lead_s / per_hour) if per_hour else timedelta()
        return slot_ceil(clock.now() + lead)

    def _unplanned(self, trigger: str, started: datetime, outcome: str, detail: str) -> TickRecord:
        self._last_error = detail
        now = self._with.clock.now()
        return TickRecord(f"tick-{uuid.uuid4().hex[:12]}", trigger, started, now, outcome, detail)

    def _keep(self, record: TickRecord) -> None:
        """Remember the tick; a store that cannot is logged, because the tick itself is on the log already."""
        try:
            self._with.ticks.add(record)
        except Unavailable as error:
            logger.error("tick not stored: {}", error.diagnostics())

    def _scheduled(self) -> None:
        if not self._leading:
            return
        trigger = "job" if self._again.is_set() else "schedule"
        record = self.tick(trigger)
        if record.outcome in ("failed", "late"):
            self._bring_forward(RETRY_S if record.outcome == "failed" else DEBOUNCE_S)

    def _bring_forward(self, seconds: float) -> None:
        """Have the next tick sooner than its period says."""
        scheduler = self._scheduler
        if scheduler is None:
            return
        soon = SYSTEM.now() + timedelta(seconds=seconds)
        job = scheduler.get_job("tick")
        if job is not None and (job.next_run_time is None or job.next_run_time > soon):
            scheduler.modify_job("tick", next_run_time=soon)

    def _lead(self) -> None:
        """Take or keep the lead, or note that it is lost; before the first tick the feeds are asked and learnt from."""
        holds = self._guarded("lead", self._lease.acquire) is True
        if holds == self._leading:
            return
        if not holds:
            logger.error("the lead is lost: another process ticks and dispatches until this one has it again")
            self._leading = False
            return
        self._guarded("recover", self._dispatcher.recover)
        self._guarded("refresh", self._with.energy.refresh)
        self._guarded("learn", self._with.energy.learn)
        self._guarded("learn", self._keep_load_scores)
        self._leading = True
        self._bring_forward(0.0)

    def _refresh(self) -> None:
        if self._leading:
            self._guarded("refresh", self._with.energy.refresh)

    def _learn(self) -> None:
        """Fit and issue forecasts, beside the ticks: none of them waits for it."""
        if self._leading:
            self._guarded("learn", self._with.energy.learn)
            self._guarded("learn", self._keep_load_scores)

    def _keep_load_scores(self) -> None:
        """Store how well the sites' own load is forecast, once a fit."""
        scores = self._with.sites.load_scores()
        if scores != self._load_scores:
            self._with.scores.add(scores)
            self._load_scores = scores

    def _prune(self) -> None:
        """Forget the raw answers of feeds that are older than the operator keeps them."""
        before = self._with.clock.now() - timedelta(days=self._terms.keep_answers_days)
        self._guarded("prune answers", lambda: self._with.vintages.prune(before))
        self._guarded("prune scores", lambda: self._with.scores.prune(before))

    def _dispatch(self) -> None:
        if not self._leading:
            return
        report = self._guarded("dispatch", self._dispatcher.dispatch)
        self._dispatch_errors += len(report.errors) if isinstance(report, DispatchReport) else 1
        if isinstance(report, DispatchReport) and report.returned:
            self.request_tick("job")

    @staticmethod
    def _guarded(what: str, act: Callable[[], object]) -> object:
        """Run a background act; its failure is logged and it is tried again at its next time."""
        try:
            return act()
        except SlackwaterError as error:
            logger.error("{} failed: {}", what, error.diagnostics())
        except Exception:  # noqa: BLE001,RUF100  one failure must not end the scheduler's job
            logger.exception("{} failed", what)
        return None


__all__ = ["LoopStatus", "NegotiationLoop", "StandingPlan", "Waiting"]
