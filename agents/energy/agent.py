"""The energy agent: what power costs and how dirty it is, in every zone and slot, and where each figure is from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from agents.energy.book import HISTORY, Condition
from agents.energy.feed import FeedStatus
from agents.energy.forecast import HalfHour, profile_forecast
from agents.energy.halfhours import london_half_hour, utc_half_hour
from agents.energy.live import LiveFeeds
from agents.energy.replay import Replay
from agents.energy.simulated import UNITS, Simulator
from agents.energy.zones import is_gb, require_known
from agents.messages import EnergyQuote, Notice
from core.clock import Clock
from core.errors import NotFound
from core.series import Kind, Series
from core.slots import SLOT, slot_floor, slots_between
from core.vintage import Quantity

QUANTITIES: tuple[Quantity, ...] = ("price", "carbon")
SIMULATED = "simulated"
REPLAY = "replay"
MISSING = np.int8(Kind.MISSING)


@dataclass(frozen=True, slots=True)
class _Window:
    """The slots asked for, seen from ``now``."""

    now: datetime
    start: datetime
    slots: int

    @property
    def end(self) -> datetime:
        return self.start + SLOT * self.slots


class EnergyAgent:
    """Quotes price and carbon for every zone, of live feeds, recorded figures or simulation.

    :param live: live feeds (modes auto and live), or None.
    :param replay: recorded figures (mode replay), or None.
    :param allow_simulated: False in mode live: a GB zone without any figure then stays MISSING, and whoever asks must
        leave the sites in that zone out and say why. In every other mode each slot quoted has a value.
    :param allowed: zones that may be asked for; empty for all.
    """

    def __init__(
        self,
        clock: Clock,
        zones: Sequence[str],
        simulator: Simulator,
        *,
        live: LiveFeeds | None = None,
        replay: Replay | None = None,
        allow_simulated: bool = True,
        allowed: Sequence[str] = (),
    ) -> None:
        self._clock = clock
        self._simulator = simulator
        self._live = live
        self._replay = replay
        self._allow_simulated = allow_simulated
        self._allowed = frozenset(allowed)
        self._started = clock.now()
        self._zones: dict[str, None] = {}
        self.watch(zones)

    def watch(self, zones: Iterable[str]) -> None:
        """Follow these zones too: their feeds are asked from the next refresh on. :class:`NotFound` for others."""
        for zone in zones:
            if zone in self._zones:
                continue
            require_known(zone)
            if self._allowed and zone not in self._allowed:
                raise NotFound(f"grid zone {zone!r} is not enabled", remedy="Add it to ENABLED_REGIONS and restart.")
            if self._live is not None:
                self._live.watch((zone,))
            self._zones[zone] = None

    def zones(self) -> tuple[str, ...]:
        """The zones followed, in the order they were asked for."""
        return tuple(self._zones)

    def attributions(self) -> tuple[str, ...]:
        """Whose figures are in use and under which licence, to be shown with them."""
        source = self._live or self._replay
        return source.attributions if source is not None else ()

    def refresh(self, *, force: bool = False) -> list[FeedStatus]:
        """Ask the feeds that are due, or all with ``force``, then say how every one stands.

        Waits for the network, up to half a minute a request where a host does not answer.
        """
        if self._live is not None:
            self._live.refresh(force=force)
        return self.status()

    def quote(self, zones: Sequence[str], start: datetime, slots: int) -> EnergyQuote:
        """Price and carbon of ``zones`` for the ``slots`` slots from ``start``, without touching the network.

        Each slot has the firmest figure there is: published, then forecast from last week's profile, then simulated. A
        zone not followed yet is followed from now on.
        """
        self.watch(zones)
        window = _Window(self._clock.now(), slot_floor(start), slots)
        price = {zone: self._quoted(zone, "price", window) for zone in zones}
        carbon = {zone: self._quoted(zone, "carbon", window) for zone in zones}
        return EnergyQuote(window.now, window.start, slots, price, carbon, self.notices())

    def observed(self, zone: str, start: datetime, slots: int) -> tuple[Series, Series]:
        """Price and carbon of slots that have ended, the firmest known; MISSING for others and where nothing is known.

        Where the zone is simulated the outturn of the simulation is its past, and labelled so.
        """
        self.watch((zone,))
        window = _Window(self._clock.now(), slot_floor(start), slots)
        return self._observed(zone, "price", window), self._observed(zone, "carbon", window)

    def status(self) -> list[FeedStatus]:
        """How each zone's price and carbon stand."""
        statuses = self._live.status() if self._live else []
        served = {(status.zone, status.quantity) for status in statuses}
        for zone in self.zones():
            statuses += [self._unasked(zone, quantity) for quantity in QUANTITIES if (zone, quantity) not in served]
        return statuses

    def notices(self) -> tuple[Notice, ...]:
        """What every page must say: which zones are stale, simulated or replayed, since when, and why."""
        groups: dict[tuple[str, str], list[tuple[str, Condition]]] = {}
        for zone in self.zones():
            for quantity in QUANTITIES:
                feed, condition = self._condition(zone, quantity)
                if condition.state != "live":
                    groups.setdefault((feed, condition.state), []).append((zone, condition))
        return tuple(
            Notice(
                feed,
                tuple(dict.fromkeys(zone for zone, _ in found)),
                state,
                min(condition.since for _, condition in found),
                found[0][1].detail,
            )
            for (feed, state), found in groups.items()
        )

    # -- one zone, one quantity -------------------------------------------------------------------------------------

    def _condition(self, zone: str, quantity: Quantity) -> tuple[str, Condition]:
        """Feed name and condition of a figure."""
        if self._live is not None and self._live.serves(zone, quantity):
            return self._live.name(zone, quantity), self._live.condition(zone, quantity)
        if self._replay is not None and self._replay.serves(zone, quantity):
            return REPLAY, Condition("replayed", self._started, self._replay.description)
        return SIMULATED, Condition("simulated", self._started, self._why_simulated())

    def _why_simulated(self) -> str:
        """Why figures without a feed are simulated."""
        if self._live is not None:
            return "There is no live feed for these zones."
        if self._replay is not None:
            return "No figures were recorded for these zones."
        return "Simulated signals were asked for."

    def _unasked(self, zone: str, quantity: Quantity) -> FeedStatus:
        feed, condition = self._condition(zone, quantity)
        until = self._replay.end if self._replay is not None and condition.state == "replayed" else None
        return FeedStatus(feed, zone, quantity, condition.state, known_until=until)

    def _known(self, zone: str, quantity: Quantity, window: _Window) -> Series | None:
        """Published and observed figures from a week before the present to the window's end; None where no feed is."""
        start = min(window.start, slot_floor(window.now - HISTORY))
        count = max(slots_between(start, window.end), 0)
        if self._replay is not None and self._replay.serves(zone, quantity):
            return self._replay.figures(zone, quantity, window.now, start, count)
        if self._live is None or not self._live.serves(zone, quantity):
            return None
        known = self._live.figures(zone, quantity)
        state = self._live.condition(zone, quantity).state
        if known is None:
            return Series.missing(start, count, UNITS[quantity], f"no figures of {zone}", window.now)
        return replace(known.window(start, count), stale=state == "stale")

    def _quoted(self, zone: str, quantity: Quantity, window: _Window) -> Series:
        known = self._known(zone, quantity, window)
        if known is None:
            return self._simulator.forecast(zone, quantity, window.start, window.slots, window.now)
        quoted = known.window(window.start, window.slots)
        if not self._is_replaced(zone, quantity):
            quoted = self._with_profile(quoted, known, zone, window)
        if self._allow_simulated and _has_gaps(quoted):
            weaker = self._simulator.forecast(zone, quantity, window.start, window.slots, window.now)
            quoted = _joined(quoted, weaker)
        return quoted

    def _is_replaced(self, zone: str, quantity: Quantity) -> bool:
        """Whether the zone's feed has failed for so long that simulation stands in for it."""
        return self._condition(zone, quantity)[1].state == "simulated"

    def _with_profile(self, quoted: Series, known: Series, zone: str, window: _Window) -> Series:
        if not _has_gaps(quoted):
            return quoted
        half_hour: HalfHour = london_half_hour if is_gb(zone) else utc_half_hour
        expected = profile_forecast(known, quoted.start, window.slots, half_hour, window.now)
        return quoted if expected is None else _joined(quoted, expected)

    def _observed(self, zone: str, quantity: Quantity, window: _Window) -> Series:
        passed = max(0, min(window.slots, slots_between(window.start, slot_floor(window.now))))
        return self._past(zone, quantity, window, passed).window(window.start, window.slots)

    def _past(self, zone: str, quantity: Quantity, window: _Window, passed: int) -> Series:
        known = self._known(zone, quantity, window)
        if known is None:
            return self._simulator.outturn(zone, quantity, window.start, passed, window.now)
        past = known.window(window.start, passed)
        if self._live is not None and _has_gaps(past):
            gaps = np.flatnonzero(past.kinds == MISSING)
            first, last = past.start + SLOT * int(gaps[0]), past.start + SLOT * int(gaps[-1])
            stored = self._live.stored(zone, quantity, first, last + SLOT)
            past = past if stored is None else past.overlay(stored)
        no_record = self._replay is not None or self._is_replaced(zone, quantity)
        if no_record and _has_gaps(past):
            past = _joined(past, self._simulator.outturn(zone, quantity, window.start, passed, window.now))
        return past


def _has_gaps(series: Series) -> bool:
    return bool(np.any(series.kinds == MISSING))


def _joined(firmer: Series, weaker: Series) -> Series:
    """``firmer`` with its gaps filled; where it has nothing at all, ``weaker`` under its own name."""
    return weaker if np.all(firmer.kinds == MISSING) else firmer.overlay(weaker)
