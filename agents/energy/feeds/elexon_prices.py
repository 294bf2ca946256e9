"""Prices of Great Britain from Elexon Insights: the system price of imbalance, and the market index price.

Both are quoted in GBP/MWh, a thousandth of which is GBP/kWh. System prices are first figures: settlement runs revise
them for over a year (estimates). The market index price is that of trades that were made (settled).
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from agents.energy.feed import Ask, Fetched, Flag
from agents.energy.feeds.elexon_rows import (
    Plausible,
    asked_for,
    chunks,
    contradictions,
    day_chunks,
    finding,
    latest,
    minute,
    newest_figures,
    numbers,
    past_end,
    require_recent,
    require_some,
    rows_of,
    screened,
    series,
    slots_of,
)
from core.series import Kind
from core.slots import slot_floor

PLAUSIBLE_PRICE = Plausible(-10.0, 10.0)
"""GBP/kWh. The value of lost load, the most that a system price is set to, is 6."""
PLAUSIBLE_VOLUME = Plausible(-20_000.0, 20_000.0)
"""MWh of imbalance in a half-hour, in which the whole country uses about 15,000."""
KWH_PER_MWH = 1000.0
PROVIDER = "APXMIDP"
INDEX_RANGE = timedelta(days=6)
"""A request takes at most seven days, both ends included."""
OLDEST_SYSTEM_PRICE = timedelta(hours=36)
"""Age that the newest price never has while the source works; since 2024 some come a day late."""
OLDEST_INDEX = timedelta(hours=12)


def system_prices(ask: Ask, base: str) -> Fetched:
    """Imbalance price, GBP/kWh, and net imbalance volume, MWh (positive: the system was short)."""
    where = "Elexon system prices:"
    start, end = slot_floor(ask.start), past_end(ask)
    require_some(start, end, where, "past")
    found = [
        row
        for day, _ in day_chunks(start, end, 1)
        for row in rows_of(ask.get(f"{base}/balancing/settlement/system-prices/{day:%Y-%m-%d}"), where)
    ]
    ordered, made = latest(found, "createdDateTime", where)
    index = slots_of(ordered, where)
    sell, buy = (numbers(ordered, name, where) / KWH_PER_MWH for name in ("systemSellPrice", "systemBuyPrice"))
    two = np.abs(sell - buy) > 0
    price, dear = screened(ask, "imbalance_price", index, np.where(two, np.nan, buy), PLAUSIBLE_PRICE)
    volume, large = screened(
        ask, "imbalance_volume", index, numbers(ordered, "netImbalanceVolume", where), PLAUSIBLE_VOLUME
    )
    newest = newest_figures(index, price, Kind.ESTIMATE)
    require_recent(newest, ask, OLDEST_SYSTEM_PRICE, where)
    source, apart = "Elexon system prices GB", "have a buying and a selling price, so no single one."
    return Fetched(
        {
            "imbalance_price": series(ask, "imbalance_price", source, newest),
            "imbalance_volume": series(ask, "imbalance_volume", source, newest_figures(index, volume, Kind.ESTIMATE)),
        },
        finding(Flag.DISAGREES, "imbalance_price", asked_for(ask, index[two]), apart)
        + contradictions(ask, "imbalance_price", index, made, price)
        + dear
        + large,
    )


def market_index(ask: Ask, base: str) -> Fetched:
    """Volume-weighted price of half-hourly trades on one exchange, GBP/kWh; none where nothing was traded."""
    where = f"Elexon market index {PROVIDER}:"
    start, end = slot_floor(ask.start), past_end(ask)
    require_some(start, end, where, "past")
    found = [
        row
        for first, last in chunks(start, end, INDEX_RANGE)
        for row in rows_of(
            ask.get(
                f"{base}/balancing/pricing/market-index",
                {"from": minute(first), "to": minute(last), "dataProviders": PROVIDER},
            ),
            where,
        )
        if row.get("dataProvider") == PROVIDER
    ]
    index = slots_of(found, where)
    untraded = numbers(found, "volume", where) == 0
    quoted = np.where(untraded, np.nan, numbers(found, "price", where) / KWH_PER_MWH)
    price, findings = screened(ask, "wholesale_price", index, quoted, PLAUSIBLE_PRICE)
    figures = newest_figures(index, price, Kind.SETTLED)
    require_recent(figures, ask, OLDEST_INDEX, where)
    return Fetched(
        {"wholesale_price": series(ask, "wholesale_price", f"Elexon market index GB ({PROVIDER})", figures)},
        finding(Flag.SPURIOUS_ZERO, "wholesale_price", asked_for(ask, index[untraded]), "had no trades, so no price.")
        + contradictions(ask, "wholesale_price", index, np.zeros_like(index), price)
        + findings,
    )
