"""What was believed at each half-hour: published prices as published, everything else with an error of the real size.

An error is an AR(1) process, one a zone and signal, that a forecast knows up to its issue and that decays from there:
neighbouring half-hours err alike, and errors grow with lead. Its coefficient and spread follow from the mean absolute
errors that were measured for the first and the second day ahead (docs/signals.md, ``make bench-signals``).

- Prices of the next day are published at 16:00 in London, as Agile is, and known from then on. Beyond, they are
  forecast with the error of Slackwater's own forecast with the neighbours' day-ahead prices.
- Carbon is forecast from the present half-hour on, with the error of the published forecast. Zones err by the same
  share of their figures' interquartile range as Great Britain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from agents.energy import noise
from benchmarks.backtest.world import World
from core.halfhours import agile_known_until, instant_of, slot_index
from core.series import FloatArray
from core.slots import SLOTS_PER_DAY

PENCE = 100.0


@dataclass(frozen=True)
class ErrorSize:
    """An AR(1) error in the unit of its signal: ``phi`` a half-hour, and its standard deviation far ahead."""

    phi: float
    spread: float

    @classmethod
    def measured(cls, first_day: float, second_day: float) -> ErrorSize:
        """The process with these mean absolute errors over the first and the second 48 half-hours ahead.

        :raises ValueError: unless errors grow from the first day to the second, by less than without memory.
        """
        wanted = first_day / second_day
        if not _growth(0.9999) < wanted < 1:
            raise ValueError(f"errors of {first_day:g} and {second_day:g} are not of a process that decays with lead")
        low, high = 0.0, 0.9999
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if _growth(middle) > wanted else (low, middle)
        share = float(_shares(low)[SLOTS_PER_DAY:].mean())
        return cls(low, second_day / share / np.sqrt(2 / np.pi))


def _shares(phi: float) -> FloatArray:
    """(96,) standard deviation of the error by lead, as a share of the process's own."""
    return np.asarray(np.sqrt(1 - phi ** (2.0 * np.arange(1, 2 * SLOTS_PER_DAY + 1))))


def _growth(phi: float) -> float:
    shares = _shares(phi)
    return float(shares[:SLOTS_PER_DAY].mean() / shares[SLOTS_PER_DAY:].mean())


PRICE_MAE_P, CARBON_MAE_G = (2.18, 2.94), (21.83, 25.43)
"""docs/signals.md, Great Britain 2023, day 1 and 2: "Slackwater, and neighbours' day-ahead prices", and the
"pseudo-published forecast" of carbon, which has the 24 g/kWh a day ahead that are reported of the real one"""
PRICE_ERROR = ErrorSize.measured(*(mae / PENCE for mae in PRICE_MAE_P))
CARBON_ERROR = ErrorSize.measured(*CARBON_MAE_G)
SCENARIOS = 16
"""ways in which prices and carbon may turn out, for plans that are made against them"""


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of a world, made at any of its half-hours.

    :ivar share: of the measured errors; nought is foresight.
    """

    world: World
    seed: int
    share: float = 1.0

    def at(self, now: int, slots: int) -> tuple[FloatArray, FloatArray]:
        """Price and carbon (S, slots) from half-hour ``now`` on, as believed just before it begins."""
        window = slice(now, now + slots)
        price, carbon = self.world.price[:, window], self.world.carbon[:, window]
        if not self.share:
            return price, carbon
        known = int(self._known[now])
        price = price + self._missed(self._price_process, PRICE_ERROR, known, now, slots)
        carbon = carbon + self._missed(self._carbon_process, CARBON_ERROR, now, now, slots)
        return price, np.maximum(0.0, carbon)

    def scenarios(self, now: int, slots: int) -> tuple[FloatArray, FloatArray]:
        """Price and carbon (SCENARIOS, S, slots) as they may turn out, in opposite pairs around what is believed.

        Drawn from the process that the errors come from, but not from the errors: half an hour later the same are met.
        """
        price, carbon = self.at(now, slots)
        known, pairs = int(self._known[now]), range(SCENARIOS // 2)
        up = np.array([self._missed(self._drawn[pair][0], PRICE_ERROR, known, now, slots) for pair in pairs])
        dirty = np.array([self._missed(self._drawn[pair][1], CARBON_ERROR, now, now, slots) for pair in pairs])
        turned_out = np.concatenate([carbon + dirty, carbon - dirty])
        return np.concatenate([price + up, price - up]), np.maximum(0.0, turned_out)

    def known_until(self, now: int) -> int:
        """The first half-hour whose price is not published when ``now`` begins."""
        return int(self._known[now])

    def _missed(self, process: FloatArray, size: ErrorSize, first: int, now: int, slots: int) -> FloatArray:
        """(S, slots): the error of a forecast that knows everything before half-hour ``first``."""
        at = np.arange(now, now + slots) + 1
        known = process[:, [min(first, process.shape[1] - 1)]]
        return noise.forecast_error(process[:, at], at - first, known, size.phi)

    @cached_property
    def _known(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        first = slot_index(self.world.start)
        ends = [slot_index(agile_known_until(instant_of(first + now))) - first for now in range(self.world.slots)]
        return np.array(ends, dtype=np.int64)

    @cached_property
    def _price_process(self) -> FloatArray:
        return self._process("price", self.world.price, PRICE_ERROR)

    @cached_property
    def _carbon_process(self) -> FloatArray:
        return self._process("carbon", self.world.carbon, CARBON_ERROR)

    @cached_property
    def _drawn(self) -> list[tuple[FloatArray, FloatArray]]:
        """Processes like those of price and carbon, one pair of each for two scenarios."""
        return [
            (
                self._process(f"price, scenario {pair}", self.world.price, PRICE_ERROR),
                self._process(f"carbon, scenario {pair}", self.world.carbon, CARBON_ERROR),
            )
            for pair in range(SCENARIOS // 2)
        ]

    def _process(self, name: str, actual: FloatArray, size: ErrorSize) -> FloatArray:
        """(S, T + 1): one before the first half-hour, then one for each."""
        index = np.arange(slot_index(self.world.start) - 1, slot_index(self.world.start) + actual.shape[1])
        own = [noise.autoregressive(noise.key_of(self.seed, name, zone), index, size.phi) for zone in self.world.zones]
        between = np.subtract(*np.quantile(actual, (0.75, 0.25), axis=1))
        scale = size.spread * between / between[self.world.zones.index("GB")]
        return np.asarray(self.share * scale[:, None] * np.array(own))
