"""The sites of an instance as tables of half-hourly figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.referee.verdict import Array, Json

SLOT_HOURS = 0.5


def by_slot(value: Any, slots: int) -> Array:
    """(T,) figures of a sequence, or of one figure for all slots."""
    return np.array(np.broadcast_to(np.asarray(value, dtype=float), (slots,)))


@dataclass(frozen=True)
class Figures:
    """Tables of S sites, T slots, K scenarios (one where none are given) and H classes of hardware.

    :ivar free_kw: (S, T) headroom at the meter less what is sold; may be below zero.
    :ivar kg: (S, T) carbon of one IT kW held for one slot.
    :ivar rate: (K, S, T) GBP per kWh at the meter, carbon at its price, in each scenario.
    :ivar probability: (K,) adding up to 1.
    :ivar hardware_kw: (H, S, T) limit of IT power; NaN where the site does not have the class.
    """

    sites: dict[str, int]
    regions: tuple[str, ...]
    slots: int
    free_kw: Array
    price: Array
    carbon: Array
    pue: Array
    kg: Array
    rate: Array
    probability: Array
    classes: dict[str, int]
    hardware_kw: Array

    @classmethod
    def of(cls, instance: Json) -> Figures:
        """The figures of an instance as read from its file."""
        slots, sites = instance["slots"], instance["sites"]

        def table(field: str) -> Array:
            rows = [by_slot(0.0 if (value := site.get(field)) is None else value, slots) for site in sites]
            return np.array(rows).reshape(len(sites), slots)

        price, carbon, pue = table("price_gbp_per_kwh"), table("carbon_g_per_kwh"), table("pue")
        scenarios = instance.get("scenarios") or [{"probability": 1.0}]
        probability = np.array([scenario["probability"] for scenario in scenarios], dtype=float)
        carbon_gbp_per_g = instance["carbon_price_gbp_per_tonne"] / 1e6
        rates = [
            _turned_out(sites, scenario.get("price_gbp_per_kwh"), price)
            + carbon_gbp_per_g * _turned_out(sites, scenario.get("carbon_g_per_kwh"), carbon)
            for scenario in scenarios
        ]
        classes = sorted({name for site in sites for name in site.get("hardware_kw") or ()})
        return cls(
            sites={site["id"]: row for row, site in enumerate(sites)},
            regions=tuple(site["region"] for site in sites),
            slots=slots,
            free_kw=table("headroom_kw") - table("sold_kw"),
            price=price,
            carbon=carbon,
            pue=pue,
            kg=pue * SLOT_HOURS * carbon / 1000,
            rate=np.array(rates),
            probability=probability / probability.sum(),
            classes={name: row for row, name in enumerate(classes)},
            hardware_kw=np.array(
                [
                    [by_slot((site.get("hardware_kw") or {}).get(name, np.nan), slots) for site in sites]
                    for name in classes
                ]
            ).reshape(len(classes), len(sites), slots),
        )

    def meter_gbp(self, weights: Array) -> Array:
        """(S, T) what one kW at the meter costs when held for one slot, scenarios weighted so."""
        return np.asarray(np.tensordot(weights, self.rate, axes=1) * SLOT_HOURS)


def _turned_out(sites: list[Json], figures: dict[str, Any] | None, own: Array) -> Array:
    """(S, T) a scenario's figures, the sites' own where it names none."""
    return np.array([(figures or {}).get(site["id"], own[row]) for row, site in enumerate(sites)], dtype=float).reshape(
        own.shape
    )
