"""A house full of plausible jobs, plans and records: for looking at every page without the agents at work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from agents.energy.build import build_energy
from agents.messages import EnergyQuote
from agents.site.profiles import load_sites
from agents.standing import StandingPlan
from audit.bodies.booking import BookingBody
from audit.bodies.decision import DecisionBody
from audit.bodies.rounds import RoundBody
from audit.bodies.settlement import DeliveryBody
from audit.fields import dec
from core.job import FlexibilityType, Job, JobStatus, Tier
from core.ledger import Booking, Leg, SlotEntry, TickRecord
from core.series import Kind
from core.site import Asset, Site
from core.slots import SLOT, slot_floor
from core.trade import ContractState, Direction
from tests.unit.advisor.decisions import condition
from tests.unit.web.fakes import NOW, House, build_house
from tests.unit.web.trades import contract, message, settled

HASH = "3f" * 32
HORIZON = 96
STATES = (
    (JobStatus.SCHEDULED, 9),
    (JobStatus.COMPLETED, 8),
    (JobStatus.RUNNING, 4),
    (JobStatus.PENDING, 3),
    (JobStatus.PAUSED, 1),
    (JobStatus.FAILED, 1),
    (JobStatus.CANCELLED, 2),
)
NAMES = ("protein folding", "nightly ETL", "llama fine-tune", "weather ensemble", "video transcode", "batch inference")


class Painter:
    """Fills the empty fakes of a house with one consistent day."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.random = np.random.default_rng(7)
        self.start = slot_floor(NOW)
        self.sites: tuple[Site, ...] = load_sites()
        house.repository.known = {site.site_id: site for site in self.sites}
        energy = build_energy(
            house.services.settings, house.clock, house.vintages, house.scores, sorted({s.zone for s in self.sites})
        )
        house.services = replace(house.services, energy=energy)
        self.quote: EnergyQuote = energy.quote(energy.zones(), self.start - SLOT * 48, 48 + HORIZON)

    def paint(self) -> House:
        house = self.house
        house.repository.known_assets["cluster-a"] = Asset(
            asset_id="cluster-a", asset_type="gpu_cluster", region="london", max_power_kw=400, min_power_kw=40
        )
        house.loop.plan = self.standing()
        for number, status in enumerate([status for status, count in STATES for _ in range(count)]):
            self.job(number, status)
        self.ticks()
        self.booking()
        self.trade()
        return house

    def trade(self) -> None:
        house, states = self.house, enumerate(ContractState, 1)
        house.contracts.kept += [contract(number, state) for number, state in states] + [settled(9)]
        house.messages.kept.append(message(1, "init", Direction.IN, house.contracts.kept[-1]))

    def standing(self) -> StandingPlan:
        shape = (len(self.sites), HORIZON)
        capacity = self.house.services.sites.quote(self.start, HORIZON)
        waves = np.sin(np.linspace(0, 12, HORIZON)[None, :] + np.arange(shape[0])[:, None])
        share = np.clip(waves * 0.8 + self.random.uniform(-0.2, 0.2, shape), 0, 1)
        zones = [site.zone for site in self.sites]
        price = np.array([self.quote.price[zone].values[48:] for zone in zones])
        carbon = np.array([self.quote.carbon[zone].values[48:] for zone in zones])
        return StandingPlan(
            start=self.start,
            slots=HORIZON,
            site_ids=tuple(site.site_id for site in self.sites),
            headroom_kw=capacity.headroom_kw,
            planned_kw=capacity.headroom_kw * share,
            price=price,
            carbon=carbon,
            price_kind=np.array([self.quote.price[zone].kinds[48:] for zone in zones]),
            carbon_kind=np.array([self.quote.carbon[zone].kinds[48:] for zone in zones]),
            price_ends=(0.8 * price, 1.3 * price),
            carbon_ends=(0.8 * carbon, 1.3 * carbon),
            sold_kw=np.zeros(shape),
            cap_kw=np.full(shape, np.inf),
            reserved_kw=np.zeros(shape),
            pue=capacity.pue,
            prices_gbp_per_kw_slot=np.zeros(shape),
            tick=None,
        )

    def job(self, number: int, status: JobStatus) -> Job:
        site = self.sites[int(self.random.integers(len(self.sites)))]
        passed = status in {JobStatus.COMPLETED, JobStatus.FAILED}
        placed = status not in {JobStatus.PENDING, JobStatus.CANCELLED}
        submitted = self.start - timedelta(hours=20 if passed else 5)
        power = float(self.random.choice([4.5, 12, 60, 250, 900]))
        hours = float(self.random.choice([0.5, 2, 4.5]))
        kind = list(FlexibilityType)[number % 4]
        job = Job(
            job_id=f"job-{number:04d}",
            job_name=f"{NAMES[number % len(NAMES)]} {number}",
            job_type="batch",
            flexibility_type=kind,
            tenant="research" if number % 3 else "default",
            tier=list(Tier)[number % 4],
            earliest_start=submitted,
            latest_finish=submitted + timedelta(hours=30),
            duration_hours=hours,
            power_kw=power,
            allowed_regions=("GB", "NO") if number % 5 == 0 else (),
            carbon_cap_g_per_kwh=300 if number % 4 == 0 else None,
            max_price_gbp_per_kwh=0.2 if number % 6 == 0 else None,
            command=("python", "train.py", "--epochs", "3") if number % 3 == 0 else None,
            status=status,
            reason=_reason(status),
            submitted_at=submitted,
            updated_at=self.start,
            site_id=site.site_id if placed else None,
            exit_status=0 if status is JobStatus.COMPLETED else 2 if status is JobStatus.FAILED else None,
        )
        self.house.jobs.stored[job.job_id] = job
        if placed:
            began = self.start - (SLOT * 30 if passed else SLOT * 2 if status is not JobStatus.SCHEDULED else -SLOT * 8)
            self.entries(job, site, Leg.BASELINE, slot_floor(submitted), passed)
            self.entries(job, site, Leg.PLAN, began, passed)
        self.decision(job, site if placed else None)
        if passed:
            self.delivery(job, site)
        return job

    def entries(self, job: Job, site: Site, leg: Leg, start: Any, settled: bool) -> None:
        for index in range(job.work_slots):
            slot = start + SLOT * index
            at = (slot - self.quote.start) // SLOT
            over = leg is Leg.PLAN and slot + SLOT <= self.start
            self.house.ledger.rows.append(
                SlotEntry(
                    job_id=job.job_id,
                    leg=leg,
                    slot_start=slot,
                    site_id=site.site_id,
                    power_kw=job.power_kw,
                    pue=1.12,
                    price_gbp_per_kwh=float(self.quote.price[site.zone].values[at]),
                    price_kind=Kind(int(self.quote.price[site.zone].kinds[at])),
                    carbon_g_per_kwh=float(self.quote.carbon[site.zone].values[at]),
                    carbon_kind=Kind.SIMULATED,
                    delivered_kwh=job.power_kw * 0.5 * 0.97 if over else None,
                    settled=settled,
                )
            )

    def decision(self, job: Job, site: Site | None) -> None:
        starts = [self.start + SLOT * (4 + 3 * i) for i in range(4)]
        options = [
            {
                "option_id": f"{job.job_id}/{other.site_id}",
                "site_id": other.site_id,
                "start": start,
                "end": start + SLOT * job.work_slots,
                "energy_kwh": dec(job.it_energy_kwh * 1.1, 3),
                "cost_gbp": dec(0.1 * job.it_energy_kwh + rank, 4),
                "carbon_kg": dec(0.12 * job.it_energy_kwh, 4),
                "feasible": True,
                "reject_code": None if other is site else "dearer" if rank % 2 else "no_whole_headroom",
                "carbon_gbp": "0.50",
                "scarcity_gbp": "0.42",
                "priced_gbp": dec(0.1 * job.it_energy_kwh + rank + 0.92, 4),
            }
            for rank, (other, start) in enumerate(
                zip([site or self.sites[0], self.sites[3], self.sites[10], self.sites[12]], starts, strict=True)
            )
        ]
        self.house.log.append(
            "decision",
            DecisionBody(
                decision_id=f"d-{job.job_id}",
                job_id=job.job_id,
                tenant_commit=HASH,
                verdict="award" if site else "counter",
                site_id=site.site_id if site else None,
                runs=[{"start": starts[0], "end": starts[0] + SLOT * job.work_slots, "power_kw": dec(job.power_kw, 3)}]
                if site
                else [],
                reason="the cheapest half-hours of its window once carbon counts, at a site with room to spare"
                if site
                else "no site has enough headroom left in its window",
                options=options,
                chosen_id=options[0]["option_id"] if site else None,
                counter_offers=[]
                if site
                else [
                    {"change": "finish up to 4 h later", "extra_gbp": "0.0000"},
                    {
                        "change": "run at norway too",
                        "extra_gbp": "1.2500",
                        "extra_cost_gbp": "1.4000",
                        "extra_carbon_kg": "-1.5",
                        "site_id": "norway",
                        "start": starts[1],
                        "end": starts[1] + SLOT * job.work_slots,
                    },
                ],
                cost_gbp=dec(3.2, 4) if site else None,
                carbon_kg=dec(4.1, 4) if site else None,
                interval_level=dec(0.9, 2),
                cost_low_gbp=dec(2.9, 4) if site else None,
                cost_high_gbp=dec(3.9, 4) if site else None,
                carbon_low_kg=dec(3.2, 4) if site else None,
                carbon_high_kg=dec(5.3, 4) if site else None,
                baseline_policy="run at submission",
                baseline_site_id="london" if site else None,
                baseline_start=self.start if site else None,
                baseline_cost_gbp=dec(4.8, 4) if site else None,
                baseline_carbon_kg=dec(7.1, 4) if site else None,
                data_kinds=["forecast", "simulated"],
                sources=["simulated grid"],
                round_seq_id="r-1",
                explanation=self.figures_behind(job, site) if number_of(job) % 3 else None,
            ),
        )

    def figures_behind(self, job: Job, site: Site | None) -> dict[str, Any]:
        """What newer records hold; every third job's is of before."""
        start = self.start + SLOT * 12
        window = {"start": start, "end": start + SLOT * job.work_slots, "cost_gbp": "4.10", "carbon_kg": "6.2"}
        eta = {"site_id": "norway", "start": start, "end": start + SLOT * job.work_slots, "beyond_horizon": False}
        if site is None:
            return {"conditions": [], "contested": [], "eta": eta}
        return {
            "headroom_gbp": "0.420000",
            "hardware_gbp": "0.000000",
            "caps_gbp": "0.000000",
            "next_here": {**window, "site_id": site.site_id, "priced_gbp": "4.8", "reject_code": "dearer"},
            "next_best": {**window, "site_id": "norway", "priced_gbp": "4.2", "reject_code": "no_whole_headroom"},
            "run_now": {**window, "site_id": "london", "priced_gbp": "6.9", "start": self.start},
            "conditions": [
                condition("deadline", "finished up to 4 h later", "1.21", "0.90", "-0.4"),
                condition("sites", "ran at any site", "0.00", "0.00", "0.0"),
            ],
            "contested": [{"start": start, "price_gbp_per_kw_slot": "0.0125", "worth_gbp": "0.21"}],
        }

    def delivery(self, job: Job, site: Site) -> None:
        self.house.log.append(
            "delivery",
            DeliveryBody(
                job_id=job.job_id,
                site_id=site.site_id,
                status=job.status,
                delivered_kwh=dec(job.it_energy_kwh * 0.97, 3),
                committed_kwh=dec(job.it_energy_kwh, 3),
                cost_gbp=dec(-0.42, 4),
                carbon_kg=dec(0.3, 4),
                claim_level="settled",
                exit_status=job.exit_status,
                command_sha256=HASH if job.command else None,
                output_sha256=HASH if job.command else None,
                runtime_s=dec(5321.2, 3),
                method="simulated meter",
            ),
        )

    def ticks(self) -> None:
        house = self.house
        record = house.log.append("negotiation_round", self.round())
        for number in range(6):
            failed = number == 2
            at = self.start - timedelta(minutes=5 * (6 - number))
            house.ticks.kept.append(
                TickRecord(
                    tick_id=f"t-{number}",
                    trigger="schedule" if number % 2 else "job",
                    started_at=at,
                    ended_at=at + timedelta(seconds=1.4),
                    outcome="failed" if failed else "planned",
                    detail="the solver returned no usable solution within 20 s" if failed else "",
                    plan_start=self.start,
                    slots=HORIZON,
                    jobs=28,
                    placed=0 if failed else 26,
                    unserved=0 if failed else 2,
                    rounds=9,
                    objective_gbp=None if failed else 412.318,
                    bound_gbp=None if failed else 410.91,
                    gap=None if failed else 0.00342,
                    wall_s=1.42,
                    churn=0.03,
                    log_seq=None if failed else record.seq,
                )
            )
        house.loop.plan = replace(house.loop.plan, tick=house.ticks.kept[-1])
        house.loop.state.next_at = self.start + SLOT

    def round(self) -> RoundBody:
        return RoundBody(
            round_id="r-1",
            trigger="schedule",
            plan_start=self.start,
            slots=HORIZON,
            jobs=28,
            placed=26,
            unserved=2,
            rounds=[
                {
                    "number": n + 1,
                    "bound_gbp": dec(410.91 - 40 / (n + 1), 4),
                    "master_gbp": dec(412 + 30 / (n + 1), 4),
                    "bids": 28 * (n + 1),
                }
                for n in range(5)
            ],
            objective_gbp="412.3180",
            bound_gbp="410.9100",
            gap="0.003420",
            seed=7,
            solver={"name": "HiGHS", "version": "1.15.0"},
            instance_sha256=HASH,
            instance_path="instances/r-1.json.gz",
            output_sha256=HASH,
            feeds=[
                {
                    "zone": zone,
                    "quantity": quantity,
                    "source": "simulated grid",
                    "issued_at": self.start,
                    "kinds": ["simulated"],
                    "stale": False,
                }
                for zone in ("GB-C", "IS")
                for quantity in ("price", "carbon")
            ],
            carbon_cap_price_gbp_per_kg="0.0000",
            prices=[
                {"site_id": site.site_id, "mean_gbp_per_kw_slot": "0.0012", "max_gbp_per_kw_slot": "0.0310"}
                for site in self.sites
            ],
        )

    def booking(self) -> None:
        start = self.start + SLOT * 5
        booking = Booking(
            "b-1", "norway.20261120T1630Z", "buyer-42", "norway", start, start + SLOT, 120, 0.061, 28, "confirmed", NOW
        )
        body = BookingBody(
            booking_id="b-1",
            slot_id=booking.slot_id,
            job_id=booking.job_id,
            site_id=booking.site_id,
            start=start,
            end=booking.end,
            power_kw="120.000",
            price_gbp_per_kwh="0.061000",
            carbon_g_per_kwh="28.000",
            state="confirmed",
            data_kinds=["simulated"],
        )
        self.house.bookings.kept["b-1"] = replace(booking, log_seq=self.house.log.append("booking", body).seq)


