"""Bitcoin's difficulty, price and hashprice from mempool.space: figures of the present, none of the past.

API: https://mempool.space/docs/api/rest. Difficulty is known until the next retarget, every 2,016 blocks; what it will
be then is not guessed. Hashprice is what a PH/s earns in a day by the block subsidy alone: fees, some percent, are left
out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from agents.energy import resample
from agents.energy.feed import Ask, Declaration, Feed, Fetched, Limits
from agents.energy.reading import json_of, mapping, number
from core.errors import FeedInvalid
from core.series import Kind, Series
from core.settings import Settings
from core.slots import slot_floor, slots_between
from core.vintage import UNITS, Quantity

ZONE = "BTC"
SUBSIDY_BTC = 3.125
"""New bitcoin a block, from April 2024 to the halving expected in 2028."""
HASHES_PER_DIFFICULTY = 2**32
HASHES_PER_PH = 1e15
SECONDS_PER_DAY = 86_400
MS_PER_S = 1000
LONGEST_EPOCH = timedelta(days=56)
"""Four times the intended two weeks: no retarget is further off."""
OLDEST_PRICE = timedelta(hours=3)


def hashprice_gbp_per_ph_day(difficulty: float, bitcoin_gbp: float) -> float:
    """GBP that one PH/s earns in a day by the subsidy, fees excluded."""
    blocks = HASHES_PER_PH * SECONDS_PER_DAY / (difficulty * HASHES_PER_DIFFICULTY)
    return blocks * SUBSIDY_BTC * bitcoin_gbp


class MempoolFeed:
    """The feed ``mempool``: zone ``BTC``."""

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/api/v1"
        self._declaration = _declaration(urlsplit(url).netloc)

    @property
    def declaration(self) -> Declaration:
        return self._declaration

    def serves(self, zone: str) -> bool:
        return zone == ZONE

    def fetch(self, ask: Ask) -> Fetched:
        where = "mempool.space:"
        if not ask.start <= ask.now < ask.end:
            raise FeedInvalid(f"{where} has figures of the present alone, which is not in the time asked.")
        difficulty = self._difficulty(ask, where)
        price_gbp = self._price_gbp(ask, where)
        known_slots = self._slots_to_retarget(ask, where)
        hashprice = hashprice_gbp_per_ph_day(difficulty, price_gbp)
        by_subsidy = f"mempool.space, subsidy of {SUBSIDY_BTC} BTC without fees"
        return Fetched(
            {
                "difficulty": _series("difficulty", difficulty, known_slots, "mempool.space", ask.now),
                "bitcoin_price": _series("bitcoin_price", price_gbp, 1, "mempool.space", ask.now),
                "hashprice": _series("hashprice", hashprice, 1, by_subsidy, ask.now),
            }
        )

    def _body(self, ask: Ask, path: str, where: str) -> Mapping[str, Any]:
        return mapping(json_of(ask.get(f"{self._url}/{path}"), where), f"{where} {path}")

    def _difficulty(self, ask: Ask, where: str) -> float:
        body = self._body(ask, "mining/hashrate/3d", where)
        return number(body.get("currentDifficulty"), 1e12, 1e18, f"{where} currentDifficulty")

    def _price_gbp(self, ask: Ask, where: str) -> float:
        """GBP for one bitcoin; the API writes -1 for a currency that it has no price in."""
        body = self._body(ask, "prices", where)
        quoted_s = number(body.get("time"), 0, 1e11, f"{where} time of the price")
        if abs(resample.seconds(ask.now) - quoted_s) > OLDEST_PRICE.total_seconds():
            raise FeedInvalid(f"{where} the price is of {datetime.fromtimestamp(quoted_s, UTC):%Y-%m-%d %H:%M} UTC.")
        return number(body.get("GBP"), 100, 1e8, f"{where} GBP")

    def _slots_to_retarget(self, ask: Ask, where: str) -> int:
        """Slots from the present one within the ask that end before the retarget is expected; at least one."""
        body = self._body(ask, "difficulty-adjustment", where)
        now_ms = resample.seconds(ask.now) * MS_PER_S
        latest_ms = now_ms + LONGEST_EPOCH.total_seconds() * MS_PER_S
        oldest_ms = now_ms - OLDEST_PRICE.total_seconds() * MS_PER_S
        retarget_ms = number(body.get("estimatedRetargetDate"), oldest_ms, latest_ms, f"{where} retarget (ms)")
        retarget = datetime.fromtimestamp(retarget_ms / MS_PER_S, UTC)
        start, count = resample.slots_asked(ask)
        present = slots_between(start, slot_floor(ask.now))
        return max(1, min(slots_between(slot_floor(ask.now), retarget), count - present))


def _series(quantity: Quantity, value: float, count: int, source: str, now: datetime) -> Series:
    """``value`` in the present slot as an estimate, and in the ``count`` - 1 slots after it as a forecast."""
    kinds = np.full(count, Kind.FORECAST, dtype=np.int8)
    kinds[0] = Kind.ESTIMATE
    return Series(slot_floor(now), np.full(count, value), kinds, UNITS[quantity], source, now)


def _declaration(host: str) -> Declaration:
    return Declaration(
        name="mempool",
        title="mempool.space",
        home="https://mempool.space/docs/api/rest",
        licence="mempool.space's terms of service; free, without a promise",
        attribution="Bitcoin figures: mempool.space",
        host=host,
        quantities=("difficulty", "bitcoin_price", "hashprice"),
        units="difficulty without a unit; GBP for one bitcoin as quoted; GBP for one PH/s a day",
        limits=Limits(10, timedelta(minutes=1)),
        done=(
            "difficulty of the present slot, and onwards until the expected retarget as a forecast",
            "price and hashprice of the present slot alone, as estimates: what they will be is not guessed",
        ),
        exempt=(
            "fees in the hashprice, some percent of the subsidy: it is the lower for it",
            "the difficulty after the retarget, and past figures",
            "the host's own limit is not documented: 10 a minute is this side's choice",
            "no body was recorded: shapes are from its documentation and public code",
        ),
        least_period=timedelta(minutes=5),
        use_for=timedelta(hours=6),
    )


def feeds(settings: Settings) -> tuple[Feed, ...]:
    """The one feed of this source."""
    return (MempoolFeed(settings.mempool_url),)
