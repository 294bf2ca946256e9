"""Generation of Great Britain from Elexon Insights: the fuel mix, and wind with its forecast.

FUELHH gives half-hourly MW by fuel code, published as the half-hour ends and revised by metering (estimates). It covers
what is metered on the transmission system, and interconnectors; solar, all embedded in distribution networks, has no
code. The wind forecast (WINDFOR) is of the same metered farms, hourly, up to eight times a day, about two days ahead.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np

from agents.energy.feed import Ask, Fetched, Finding, Flag
from agents.energy.feeds.elexon_rows import (
    Figures,
    Plausible,
    Read,
    Rows,
    asked_for,
    contradictions,
    day_chunks,
    finding,
    forecast_range,
    latest,
    minute,
    newest_figures,
    numbers,
    outturn_and_forecast,
    past_end,
    require_recent,
    require_some,
    rows_of,
    screened,
    series,
    slots_of,
)
from core.errors import FeedInvalid
from core.series import BoolArray, FloatArray, IntArray, Kind
from core.slots import slot_floor
from core.vintage import Quantity

HIGHEST_MW = 60_000.0
PLAUSIBLE_WIND = Plausible(-100.0, HIGHEST_MW, zero=False)
"""In a calm the farms may draw a little more than they give; that all of them together give 0 was never seen."""
DAYS_A_REQUEST = 7
OLDEST = timedelta(hours=6)
"""Age that the newest half-hour of FUELHH never has while the source works; 4.5 h was seen."""
FORECAST_AHEAD = timedelta(days=4)
"""Beyond the end of any wind forecast."""
USUAL = 0.9
"""A code reported in this share of an answer's half-hours is expected in all of them."""
ALWAYS = frozenset({"BIOMASS", "CCGT", "NPSHYD", "NUCLEAR", "WIND"})
"""Codes without which no half-hour is whole."""

FUEL_OF_CODE = {
    "CCGT": "gas",
    "OCGT": "gas",
    "NUCLEAR": "nuclear",
    "COAL": "coal",
    "BIOMASS": "biomass",
    "WIND": "wind",
    "NPSHYD": "hydro",
    "PS": "hydro",
}
"""Fuel of Elexon's codes; ``INT...`` are interconnectors, and OIL, OTHER and codes yet to come are "other"."""
MIX: Mapping[str, Quantity] = {
    "biomass": "share_biomass",
    "coal": "share_coal",
    "imports": "share_imports",
    "gas": "share_gas",
    "nuclear": "share_nuclear",
    "other": "share_other",
    "hydro": "share_hydro",
    "wind": "share_wind",
}
"""The fuels that FUELHH knows, in the order of :data:`core.vintage.FUELS`, and the quantity of each."""


def _fuelhh(ask: Ask, base: str, start: datetime, end: datetime, only: Mapping[str, str], where: str) -> Rows:
    return [
        row
        for first, last in day_chunks(start, end, DAYS_A_REQUEST)
        for row in rows_of(
            ask.get(
                f"{base}/datasets/FUELHH",
                {"settlementDateFrom": first.isoformat(), "settlementDateTo": last.isoformat(), **only},
            ),
            where,
        )
    ]


def fuel_mix(ask: Ask, base: str) -> Fetched:
    """Share of each fuel in transmission-metered generation and imports, percent.

    Exports and pumping are negative in the answer and no generation, so they count as nothing. A half-hour in which a
    usual code is not reported has no shares: those of the other fuels would read too high.
    """
    where = "Elexon FUELHH:"
    start, end = slot_floor(ask.start), past_end(ask)
    require_some(start, end, where, "past")
    found = _fuelhh(ask, base, start, end, {}, where)
    index, megawatts, whole, findings = _by_fuel(ask, found, where)
    total = megawatts.sum(axis=1)
    known = whole & (total > 0)
    shares = np.full_like(megawatts, np.nan)
    shares[known] = megawatts[known] / total[known, None] * 100
    require_recent(Figures(index, shares[:, 0], Kind.ESTIMATE), ask, OLDEST, where)
    source = "Elexon FUELHH GB (transmission and imports, without solar)"
    return Fetched(
        {
            quantity: series(ask, quantity, source, Figures(index, shares[:, column], Kind.ESTIMATE))
            for column, quantity in enumerate(MIX.values())
        },
        finding(Flag.GAP, "share_gas", asked_for(ask, index[~known]), "lack a usual fuel, or all, and have no shares.")
        + findings,
    )


