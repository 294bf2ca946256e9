"""What the agents say to one another: quote, bid, award, counter, commitment.

Axes: ``S`` sites in the order of ``site_ids``, ``T`` slots from ``start``. Powers in kW, prices in GBP/kWh,
intensities in gCO2/kWh; headroom is at the meter, job power is IT power before cooling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from core.instance import CounterOffer, Run
from core.series import FloatArray, Series


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that every page must say: a feed that is stale or simulated, and since when."""

    feed: str
    zones: tuple[str, ...]
    state: str
    """``stale``, ``simulated`` or ``replayed``"""
    since: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class EnergyQuote:
    """From the energy agent: price and carbon of every zone, slot by slot, each with its kind and source."""

    issued_at: datetime
    start: datetime
    slots: int
    price: Mapping[str, Series]
    carbon: Mapping[str, Series]
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class CapacityQuote:
    """From the site agent: what each site can take, slot by slot.

    :param headroom_kw: (S, T) at the meter, capacity less own load, never negative.
    :param own_load_kw: (S, T) at the meter.
    :param pue: (S, T), at least 1.
    :param temperature_c: (S, T) outdoor temperature used for the PUE.
    """

    issued_at: datetime
    start: datetime
    site_ids: tuple[str, ...]
    zones: tuple[str, ...]
    headroom_kw: FloatArray
    own_load_kw: FloatArray
    pue: FloatArray
    temperature_c: FloatArray


@dataclass(frozen=True, slots=True)
class Award:
    """From the policy agent to a job: this is where and when you run, in slots of the instance."""

    job_id: str
    site_id: str
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Counter:
    """From the policy agent to a job that cannot be served: why, and what would make it possible."""

    job_id: str
    reason: str
    offers: tuple[CounterOffer, ...] = ()


@dataclass(frozen=True, slots=True)
class RoundSummary:
    """One round of the negotiation, for the dashboard and the record."""

    number: int
    bound_gbp: float
    master_gbp: float
    bids: int


@dataclass(frozen=True, slots=True)
class Option:
    """From the job agent: its best course at one site at the final prices; ``reject`` says why it was not taken."""

    job: str
    site: str
    start_slot: int
    end_slot: int
    energy_kwh: float
    cost_gbp: float
    carbon_kg: float
    priced_gbp: float
    reject: str | None
