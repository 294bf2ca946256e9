"""Carbon intensity and generation mix of Great Britain and its regions from the Carbon Intensity API (NESO).

API: https://carbon-intensity.github.io/api-definitions/. National rows carry ``actual`` from about half an hour after
the slot, null until then, revised for a day and more. Regional rows never do: once the slot has passed, their last
revision is the firmest figure that will ever exist, so it is labelled an estimate like the national ``actual``, which
is modelled too.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import cast
from urllib.parse import urlsplit

import numpy as np

from agents.energy.feed import Ask, Declaration, Feed, Fetched, Finding, Flag, Limits
from agents.energy.feeds.carbon_regions import REGION_IDS
from agents.energy.feeds.carbon_rows import Row, chosen, minute, ranges, rows_of, shares_of, within
from agents.energy.reading import (
    SPURIOUS_ZERO_ABOVE_G,
    findings_at,
    mapping,
    numbers,
    require_current,
    series_at,
    slot_of,
)
from agents.energy.zones import GB
from core.errors import FeedError, FeedInvalid
from core.halfhours import instant_of, slot_index
from core.series import BoolArray, FloatArray, IntArray, Kind, KindArray
from core.settings import Settings
from core.slots import SLOT, SLOTS_PER_DAY, slot_ceil, slot_floor
from core.vintage import FUELS, UNITS, Quantity

SHARES = tuple(cast("Quantity", f"share_{fuel}") for fuel in FUELS)
"""The quantities of the mix, in the order of ``FUELS``."""
HIGHEST_G = 1500.0
DOCUMENTED_HORIZON = 2 * SLOTS_PER_DAY
LONGEST_HORIZON = timedelta(hours=96)
"""What the API's home page promises; its documentation and the address ``fw48h`` go half as far."""
_BURNT = [FUELS.index(fuel) for fuel in ("biomass", "coal", "gas", "other")]
MOST_BURNT = 5.0
"""Percent of fuels that burn beside which an intensity of 0 is still believed: shares and intensity are rounded."""
WHOLE_MIX = (95.0, 105.0)
"""Between these the rounded shares of a mix add up, in percent."""
MIX_LAG = timedelta(hours=3)
"""The newest generation mix is never older: it comes an hour after its slot."""
JUST_AFTER = timedelta(minutes=1)
"""Asked at one minute past, a forecast begins with the present slot instead of the one that just ended."""
BRIDGE = 2 * SLOT
FIRST_HISTORY = timedelta(days=28)
"""What a forecast is fitted to before a backfill."""
LIMITS = Limits(120, timedelta(minutes=1))
"""The API has a limit of a size that it does not state; two requests a second are taken to be modest."""
_HOME = "https://carbon-intensity.github.io/api-definitions/"
_ATTRIBUTION = "Carbon intensity: NESO Carbon Intensity API (carbonintensity.org.uk), CC BY 4.0"


class CarbonIntensityFeed:
    """The feed ``carbon-intensity``: ``GB``, the 14 ``GB-<letter>`` and the nations ``GB-ENG``, ``GB-SCT``, ``GB-WLS``.

    Regions have their generation mix in the same rows; that of ``GB`` is :class:`CarbonMixFeed`'s.
    """

    def __init__(self, base_url: str) -> None:
        self._base = base_url.rstrip("/")

    @property
    def declaration(self) -> Declaration:
        return Declaration(
            name="carbon-intensity",
            title="Carbon Intensity API",
            home=_HOME,
            licence="CC BY 4.0",
            attribution=_ATTRIBUTION,
            host=urlsplit(self._base).netloc,
            quantities=("carbon", *SHARES),
            units="gCO2/kWh and percent of generation, as used",
            limits=LIMITS,
            done=(
                "national and regional intensity: history, and forecast as far as it goes",
                "generation mix of the regions",
                "all 18 regions, regions by postcode, index bands by year",
            ),
            exempt=(
                "intensity/factors: constants of the method, which no figure here is made from",
                "intensity/stats: follows from the half-hours that are kept",
                "intensity/date, pt24h, fw24h: the same rows as the ranges and fw48h",
            ),
            first_history=FIRST_HISTORY,
        )

    def serves(self, zone: str) -> bool:
        """Whether the zone is Great Britain, a region or a nation of it."""
        return zone in REGION_IDS

    def fetch(self, ask: Ask) -> Fetched:
        """Intensity of the zone, and for regions the generation mix."""
        regional = ask.zone != GB
        where = f"Carbon Intensity API, {ask.zone}:"
        index, found = within(self._answered(ask, where), ask, where)
        if not found:
            raise FeedInvalid(f"{where} no figures for the time asked.")
        shares = shares_of(found, where) if regional else None
        values, kinds, zeros = _intensities(index, found, shares, ask.now, where)
        best, disputed = chosen(index, kinds, values)
        known = best[kinds[best] != Kind.MISSING]
        if not known.size:
            raise FeedInvalid(f"{where} no figures for the time asked but {zeros.sum()} zeros that cannot be true.")
        require_current(int(index[known[-1]]), ask.end, ask.now, where.rstrip(":"))
        source = f"Carbon Intensity API {ask.zone}"
        carbon = series_at(index[known], values[known], kinds[known], UNITS["carbon"], source, ask.now)
        findings = _noticed(ask, index[known], index[zeros], disputed)
        if shares is None:
            return Fetched({"carbon": carbon}, findings)
        passed = np.where(index[best] < slot_index(ask.now), Kind.ESTIMATE, Kind.FORECAST).astype(np.int8)
        mix = _mix_series(index[best], shares[best], passed, source, ask)
        return Fetched({"carbon": carbon, **mix.series}, (*findings, *mix.findings))

    def _answered(self, ask: Ask, where: str) -> list[Row]:
        """Past slots by range, then the forecast from the present slot on."""
        region_id = None if ask.zone == GB else REGION_IDS[ask.zone]
        kind = "intensity" if region_id is None else "regional/intensity"
        region = "" if region_id is None else f"/regionid/{region_id}"

        def asked(period: str) -> list[Row]:
            return rows_of(ask.get(f"{self._base}/{kind}/{period}{region}"), region_id, where)

        present = slot_floor(ask.now)
        past = ranges(slot_floor(ask.start), min(ask.end, present))
        found = [row for first, last in past for row in asked(f"{minute(first)}/{minute(last)}")]
        return found + _forecast(asked, ask, where) if ask.end > present else found


