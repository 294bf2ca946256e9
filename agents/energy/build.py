"""Building the energy agent from the settings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from agents.energy.agent import EnergyAgent
from agents.energy.carbon_intensity import CarbonIntensityFeed
from agents.energy.client import JsonClient
from agents.energy.feed import Feed, VintageStore
from agents.energy.live import LiveFeeds
from agents.energy.octopus_agile import OctopusAgileFeed
from agents.energy.replay import Replay
from agents.energy.simulated import Simulator
from agents.energy.zones import ZONES
from core.clock import Clock
from core.errors import InputError
from core.settings import Settings


def live_feeds(settings: Settings, clock: Clock, client: JsonClient) -> tuple[Feed, ...]:
    """Every live feed there is: a new one is a line here."""
    return (
        OctopusAgileFeed(client, settings.octopus_url, settings.octopus_product, clock),
        CarbonIntensityFeed(client, settings.carbon_intensity_url, clock),
    )


def enabled_zones(settings: Settings, zones: Sequence[str]) -> tuple[str, ...]:
    """Those of ``zones`` that ``ENABLED_REGIONS`` leaves; :class:`InputError` when it names an unknown one."""
    enabled = settings.enabled_regions
    if unknown := [zone for zone in enabled if zone not in ZONES]:
        raise InputError(
            f"ENABLED_REGIONS names unknown grid zone {unknown[0]!r}",
            field="ENABLED_REGIONS",
            value=unknown[0],
            remedy=f"Use some of {', '.join(ZONES)}.",
        )
    return tuple(zone for zone in dict.fromkeys(zones) if not enabled or zone in enabled)


def build_energy(settings: Settings, clock: Clock, vintages: VintageStore, zones: Sequence[str]) -> EnergyAgent:
    """The energy agent of ``SIGNALS``: auto, live, simulated or replay:PATH.

    Reads files and the store, not the network. ``zones`` are followed from the start; others may be asked for later.
    """
    followed = enabled_zones(settings, zones)
    simulator = Simulator(settings.seed)
    allowed = settings.enabled_regions
    if settings.replay_folder is not None:
        recorded = Replay(settings.replay_folder, tuple(allowed or ZONES), settings.seed)
        return EnergyAgent(clock, followed, simulator, replay=recorded, allowed=allowed)
    if settings.signals == "simulated":
        return EnergyAgent(clock, followed, simulator, allowed=allowed)
    auto = settings.signals == "auto"
    feeds = live_feeds(settings, clock, JsonClient())
    live = LiveFeeds(feeds, vintages, clock, timedelta(seconds=settings.cache_ttl_seconds), substitute=auto)
    return EnergyAgent(clock, followed, simulator, live=live, allow_simulated=auto, allowed=allowed)