def _by_fuel(ask: Ask, found: Rows, where: str) -> tuple[IntArray, FloatArray, BoolArray, tuple[Finding, ...]]:
    """Slots, MW by slot and fuel of :data:`MIX`, whether every usual code was reported, and codes reported twice."""
    ordered, published = latest(found, "publishTime", where)
    codes = [row.get("fuelType") for row in ordered]
    if not all(isinstance(code, str) for code in codes):
        raise FeedInvalid(f"{where} has a row without a fuelType.")
    megawatts = numbers(ordered, "generation", where)
    slots = slots_of(ordered, where)
    index, row = np.unique(slots, return_inverse=True)
    names, column = np.unique(np.array(codes, dtype=np.str_), return_inverse=True)
    given = np.abs(megawatts) <= HIGHEST_MW
    by_code = np.full((index.size, names.size), np.nan)
    by_code[row[given], column[given]] = megawatts[given]
    reported = ~np.isnan(by_code)
    generated = np.maximum(np.nan_to_num(by_code), 0.0)
    twice = contradictions(ask, "share_gas", slots, published * names.size + column, megawatts)
    return index, generated @ _fuels_of(names.tolist()), _whole(reported, names.tolist()), twice


def _whole(reported: BoolArray, codes: list[str]) -> BoolArray:
    """Slots in which every code is reported that has to be, (slots,) of ``reported`` (slots, codes)."""
    if not reported.size or not set(codes) >= ALWAYS:
        return np.zeros(len(reported), dtype=np.bool_)
    expected = (reported.mean(axis=0) >= USUAL) | np.isin(codes, sorted(ALWAYS))
    return np.asarray(reported[:, expected].all(axis=1))


def _fuels_of(codes: list[str]) -> FloatArray:
    """One row a code, with 1 in the column of its fuel in :data:`MIX`."""
    fuels = [FUEL_OF_CODE.get(code, "imports" if code.startswith("INT") else "other") for code in codes]
    return np.array([[float(fuel == each) for each in MIX] for fuel in fuels]).reshape(len(codes), len(MIX))


def wind(ask: Ask, base: str) -> Fetched:
    """Wind generation, MW: the outturn, and the forecast where there is none yet."""
    source = "Elexon wind GB (FUELHH, WINDFOR)"
    return outturn_and_forecast(ask, base, "wind", source, _wind_outturn, _wind_forecast)


def _wind_outturn(ask: Ask, base: str, start: datetime, end: datetime) -> Read:
    where = "Elexon FUELHH wind:"
    found = _fuelhh(ask, base, start, end, {"fuelType": "WIND"}, where)
    index, megawatts, findings = _wind_rows(ask, [row for row in found if row.get("fuelType") == "WIND"], where)
    figures = newest_figures(index, megawatts, Kind.ESTIMATE)
    require_recent(figures, ask, OLDEST, where)
    return figures, findings


def _wind_forecast(ask: Ask, base: str) -> Read:
    where = "Elexon WINDFOR:"
    start, end = forecast_range(ask, FORECAST_AHEAD, where)
    whole_hour = start.replace(minute=0)
    answer = ask.get(f"{base}/forecast/generation/wind/latest", {"from": minute(whole_hour), "to": minute(end)})
    index, megawatts, findings = _wind_rows(ask, rows_of(answer, where), where)
    figures = _both_halves(index, megawatts)
    require_recent(figures, ask, timedelta(0), where)
    return figures, findings


def _wind_rows(ask: Ask, found: Rows, where: str) -> tuple[IntArray, FloatArray, tuple[Finding, ...]]:
    ordered, published = latest(found, "publishTime", where)
    index = slots_of(ordered, where)
    megawatts, findings = screened(ask, "wind", index, numbers(ordered, "generation", where), PLAUSIBLE_WIND)
    return index, megawatts, findings + contradictions(ask, "wind", index, published, megawatts)


def _both_halves(index: IntArray, megawatts: FloatArray) -> Figures:
    """An hour's figure for its second half too, unless that has one of its own."""
    hourly = index % 2 == 0
    return newest_figures(
        np.concatenate((index[hourly] + 1, index)), np.concatenate((megawatts[hourly], megawatts)), Kind.FORECAST
    )
