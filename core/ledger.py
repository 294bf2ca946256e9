"""The slot ledger: what each job draws in each slot, as planned and as its baseline would have, with its worth.

One row a job, leg and slot. The figures are forecast when the row is written and settled once the slot has passed;
every total that Slackwater shows is a sum of these rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.series import Kind
from core.slots import SLOT_HOURS


class Leg(StrEnum):
    """Whose course of events a row belongs to."""

    PLAN = "plan"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class SlotEntry:
    """One job in one slot.

    :param power_kw: IT power awarded (plan) or assumed (baseline).
    :param delivered_kwh: IT energy measured, None until the slot has passed; on the baseline leg what counts of a job
        that ended early, None where all of it counts.
    :param settled: True once price and carbon are the last word of their sources for this slot.
    :param carbon_forecast_g_per_kwh: carbon intensity as it was expected when the row was made.
    :param room_kw: power at the meter that was free for the job when the row was made; None where nobody looked.
    """

    job_id: str
    leg: Leg
    slot_start: datetime
    site_id: str
    power_kw: float
    pue: float
    price_gbp_per_kwh: float
    price_kind: Kind
    carbon_g_per_kwh: float
    carbon_kind: Kind
    delivered_kwh: float | None = None
    settled: bool = False
    carbon_forecast_g_per_kwh: float | None = None
    room_kw: float | None = None

    @property
    def it_kwh(self) -> float:
        """IT energy: measured where known, else as awarded."""
        return self.power_kw * SLOT_HOURS if self.delivered_kwh is None else self.delivered_kwh

    @property
    def site_kwh(self) -> float:
        """Energy at the meter, cooling included."""
        return self.it_kwh * self.pue

    @property
    def cost_gbp(self) -> float:
        """Energy cost at the meter."""
        return self.site_kwh * self.price_gbp_per_kwh

    @property
    def carbon_kg(self) -> float:
        """Attributional carbon at the meter."""
        return self.site_kwh * self.carbon_g_per_kwh / 1000


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over rows of one leg."""

    energy_kwh: float = 0.0
    cost_gbp: float = 0.0
    carbon_kg: float = 0.0
    rows: int = 0
    settled_rows: int = 0
    simulated_rows: int = 0
    """rows whose price or carbon is simulated"""

    @classmethod
    def of(cls, entries: Iterable[SlotEntry]) -> Totals:
        """Sum rows, in the order given."""
        energy = cost = carbon = 0.0
        rows = settled = simulated = 0
        for entry in entries:
            energy += entry.site_kwh
            cost += entry.cost_gbp
            carbon += entry.carbon_kg
            rows += 1
            settled += entry.settled
            simulated += Kind.SIMULATED in (entry.price_kind, entry.carbon_kind)
        return cls(energy, cost, carbon, rows, settled, simulated)

    @property
    def state(self) -> str:
        """``none``, ``forecast``, ``part settled`` or ``settled``."""
        if not self.rows:
            return "none"
        if self.settled_rows == self.rows:
            return "settled"
        return "part settled" if self.settled_rows else "forecast"


@dataclass(frozen=True, slots=True)
class TickRecord:
    """One tick of the negotiation loop, for the dashboard and the metrics."""

    tick_id: str
    trigger: str
    """``schedule``, ``job``, ``booking``, ``operator`` or ``replay``"""
    started_at: datetime
    ended_at: datetime
    outcome: str
    """``planned``, ``idle``, ``failed`` or ``late``"""
    detail: str
    plan_start: datetime | None = None
    slots: int = 0
    jobs: int = 0
    placed: int = 0
    unserved: int = 0
    rounds: int = 0
    objective_gbp: float | None = None
    bound_gbp: float | None = None
    gap: float | None = None
    wall_s: float = 0.0
    churn: float = 0.0
    """changed job-slots over planned job-slots, against the standing plan"""
    log_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Booking:
    """Flexibility sold over Beckn: a site's headroom held for one window.

    ``state`` is ``reserved`` until its decision is on the log, then ``confirmed``; ``released`` when given back. One
    of a contract is ``held`` until ``held_until`` before that.
    """

    booking_id: str
    slot_id: str
    job_id: str
    site_id: str
    start: datetime
    end: datetime
    power_kw: float
    """at the meter"""
    price_gbp_per_kwh: float
    carbon_g_per_kwh: float
    state: str
    created_at: datetime
    log_seq: int | None = None
    held_until: datetime | None = None
    contract_id: str | None = None
