"""A site's own load as its meters report it. Until real ones do, they are simulated from the site's profile.

A meter knows nothing of a slot that has not begun: what a site will draw is for :mod:`agents.site.load_forecast`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np

from agents.site.draws import slot_seconds, wandering
from core.clock import Clock
from core.series import FloatArray, Kind
from core.site import Site
from core.slots import SLOT, SLOTS_PER_DAY, slot_starts

BUSIEST_HOUR = 15.0  # local clock time
NOISE_SHARE = 0.02  # standard deviation over the mean
_NOISE_PERIODS_S = (2 * 3600.0, 20 * 3600.0)


@cache
def _zone(name: str) -> ZoneInfo:
    """A time zone, read from disk once (zoneinfo itself keeps only the last eight)."""
    return ZoneInfo(name)


def _offset_hours(zone: ZoneInfo, instant: datetime) -> float:
    offset = instant.astimezone(zone).utcoffset()
    return offset.total_seconds() / 3600 if offset is not None else 0.0


def _offsets(zone: ZoneInfo, start: datetime, slots: int) -> FloatArray:
    """Hours from UTC to local clock time, (T,), exact on days when the clocks change."""
    edges = [*range(0, slots, SLOTS_PER_DAY), slots]
    at_edges = [_offset_hours(zone, start + SLOT * edge) for edge in edges]
    offsets = np.repeat(at_edges[:-1], np.diff(edges))
    for (first, last), (before, after) in zip(pairwise(edges), pairwise(at_edges), strict=True):
        if before != after:
            days_slots = slot_starts(start + SLOT * first, last - first)
            offsets[first:last] = [_offset_hours(zone, instant) for instant in days_slots]
    return np.asarray(offsets, dtype=np.float64)


class Meters(Protocol):
    """What tells the own load of the past."""

    @property
    def kind(self) -> Kind:
        """What the readings are."""
        ...

    def read(self, sites: Sequence[Site], start: datetime, slots: int) -> FloatArray:
        """Own load at the meter in kW, (S, T); :class:`ValueError` for a slot that has not begun."""
        ...


class SimulatedMeters:
    """Meters whose readings are drawn from the sites' profiles: a function of seed, site and instant."""

    kind = Kind.SIMULATED

    def __init__(self, clock: Clock, seed: int) -> None:
        self._clock = clock
        self._seed = seed

    def read(self, sites: Sequence[Site], start: datetime, slots: int) -> FloatArray:
        now, last = self._clock.now(), start + SLOT * (slots - 1)
        if last > now:
            raise ValueError(f"no meter has read the slot of {last.isoformat()}: it is {now.isoformat()} now")
        return simulated_load_kw(sites, self._seed, start, slots)


def simulated_load_kw(sites: Sequence[Site], seed: int, start: datetime, slots: int) -> FloatArray:
    """Simulated outturn of the own load at the meter, (S, T), between 0 and the site's capacity.

    The mean of the profile, swinging by ``own_load_swing`` around 15:00 local time, with a little smooth noise.
    """
    if not sites:
        return np.empty((0, slots))
    seconds = slot_seconds(start, slots)
    offsets = {name: _offsets(_zone(name), start, slots) for name in {site.timezone for site in sites}}
    local_hour = seconds / 3600.0 + np.stack([offsets[site.timezone] for site in sites])
    noise = np.stack([wandering(seconds, *_NOISE_PERIODS_S, seed, "own load", site.site_id) for site in sites])
    mean, swing, capacity = (
        np.array([[getattr(site, field)] for site in sites])
        for field in ("own_load_kw", "own_load_swing", "capacity_kw")
    )
    course = 1.0 + swing * np.cos(2 * np.pi * (local_hour - BUSIEST_HOUR) / 24.0) + NOISE_SHARE * noise
    return np.asarray(np.clip(mean * course, 0.0, capacity), dtype=np.float64)