def _forecast(asked: Callable[[str], list[Row]], ask: Ask, where: str) -> list[Row]:
    """From the present slot on, 48 hours and what there is beyond; also where the year ends within them."""
    present = slot_floor(ask.now)
    found = asked(f"{minute(present + JUST_AFTER)}/fw48h")
    known_until = max((instant_of(slot_of(row.get("to"), f"{where} to")) for row in found), default=present)
    if known_until <= present:
        return found
    for first, last in ranges(known_until, min(ask.end, present + LONGEST_HORIZON)):
        try:
            found += asked(f"{minute(first)}/{minute(last)}")
        except FeedError:  # beyond its documented horizon the API owes no answer
            break
    return found


class CarbonMixFeed:
    """The feed ``carbon-mix``: the generation mix of ``GB``, metered, and ahead as forecast for region 18."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url.rstrip("/")

    @property
    def declaration(self) -> Declaration:
        return Declaration(
            name="carbon-mix",
            title="Carbon Intensity API, generation mix",
            home=_HOME,
            licence="CC BY 4.0",
            attribution=_ATTRIBUTION,
            host=urlsplit(self._base).netloc,
            quantities=SHARES,
            units="percent of generation, as used",
            limits=LIMITS,
            done=("national generation mix: history, and forecast for 48 hours",),
            exempt=("generation/pt24h: the same rows as the ranges",),
        )

    def serves(self, zone: str) -> bool:
        """Whether the zone is Great Britain."""
        return zone == GB

    def fetch(self, ask: Ask) -> Fetched:
        """The share of each fuel."""
        where = "Carbon Intensity API, generation mix:"
        metered, metered_rows = within(self._metered(ask, where), ask, where)
        ahead, ahead_rows = within(self._ahead(ask, where), ask, where)
        index = np.concatenate((metered, ahead))
        if not index.size:
            raise FeedInvalid(f"{where} no figures for the time asked.")
        if ask.end > ask.now:
            require_current(int(index.max()), ask.end, ask.now - MIX_LAG, where.rstrip(":"))
        kinds = np.repeat(np.array([Kind.ESTIMATE, Kind.FORECAST], dtype=np.int8), (metered.size, ahead.size))
        shares = shares_of([*metered_rows, *ahead_rows], where)
        best, disputed = chosen(index, kinds, shares)
        source = "Carbon Intensity API GB generation mix" + (" + its region 18 ahead" if ahead.size else "")
        fetched = _mix_series(index[best], shares[best], kinds[best], source, ask)
        if not fetched.series:
            raise FeedInvalid(f"{where} no mix adds up to the whole.")
        twice = [each for share in SHARES for each in findings_at(Flag.DUPLICATE, share, disputed, _TWICE)]
        return Fetched(fetched.series, (*fetched.findings, *twice))

    def _metered(self, ask: Ask, where: str) -> list[Row]:
        """Passed slots, the last hour's left out."""
        return [
            row
            for first, last in ranges(slot_floor(ask.start), min(ask.end, slot_floor(ask.now)))
            for row in rows_of(ask.get(f"{self._base}/generation/{minute(first)}/{minute(last)}"), None, where)
        ]

    def _ahead(self, ask: Ask, where: str) -> list[Row]:
        """The forecast mix, from an hour back on: the metered one is that late."""
        if ask.end <= slot_floor(ask.now):
            return []
        since = minute(slot_floor(ask.now) - BRIDGE + JUST_AFTER)
        region_id = REGION_IDS[GB]
        url = f"{self._base}/regional/intensity/{since}/fw48h/regionid/{region_id}"
        return rows_of(ask.get(url), region_id, where)


