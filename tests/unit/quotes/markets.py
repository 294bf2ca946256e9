"""Small random openings and quote books, and slow, plain answers to compare quotes with."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import numpy as np

from agents.proposal import Figures
from agents.quotes.book import Openings, QuoteBook, Week
from agents.standing import Kept, standing_of
from core.job import FlexibilityType, Job, Tier
from core.ledger import TickRecord
from core.series import FloatArray, Kind, Series, Unit
from core.slots import SLOT

START = datetime(2023, 3, 1, tzinfo=UTC)
TICK = TickRecord("t-1", "schedule", START, START, "planned", "")
CARBON_PRICE = 100.0


def random_openings(
    seed: int, *, sites: int = 2, slots: int = 12, powers: tuple[float, ...] = (0, 5, 8, 10)
) -> Openings:
    """Sites that are open now and then, with some charges below zero and, for every third seed, many that are equal."""
    rng = np.random.default_rng(seed)
    charge = rng.normal(0.15, 0.12, (sites, slots))
    likely = rng.choice([0, 5, 8, 10], (sites, slots), p=[0.15, 0.1, 0.1, 0.65])
    return Openings(np.arange(sites), seed % 4, likely.astype(float), np.round(charge, 1) if seed % 3 == 0 else charge)


def cheapest(openings: Openings, power_kw: float, slots: int, deadline: int, pause_gbp: float) -> float:
    """The least charge of ``slots`` slots at full power, by trying all; an infinite pause cost asks for one block."""
    best = np.inf
    for kw, charge in zip(openings.kw, openings.charge, strict=True):
        last = max(0, min(openings.slots, deadline - openings.first))
        for chosen in itertools.combinations(np.flatnonzero(kw[:last] >= power_kw).tolist(), slots):
            pauses = sum(later != earlier + 1 for earlier, later in itertools.pairwise(chosen))
            total = power_kw * float(charge[list(chosen)].sum())
            best = min(best, total + (pauses * pause_gbp if pauses else 0.0))
    return best


def cheapest_levels(
    openings: Openings, powers: tuple[float, ...], works: tuple[float, ...], work: float, deadline: int
) -> float:
    """The least charge of doing ``work``, by the least charge of every amount that can be done slot by slot."""
    best = np.inf
    for kw, charge in zip(openings.kw, openings.charge, strict=True):
        reached = {0.0: 0.0}
        for slot in range(max(0, min(openings.slots, deadline - openings.first))):
            grown = dict(reached)
            for done, spent in reached.items():
                for power, gain in zip(powers, works, strict=True):
                    if power <= kw[slot]:
                        total = round(min(work, done + gain), 9)
                        grown[total] = min(grown.get(total, np.inf), spent + power * charge[slot])
            reached = grown
        best = min(best, min((spent for done, spent in reached.items() if done >= work - 1e-9), default=np.inf))
    return best


def book_of(
    headroom_kw: Any,
    price: Any,
    carbon: Any = 0.0,
    *,
    horizon: int | None = None,
    scarcity: Any = 0.0,
    stress: dict[str, Series] | None = None,
) -> QuoteBook:
    """The book of a plan of ``horizon`` slots (default: all) in which nothing is planned, at a PUE of 1.

    :param headroom_kw: (S, T); ``price`` and ``carbon`` broadcast to it.
    :param scarcity: headroom prices of the plan's slots, GBP per kW and slot.
    """
    headroom = np.asarray(headroom_kw, dtype=np.float64)
    whole = [np.array(np.broadcast_to(each, headroom.shape), dtype=np.float64) for each in (headroom, price, carbon)]
    plan = figures_of(*(each[:, :horizon] for each in whole))
    nothing = np.zeros_like(plan.headroom_kw)
    prices = dict(zip(plan.site_ids, (nothing + scarcity).tolist(), strict=True))
    standing = standing_of(plan, nothing, TICK, Kept(prices, nothing))
    return QuoteBook.of(standing, TICK, Week((), figures_of(*whole), stress or {}), CARBON_PRICE)


def figures_of(headroom: FloatArray, price: FloatArray, carbon: FloatArray) -> Figures:
    """Figures of sites a, b, ... in zones of the same names, all forecast, with intervals of ten per cent."""
    names = tuple("abcdefgh"[: len(headroom)])
    kinds = np.full(headroom.shape, Kind.FORECAST, dtype=np.int8)
    return Figures(
        start=START,
        site_ids=names,
        zones=names,
        availability=(0.999,) * len(names),
        headroom_kw=headroom,
        sold_kw=np.zeros_like(headroom),
        pue=np.ones_like(headroom),
        price_gbp_per_kwh=price,
        carbon_g_per_kwh=carbon,
        price_kind=kinds,
        carbon_kind=kinds,
        price_low_gbp_per_kwh=0.9 * price,
        price_high_gbp_per_kwh=1.1 * price,
        carbon_low_g_per_kwh=0.9 * carbon,
        carbon_high_g_per_kwh=1.1 * carbon,
        cap_kw=np.full(headroom.shape, np.inf),
    )


def job_of(kind: str = "deferrable", *, slots: int = 2, finish: int = 8, **changes: Any) -> Job:
    """A job of 10 kW that must end by slot ``finish``."""
    fields: dict[str, Any] = {
        "job_id": "job-1",
        "job_name": "asked",
        "job_type": "batch",
        "flexibility_type": FlexibilityType(kind),
        "tenant": "default",
        "tier": Tier.STANDARD,
        "earliest_start": START,
        "latest_finish": START + SLOT * finish,
        "duration_hours": slots / 2,
        "power_kw": 10.0,
        "submitted_at": START,
        "updated_at": START,
    }
    return Job.model_validate(fields | changes)


def stress_of(values: list[float]) -> Series:
    """Grid stress from the start on."""
    return Series.of(START, np.array(values), Kind.FORECAST, Unit.NONE, "test", START)
