"""Instance and plan as arrays: what sites offer, what is scarce, and what the plan leaves.

Axes: S sites, T slots, H hardware classes (0: none asked for), K tenants (0: those without a carbon cap).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from core.instance import Instance, Mining, SiteInstance
from core.plan import Plan, SitePower
from core.series import FloatArray, IntArray
from core.slots import SLOT_HOURS

FIGURES = ("energy_kwh", "cost_gbp", "carbon_kg", "carbon_gbp", "headroom_gbp")
"""what a course adds up, in the order of :attr:`Scarcity.figures`"""


@dataclass(frozen=True, slots=True)
class Grid:
    """What the sites offer.

    :param pue: (S, T); ``price`` GBP/kWh and ``carbon`` g/kWh likewise, the sites' own.
    :param cost_gbp: (S, T) energy of one IT kW held for one slot, over the scenarios where there are some;
        ``carbon_gbp`` its carbon at the carbon price.
    :param carbon_kg: (S, T) carbon of one IT kW held for one slot.
    :param headroom_kw: (S, T) at the meter, less what is sold.
    :param availability: (S,) 1 where none is declared.
    :param hardware_kw: (H, S, T) IT kW of each class; of the first, without limit.
    """

    site_ids: tuple[str, ...]
    place: Mapping[str, int]
    classes: Mapping[str, int]
    tenants: Mapping[str, int]
    pue: FloatArray
    price: FloatArray
    carbon: FloatArray
    cost_gbp: FloatArray
    carbon_gbp: FloatArray
    carbon_kg: FloatArray
    headroom_kw: FloatArray
    hardware_kw: FloatArray
    availability: FloatArray

    @property
    def slots(self) -> int:
        """T."""
        return int(self.pue.shape[1])

    @classmethod
    def of(cls, instance: Instance, plan: Plan) -> Grid:
        """The grid of an instance; its costs are those at the plan's scenario weights."""
        sites, slots = instance.sites, instance.slots
        classes = {name: n for n, name in enumerate(sorted({c for s in sites for c in s.hardware_kw or ()}), 1)}
        wanted = sorted({job.hardware for job in instance.jobs if job.hardware} - classes.keys())
        classes |= {name: n for n, name in enumerate(wanted, len(classes) + 1)}
        pue = _table(sites, slots, "pue")
        price, carbon = _table(sites, slots, "price_gbp_per_kwh"), _table(sites, slots, "carbon_g_per_kwh")
        mean_price, mean_carbon = _weighted(instance, plan, price, carbon)
        return cls(
            site_ids=tuple(site.id for site in sites),
            place={site.id: number for number, site in enumerate(sites)},
            classes=classes,
            tenants={name: n for n, name in enumerate(instance.tenant_carbon_caps_kg, 1)},
            pue=pue,
            price=price,
            carbon=carbon,
            cost_gbp=pue * SLOT_HOURS * mean_price,
            carbon_gbp=pue * SLOT_HOURS * mean_carbon * instance.carbon_price_gbp_per_tonne / 1e6,
            carbon_kg=pue * SLOT_HOURS * carbon / 1000,
            headroom_kw=np.maximum(0.0, _table(sites, slots, "headroom_kw") - _table(sites, slots, "sold_kw")),
            hardware_kw=_hardware(sites, slots, classes),
            availability=np.array([1.0 if site.availability is None else site.availability for site in sites]),
        )

    def extended(self, slots: int) -> Grid:
        """The grid with ``slots`` more slots, in which the last day repeats itself."""
        return replace(
            self,
            pue=_repeated(self.pue, slots),
            price=_repeated(self.price, slots),
            carbon=_repeated(self.carbon, slots),
            cost_gbp=_repeated(self.cost_gbp, slots),
            carbon_gbp=_repeated(self.carbon_gbp, slots),
            carbon_kg=_repeated(self.carbon_kg, slots),
            headroom_kw=_repeated(self.headroom_kw, slots),
            hardware_kw=_repeated(self.hardware_kw, slots),
        )


def _repeated(values: FloatArray, slots: int) -> FloatArray:
    """Figures whose last axis is time, going on for ``slots`` slots as in their last day."""
    day = values[..., -48:]
    more = np.arange(slots) % day.shape[-1]
    return np.concatenate([values, day[..., more]], axis=-1)