_TWICE = "{count} slots were given twice with different figures; the last ones are used."


def _intensities(
    index: IntArray, found: list[Row], shares: FloatArray | None, now: datetime, where: str
) -> tuple[FloatArray, KindArray, BoolArray]:
    """Intensity (n,) in g/kWh and kind (n,) of each row, and which of them carry a zero that cannot be true.

    A region may be free of carbon for hours: its zero is believed beside a mix (``shares``, (n, 9)) that says so; the
    API has given zeros beside nothing but gas. Great Britain as a whole (``shares`` None) never was: a forecast of 0 is
    not believed there, an actual one is beside a forecast that is nearly as low.
    """
    told = [mapping(row.get("intensity"), f"{where} intensity") for row in found]
    forecast, actual = (
        numbers([each.get(name) for each in told], 0, HIGHEST_G, f"{where} {name} (g/kWh)")
        for name in ("forecast", "actual")
    )
    regional = shares is not None
    burnt = np.full(index.size, np.inf) if shares is None else shares[:, _BURNT].sum(axis=1)
    false_forecasts = (forecast == 0) & ~(burnt <= MOST_BURNT)
    forecast = np.where(false_forecasts, np.nan, forecast)
    false_actuals = (actual == 0) & ~(forecast <= SPURIOUS_ZERO_ABOVE_G)
    known = ~np.isnan(actual) & ~false_actuals
    values = np.where(known, actual, forecast)
    firm = known | (regional & (index < slot_index(now)))
    kinds = np.where(np.isnan(values), Kind.MISSING, np.where(firm, Kind.ESTIMATE, Kind.FORECAST))
    return values, kinds.astype(np.int8), false_forecasts | false_actuals


def _noticed(ask: Ask, known: IntArray, zeros: IntArray, disputed: IntArray) -> tuple[Finding, ...]:
    """What is to be noted about an intensity whose figures are of the slots ``known``, in order."""
    start, end, present = slot_index(ask.start), slot_index(slot_ceil(ask.end)), slot_index(ask.now)
    past_alone = ask.end <= ask.now
    expected = np.arange(start, end if past_alone else int(known[-1]) + 1)
    due = np.arange(int(known[-1]) + 1, end if past_alone else min(end, present + DOCUMENTED_HORIZON))
    zero = "{count} slots have 0 g/kWh beside a forecast or a mix that is not free of carbon; the zero is not used."
    gap = "{count} slots have no figure and are left open."
    short = f"{{count}} of the {DOCUMENTED_HORIZON} slots ahead have no figure; nothing is put in their place."
    return (
        *findings_at(Flag.SPURIOUS_ZERO, "carbon", np.unique(zeros), zero),
        *findings_at(Flag.DUPLICATE, "carbon", disputed, _TWICE),
        *findings_at(Flag.GAP, "carbon", np.setdiff1d(expected, known), gap),
        *(() if past_alone else findings_at(Flag.SHORT_HORIZON, "carbon", due, short)),
    )


def _mix_series(index: IntArray, shares: FloatArray, kinds: KindArray, source: str, ask: Ask) -> Fetched:
    """A series for each fuel. A mix whose shares do not add up to the whole is not used, and noted."""
    total = np.nansum(shares, axis=1)
    told = ~np.isnan(shares).all(axis=1)
    wrong = told & ((total < WHOLE_MIX[0]) | (total > WHOLE_MIX[1]))
    detail = f"{{count}} mixes that add up to less than {WHOLE_MIX[0]:g} or more than {WHOLE_MIX[1]:g} % are not used."
    findings = tuple(each for share in SHARES for each in findings_at(Flag.OUTLIER, share, index[wrong], detail))
    used = told & ~wrong
    if not used.any():
        return Fetched({}, findings)
    series = {
        quantity: series_at(index[used], shares[used, column], kinds[used], UNITS[quantity], source, ask.now)
        for column, quantity in enumerate(SHARES)
    }
    return Fetched(series, findings)


def feeds(settings: Settings) -> tuple[Feed, ...]:
    """The feeds of this module."""
    return CarbonIntensityFeed(settings.carbon_intensity_url), CarbonMixFeed(settings.carbon_intensity_url)