def number_of(job: Job) -> int:
    """The number that its id ends with."""
    return int(job.job_id.rsplit("-", 1)[1])


def _reason(status: JobStatus) -> str | None:
    return {
        JobStatus.PENDING: "no site has enough headroom left in its window",
        JobStatus.FAILED: "the command ended with exit status 2",
        JobStatus.CANCELLED: "cancelled by its owner",
    }.get(status)


def empty_house(folder: Path, **settings: Any) -> House:
    """A house on its first day: sites, no jobs, nothing planned."""
    house = build_house(folder, **settings)
    painter = Painter(house)
    house.loop.plan = replace(painter.standing(), planned_kw=np.zeros((len(painter.sites), HORIZON)))
    return house


def full_house(folder: Path, **settings: Any) -> House:
    """A house after a busy day."""
    return Painter(build_house(folder, **settings)).paint()


def addresses(house: House) -> Iterator[str]:
    """Every page of a house: each kind of record, a job in each state, filters and errors."""
    yield from ("/", "/?zone=IS", "/submit", "/jobs", "/dashboard", "/signals", "/sites", "/beckn", "/shares", "/audit")
    yield from (
        "/jobs?status=failed",
        "/jobs?text=nothing",
        "/audit?kind=round",
        "/audit?tenant=nobody",
        "/beckn?min_power_kw=99999",
        "/trade",
        "/trade?state=COMPLETE",
        "/trade/catalogue",
        "/trade/outbox",
    )
    yield from (f"/trade/contracts/{each.contract_id}" for each in house.contracts.kept)
    seen: set[str] = set()
    for job in house.jobs.stored.values():
        if job.status not in seen:
            seen.add(job.status)
            yield f"/jobs/{job.job_id}"
    decisions, _ = house.log.records(kind="decision", limit=2)
    if decisions:
        yield f"/audit/diff?a={decisions[1].seq}&b={decisions[0].seq}"
    for kind in ("decision", "negotiation_round", "delivery", "booking"):
        records, _ = house.log.records(kind=kind, limit=1)
        yield from (f"/audit/{record.seq}" for record in records)
