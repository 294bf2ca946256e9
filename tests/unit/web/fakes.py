"""Hand-made partners of the web: they hold their state in memory and keep the contracts of the real ones."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from agents.advisor.build import build_advisor
from agents.energy.build import build_energy
from agents.energy.zones import ZONES
from agents.job.agent import JobAgent
from agents.job.arrivals import ExpectedLoad
from agents.quotes.quote import Offer, Point, Quote
from agents.sharing import TenantShare
from agents.site.agent import SiteAgent
from agents.standing import StandingPlan, Waiting
from audit.log import AuditLog
from audit.record import Build
from beckn.desk import FlexibilityDesk
from core.clock import ManualClock
from core.errors import Conflict, InputError, LogUnavailable, NotFound, StoreUnavailable, Unavailable
from core.job import TRANSITIONS, Job, JobRequest, JobStatus
from core.ledger import Booking, Leg, SlotEntry, TickRecord, Totals
from core.score import Score
from core.series import Kind
from core.settings import Settings
from core.site import Asset, CoolingType, Site
from core.slots import SLOT, slot_floor
from core.trade import Contract, ContractState, Delivery, Message, Reduction, Side
from store.outbox import DeliveryState, Owed
from store.vintages import FetchRow
from tests.unit.energy.fakes import MemoryStore
from web.services import Services

NOW = datetime(2026, 11, 20, 14, 10, tzinfo=UTC)

LONDON = Site(
    site_id="london",
    name="London",
    country="GB",
    latitude=51.5,
    longitude=-0.1,
    timezone="Europe/London",
    zone="GB-C",
    capacity_kw=1000,
    own_load_kw=200,
    cooling=CoolingType.CHILLER,
)
NORWAY = LONDON.model_copy(
    update={
        "site_id": "norway",
        "name": "Kristiansand",
        "country": "NO",
        "latitude": 58.1,
        "longitude": 8.0,
        "timezone": "Europe/Oslo",
        "zone": "NO-NO2",
        "cooling": CoolingType.FREE_AIR,
    }
)


class FakeSiteRepository:
    def __init__(self) -> None:
        self.known = {site.site_id: site for site in (LONDON, NORWAY)}
        self.known_assets: dict[str, Asset] = {}

    def all(self) -> list[Site]:
        return list(self.known.values())

    def get(self, site_id: str) -> Site:
        return _get(self.known, site_id, "site")

    def add(self, site: Site) -> None:
        _add(self.known, site.site_id, site)

    def replace(self, site: Site) -> None:
        self.get(site.site_id)
        self.known[site.site_id] = site

    def assets(self) -> list[Asset]:
        return list(self.known_assets.values())

    def asset(self, asset_id: str) -> Asset:
        return _get(self.known_assets, asset_id, "asset")

    def add_asset(self, asset: Asset) -> None:
        _add(self.known_assets, asset.asset_id, asset)

    def replace_asset(self, asset: Asset) -> None:
        self.asset(asset.asset_id)
        self.known_assets[asset.asset_id] = asset


def _get(known: Mapping[str, Any], key: str, what: str) -> Any:
    if key not in known:
        raise NotFound(f"there is no {what} {key!r}")
    return known[key]


def _add(known: dict[str, Any], key: str, value: Any) -> None:
    if key in known:
        raise Conflict(f"{key!r} is taken")
    known[key] = value


class FakeJobRepository:
    def __init__(self) -> None:
        self.stored: dict[str, Job] = {}

    def add(self, job: Job) -> None:
        self.stored[job.job_id] = job

    def get(self, job_id: str) -> Job:
        return _get(self.stored, job_id, "job")

    def find(
        self,
        *,
        statuses: Sequence[JobStatus] | None = None,
        tenant: str | None = None,
        site_id: str | None = None,
        flexibility_type: str | None = None,
        text: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[list[Job], int]:
        found = [
            job
            for job in reversed(self.stored.values())
            if (not statuses or job.status in statuses)
            and tenant in {None, job.tenant}
            and site_id in {None, job.site_id}
            and flexibility_type in {None, job.flexibility_type}
            and (text is None or text in job.job_name)
        ]
        return found[offset : offset + limit], len(found)

    def counts(self) -> dict[JobStatus, int]:
        return Counter(job.status for job in self.stored.values())

    def transition(self, job_id: str, to: JobStatus, *, at: datetime, **changes: Any) -> Job:
        return self.move(job_id, to, updated_at=at, **changes)

    def move(self, job_id: str, to: JobStatus, **changes: Any) -> Job:
        job = self.get(job_id)
        if to is not job.status and to not in TRANSITIONS[job.status]:
            raise Conflict(f"job {job_id} is {job.status}")
        self.stored[job_id] = job.model_copy(update={"status": to, **changes})
        return self.stored[job_id]


class FakeLedger:
    def __init__(self) -> None:
        self.rows: list[SlotEntry] = []

    def entries(self, *, job_id: str | None = None, leg: Leg | None = None, **_: Any) -> list[SlotEntry]:
        found = [row for row in self.rows if job_id in {None, row.job_id} and leg in {None, row.leg}]
        return sorted(found, key=lambda row: (row.slot_start, row.job_id))

    def totals_by_job(self, job_ids: Sequence[str] | None = None) -> dict[tuple[str, Leg], Totals]:
        keys = dict.fromkeys((row.job_id, row.leg) for row in self.rows if job_ids is None or row.job_id in job_ids)
        return {key: Totals.of(row for row in self.rows if (row.job_id, row.leg) == key) for key in keys}


class FakeTicks:
    def __init__(self) -> None:
        self.kept: list[TickRecord] = []

    def latest(self, limit: int = 20) -> list[TickRecord]:
        return self.kept[::-1][:limit]


class FakeReductions:
    """Load that contracts move away."""

    def __init__(self) -> None:
        self.kept: list[Reduction] = []

    def active(self, start: datetime, end: datetime) -> list[Reduction]:
        return [reduction for reduction in self.kept if start <= reduction.starts < end]


class FakeBookings:
    def __init__(self) -> None:
        self.kept: dict[str, Booking] = {}
        self.lock = threading.Lock()

    def reserve(self, booking: Booking, limit_kw: Mapping[datetime, float]) -> None:
        with self.lock:
            active = self.active(booking.start, booking.end)
            if any(other.slot_id == booking.slot_id for other in active):
                raise Conflict(f"slot {booking.slot_id} is already booked")
            held = sum(other.power_kw for other in active if other.site_id == booking.site_id)
            if held + booking.power_kw > limit_kw[booking.start]:
                raise Conflict("overbooked")
            self.kept[booking.booking_id] = booking

    def confirm(self, booking_id: str, log_seq: int) -> None:
        self.kept[booking_id] = replace(self.kept[booking_id], state="confirmed", log_seq=log_seq)

    def release(self, booking_id: str) -> None:
        self.kept[booking_id] = replace(self.kept[booking_id], state="released")

    def active(self, start: datetime, end: datetime) -> list[Booking]:
        return [b for b in self.kept.values() if b.state != "released" and b.start < end and b.end > start]

    def get(self, booking_id: str) -> Booking:
        return _get(self.kept, booking_id, "booking")


class FakeVintages(MemoryStore):
    """Fetches in a list, with the listing of the real store."""

    def fetches(
        self,
        zone: str | None = None,
        feed: str | None = None,
        limit: int = 50,
        before: datetime | None = None,
        offset: int = 0,
    ) -> list[FetchRow]:
        found = [
            each
            for each in sorted(self.kept, key=lambda each: each.fetched_at, reverse=True)
            if zone in {None, each.zone} and feed in {None, each.feed} and (before is None or each.fetched_at < before)
        ]
        return [
            FetchRow(
                each.fetch_id,
                each.feed,
                each.zone,
                each.fetched_at,
                each.start,
                each.end,
                each.error,
                tuple(sorted(each.series)),
                len(each.answers),
                sum(len(answer.body) for answer in each.answers),
            )
            for each in found[offset : offset + limit]
        ]


class FakeScores:
    def __init__(self) -> None:
        self.kept: list[Score] = []

    def add(self, scores: Sequence[Score]) -> None:
        self.kept += scores

    def latest(self) -> list[Score]:
        return self.kept


def standing_of(site_ids: Sequence[str], tick: TickRecord | None = None, slots: int = 8) -> StandingPlan:
    """A plan over ``slots`` half-hours from that of NOW: 100.9 kW of headroom, 40 kW planned, dearer by the slot."""
    shape = (len(site_ids), slots)
    steps = np.arange(slots, dtype=np.float64)
    price = np.broadcast_to(0.10 + 0.01 * steps, shape).copy()
    carbon = np.broadcast_to(100 + 10 * steps, shape).copy()
    return StandingPlan(
        start=slot_floor(NOW),
        slots=slots,
        site_ids=tuple(site_ids),
        headroom_kw=np.full(shape, 100.9),
        planned_kw=np.full(shape, 40.0),
        sold_kw=np.zeros(shape),
        cap_kw=np.full(shape, np.inf),
        reserved_kw=np.zeros(shape),
        pue=np.ones(shape),
        price=price,
        carbon=carbon,
        price_kind=np.full(shape, Kind.FORECAST, dtype=np.int8),
        carbon_kind=np.where(np.arange(slots) < 4, Kind.FORECAST, Kind.SIMULATED).astype(np.int8)
        * np.ones(shape, np.int8),
        price_ends=(price, price),
        carbon_ends=(carbon, carbon),
        prices_gbp_per_kw_slot=np.zeros(shape),
        tick=tick,
    )


def offer_of(start: datetime, site_id: str = "norway", **changes: Any) -> Offer:
    """An hour at 10 kW for a pound."""
    offer = Offer(
        site_id=site_id,
        start=start,
        end=start + 2 * SLOT,
        runs=((start, start + 2 * SLOT, 10.0),),
        energy_kwh=11.0,
        cost_gbp=1.0,
        pause_gbp=0.0,
        carbon_kg=0.5,
        carbon_gbp=0.05,
        scarcity_gbp=0.0,
        cost_low_gbp=1.0,
        cost_high_gbp=1.0,
        carbon_low_kg=0.5,
        carbon_high_kg=0.5,
        kinds=("forecast",),
        stress=None,
    )
    return replace(offer, **changes)


def point_of(deadline: datetime, offer: Offer | None, now: Offer | None, **changes: Any) -> Point:
    """What ``offer`` saves by ``deadline`` against ``now``."""
    patience_h = max(0.0, (deadline - now.end) / timedelta(hours=1)) if now is not None else 0.0
    if offer is None:
        return Point(deadline, patience_h, None, None, None, "no site has room enough by then", "Wait longer.")
    saved = (None, None) if now is None else (now.cost_gbp - offer.cost_gbp, now.carbon_kg - offer.carbon_kg)
    return replace(Point(deadline, patience_h, offer, *saved), **changes)


@dataclass
class FakeStatus:
    running: bool = True
    ticking: bool = False
    last: TickRecord | None = None
    last_error: str | None = None
    next_at: datetime | None = None
    dispatch_errors: int = 0


class FakeLoop:
    """Places every open job at its first site from the next half-hour; dearer at submission than as planned."""

    def __init__(
        self, clock: ManualClock, jobs: FakeJobRepository, ledger: FakeLedger, ticks: FakeTicks, sites: SiteAgent
    ):
        self.clock, self.jobs, self.ledger, self.ticks, self.sites = clock, jobs, ledger, ticks, sites
        self.plan_lock = threading.RLock()
        self.requested: list[str] = []
        self.outcome = "planned"
        self.full = False
        self.unplanned = False
        self.arrivals: tuple[ExpectedLoad, ...] = ()
        self.plan = standing_of([site.site_id for site in sites.sites()])
        self.state = FakeStatus()
        self.room: dict[str, Waiting] = {}
        self.tenants: list[TenantShare] = []
        self.refusal: InputError | None = None

    def request_tick(self, trigger: str) -> None:
        self.requested.append(trigger)

    def waiting(self, job_id: str) -> Waiting | None:
        return self.room.get(job_id)

    def tick(self, trigger: str) -> TickRecord:
        waiting, _ = self.jobs.find(statuses=[JobStatus.PENDING])
        for job in waiting:
            self._place(job)
        now = self.clock.now()
        tick = TickRecord(
            tick_id=str(uuid.uuid4()),
            trigger=trigger,
            started_at=now,
            ended_at=now,
            outcome=self.outcome,
            detail="as told",
            objective_gbp=10.0,
            bound_gbp=9.95,
            gap=0.005,
            wall_s=0.1,
            log_seq=0,
        )
        self.ticks.kept.append(tick)
        self.state.last = tick
        return tick

    def _place(self, job: Job) -> None:
        if self.full:
            self.jobs.move(job.job_id, JobStatus.PENDING, reason="no site has headroom in its window")
            return
        self.jobs.move(job.job_id, JobStatus.SCHEDULED, site_id="norway")
        start = slot_floor(self.clock.now()) + SLOT
        for leg, first, price in ((Leg.PLAN, start + 2 * SLOT, 0.05), (Leg.BASELINE, start, 0.10)):
            self.ledger.rows += [
                SlotEntry(
                    job_id=job.job_id,
                    leg=leg,
                    slot_start=first + SLOT * index,
                    site_id="norway",
                    power_kw=job.power_kw,
                    pue=1.1,
                    price_gbp_per_kwh=price,
                    price_kind=Kind.FORECAST,
                    carbon_g_per_kwh=1000 * price,
                    carbon_kind=Kind.SIMULATED,
                )
                for index in range(job.work_slots)
            ]

    def status(self) -> FakeStatus:
        return self.state

    def standing(self) -> StandingPlan:
        return self.plan

    def shares(self) -> list[TenantShare]:
        return self.tenants

    def expected(self) -> tuple[ExpectedLoad, ...]:
        return self.arrivals

    def quote(self, request: JobRequest, deadlines: Sequence[datetime] | None = None) -> Quote:
        """Two pounds at once in London, one for whoever waits a night in Norway."""
        if self.unplanned:
            raise Unavailable("no plan is in force here to quote against", remedy="Ask again.")
        if self.refusal is not None:
            raise self.refusal
        start = slot_floor(self.clock.now()) + SLOT
        wide = {"cost_low_gbp": 1.8, "cost_high_gbp": 2.5, "carbon_low_kg": 0.9, "carbon_high_kg": 1.2}
        now = offer_of(start, "london", cost_gbp=2.0, carbon_kg=1.0, **wide)
        night = offer_of(start + 24 * SLOT)
        asked = sorted({*(deadlines or (now.end, night.end)), request.latest_finish})
        points = {at: point_of(at, night if at >= night.end else now, now) for at in asked}
        wanted = deadlines or asked
        tick = TickRecord("t-1", "schedule", start, start, "planned", "")
        return Quote(start, tick, 100.0, now, tuple(points[at] for at in wanted), points[request.latest_finish])


class FakeDispatcher:
    def __init__(self) -> None:
        self.cancelled: list[str] = []

    def cancel(self, job_id: str) -> None:
        self.cancelled.append(job_id)

    def output(self, job_id: str) -> str:
        return "epoch 1\n"


class FakeContracts:
    """Contracts in a list, the oldest first."""

    def __init__(self) -> None:
        self.kept: list[Contract] = []

    def get(self, contract_id: str) -> Contract:
        return _get({each.contract_id: each for each in self.kept}, contract_id, "contract")

    def find(self, contract_id: str) -> Contract | None:
        return next((each for each in self.kept if each.contract_id == contract_id), None)

    def listed(
        self, limit: int, offset: int = 0, *, side: Side | None = None, state: ContractState | None = None
    ) -> list[Contract]:
        found = [each for each in self.kept[::-1] if side in {None, each.side} and state in {None, each.state}]
        return found[offset : offset + limit]

    def changed(self, since: datetime | None) -> list[Contract]:
        return [each for each in self.kept if since is None or each.updated_at >= since]

    def counts(self) -> dict[tuple[str, str], int]:
        return Counter((each.side.value, each.state.value) for each in self.kept)


class FakeMessages:
    """Messages in a list, the oldest first."""

    def __init__(self) -> None:
        self.kept: list[Message] = []

    def of_transaction(self, transaction_id: str) -> list[Message]:
        return [each for each in self.kept if each.transaction_id == transaction_id]


class FakeOutbox:
    """An outbox in which nothing ever was."""

    def owed(self) -> Owed:
        return Owed(dict.fromkeys(DeliveryState, 0), None)

    def listed(self, state: DeliveryState, limit: int, before: int | None = None) -> list[Delivery]:
        return []

    def replay(self, numbers: Sequence[int] | None, *_: Any) -> list[int]:
        if numbers is not None:
            raise NotFound(f"nothing with number {min(numbers)} was ever owed")
        return []


class FakeDatabase:
    def __init__(self) -> None:
        self.fault: str | None = None

    def ping(self) -> None:
        if self.fault:
            raise StoreUnavailable(self.fault)


class BrokenLog:
    """An audit log whose disk is full: reads go through, appends do not."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def append(self, kind: str, body: Any, **_: Any) -> Any:
        raise LogUnavailable("the decision log cannot be written: No space left on device")

    def healthy(self) -> tuple[bool, str]:
        return False, "No space left on device"


