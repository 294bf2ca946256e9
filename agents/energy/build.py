"""Building the energy agent from the settings."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import timedelta

from agents.energy.agent import EnergyAgent
from agents.energy.client import Bounds, Client
from agents.energy.feed import Feed, FetchStore
from agents.energy.feeds import (
    carbon_intensity,
    electricity_maps,
    elexon,
    energy_charts,
    entsoe,
    ercot,
    mempool,
    neso,
    octopus_agile,
    open_meteo,
    watttime,
)
from agents.energy.live import LiveFeeds
from agents.energy.outlook import Input, Outlook, ScoreStore, Subject
from agents.energy.replay import Replay
from agents.energy.simulated import Simulator
from agents.energy.sources import Sources
from agents.energy.terms import terms_of
from agents.energy.transport.wire import trusting
from agents.energy.zones import GB, ZONES, is_gb
from core.clock import Clock
from core.errors import InputError
from core.settings import Settings

FEEDS = (
    octopus_agile,
    carbon_intensity,
    elexon,
    neso,
    energy_charts,
    entsoe,
    electricity_maps,
    watttime,
    ercot,
    open_meteo,
    mempool,
)
"""Every source there is, one module each; where two serve the same, the earlier is preferred."""
GB_PRICE_INPUTS = (
    Input("FR", "price"),
    Input("BE", "price"),
    Input("NL", "price"),
    Input("DE-LU", "price"),
    Input(GB, "wind", forecast=True),
    Input(GB, "demand", forecast=True),
)
GB_CARBON_INPUTS = (Input(GB, "wind", forecast=True), Input(GB, "demand", forecast=True))


def client_of(settings: Settings, bounds: Bounds | None = None) -> Client:
    """The client of all feeds; :class:`InputError` where CA_BUNDLE is no file of authorities."""
    return Client(bounds=bounds, trusted=trusted_by(settings))


def trusted_by(settings: Settings) -> ssl.SSLContext | None:
    """Whom TLS trusts where the operator says so; None for the usual authorities."""
    if settings.ca_bundle is None:
        return None
    try:
        return trusting(str(settings.ca_bundle))
    except OSError as error:
        raise InputError(
            f"{settings.ca_bundle} holds no certificate authorities: {error}",
            field="CA_BUNDLE",
            value=str(settings.ca_bundle),
            remedy="Name a PEM file, or leave CA_BUNDLE out.",
        ) from error


def live_feeds(settings: Settings) -> tuple[Feed, ...]:
    """Every live feed there is, those without their key too."""
    return tuple(feed for module in FEEDS for feed in module.feeds(settings))


def subjects(zone: str) -> tuple[Subject, ...]:
    """What is forecast of a zone, and with which inputs."""
    timezone = ZONES[zone].timezone
    price, carbon = (GB_PRICE_INPUTS, GB_CARBON_INPUTS) if is_gb(zone) else ((), ())
    return Subject(zone, "price", timezone, price), Subject(zone, "carbon", timezone, carbon)


def enabled_zones(settings: Settings, zones: Sequence[str]) -> tuple[str, ...]:
    """Those of ``zones`` that ``ENABLED_REGIONS`` leaves; :class:`InputError` when it or the default is unknown."""
    enabled = settings.enabled_regions
    named = (*(("ENABLED_REGIONS", zone) for zone in enabled), ("DEFAULT_REGION", settings.default_region))
    if unknown := [(field, zone) for field, zone in named if zone not in ZONES]:
        field, zone = unknown[0]
        raise InputError(
            f"{field} names unknown grid zone {zone!r}",
            field=field,
            value=zone,
            remedy=f"Use one of {', '.join(ZONES)}.",
        )
    return tuple(zone for zone in dict.fromkeys(zones) if not enabled or zone in enabled)


def build_energy(
    settings: Settings,
    clock: Clock,
    store: FetchStore,
    scores: ScoreStore,
    zones: Sequence[str],
    client: Client | None = None,
) -> EnergyAgent:
    """The energy agent of ``SIGNALS``: auto, live, simulated or replay:PATH.

    Reads files and the store, not the network. ``zones`` are followed from the start; others may be asked for later.
    """
    followed = enabled_zones(settings, zones)
    allowed = settings.enabled_regions
    replay, live = None, None
    if settings.replay_folder is not None:
        replay = Replay(settings.replay_folder, tuple(allowed or ZONES), settings.seed)
    elif settings.signals != "simulated":
        period = timedelta(seconds=settings.cache_ttl_seconds)
        substitute = settings.signals == "auto"
        asking = client or client_of(settings)
        feeds, terms = live_feeds(settings), terms_of(settings)
        live = LiveFeeds(feeds, store, asking, clock, period, substitute=substitute, terms=terms)
    sources = Sources(clock.now(), live=live, replay=replay, store=store if live is not None else None)
    retrain = timedelta(hours=settings.retrain_hours)
    outlook = Outlook(sources.known, sources.published, clock, retrain, store, scores)
    agent = EnergyAgent(
        clock,
        sources,
        Simulator(settings.seed),
        outlook,
        live=live,
        allow_simulated=settings.signals != "live",
        allowed=allowed,
        subjects=subjects,
    )
    agent.watch(followed)
    return agent
