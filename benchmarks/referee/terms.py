"""What sites do themselves: mining, inference and batteries, as a plan states it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.referee.figures import SLOT_HOURS, Figures, by_slot
from benchmarks.referee.verdict import TOLERANCE, Array, Json, at_most

FIELDS = {"mining_kw": "mining", "inference_kw": "inference", "charge_kw": "battery", "discharge_kw": "battery"}


@dataclass(frozen=True)
class Terms:
    """Powers (S, T): IT kW of mining and inference, kW at the meter of batteries; 0 where a plan says nothing."""

    mining_kw: Array
    inference_kw: Array
    charge_kw: Array
    discharge_kw: Array

    @classmethod
    def read(cls, plan: Json, instance: Json, figures: Figures) -> tuple[Terms, list[str]]:
        """The powers that a plan states, and what is wrong with them as powers; those count as 0."""
        faults, tables = [], {field: np.zeros((len(figures.sites), figures.slots)) for field in FIELDS}
        rows = plan.get("site_power") or []
        if len({row["site"] for row in rows}) != len(rows):
            faults.append("site_power names a site twice")
        for row in rows:
            if row["site"] not in figures.sites:
                faults.append(f"site_power of unknown site {row['site']!r}")
                continue
            site = figures.sites[row["site"]]
            for field, needed in FIELDS.items():
                power = _power(row.get(field), figures.slots)
                if power is None:
                    faults.append(f"site {row['site']!r}: {field} is not one power of at least 0 for each slot")
                elif power.any() and not instance["sites"][site].get(needed):
                    faults.append(f"site {row['site']!r}: {field}, but it has no {needed}")
                else:
                    tables[field][site] = power
        return cls(**tables), faults

    def meter_kw(self, figures: Figures) -> Array:
        """(S, T) what the sites' own terms draw."""
        return figures.pue * (self.mining_kw + self.inference_kw) + self.charge_kw - self.discharge_kw

    def own_gbp(self, instance: Json, figures: Figures) -> float:
        """Wear less what mining and inference earn; energy is not counted here."""
        total = 0.0
        for row, site in enumerate(instance["sites"]):
            for name, power in (("mining", self.mining_kw[row]), ("inference", self.inference_kw[row])):
                if site.get(name):
                    total -= float(by_slot(site[name]["value_gbp_per_kwh"], figures.slots) @ power) * SLOT_HOURS
            if site.get("battery"):
                wear = site["battery"].get("wear_gbp_per_kwh") or 0.0
                total += wear * float(self.discharge_kw[row].sum()) * SLOT_HOURS
        return total

    def faults(self, instance: Json, figures: Figures) -> Iterator[str]:
        """What breaks the limits of mining, inference and batteries."""
        for row, site in enumerate(instance["sites"]):
            found: list[str] = []
            if site.get("mining"):
                found += mining_faults(site["mining"], self.mining_kw[row])
            if site.get("inference"):
                demand = by_slot(site["inference"]["demand_kw"], figures.slots)
                found += _slots(~at_most(self.inference_kw[row], demand), "inference is above its demand")
            if site.get("battery"):
                found += battery_faults(site["battery"], self.charge_kw[row], self.discharge_kw[row])
            yield from (f"site {site['id']!r}: {text}" for text in found)


def _power(values: list[float] | None, slots: int) -> Array | None:
    """(T,) a power as stated, noughts for none, None for what is no power."""
    power = np.zeros(slots) if values is None else np.asarray(values, dtype=float)
    return power if power.shape == (slots,) and bool(np.all((power >= 0) & (power < np.inf))) else None


def _slots(wrong: Array, text: str) -> Iterator[str]:
    where = np.flatnonzero(wrong)
    if where.size:
        yield f"{text} in slot {where[0]}" + (f" and {where.size - 1} more" if where.size > 1 else "")


def mining_faults(mining: Json, power: Array) -> Iterator[str]:
    """Limits and ramps, the slot before the first included."""
    least, most, ramp = mining["min_kw"], mining["max_kw"], mining.get("ramp_kw")
    on = power > TOLERANCE * max(1.0, least)
    yield from _slots(on & ~(at_most(least, power) & at_most(power, most)), "mining is neither off nor within limits")
    if ramp is None:
        return
    before = np.append(mining.get("initial_kw") or 0.0, power[:-1])
    was_on = before > TOLERANCE * max(1.0, least)
    yield from _slots(was_on & on & ~at_most(np.abs(power - before), ramp), "mining changes by more than its ramp")
    yield from _slots(~was_on & on & ~at_most(power, least + ramp), "mining starts above min_kw and a ramp")
    yield from _slots(was_on & ~on & ~at_most(before, least + ramp), "mining stops from above min_kw and a ramp")


def battery_faults(battery: Json, charge: Array, discharge: Array) -> Iterator[str]:
    """Power, and energy stored."""
    power, capacity = battery["power_kw"], battery["capacity_kwh"]
    yield from _slots(~at_most(charge, power), "the battery charges above its power")
    yield from _slots(~at_most(discharge, power), "the battery discharges above its power")
    stored = battery["initial_kwh"] + np.cumsum(SLOT_HOURS * (battery["efficiency"] * charge - discharge))
    rounding = TOLERANCE * max(1.0, capacity)
    yield from _slots(stored < -rounding, "the battery is below empty")
    yield from _slots(stored > capacity + rounding, "the battery is above its capacity")
    if stored[-1] < battery["final_kwh"] - rounding:
        yield f"the battery holds {stored[-1]:.3f} kWh at last, not its {battery['final_kwh']:.3f}"