@dataclass
class House:
    """The fakes of one test, for arranging and for looking."""

    clock: ManualClock
    repository: FakeSiteRepository
    jobs: FakeJobRepository
    ledger: FakeLedger
    ticks: FakeTicks
    loop: FakeLoop
    dispatcher: FakeDispatcher
    bookings: FakeBookings
    database: FakeDatabase
    log: AuditLog
    vintages: FakeVintages = field(default_factory=FakeVintages)
    scores: FakeScores = field(default_factory=FakeScores)
    reductions: FakeReductions = field(default_factory=FakeReductions)
    contracts: FakeContracts = field(default_factory=FakeContracts)
    messages: FakeMessages = field(default_factory=FakeMessages)
    outbox: FakeOutbox = field(default_factory=FakeOutbox)
    services: Services = field(init=False)


def build_house(folder: Path, *, now: datetime = NOW, **settings: Any) -> House:
    """Fakes around the real energy agent (simulated), site agent, job agent, decision log and desk."""
    clock = ManualClock(now)
    chosen = Settings(_env_file=None, signals="simulated", data_dir=folder, **settings)
    repository = FakeSiteRepository()
    sites = SiteAgent(clock, repository, chosen.seed, ZONES)  # type: ignore[arg-type]
    jobs, ledger, ticks = FakeJobRepository(), FakeLedger(), FakeTicks()
    loop = FakeLoop(clock, jobs, ledger, ticks, sites)
    log = AuditLog.open(folder / "decisions.jsonl", clock=clock, build=Build("test", "unknown", "0" * 64))
    house = House(clock, repository, jobs, ledger, ticks, loop, FakeDispatcher(), FakeBookings(), FakeDatabase(), log)
    house.services = services_of(house, chosen, sites, log)
    return house


def services_of(house: House, settings: Settings, sites: SiteAgent, log: Any) -> Services:
    desk = FlexibilityDesk(
        house.clock,
        house.loop,
        sites,
        house.bookings,
        house.reductions,
        log,
        lambda: house.loop.request_tick("booking"),
    )
    return Services(
        settings=settings,
        clock=house.clock,
        jobs=JobAgent(
            clock=house.clock, jobs=house.jobs, sites=house.repository, commands_enabled=settings.commands_enabled
        ),
        sites=sites,
        energy=build_energy(settings, house.clock, house.vintages, house.scores, ["GB-C", "NO-NO2"]),
        loop=house.loop,
        dispatcher=house.dispatcher,
        ledger=house.ledger,
        ticks=house.ticks,
        bookings=house.bookings,
        log=log,
        desk=desk,
        advisor=build_advisor(settings),
        database=house.database,
        version="0.1.0",
        vintages=house.vintages,
        scores=house.scores,
        contracts=house.contracts,
        messages=house.messages,
        outbox=house.outbox,
        trade=None,
    )
