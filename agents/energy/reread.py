"""Read again: whether the figures that a round was planned with are those in the bytes that were stored.

For each series that a round used, its record names the stored answer behind each stretch of slots. Here those bytes are
parsed anew, by the same feed, without a network and at the time of the fetch, and compared with the planned instance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from agents.energy.build import live_feeds
from agents.energy.client import StoredAnswers
from agents.energy.feed import Ask, Feed
from agents.energy.outlook import derived_again
from agents.energy.terms import ADDRESS, settings_of
from core.errors import FeedError, NotFound, StoreUnavailable
from core.instance import Instance, SiteInstance
from core.series import FloatArray, Series
from core.slots import SLOT
from core.vintage import OWN_FORECASTS, Fetch, Quantity
from store.vintages import VintageRepository

TOLERANCE = 1e-8
"""Instances keep nine decimals."""
MOST_KEPT = 512
"""fetches whose series stay in memory while rounds are read one after another"""
FIELDS: dict[str, str] = {"price": "price_gbp_per_kwh", "carbon": "carbon_g_per_kwh"}


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Slots of a round whose figures the stored bytes do not give.

    :param planned: the figure that was planned with.
    :param read: the figure in the bytes; None where they give none, ``why`` then says so.
    """

    zone: str
    quantity: str
    slot: datetime
    fetch_id: str
    planned: float
    read: float | None
    why: str


@dataclass(frozen=True, slots=True)
class Reread:
    """How many figures were compared, how many rest on no stored answer (simulated, replayed), and what differs."""

    compared: int
    unstored: int
    mismatches: tuple[Mismatch, ...]


class Rereader:
    """Parses stored answers anew, each once, with the settings that they were first read with.

    :param feeds: for answers that keep no settings.
    """

    def __init__(self, vintages: VintageRepository, feeds: Sequence[Feed] = ()) -> None:
        self._vintages = vintages
        self._feeds = _by_name(feeds)
        self._built: dict[str, Mapping[str, Feed]] = {}
        self._read: dict[str, Mapping[Quantity, Series] | str] = {}

    def round(self, body: Mapping[str, Any], instance: Instance) -> Reread:
        """Compare a round's record and its instance with the stored bytes.

        Prices and carbon are compared with what was planned with; weather, of which a plan holds only what cooling it
        needs, with what was read at first.
        """
        compared = unstored = 0
        found: list[Mismatch] = []
        by_zone = {site.region: site for site in instance.sites}
        for use in body["feeds"]:
            site = by_zone.get(use["zone"])
            if site is None and use["quantity"] in FIELDS:
                continue
            for origin in use["origins"]:
                count = min(origin["last"], instance.slots) - origin["first"]
                if origin["fetch_id"] is None:
                    unstored += count
                else:
                    compared += count
                    found += self._mismatches(site, use, origin, instance)
            found += _uncovered(use, instance)
        return Reread(compared, unstored, tuple(found))

    def again(self, fetch: Fetch) -> Mapping[Quantity, Series]:
        """The series in a stored answer's bytes. Raises :class:`core.errors.FeedError`."""
        if fetch.feed == OWN_FORECASTS:
            return derived_again(fetch)
        feed = self._feeds_of(fetch)[fetch.feed]
        asked = Ask(fetch.zone, fetch.start, fetch.end, fetch.fetched_at, StoredAnswers(fetch.answers))
        return feed.fetch(asked).series

    def _feeds_of(self, fetch: Fetch) -> Mapping[str, Feed]:
        digest = next((answer.sha256 for answer in fetch.answers if answer.url == ADDRESS), None)
        if digest is not None and digest not in self._built:
            settings = settings_of(fetch)
            self._built[digest] = _by_name(live_feeds(settings)) if settings is not None else {}
        return self._feeds if digest is None else self._built[digest]

    def _series(self, fetch_id: str) -> Mapping[Quantity, Series] | str:
        """What the bytes of a fetch give, or why they give nothing."""
        if fetch_id not in self._read:
            if len(self._read) == MOST_KEPT:
                del self._read[next(iter(self._read))]
            try:
                fetch = self._vintages.get(fetch_id)
                if fetch.fetch_id != fetch_id:
                    raise NotFound(f"what is stored as {fetch_id} is {fetch.fetch_id}: it was changed")
                self._read[fetch_id] = self.again(fetch)
            except (FeedError, NotFound, StoreUnavailable, KeyError) as error:
                self._read[fetch_id] = f"{type(error).__name__}: {error}"
        return self._read[fetch_id]

    def _first_read(self, fetch_id: str, quantity: Quantity, start: datetime, count: int) -> FloatArray:
        """What was read from a fetch when it came, (count,); NaN where that is lost."""
        try:
            series = self._vintages.described(fetch_id)[0].series[quantity]
        except (NotFound, KeyError):
            return np.full(count, np.nan)
        return series.window(start, count).values

    def _mismatches(
        self, site: SiteInstance | None, use: Mapping[str, Any], origin: Mapping[str, Any], instance: Instance
    ) -> list[Mismatch]:
        first, last = origin["first"], min(origin["last"], instance.slots)
        start = instance.start + SLOT * first
        series = self._series(origin["fetch_id"])
        if site is not None and use["quantity"] in FIELDS:
            planned = np.array(getattr(site, FIELDS[use["quantity"]])[first:last])
        else:
            planned = self._first_read(origin["fetch_id"], use["quantity"], start, last - first)
        if isinstance(series, str) or use["quantity"] not in series:
            why = series if isinstance(series, str) else f"its bytes hold no {use['quantity']}"
            return [Mismatch(use["zone"], use["quantity"], start, origin["fetch_id"], float(planned[0]), None, why)]
        read = series[use["quantity"]].window(start, last - first).values
        return [
            Mismatch(
                use["zone"], use["quantity"], start + SLOT * int(at), origin["fetch_id"], float(planned[at]),
                None if np.isnan(read[at]) else float(read[at]), "the bytes give another figure",
            )
            for at in np.flatnonzero(~(np.abs(read - planned) <= TOLERANCE))
        ]  # fmt: skip


def _uncovered(use: Mapping[str, Any], instance: Instance) -> list[Mismatch]:
    """Slots of which a record does not say where their figures are from; weather may be simulated in part."""
    told = np.zeros(instance.slots, dtype=np.bool_)
    for origin in use["origins"]:
        told[origin["first"] : origin["last"]] = True
    if use["quantity"] not in FIELDS or told.all():
        return []
    slot = instance.start + SLOT * int(np.argmin(told))
    why = f"the record names no origin of {int((~told).sum())} slots"
    return [Mismatch(use["zone"], use["quantity"], slot, "", float("nan"), None, why)]


def _by_name(feeds: Sequence[Feed]) -> dict[str, Feed]:
    return {feed.declaration.name: feed for feed in feeds}
