"""The world that the upstream tells of: every figure a function of a seed and of time, or recorded.

Times are half-hours since 1970 as floats ("slots"), so that sources of 5 or 15 minutes read the same curves.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.slots import LONDON

Floats = NDArray[np.float64]
GB_REGION = 18
PERIODS = np.array([17.3, 37.0, 91.0, 211.0, 487.0])
FUELS = ("biomass", "coal", "imports", "gas", "nuclear", "other", "hydro", "solar", "wind")
FINAL_AFTER_SLOTS = 48
"""an actual stands only a day after its slot"""


def slots(start: datetime, end: datetime, minutes: float = 30) -> Floats:
    """The instants of ``[start, end)`` every ``minutes``, as slots."""
    step = minutes / 30
    return np.arange(np.ceil(slot_of(start) / step - 1e-9), np.ceil(slot_of(end) / step - 1e-9)) * step


def slot_of(instant: datetime) -> float:
    """Half-hours since 1970."""
    return instant.timestamp() / 1800


def at(slot: float) -> datetime:
    """The instant of a slot."""
    return datetime.fromtimestamp(round(slot * 1800), UTC)


def wholesale_of_j(agile_inc_vat_p: float, start: datetime) -> float:
    """The wholesale price behind region J's price of a slot, p/kWh, while VAT was 5 %."""
    peak = 16 <= start.astimezone(LONDON).hour < 19
    return (agile_inc_vat_p / 1.05 - 12 * peak) / 2.2


@lru_cache(maxsize=512)
def _phases(name: str) -> Floats:
    return np.random.default_rng(zlib.crc32(name.encode())).uniform(0, 2 * np.pi, PERIODS.size)


