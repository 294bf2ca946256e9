"""Arrays in which sites quote and prices are announced: the numerical words of the negotiation (docs/planner.md).

Axes: S sites, T slots, P places, C carbon caps, K scenarios. A *place* is a site, or a class of hardware at a site; the
first S places are the sites themselves. Powers are IT kW; ``pue`` turns them into kW at the meter, where headroom is
counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from core.instance import Instance
from core.series import FloatArray, IntArray
from core.slots import SLOT_HOURS

NOWHERE = -1
TOLERANCE_KW = 1e-6


@dataclass(frozen=True, slots=True)
class Prices:
    """What scarce things cost, on top of energy and carbon, and how much each scenario counts.

    :param headroom: (S, T) GBP per kW at the meter held for one slot, >= 0.
    :param hardware: (P, T) GBP per IT kW held for one slot, >= 0; nought where a place has no limit of its own.
    :param carbon: (C,) GBP per kg under each carbon cap, >= 0.
    :param weights: (K,) of the scenarios, adding up to 1.
    """

    headroom: FloatArray
    hardware: FloatArray
    carbon: FloatArray
    weights: FloatArray


@dataclass(frozen=True, slots=True)
class Market:
    """What the sites offer, after what is sold and what is frozen.

    :param headroom_kw: (S, T) at the meter; ``battery_kw`` (S,) is what a battery may add to it.
    :param scenario_gbp_per_kw: (K, S, T) energy and carbon at the carbon price, for one IT kW held for one slot, in
        each scenario; one scenario where the instance has none.
    :param carbon_kg_per_kw: (S, T) carbon of one IT kW held for one slot.
    :param place_site: (P,) the site of each place; ``hardware`` names its class, None for the site itself.
    :param hardware_kw: (P, T) IT power of a class; inf for the sites themselves.
    :param cap_kg: (C,) carbon caps; ``total_cap`` is the index of the one on all jobs, ``site_cap`` (S,) of the one on
        each site's region and ``tenant_cap`` of those on tenants; ``NOWHERE`` for none.
    """

    headroom_kw: FloatArray
    battery_kw: FloatArray
    pue: FloatArray
    price_gbp_per_kwh: FloatArray
    carbon_g_per_kwh: FloatArray
    carbon_kg_per_kw: FloatArray
    scenario_gbp_per_kw: FloatArray
    probability: FloatArray
    place_site: IntArray
    hardware: tuple[str | None, ...]
    hardware_kw: FloatArray
    cap_kg: FloatArray
    total_cap: int
    site_cap: IntArray
    tenant_cap: dict[str, int]

    @classmethod
    def of(cls, instance: Instance) -> Self:
        """The market that an instance describes, with nothing frozen."""
        slots = instance.slots

        def table(field: str) -> FloatArray:
            return np.array([timed(getattr(site, field), slots) for site in instance.sites]).reshape(-1, slots)

        price, carbon, pue = table("price_gbp_per_kwh"), table("carbon_g_per_kwh"), table("pue")
        sold = np.array([timed(site.sold_kw or 0.0, slots) for site in instance.sites]).reshape(-1, slots)
        place_site, hardware, limits = _places(instance)
        scenarios = np.array([_rates(instance, *figures) for figures in _scenarios(instance, price, carbon)])
        total = [instance.carbon_cap_kg] if instance.carbon_cap_kg is not None else []
        tenants, regions = instance.tenant_carbon_caps_kg, instance.region_carbon_caps_kg
        region_at = {region: len(total) + len(tenants) + number for number, region in enumerate(regions)}
        return cls(
            headroom_kw=np.maximum(0.0, table("headroom_kw") - sold),
            battery_kw=np.array([site.battery.power_kw if site.battery else 0.0 for site in instance.sites]),
            pue=pue,
            price_gbp_per_kwh=price,
            carbon_g_per_kwh=carbon,
            carbon_kg_per_kw=pue * SLOT_HOURS * carbon / 1000,
            scenario_gbp_per_kw=pue * SLOT_HOURS * scenarios,
            probability=np.array([scenario.probability for scenario in instance.scenarios] or [1.0]),
            place_site=place_site,
            hardware=hardware,
            hardware_kw=limits,
            cap_kg=np.array([*total, *tenants.values(), *regions.values()], dtype=np.float64),
            total_cap=0 if total else NOWHERE,
            site_cap=np.array([region_at.get(site.region, NOWHERE) for site in instance.sites], dtype=np.int64),
            tenant_cap={tenant: len(total) + number for number, tenant in enumerate(tenants)},
        )

    @property
    def shape(self) -> tuple[int, int]:
        """S and T."""
        return self.headroom_kw.shape[0], self.headroom_kw.shape[1]

    @property
    def places(self) -> dict[tuple[int, str | None], int]:
        """The place of each class of hardware at each site; of none: the site itself."""
        pairs = zip(self.place_site.tolist(), self.hardware, strict=True)
        return {pair: place for place, pair in enumerate(pairs)}

    @property
    def alone_kw(self) -> FloatArray:
        """(S, T): what a single job may draw at the meter at most in any valid plan."""
        return np.asarray(self.headroom_kw + self.battery_kw[:, None])

    def cost_gbp_per_kw(self, weights: FloatArray) -> FloatArray:
        """(S, T): what one IT kW held for one slot costs when scenarios count as ``weights``."""
        return np.asarray(np.tensordot(weights, self.scenario_gbp_per_kw, 1))

    def free_prices(self) -> Prices:
        """Nothing is scarce, and scenarios count as they are probable."""
        return Prices(
            np.zeros(self.shape), np.zeros(self.hardware_kw.shape), np.zeros(self.cap_kg.shape), self.probability
        )

    def opening_prices(self, instance: Instance) -> Prices:
        """Those that the instance says to begin at; nought where it says none."""
        prices = self.free_prices()
        number = {site.id: row for row, site in enumerate(instance.sites)}
        at = self.places
        for opened in instance.opening:
            site = number[opened.site]
            prices.headroom[site] = opened.headroom_gbp_per_kw_slot
            for name, values in opened.hardware_gbp_per_kw_slot.items():
                if (site, name) in at:
                    prices.hardware[at[site, name]] = values
        return prices

    def less(self, draw_kw: FloatArray, hardware_kw: FloatArray, kg: FloatArray) -> Self:
        """What is left beside a draw at the meters (S, T), on hardware (P, T) and under the caps (C,)."""
        return replace(
            self,
            headroom_kw=np.maximum(0.0, self.headroom_kw - draw_kw),
            hardware_kw=np.maximum(0.0, self.hardware_kw - hardware_kw),
            cap_kg=np.maximum(0.0, self.cap_kg - kg),
        )

    def scarcity_gbp(self, prices: Prices) -> float:
        """What all that is offered is worth at ``prices``."""
        limited = np.isfinite(self.hardware_kw)
        hardware = (prices.hardware[limited] * self.hardware_kw[limited]).sum()
        return float((prices.headroom * self.headroom_kw).sum() + hardware + prices.carbon @ self.cap_kg)


def timed(values: tuple[float, ...] | float, slots: int) -> FloatArray:
    """(T,): figures of every slot, from a sequence or one figure for all."""
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (slots,))


def _places(instance: Instance) -> tuple[IntArray, tuple[str | None, ...], FloatArray]:
    """Sites, then every class of hardware at every site: its site, class and limit (P, T)."""
    sites = range(len(instance.sites))
    classes = [
        (number, name, timed(limit, instance.slots))
        for number, site in enumerate(instance.sites)
        for name, limit in (site.hardware_kw or {}).items()
    ]
    unlimited = np.full((len(instance.sites), instance.slots), np.inf)
    return (
        np.array([*sites, *(number for number, _, _ in classes)], dtype=np.int64),
        (*(None for _ in sites), *(name for _, name, _ in classes)),
        np.concatenate([unlimited, *(limit[None] for _, _, limit in classes)]),
    )


def _scenarios(instance: Instance, price: FloatArray, carbon: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    """Price and carbon (S, T) in each scenario; the sites' own figures where there is none."""
    found = []
    for scenario in instance.scenarios:
        figures = (price.copy(), carbon.copy())
        for row, site in enumerate(instance.sites):
            for table, given in zip(figures, (scenario.price_gbp_per_kwh, scenario.carbon_g_per_kwh), strict=True):
                if site.id in given:
                    table[row] = given[site.id]
        found.append(figures)
    return found or [(price, carbon)]


def _rates(instance: Instance, price: FloatArray, carbon: FloatArray) -> FloatArray:
    """GBP per kWh at the meter, carbon at its price."""
    return np.asarray(price + instance.carbon_price_gbp_per_tonne * carbon / 1e6)