def _table(sites: tuple[SiteInstance, ...], slots: int, field: str) -> FloatArray:
    """(S, T) of a field that has one figure for each slot, one for all or none."""
    rows = [np.broadcast_to(np.asarray(getattr(site, field) or 0.0, dtype=np.float64), slots) for site in sites]
    return np.array(rows, dtype=np.float64).reshape(len(sites), slots)


def _hardware(sites: tuple[SiteInstance, ...], slots: int, classes: Mapping[str, int]) -> FloatArray:
    """(H, S, T): IT kW of each class at each site."""
    limits = np.zeros((len(classes) + 1, len(sites), slots))
    limits[0] = np.inf
    for row, site in enumerate(sites):
        for name, limit in (site.hardware_kw or {}).items():
            limits[classes[name], row] = limit
    return limits


def _weighted(instance: Instance, plan: Plan, price: FloatArray, carbon: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Price and carbon over the scenarios at the plan's weights, or at their probabilities where it has none."""
    if not instance.scenarios:
        return price, carbon
    weights = plan.scenario_weights or tuple(scenario.probability for scenario in instance.scenarios)
    means = np.zeros_like(price), np.zeros_like(carbon)
    for weight, scenario in zip(weights, instance.scenarios, strict=True):
        told = (scenario.price_gbp_per_kwh, price), (scenario.carbon_g_per_kwh, carbon)
        for mean, (figures, own) in zip(means, told, strict=True):
            for row, site in enumerate(instance.sites):
                mean[row] += weight * np.asarray(figures.get(site.id, own[row]), dtype=np.float64)
    return means


@dataclass(frozen=True, slots=True)
class Scarcity:
    """The final prices.

    :param figures: (S, T, 5) what an IT kW held for a slot adds to each of :data:`FIGURES`.
    :param charge: (S, T) GBP of an IT kW held for a slot, scarcity of headroom and carbon at the site counted.
    :param hardware: (H, S, T) GBP of an IT kW of each class held for a slot.
    :param site_kg: (S,) GBP of a kg at the site under caps of all and of its region; ``tenant_kg`` (K,) of a tenant's.
    """

    figures: FloatArray
    charge: FloatArray
    hardware: FloatArray
    site_kg: FloatArray
    tenant_kg: FloatArray

    @classmethod
    def of(cls, grid: Grid, instance: Instance, plan: Plan) -> Scarcity:
        """The prices of a plan."""
        headroom, hardware = np.zeros_like(grid.pue), np.zeros_like(grid.hardware_kw)
        for prices in plan.prices:
            row = grid.place[prices.site]
            headroom[row] = prices.headroom_gbp_per_kw_slot
            for name, price in prices.hardware_gbp_per_kw_slot.items():
                hardware[grid.classes[name], row] = price
        tenant_kg = np.zeros(len(grid.tenants) + 1)
        for name, price_per_kg in plan.tenant_carbon_prices_gbp_per_kg.items():
            tenant_kg[grid.tenants[name]] = price_per_kg
        regions = plan.region_carbon_prices_gbp_per_kg
        site_kg = np.array(
            [plan.carbon_cap_price_gbp_per_kg + regions.get(site.region, 0.0) for site in instance.sites]
        )
        return cls.made(grid, grid.pue * headroom, hardware, site_kg, tenant_kg)

    @classmethod
    def made(
        cls, grid: Grid, headroom: FloatArray, hardware: FloatArray, site_kg: FloatArray, tenant_kg: FloatArray
    ) -> Scarcity:
        """Prices of headroom (S, T) per IT kW and slot, and of all else."""
        parts = (grid.pue * SLOT_HOURS, grid.cost_gbp, grid.carbon_kg, grid.carbon_gbp, headroom)
        charge = grid.cost_gbp + grid.carbon_gbp + headroom + site_kg[:, None] * grid.carbon_kg
        return cls(np.stack(parts, axis=-1), charge, hardware, site_kg, tenant_kg)

    def uncapped(self, grid: Grid) -> Scarcity:
        """The same without prices under the shared carbon caps."""
        headroom = self.figures[:, :, FIGURES.index("headroom_gbp")]
        return self.made(grid, headroom, self.hardware, 0 * self.site_kg, 0 * self.tenant_kg)

    @classmethod
    def none(cls, grid: Grid) -> Scarcity:
        """Nothing is scarce."""
        nothing = np.zeros_like(grid.pue)
        tenants = np.zeros(len(grid.tenants) + 1)
        return cls.made(grid, nothing, np.zeros_like(grid.hardware_kw), np.zeros(len(grid.site_ids)), tenants)


class Runs(NamedTuple):
    """All runs of a plan, one after another; ``job`` and ``site`` are rows of the instance."""

    job: IntArray
    site: IntArray
    start: IntArray
    end: IntArray
    power_kw: FloatArray

    @classmethod
    def of(cls, grid: Grid, job_rows: Mapping[str, int], plan: Plan) -> Runs:
        """The runs of the plan's assignments."""
        flat = [(job_rows[a.job], grid.place[a.site], *run) for a in plan.assignments for run in a.runs]
        table = np.array(flat, dtype=np.float64).reshape(-1, 5)
        job, site, start, end = table[:, :4].T.astype(np.int64)
        return cls(job, site, start, end, table[:, 4])


@dataclass(frozen=True, slots=True)
class Room:
    """What a plan leaves.

    :param kw: (S, T) at the meter that nobody uses.
    :param yielding_kw: (S, T) at the meter used by mining and inference that give way at
        ``yielding_gbp`` (S, T) per kW at the meter and slot, what they earn above their energy and carbon.
    :param hardware_kw: (H, S, T) IT kW.
    :param site_kg: (S,) kg left under the caps of all and of the site's region; ``tenant_kg`` (K,) a tenant's.
    """

    kw: FloatArray
    yielding_kw: FloatArray
    yielding_gbp: FloatArray
    hardware_kw: FloatArray
    site_kg: FloatArray
    tenant_kg: FloatArray

    @classmethod
    def of(cls, grid: Grid, instance: Instance, plan: Plan, runs: Runs) -> Room:
        """What the plan's jobs and site terms leave; never negative."""
        hardware = np.array([grid.classes.get(job.hardware or "", 0) for job in instance.jobs], dtype=np.int64)
        used_kw = _held(runs, grid.hardware_kw.shape, hardware)
        own, yielding, worth = _site_terms(grid, instance, plan.site_power)
        site_kg, tenant_kg = _carbon_left(grid, instance, runs)
        return cls(
            kw=np.maximum(0.0, grid.headroom_kw - used_kw.sum(axis=0) * grid.pue - own - yielding),
            yielding_kw=yielding,
            yielding_gbp=worth,
            hardware_kw=np.maximum(0.0, grid.hardware_kw - used_kw),
            site_kg=site_kg,
            tenant_kg=tenant_kg,
        )

    @classmethod
    def empty(cls, grid: Grid) -> Room:
        """What there would be without a plan and without carbon caps."""
        nothing = np.zeros_like(grid.pue)
        endless = np.full(len(grid.site_ids), np.inf), np.full(len(grid.tenants) + 1, np.inf)
        return cls(grid.headroom_kw, nothing, nothing, grid.hardware_kw, *endless)

    def less(self, grid: Grid, site: int, power_kw: FloatArray, hardware: int, tenant: int) -> Room:
        """The room that one more course (T,) of IT power at ``site`` leaves, mining and inference giving way last.

        Its carbon is taken from what is left at every site, which is never too little.
        """
        kw, yielding, hardware_kw = self.kw.copy(), self.yielding_kw.copy(), self.hardware_kw.copy()
        draw = power_kw * grid.pue[site]
        kg = float(power_kw @ grid.carbon_kg[site])
        yielding[site] = np.maximum(0.0, yielding[site] - np.maximum(0.0, draw - kw[site]))
        kw[site] = np.maximum(0.0, kw[site] - draw)
        hardware_kw[hardware, site] -= power_kw
        site_kg = np.maximum(0.0, self.site_kg - kg)
        tenant_kg = self.tenant_kg.copy()
        tenant_kg[tenant] = max(0.0, tenant_kg[tenant] - kg)
        return replace(self, kw=kw, yielding_kw=yielding, hardware_kw=hardware_kw, site_kg=site_kg, tenant_kg=tenant_kg)

    def extended(self, beyond: Grid) -> Room:
        """The room with the horizon of ``beyond``, in whose further slots nothing is planned and no cap counts."""
        slots = self.kw.shape[1]
        more = beyond.headroom_kw[:, slots:]
        return type(self)(
            kw=np.concatenate([self.kw, more], axis=1),
            yielding_kw=np.concatenate([self.yielding_kw, np.zeros_like(more)], axis=1),
            yielding_gbp=np.concatenate([self.yielding_gbp, np.zeros_like(more)], axis=1),
            hardware_kw=np.concatenate([self.hardware_kw, beyond.hardware_kw[:, :, slots:]], axis=2),
            site_kg=np.full_like(self.site_kg, np.inf),
            tenant_kg=np.full_like(self.tenant_kg, np.inf),
        )


def _held(runs: Runs, shape: tuple[int, ...], hardware: IntArray) -> FloatArray:
    """(H, S, T) IT kW that runs hold, by their jobs' hardware class."""
    change = np.zeros((*shape[:2], shape[2] + 1))
    classes = hardware[runs.job]
    np.add.at(change, (classes, runs.site, runs.start), runs.power_kw)
    np.add.at(change, (classes, runs.site, runs.end), -runs.power_kw)
    return np.asarray(np.cumsum(change, axis=2)[:, :, :-1])


def _carbon_left(grid: Grid, instance: Instance, runs: Runs) -> tuple[FloatArray, FloatArray]:
    """(S,) and (K,) kg left under the caps that hold at each site and for each tenant; inf where there is none."""
    emitted = np.concatenate([np.zeros((len(grid.site_ids), 1)), np.cumsum(grid.carbon_kg, axis=1)], axis=1)
    kg = runs.power_kw * (emitted[runs.site, runs.end] - emitted[runs.site, runs.start])
    by_site = np.bincount(runs.site, kg, len(grid.site_ids))
    left = np.full(len(grid.site_ids), _left(instance.carbon_cap_kg, float(kg.sum())))
    regions = np.array([site.region for site in instance.sites])
    for region, cap in instance.region_carbon_caps_kg.items():
        inside = regions == region
        left[inside] = np.minimum(left[inside], _left(cap, float(by_site[inside].sum())))
    tenants = np.array([grid.tenants.get(job.tenant, 0) for job in instance.jobs], dtype=np.int64)
    by_tenant = np.bincount(tenants[runs.job], kg, len(grid.tenants) + 1)
    caps = (None, *instance.tenant_carbon_caps_kg.values())
    return left, np.array([_left(cap, used) for cap, used in zip(caps, by_tenant.tolist(), strict=True)])


def _left(cap_kg: float | None, used_kg: float) -> float:
    return np.inf if cap_kg is None else max(0.0, cap_kg - used_kg)


def _site_terms(
    grid: Grid, instance: Instance, terms: Iterable[SitePower]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(S, T) kW at the meter that site terms keep, and what of mining and inference gives way, at which GBP per kW.

    Mining that must ramp keeps its power, and no mining is asked to go below its least power.
    """
    kept, yielding, worth = (np.zeros_like(grid.pue) for _ in range(3))
    for used in terms:
        row = grid.place[used.site]
        site, pue = instance.sites[row], grid.pue[row]
        kept[row] += np.asarray(used.charge_kw or 0.0) - np.asarray(used.discharge_kw or 0.0)
        mining_kw, inference_kw = np.asarray(used.mining_kw or 0.0), np.asarray(used.inference_kw or 0.0)
        gives = _gives(site.mining, mining_kw)
        kept[row] += (mining_kw - gives) * pue
        yielding[row] += (gives + inference_kw) * pue
        values = [np.asarray(part.value_gbp_per_kwh) for part in (site.mining, site.inference) if part is not None]
        energy_gbp = (grid.cost_gbp[row] + grid.carbon_gbp[row]) / pue
        earned = np.max([SLOT_HOURS * value / pue for value in values], axis=0) if values else 0.0
        worth[row] = np.maximum(0.0, earned - energy_gbp)
    return kept, yielding, worth


def _gives(mining: Mining | None, mining_kw: FloatArray) -> FloatArray:
    """IT kW that mining can do without in any slot, whatever it does in the others."""
    if mining is None or mining.ramp_kw is not None:
        return np.zeros_like(mining_kw)
    return np.maximum(0.0, mining_kw - mining.min_kw)
