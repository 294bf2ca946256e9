"""The scripted upstream: every API on a loopback port of its own, a log of what was asked, and faults on demand."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from core.clock import Clock, SystemClock
from tests.upstream.carbon_intensity import CarbonIntensity
from tests.upstream.electricity_maps import ElectricityMaps
from tests.upstream.elexon import Elexon
from tests.upstream.energy_charts import EnergyCharts
from tests.upstream.entsoe import Entsoe
from tests.upstream.ercot import Ercot
from tests.upstream.faults import WIRE, Fault
from tests.upstream.listening import DEAF, Handler, Listeners
from tests.upstream.mempool import Mempool
from tests.upstream.neso import Neso
from tests.upstream.octopus import Octopus
from tests.upstream.open_meteo import OpenMeteo
from tests.upstream.watttime import WattTime
from tests.upstream.wire import Api, Refusal, Reply, Request
from tests.upstream.world import World

WEEK = timedelta(days=7)
SKEW = timedelta(hours=1)


@dataclass(slots=True)
class Broken:
    """A fault in force; ``times`` counts the requests left that it spoils, None until mended."""

    fault: Fault
    api: str | None
    times: int | None


@dataclass(frozen=True, slots=True)
class Received:
    """A request that came in; ``path`` is below the API, ``query`` as it came."""

    api: str
    path: str
    query: str
    user_agent: str


class Upstream:
    """Every API at ``http://127.0.0.1:<port>/<api>``. Use as a context manager, or :meth:`start` and :meth:`stop`.

    Each API has a port of its own, because to a polite client a host and port is what has limits and fails as one.

    :param port: of the first API, the others follow; 0 for whichever are free.
    :param clock: nothing is published that would not be public at its present instant; it also writes the Date header.
    :param drip_s: seconds between two bytes of :attr:`Fault.DRIP`.
    :param retry_after_s: what :attr:`Fault.BUSY_RETRY_AFTER` asks for.
    """

    def __init__(
        self,
        world: World | None = None,
        clock: Clock | None = None,
        *,
        port: int = 0,
        drip_s: float = 1.0,
        retry_after_s: int = 120,
    ) -> None:
        self.world = world or World()
        self.clock = clock or SystemClock()
        self.drip_s, self.retry_after_s = drip_s, retry_after_s
        apis = (
            CarbonIntensity(),
            Octopus(),
            Elexon(),
            Neso(),
            OpenMeteo("open_meteo"),
            OpenMeteo("open_meteo_archive"),
            EnergyCharts(),
            ElectricityMaps(),
            WattTime(),
            Ercot(),
            Entsoe(),
            Mempool(),
        )
        self.apis: dict[str, Api] = {api.name: api for api in apis}
        self.received: list[Received] = []
        self._broken: list[Broken] = []
        self._lock = threading.Lock()
        ports = [port + number if port else 0 for number in range(len(apis))]
        self._listeners = Listeners(dict(zip(self.apis, ports, strict=True)), self)

    # -- running --------------------------------------------------------------------------------------------------

    def url(self, api: str) -> str:
        """Where an API is mounted."""
        return f"http://127.0.0.1:{self._listeners.port(api)}/{api}"

    def settings_overrides(self, *, without_tls: Collection[str] = ()) -> dict[str, str]:
        """Settings that point every feed here, made-up keys included.

        :param without_tls: APIs that are to be reached over HTTPS, where every handshake fails.
        """
        found: dict[str, str] = {}
        for name, api in self.apis.items():
            found |= api.settings(
                f"https://127.0.0.1:{self._listeners.port(DEAF)}/{name}" if name in without_tls else self.url(name)
            )
        return found

    def start(self) -> Self:
        self._listeners.start()
        return self

    def stop(self) -> None:
        """End every answer under way and close every connection."""
        self._listeners.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- faults ---------------------------------------------------------------------------------------------------

    def break_(self, fault: Fault, api: str | None = None, times: int | None = None) -> None:
        """Misbehave from now on, towards one API's callers or everyone's, for ``times`` requests or until mended."""
        if api is not None and api not in self.apis:
            raise ValueError(f"no API {api!r}; there are {', '.join(self.apis)}")
        with self._lock:
            self._broken.append(Broken(fault, api, times))

    def mend(self, api: str | None = None) -> None:
        """Behave again: towards one API's callers, or everyone's."""
        with self._lock:
            self._broken = [] if api is None else [broken for broken in self._broken if broken.api != api]

    @contextmanager
    def broken(self, fault: Fault, api: str | None = None, times: int | None = None) -> Iterator[None]:
        """Misbehave within a ``with`` block."""
        self.break_(fault, api, times)
        try:
            yield
        finally:
            self.mend(api)

    # -- what came in ---------------------------------------------------------------------------------------------

    def requests(self, api: str) -> list[Received]:
        """What an API was asked, oldest first."""
        with self._lock:
            return [each for each in self.received if each.api == api]

    def counts(self) -> Counter[str]:
        """Requests by API."""
        with self._lock:
            return Counter(each.api for each in self.received)

    def forget(self) -> None:
        """Empty the log of requests."""
        with self._lock:
            self.received.clear()

    # -- answering ------------------------------------------------------------------------------------------------

    def handle(self, handler: Handler, name: str) -> None:
        """Answer one request to the API ``name``, or misbehave."""
        address = urlsplit(handler.path)
        path = address.path.removeprefix(f"/{name}")
        faults = self._take(name, Received(name, path, address.query, handler.headers.get("User-Agent", "")))
        now = self.clock.now()
        date = now + SKEW if Fault.SKEW in faults else now
        wire = next((fault for fault in WIRE if fault in faults), None)
        if wire in {None, *Handler.AFTER_ANSWERING}:
            reply = self._answer(self.apis[name], handler, unquote(path), address.query, faults)
            handler.send(reply, date) if wire is None else handler.send_spoiled(wire, reply, date)
        elif wire is not None:
            handler.misbehave(wire, date)

    def _take(self, name: str, received: Received) -> frozenset[Fault]:
        """Log the request, and count down the faults that it meets."""
        with self._lock:
            self.received.append(received)
            met = [broken for broken in self._broken if broken.api in {None, name}]
            for broken in met:
                if broken.times is not None:
                    broken.times -= 1
            self._broken = [broken for broken in self._broken if broken.times is None or broken.times > 0]
            return frozenset(broken.fault for broken in met)

    def _answer(self, api: Api, handler: Handler, path: str, query: str, faults: frozenset[Fault]) -> Reply:
        back = WEEK if Fault.LAST_WEEK in faults else timedelta(0)
        request = Request(
            base=self.url(api.name),
            path=path,
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers={name.lower(): text for name, text in handler.headers.items()},
            now=self.clock.now() - back,
            world=self.world.revised() if Fault.DISAGREE in faults else self.world,
            faults=faults,
            back=back,
        )
        try:
            return api.answer(request)
        except Refusal as refusal:
            return refusal.reply
