"""A house over live feeds that answer what a test scripts, with a week of what they said before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from agents.energy.agent import EnergyAgent
from agents.energy.client import HostState
from agents.energy.feed import Ask
from agents.energy.live import LiveFeeds
from core.halfhours import indexes
from core.series import Series
from tests.unit.energy.fakes import FakeClient, ScriptedFeed, agent_of
from tests.unit.web.fakes import NOW, House, build_house

ZONES = ("GB-C", "NO-NO2")
PERIOD = timedelta(minutes=30)
HOSTS = (
    HostState("api.octopus.energy", "closed", 0, 0.0, None, 0.4, 12, 34_567),
    HostState("feed.example", "open", 5, 240.0, "feed.example did not answer in 20 s.", 3660.0, 20, 1_200_000),
)


class HostedClient(FakeClient):
    """A client that has stories to tell of two hosts."""

    def hosts(self) -> tuple[HostState, ...]:
        return HOSTS


class WavingFeed(ScriptedFeed):
    """A feed whose figures change: every second half-hour is one hundredth higher."""

    def _series(self, ask: Ask, value: float, ahead_s: float) -> Series:
        flat = super()._series(ask, value, ahead_s)
        return replace(flat, values=flat.values * (1 + 0.01 * (indexes(flat.start, len(flat)) % 2)))


class KeyedFeed(ScriptedFeed):
    """A feed whose key is not set."""

    def __init__(self) -> None:
        super().__init__("carbon", name="electricity-maps", zones=("IS",))
        self.declaration = replace(self.declaration, key_setting="ELECTRICITY_MAPS_KEY", ready=False)


@dataclass
class LiveHouse:
    """The house and the feeds behind it."""

    house: House
    energy: EnergyAgent
    price: ScriptedFeed
    carbon: ScriptedFeed
    gas: ScriptedFeed

    def at(self, moment: datetime) -> None:
        """Let it be ``moment`` and ask every feed."""
        self.house.clock.set(moment)
        self.energy.refresh(force=True)


def live_house(folder: Path, *, signals: str = "auto", weeks: bool = False, **settings: Any) -> LiveHouse:
    """Price (published for a day), carbon (forecast for two) and a share of gas, for GB-C; asked once.

    :param weeks: whether they have been asked every six hours for the nine days before.
    """
    house = build_house(folder, now=NOW - timedelta(days=9) if weeks else NOW, **settings)
    price = WavingFeed("price", name="octopus-agile", ahead=timedelta(hours=24), zones=("GB-C",))
    price.value = 0.2
    carbon = WavingFeed("carbon", name="carbon-intensity", zones=("GB-C",))
    gas = WavingFeed("share_gas", name="carbon-mix", zones=("GB-C",))
    gas.value = 40.0
    feeds: Sequence[ScriptedFeed] = (price, carbon, gas, KeyedFeed())
    live = LiveFeeds(feeds, house.vintages, HostedClient(), house.clock, PERIOD, substitute=signals == "auto")
    energy = agent_of(house.clock, ZONES, live=live, store=house.vintages, allow_simulated=signals == "auto")
    chosen = house.services.settings.model_copy(update={"signals": signals})
    house.services = replace(house.services, energy=energy, settings=chosen)
    found = LiveHouse(house, energy, price, carbon, gas)
    if weeks:
        for hours in range(9 * 24, 0, -6):
            carbon.value = 100.0 + hours % 24
            found.at(NOW - timedelta(hours=hours))
    carbon.value = 100.0
    found.at(NOW)
    return found
