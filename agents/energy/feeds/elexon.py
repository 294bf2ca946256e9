"""Elexon Insights, the data service of the electricity market of Great Britain: its feeds and what they declare.

API: https://developer.data.elexon.co.uk/. No key. Each dataset is a feed of its own and fails alone; the modules
``elexon_*`` say what their figures are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from agents.energy.feed import Ask, Declaration, Feed, Fetched, Limits
from agents.energy.feeds.elexon_demand import demand
from agents.energy.feeds.elexon_frequency import frequency
from agents.energy.feeds.elexon_generation import MIX, fuel_mix, wind
from agents.energy.feeds.elexon_prices import PROVIDER, market_index, system_prices
from agents.energy.feeds.elexon_rows import GbFeed
from core.settings import Settings
from core.vintage import Quantity

LIMITS = Limits(120, timedelta(minutes=1))
"""Elexon answers 429 beyond a rate that it does not publish: two requests a second have been left alone."""
MEGAWATTS = "MW"
STRESS_HISTORY = timedelta(days=28)
"""What grid stress compares the present with."""
GBP_PER_MWH = "GBP/MWh, divided by 1,000 for GBP/kWh"


@dataclass(frozen=True, slots=True)
class _Dataset:
    """What is particular to one dataset; the fields are those of :class:`Declaration`."""

    name: str
    title: str
    read: Callable[[Ask, str], Fetched]
    quantities: tuple[Quantity, ...]
    units: str
    done: tuple[str, ...]
    exempt: tuple[str, ...]
    least_period: timedelta
    first_history: timedelta
    use_for: timedelta

    def declaration(self, host: str) -> Declaration:
        return Declaration(
            name=self.name,
            title=self.title,
            home="https://bmrs.elexon.co.uk/api-documentation",
            licence="Licence to use BMRS open data (Elexon)",
            attribution="Contains BMRS data © Elexon Limited copyright and database right 2026",
            host=host,
            quantities=self.quantities,
            units=self.units,
            limits=LIMITS,
            done=self.done,
            exempt=self.exempt,
            least_period=self.least_period,
            first_history=self.first_history,
            use_for=self.use_for,
        )


_DATASETS = (
    _Dataset(
        "elexon-frequency",
        "System frequency (Elexon)",
        frequency,
        ("frequency", "frequency_deviation"),
        "Hz, one sample every 15 s",
        ("mean and largest deviation from 50 Hz of each half-hour that is over",),
        ("the half-hour under way: its largest deviation is not known yet",),
        timedelta(minutes=10),
        timedelta(hours=6),
        timedelta(hours=6),
    ),
    _Dataset(
        "elexon-demand",
        "National demand (Elexon)",
        demand,
        ("demand",),
        MEGAWATTS,
        ("initial national demand outturn (INDO)", "national demand forecast up to a day ahead (NDF)"),
        ("transmission system demand: it counts pumping and exports", "zonal forecasts: GB is planned as one zone"),
        timedelta(minutes=30),
        STRESS_HISTORY,
        timedelta(hours=12),
    ),
    _Dataset(
        "elexon-wind",
        "Wind generation (Elexon)",
        wind,
        ("wind",),
        "MW; the hourly forecast stands for both half-hours",
        ("metered wind outturn (FUELHH)", "its latest forecast (WINDFOR)"),
        ("embedded wind: it is not metered and has already lowered national demand",),
        timedelta(minutes=30),
        STRESS_HISTORY,
        timedelta(hours=12),
    ),
    _Dataset(
        "elexon-fuel-mix",
        "Generation by fuel (Elexon)",
        fuel_mix,
        tuple(MIX.values()),
        "MW by fuel code, given as percent of generation and imports",
        ("half-hourly shares of eight fuels (FUELHH)",),
        ("solar: none is metered on the transmission system", "exports and pumping: they are no generation"),
        timedelta(minutes=30),
        timedelta(days=7),
        timedelta(hours=6),
    ),
    _Dataset(
        "elexon-system-price",
        "System prices (Elexon)",
        system_prices,
        ("imbalance_price", "imbalance_volume"),
        f"{GBP_PER_MWH}; MWh, positive where the system was short",
        ("the single imbalance price and the net imbalance volume of the latest settlement run",),
        ("bid and offer stacks: only the price that they lead to is used",),
        timedelta(minutes=30),
        STRESS_HISTORY,
        timedelta(hours=36),
    ),
    _Dataset(
        "elexon-market-index",
        "Market index price (Elexon)",
        market_index,
        ("wholesale_price",),
        GBP_PER_MWH,
        (f"price of half-hourly trades as {PROVIDER} reports it",),
        ("N2EXMIDP: it has reported no trades for years",),
        timedelta(minutes=30),
        STRESS_HISTORY,
        timedelta(hours=12),
    ),
)


def feeds(settings: Settings) -> tuple[Feed, ...]:
    """The feeds of Elexon, which need no key."""
    base = settings.elexon_url.rstrip("/")
    host = urlsplit(base).netloc
    return tuple(GbFeed(dataset.declaration(host), base, dataset.read) for dataset in _DATASETS)