@dataclass(frozen=True)
class World:
    """Deterministic figures.

    :param revision: another one gives other figures of the same shape: what a source says after it changed its mind.
    :param recorded: figures by name and slot that stand in for the made ones.
    """

    seed: int = 1
    revision: int = 0
    recorded: Mapping[str, Mapping[int, float]] = field(default_factory=dict)

    @classmethod
    def of_recorded(cls, folder: Path) -> World:
        """Great Britain from January to September 2023; all else and all other times are made."""
        names = {"ci_forecast": "carbon forecast", "ci_actual": "carbon actual", "agile_J_inc_vat": "wholesale"}
        found: dict[str, dict[int, float]] = {name: {} for name in names.values()}
        with gzip.open(folder / "gb_joined_2023_jan_sep_halfhourly.csv.gz", "rt", newline="") as file:
            for row in csv.DictReader(file):
                start = datetime.fromisoformat(row["utc"]).replace(tzinfo=UTC)
                for column, name in names.items():
                    figure = float(row[column] or "nan")
                    found[name][int(slot_of(start))] = wholesale_of_j(figure, start) if name == "wholesale" else figure
        return cls(recorded=found)

    def revised(self) -> World:
        """The same world told differently."""
        return replace(self, revision=self.revision + 1)

    def noise(self, name: str, slot: Floats) -> Floats:
        """A smooth curve around 0 with a standard deviation of about 1."""
        phases = _phases(f"{self.seed} {self.revision} {name}")
        return np.sin(np.multiply.outer(slot, 2 * np.pi / PERIODS) + phases).sum(axis=-1) * np.sqrt(2 / PERIODS.size)

    def _from_records(self, name: str, slot: Floats, made: Floats) -> Floats:
        table = self.recorded.get(name)
        if not table:
            return made
        return np.array([table.get(int(s), m) for s, m in zip(slot, made, strict=True)])

    # -- Great Britain ------------------------------------------------------------------------------------------------

    def wholesale_p(self, slot: Floats) -> Floats:
        """Day-ahead price behind Agile, p/kWh; negative in a few slots in a hundred."""
        hour = slot / 2 % 24
        shape = 3.0 * np.exp(-(((hour - 17.5) / 2.5) ** 2)) - 3.0 * np.exp(-(((hour - 3.5) / 2.5) ** 2))
        made = 7.0 + shape + 3.2 * self.noise("wholesale", slot)
        return self._from_records("wholesale", slot, np.round(made, 3))

    def carbon(self, region: int, slot: Floats) -> Floats:
        """What the intensity of a region (1 to 18 as the Carbon Intensity API numbers them) finally is, g/kWh."""
        level = 165 if region == GB_REGION else 60 + 13 * region
        hour = slot / 2 % 24
        made = level + 25 * np.sin((hour - 11) * np.pi / 12) + 0.25 * level * self.noise(f"carbon {region}", slot)
        return np.round(np.maximum(made, 25 + region))

    def carbon_actual(self, slot: Floats, asked: float) -> Floats:
        """The national actual answered at ``asked``: within a day of the slot it still differs from the final one."""
        final = self._from_records("carbon actual", slot, self.carbon(GB_REGION, slot))
        change = np.where(self.noise("revision", slot) > 0, 3, -4) * (final > 4)
        return np.where(asked - slot - 1 < FINAL_AFTER_SLOTS, final + change, final)

    def carbon_forecast(self, region: int, slot: Floats, asked: float) -> Floats:
        """The forecast as answered at ``asked``: better the nearer, and still changed once the slot has passed."""
        lead, issue = np.maximum(slot - asked, 0), np.floor(asked)
        error = 22 * self.noise("carbon error", slot) + 6 * self.noise("carbon issue", slot + 977 * issue)
        made = self.carbon(region, slot) + error * (0.35 + 0.65 * lead / (lead + 12))
        made = np.round(np.maximum(made, 1))
        return self._from_records("carbon forecast", slot, made) if region == GB_REGION else made

    def mix(self, region: int, slot: Floats) -> Floats:
        """Percent of generation by :data:`FUELS`, shape (n, 9); each row sums to 100."""
        weights = np.array([7.0, 0.4, 10.0, 32.0, 15.0, 0.5, 1.8, 6.0, 27.0])
        raw = np.stack([np.exp(0.4 * self.noise(f"mix {region} {fuel}", slot)) for fuel in FUELS], axis=-1) * weights
        raw[:, FUELS.index("solar")] *= np.maximum(np.sin((slot / 2 % 24 - 6) * np.pi / 12), 0)
        share = np.round(100 * raw / raw.sum(axis=1, keepdims=True), 1)
        share[:, FUELS.index("gas")] += np.round(100 - share.sum(axis=1), 1)
        return np.round(share, 1)

    def demand_mw(self, slot: Floats) -> Floats:
        """National demand."""
        return np.round(30000 + 7000 * np.sin((slot / 2 % 24 - 10) * np.pi / 12) + 1500 * self.noise("demand", slot))

    def wind_mw(self, slot: Floats) -> Floats:
        return np.round(np.clip(9000 + 4000 * self.noise("wind", slot), 300, 22000))

    def solar_mw(self, slot: Floats) -> Floats:
        return np.round(6000 * np.maximum(np.sin((slot / 2 % 24 - 6) * np.pi / 12), 0))

    def frequency_hz(self, slot: Floats) -> Floats:
        """System frequency; slots of 15 s are multiples of 1/120."""
        return np.round(50 + 0.06 * self.noise("frequency", slot * 120), 3)

    def imbalance_gbp_per_mwh(self, slot: Floats) -> Floats:
        return np.round(10 * self.wholesale_p(slot) + 20 * self.noise("imbalance", slot), 2)

    def imbalance_mwh(self, slot: Floats) -> Floats:
        return np.round(180 * self.noise("volume", slot), 4)

    def market_gbp_per_mwh(self, slot: Floats) -> Floats:
        return np.round(10 * self.wholesale_p(slot), 2)

    # -- elsewhere ----------------------------------------------------------------------------------------------------

    def zone_carbon(self, zone: str, slot: Floats) -> Floats:
        """Average intensity of a zone, g/kWh."""
        level = 120 + zlib.crc32(zone.encode()) % 300
        return np.round(np.maximum(level + 0.2 * level * self.noise(f"average {zone}", slot), 15), 1)

    def zone_marginal(self, zone: str, slot: Floats) -> Floats:
        """Marginal emissions, lbs CO2/MWh."""
        return np.round(np.maximum(950 + 120 * self.noise(f"marginal {zone}", slot), 200), 1)

    def zone_price(self, zone: str, slot: Floats) -> Floats:
        """Wholesale price in the market's own currency a MWh; negative now and then."""
        return np.round(70 + 45 * self.noise(f"price {zone}", slot), 2)

    def weather(self, latitude: float, longitude: float, slot: Floats) -> dict[str, Floats]:
        """Hourly weather by Open-Meteo's names: degrees Celsius, percent, km/h."""
        place = f"{latitude:.2f},{longitude:.2f}"
        temperature = 12 + 5 * np.sin((slot / 2 % 24 - 9) * np.pi / 12) + 3 * self.noise(f"temperature {place}", slot)
        humidity = np.clip(75 + 12 * self.noise(f"humidity {place}", slot), 20, 100)
        return {
            "temperature_2m": np.round(temperature, 1),
            "relative_humidity_2m": np.round(humidity),
            "wet_bulb_temperature_2m": np.round(temperature - (100 - humidity) / 8, 1),
            "cloud_cover": np.round(np.clip(55 + 35 * self.noise(f"cloud {place}", slot), 0, 100)),
            "wind_speed_10m": np.round(np.abs(18 + 9 * self.noise(f"wind {place}", slot)), 1),
            "wind_speed_100m": np.round(np.abs(27 + 12 * self.noise(f"wind {place}", slot)), 1),
        }

    def bitcoin_gbp(self, slot: float) -> float:
        return float(np.round(70000 * (1 + 0.05 * self.noise("bitcoin", np.array([slot]))[0])))
