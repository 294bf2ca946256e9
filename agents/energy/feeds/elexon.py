"""Elexon Insights, the data service of the electricity market of Great Britain: its feeds and what they declare.

API: https://developer.data.elexon.co.uk/. No key. Each dataset is a feed of its own and fails alone; the modules
``elexon_*`` say what their figures are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

from agents.energy.feed import Ask, Declaration, Feed, Fetched, Limits
from agents.energy.feeds.elexon_demand import demand
from agents.energy.feeds.elexon_frequency import frequency
from agents.energy.feeds.elexon_generation import MIX, fuel_mix, wind
from agents.energy.feeds.elexon_prices import PROVIDER, market_index, system_prices
from agents.energy.feeds.elexon_rows import GbFeed
from core.settings import Settings

LIMITS = Limits(120, timedelta(minutes=1))
"""Elexon answers 429 beyond a rate that it does not publish: two requests a second have been left alone."""
MEGAWATTS = "MW"
STRESS_HISTORY = timedelta(days=28)
"""What grid stress compares the present with."""
GBP_PER_MWH = "GBP/MWh, divided by 1,000 for GBP/kWh"


_COMMON = Declaration(
    name="elexon",
    title="Elexon Insights",
    home="https://bmrs.elexon.co.uk/api-documentation",
    licence="Licence to use BMRS open data (Elexon)",
    attribution="Contains BMRS data © Elexon Limited copyright and database right 2026",
    host="",
    quantities=(),
    units=MEGAWATTS,
    limits=LIMITS,
    done=(),
    least_period=timedelta(minutes=30),
    first_history=STRESS_HISTORY,
    use_for=timedelta(hours=12),
)
_DATASETS: tuple[tuple[Callable[[Ask, str], Fetched], Declaration], ...] = (
    (
        frequency,
        replace(
            _COMMON,
            name="elexon-frequency",
            title="System frequency (Elexon)",
            quantities=("frequency", "frequency_deviation"),
            units="Hz, one sample every 15 s",
            done=("mean and largest deviation from 50 Hz of each half-hour that is over",),
            exempt=("the half-hour under way: its largest deviation is not known yet",),
            least_period=timedelta(minutes=10),
            first_history=timedelta(hours=6),
            use_for=timedelta(hours=6),
        ),
    ),
    (
        demand,
        replace(
            _COMMON,
            name="elexon-demand",
            title="National demand (Elexon)",
            quantities=("demand",),
            done=("initial national demand outturn (INDO)", "national demand forecast up to a day ahead (NDF)"),
            exempt=(
                "transmission system demand: it counts pumping and exports",
                "zonal forecasts: GB is planned as one zone",
            ),
        ),
    ),
    (
        wind,
        replace(
            _COMMON,
            name="elexon-wind",
            title="Wind generation (Elexon)",
            quantities=("wind",),
            units="MW; the hourly forecast stands for both half-hours",
            done=("metered wind outturn (FUELHH)", "its latest forecast (WINDFOR)"),
            exempt=("embedded wind: it is not metered and has already lowered national demand",),
        ),
    ),
    (
        fuel_mix,
        replace(
            _COMMON,
            name="elexon-fuel-mix",
            title="Generation by fuel (Elexon)",
            quantities=tuple(MIX.values()),
            units="MW by fuel code, given as percent of generation and imports",
            done=("half-hourly shares of eight fuels (FUELHH)",),
            exempt=(
                "solar: none is metered on the transmission system",
                "exports and pumping: they are no generation",
            ),
            first_history=timedelta(days=7),
            use_for=timedelta(hours=6),
        ),
    ),
    (
        system_prices,
        replace(
            _COMMON,
            name="elexon-system-price",
            title="System prices (Elexon)",
            quantities=("imbalance_price", "imbalance_volume"),
            units=f"{GBP_PER_MWH}; MWh, positive where the system was short",
            done=("the single imbalance price and the net imbalance volume of the latest settlement run",),
            exempt=("bid and offer stacks: only the price that they lead to is used",),
            use_for=timedelta(hours=36),
        ),
    ),
    (
        market_index,
        replace(
            _COMMON,
            name="elexon-market-index",
            title="Market index price (Elexon)",
            quantities=("wholesale_price",),
            units=GBP_PER_MWH,
            done=(f"price of half-hourly trades as {PROVIDER} reports it",),
            exempt=("N2EXMIDP: it has reported no trades for years",),
        ),
    ),
)


def feeds(settings: Settings) -> tuple[Feed, ...]:
    """The feeds of Elexon, which need no key."""
    base = settings.elexon_url.rstrip("/")
    host = urlsplit(base).netloc
    return tuple(GbFeed(replace(declared, host=host), base, read) for read, declared in _DATASETS)
