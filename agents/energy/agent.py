"""The energy agent: what power costs and how dirty it is, in every zone and slot, and where each figure is from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from agents.energy.book import runs
from agents.energy.calibration import Calibration, Errors, errors_of
from agents.energy.client import HostState
from agents.energy.entry import Condition
from agents.energy.feed import Declaration, FeedStatus, State
from agents.energy.live import LiveFeeds
from agents.energy.outlook import Outlook, Subject
from agents.energy.places import place_of
from agents.energy.quoting import Layers
from agents.energy.simulated import Simulator
from agents.energy.sources import Sources
from agents.energy.stress import REFERENCE, Signs, grid_stress, reasons
from agents.energy.zones import GB, ZONES, is_gb, require_known
from agents.messages import EnergyQuote, Notice, Origin, WeatherQuote
from core.clock import Clock
from core.errors import NotFound
from core.series import Kind, Series
from core.slots import slot_floor, slots_between
from core.vintage import Fetch, Quantity

QUANTITIES: tuple[Quantity, ...] = ("price", "carbon")
COMPARED_EVERY = timedelta(hours=24)
STRESS_AHEAD = timedelta(days=8)
MISSING = np.int8(Kind.MISSING)


@dataclass(frozen=True, slots=True)
class Window:
    """The slots asked for, seen from ``now``."""

    now: datetime
    start: datetime
    slots: int


class EnergyAgent:
    """Quotes price and carbon for every zone, of live feeds, recorded figures or simulation.

    :param sources: where figures come from.
    :param outlook: our own forecasts of what is not published yet.
    :param subjects: what is forecast of a zone once it is followed, and with which inputs.
    :param allow_simulated: False in mode live: a zone without any figure then stays MISSING, and whoever asks must
        leave the sites in that zone out and say why. In every other mode each slot quoted has a value.
    :param allowed: zones that may be asked for; empty for all.
    """

    def __init__(
        self,
        clock: Clock,
        sources: Sources,
        simulator: Simulator,
        outlook: Outlook,
        *,
        live: LiveFeeds | None = None,
        allow_simulated: bool = True,
        allowed: Sequence[str] = (),
        subjects: Callable[[str], Sequence[Subject]] = lambda _: (),
    ) -> None:
        self._clock = clock
        self._sources = sources
        self._simulator = simulator
        self._outlook = outlook
        self._live = live
        self._allow_simulated = allow_simulated
        self._allowed = frozenset(allowed)
        self._subjects = subjects
        self._calibration = Calibration()
        self._compared_at: datetime | None = None
        self._signs: tuple[datetime, Signs] | None = None
        self._zones: dict[str, None] = {}

    # -- what is followed -------------------------------------------------------------------------------------------

    def watch(self, zones: Iterable[str]) -> None:
        """Follow these zones too: their feeds are asked from the next refresh on. :class:`NotFound` for others."""
        for zone in zones:
            if zone in self._zones:
                continue
            require_known(zone)
            if self._allowed and zone not in self._allowed:
                raise NotFound(f"grid zone {zone!r} is not enabled", remedy="Add it to ENABLED_REGIONS and restart.")
            subjects = self._subjects(zone)
            if self._live is not None:
                place = place_of(ZONES[zone].latitude, ZONES[zone].longitude)
                self._live.watch((zone, *((GB,) if is_gb(zone) else ()), place))
                for each in (each for subject in subjects for each in subject.inputs):
                    self._live.watch((each.zone,), each.quantity)
            self._outlook.watch(subjects)
            self._zones[zone] = None

    def zones(self) -> tuple[str, ...]:
        """The zones followed, in the order they were asked for."""
        return tuple(self._zones)

    def attributions(self) -> tuple[str, ...]:
        """Whose figures are in use and under which licence, to be shown with them."""
        return self._sources.attributions()

    def declarations(self) -> tuple[Declaration, ...]:
        """What every feed there is says of itself; none where no feed is asked."""
        return self._live.declarations if self._live is not None else ()

    def hosts(self) -> tuple[HostState, ...]:
        """How the hosts of the feeds answer; none where no feed is asked."""
        return self._live.hosts if self._live is not None else ()

    # -- asking the world -------------------------------------------------------------------------------------------

    def refresh(self, *, force: bool = False) -> list[FeedStatus]:
        """Ask the feeds that are due, or all with ``force``, then say how every one stands.

        Waits for the network, up to half a minute a request where a host does not answer.
        """
        if self._live is not None and self._live.refresh(force=force):
            self._signs = None
        return self.status()

    def backfill(self, zone: str, start: datetime, end: datetime, feeds: Sequence[str] = ()) -> list[Fetch]:
        """Ask the live feeds of a zone, or those named, for the past and store it; empty where no feed is asked."""
        require_known(zone)
        return self._live.backfill(zone, start, end, feeds) if self._live is not None else []

    def learn(self) -> None:
        """Fit the forecasts that are due, issue those that are outdated, and compare what was published with outturn.

        Takes up to a second for each model that is due, mostly nothing.
        """
        self._outlook.refresh()
        now = self._clock.now()
        if self._compared_at is None or now >= self._compared_at + COMPARED_EVERY:
            self._compare(now)
            self._compared_at = now

    # -- quoting ----------------------------------------------------------------------------------------------------

    def quote(self, zones: Sequence[str], start: datetime, slots: int) -> EnergyQuote:
        """Price and carbon of ``zones`` for the ``slots`` slots from ``start``, without touching the network.

        Each slot has the firmest figure there is: published, then our forecast, then simulated; each with the interval
        in which it is expected. A zone not followed yet is followed from now on.
        """
        self.watch(zones)
        window = Window(self._clock.now(), slot_floor(start), slots)
        price: dict[str, Series] = {}
        carbon: dict[str, Series] = {}
        origins: dict[tuple[str, Quantity], tuple[Origin, ...]] = {}
        for zone in dict.fromkeys(zones):
            price[zone], origins[zone, "price"] = self._quoted(zone, "price", window)
            carbon[zone], origins[zone, "carbon"] = self._quoted(zone, "carbon", window)
        stress = self.stress(zones, window.start, slots)
        marginal = {
            zone: self.known(zone, "marginal_carbon", window.start, slots)
            for zone in price
            if self._sources.serves(zone, "marginal_carbon")
        }
        return EnergyQuote(
            window.now, window.start, slots, price, carbon, self.notices(), origins, stress, marginal=marginal
        )

    def observed(self, zone: str, start: datetime, slots: int) -> tuple[Series, Series]:
        """Price and carbon of slots that have ended, the firmest known; MISSING for others and where nothing is known.

        Where the zone is simulated the outturn of the simulation is its past, and labelled so.
        """
        self.watch((zone,))
        window = Window(self._clock.now(), slot_floor(start), slots)
        return self._observed(zone, "price", window), self._observed(zone, "carbon", window)

    def known(self, zone: str, quantity: Quantity, start: datetime, slots: int) -> Series:
        """What sources say of any quantity of a zone or place, past and ahead; never forecast here, never simulated."""
        return self._sources.known(zone, quantity, slot_floor(start), slots, self._clock.now())

    def published(self, zone: str, quantity: Quantity, at: datetime) -> Series | None:
        """What sources had published at the past instant ``at``; None where that is lost."""
        return self._sources.published(zone, quantity, at)

    def forecast(self, zone: str, quantity: Quantity) -> Series | None:
        """Our own forecast in force, from the end of what was published at its issue; None before the first."""
        issued = self._outlook.issued(zone, quantity)
        return issued.series if issued is not None else None

    def errors(self) -> Mapping[tuple[str, Quantity], Errors]:
        """How far published forecasts were off over the last two weeks, by lead."""
        return self._calibration.all()

    def weather(self, places: Mapping[str, tuple[float, float]], start: datetime, slots: int) -> WeatherQuote:
        """Outdoor conditions at each site's latitude and longitude; sites without a weather feed are absent."""
        found: dict[Quantity, dict[str, Series]] = {"temperature": {}, "humidity": {}}
        origins: dict[str, tuple[Origin, ...]] = {}
        if self._live is not None:
            keys = {site: place_of(*where) for site, where in places.items()}
            self._live.watch(dict.fromkeys(keys.values()))
            for site, place in keys.items():
                books = {quantity: self._sources.book(place, quantity) for quantity in found}
                for quantity, book in books.items():
                    if book is not None:
                        found[quantity][site] = book.series.window(slot_floor(start), slots)
                told = books["temperature"] or books["humidity"]
                if told is not None:
                    origins[site] = runs(told.origins(start, slots), told.answers)
        return WeatherQuote(found["temperature"], found["humidity"], origins)

    def stress(self, zones: Sequence[str], start: datetime, slots: int) -> dict[str, Series]:
        """How strained the grid of each of ``zones`` is, 0 to 1; zones without such figures are absent."""
        gb = [zone for zone in zones if is_gb(zone)]
        if self._live is None or not gb:
            return {}
        now = self._clock.now()
        index = grid_stress(start, slots, self._gb_signs(now), now)
        return {} if np.all(index.kinds == MISSING) else dict.fromkeys(gb, index)

    def stress_reasons(self, zone: str) -> tuple[str, ...]:
        """What the stress of the present slot is made of, in sentences; empty where nothing is known."""
        if self._live is None or not is_gb(zone):
            return ()
        now = self._clock.now()
        return reasons(now, slot_floor(now), self._gb_signs(now))

    # -- how it stands ----------------------------------------------------------------------------------------------

    def status(self) -> list[FeedStatus]:
        """How each zone's price and carbon stand, and every other feed."""
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
                feed, condition = self._sources.condition(zone, quantity)
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

    def _unasked(self, zone: str, quantity: Quantity) -> FeedStatus:
        feed, condition = self._sources.condition(zone, quantity)
        until = self._sources.recorded_until() if condition.state == "replayed" else None
        return FeedStatus(feed, zone, quantity, condition.state, known_until=until)

    def _state(self, zone: str, quantity: Quantity) -> State:
        return self._sources.condition(zone, quantity)[1].state

    def _quoted(self, zone: str, quantity: Quantity, window: Window) -> tuple[Series, tuple[Origin, ...]]:
        if not self._sources.serves(zone, quantity):
            layers = Layers.of(self._simulated(zone, quantity, window))
            return layers.series, layers.origins()
        state = self._state(zone, quantity)
        layers = self._published(zone, quantity, window, state)
        if state != "simulated":
            issued = self._outlook.issued(zone, quantity)
            if issued is not None and layers.has_gaps:
                layers.under(Layers.of_book(issued, window.start, window.slots))
        if self._allow_simulated and layers.has_gaps:
            layers.under(Layers.of(self._simulated(zone, quantity, window)))
        return layers.series, layers.origins()

    def _published(self, zone: str, quantity: Quantity, window: Window, state: State) -> Layers:
        """What sources in ``state`` have published, with the interval of their forecasts."""
        book = self._sources.book(zone, quantity)
        if book is not None:
            layers = Layers.of_book(book, window.start, window.slots)
        else:
            layers = Layers.of(self._sources.recent(zone, quantity, window.start, window.slots, window.now))
        calibrated = GB if quantity == "carbon" and is_gb(zone) else zone
        series = self._calibration.with_interval(layers.series, calibrated, quantity, window.now)
        layers.series = replace(series, stale=state == "stale")
        return layers

    def _simulated(self, zone: str, quantity: Quantity, window: Window) -> Series:
        return self._simulator.forecast(zone, quantity, window.start, window.slots, window.now)

    def _observed(self, zone: str, quantity: Quantity, window: Window) -> Series:
        passed = max(0, min(window.slots, slots_between(window.start, slot_floor(window.now))))
        return self._past(zone, quantity, window, passed).window(window.start, window.slots)

    def _past(self, zone: str, quantity: Quantity, window: Window, passed: int) -> Series:
        if not self._sources.serves(zone, quantity):
            return self._simulator.outturn(zone, quantity, window.start, passed, window.now)
        past = self._sources.known(zone, quantity, window.start, passed, window.now)
        no_record = self._live is None or self._state(zone, quantity) == "simulated"
        if no_record and np.any(past.kinds == MISSING):
            outturn = self._simulator.outturn(zone, quantity, window.start, passed, window.now)
            past = outturn if np.all(past.kinds == MISSING) else past.overlay(outturn)
        return past

    def _gb_signs(self, now: datetime) -> Signs:
        """What stress is made of, from its reference on; looked up once a slot and after each refresh."""
        slot = slot_floor(now)
        if self._signs is None or self._signs[0] != slot:
            start = slot - REFERENCE
            slots = slots_between(start, slot + STRESS_AHEAD)

            def sign(quantity: Quantity) -> Series | None:
                if not self._sources.serves(GB, quantity):
                    return None
                return self._sources.known(GB, quantity, start, slots, now)

            self._signs = (
                slot,
                Signs(sign("demand"), sign("wind"), sign("frequency_deviation"), sign("imbalance_price")),
            )
        return self._signs[1]

    def _compare(self, now: datetime) -> None:
        """Learn how far published forecasts were off, where a source publishes both them and what happened."""
        zones = dict.fromkeys((*self.zones(), *((GB,) if any(map(is_gb, self.zones())) else ())))
        for zone in zones:
            if zone == GB or not is_gb(zone):
                for quantity in QUANTITIES:
                    if self._sources.serves(zone, quantity):
                        errors = errors_of(self._sources.published, self._sources.known, zone, quantity, now)
                        self._calibration.learn(zone, quantity, errors)
