"""Who takes part in the story: set up in a folder of their own, ended by their ids whatever happens."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from demo.buyer import ScriptedBuyer
from demo.clock import StoryClock
from demo.peers import Network, ScriptedPeer, Travelled
from demo.processes import DevelopmentRegistry, Slackwater
from demo.roles import ScriptedDiscovery, ScriptedSeller, ScriptedUtility
from demo.telling import Teller

NETWORK = "flex.example/market"
STARTS = datetime(2026, 4, 1, 6, 3, tzinfo=UTC)
TALKING, PASSING = 6.0, 150.0
"""speeds of the clock: while contracts are made, and while they are delivered"""
_SITE = """
[[site]]
site_id = "{site_id}"
name = "{name}"
country = "GB"
latitude = {latitude}
longitude = {longitude}
timezone = "Europe/London"
zone = "{zone}"
capacity_kw = {capacity}
own_load_kw = 20
cooling = "free_air"
hardware = {{ gpu = 100 }}
"""
_SITES = {
    "seller": (("leeds", "Leeds", 53.8, -1.55, "GB-E", 160), ("london", "London", 51.5, -0.1, "GB-C", 160)),
    "buyer": (("bristol", "Bristol", 51.45, -2.6, "GB-L", 60),),
}


@dataclass
class Stage:
    """Everybody, running.

    :ivar contracts: what the acts agreed on, by a name.
    """

    folder: Path
    clock: StoryClock
    tell: Teller
    registry: DevelopmentRegistry
    seller: Slackwater
    buyer: Slackwater
    bap: ScriptedBuyer
    shop: ScriptedSeller
    utility: ScriptedUtility
    discovery: ScriptedDiscovery
    contracts: dict[str, dict[str, Any]] = field(default_factory=dict)
    _ending: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def set_up(cls, folder: Path, *, verbose: bool) -> Stage:
        """Nobody runs yet but the registry, which the peers need to know."""
        clock = StoryClock(STARTS, TALKING)
        with ExitStack() as ending:
            registry = DevelopmentRegistry.at(folder / "registry")
            ending.callback(registry.stop)
            registry.serve(clock)
            network = Network(NETWORK, registry, clock)
            peers = (
                ScriptedBuyer("grid-operator.example", network),
                ScriptedSeller("harbour.example", network),
                ScriptedUtility("utility.example", network),
                ScriptedDiscovery("discovery.example", network),
            )
            for peer in peers:
                ending.callback(peer.stop)
            bap, shop, utility, discovery = peers
            settings = _settings(registry, discovery)
            seller, buyer = (_server(folder, name, settings) for name in ("seller", "buyer"))
            for server in (seller, buyer):
                ending.callback(server.kill)
            made = cls(
                folder=folder,
                clock=clock,
                tell=Teller(clock, verbose=verbose),
                registry=registry,
                seller=seller,
                buyer=buyer,
                bap=bap,
                shop=shop,
                utility=utility,
                discovery=discovery,
            )
            made._ending = ending.pop_all()
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    @property
    def peers(self) -> tuple[ScriptedPeer, ...]:
        """The scripted ones."""
        return self.bap, self.shop, self.utility, self.discovery

    @property
    def to_seller(self) -> tuple[str, str]:
        """Id and address of the Slackwater that sells."""
        return self.seller.subscriber_id, self.seller.beckn_url

    def planned_kw(self, starts: datetime, count: int) -> dict[str, list[float]]:
        """What the seller's plan draws by site, kW at the meter, from ``starts`` on; 0 beyond the plan."""
        plan = self.seller.ask("/api/plan")
        begins = datetime.fromisoformat(plan["start"])
        first = round((starts - begins) / timedelta(minutes=30))
        found = {}
        for site in plan["sites"]:
            cells = [site["planned_kw"][i] if 0 <= i < plan["slots"] else None for i in range(first, first + count)]
            found[site["site_id"]] = [cell or 0.0 for cell in cells]
        return found

    def jobs(self) -> list[dict[str, Any]]:
        """The seller's jobs."""
        found: list[dict[str, Any]] = self.seller.ask("/api/jobs?limit=100")["jobs"]
        return found

    def travelled(self) -> list[Travelled]:
        """What scripted peers sent and were sent; what one sent to another, once."""
        names = {peer.name for peer in self.peers}
        return [
            each
            for peer in self.peers
            for each in list(peer.wire)
            if each.sender == peer.name or each.sender not in names
        ]


def _settings(registry: DevelopmentRegistry, discovery: ScriptedDiscovery) -> dict[str, str]:
    """What both servers are set to."""
    return {
        "BECKN_REGISTRY_URL": registry.url,
        "BECKN_NETWORK_ID": NETWORK,
        "BECKN_DISCOVERY_ID": discovery.name,
        "BECKN_DISCOVERY_URL": discovery.url,
        "BECKN_NOTICE_MINUTES": "20",
        "BECKN_HOLD_SECONDS": "1800",
        "BECKN_DELIVERY_SECONDS": "10800",
        "BECKN_SUPPORT_EMAIL": "desk@flex.example",
        "TICK_SECONDS": "900",
    }


def _server(folder: Path, name: str, settings: Mapping[str, str]) -> Slackwater:
    """The Slackwater that sells, or the one that buys, with its sites."""
    sites = folder / f"{name}-sites.toml"
    sites.write_text("".join(_site(*each) for each in _SITES[name]), encoding="utf-8")
    return Slackwater.at(f"{name}.example", folder / name, {**settings, "SITES_FILE": str(sites)})


def _site(site_id: str, name: str, latitude: float, longitude: float, zone: str, capacity: int) -> str:
    return _SITE.format(
        site_id=site_id, name=name, latitude=latitude, longitude=longitude, zone=zone, capacity=capacity
    )


def hours(instants: Iterable[datetime]) -> str:
    """Half-hours for people."""
    return ", ".join(f"{each:%H:%M}" for each in instants)


def short(identifier: str) -> str:
    """The beginning of a long id."""
    return identifier[:8]


def kilowatts(figures: Sequence[float]) -> list[str]:
    """Figures of a table."""
    return [f"{figure:.1f}" for figure in figures]


def written(body: Any) -> str:
    """JSON on one line."""
    return json.dumps(body, separators=(",", ":"))
