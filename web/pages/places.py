"""Sites beside the figures of this half-hour, and the names under which pages speak of them."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from core.series import Kind, Series
from core.site import Site
from core.slots import slot_floor
from web.drafting import COUNTRIES
from web.services import Services


@dataclass(frozen=True, slots=True)
class Reading:
    """One zone's figures in one half-hour; NaN with kind ``missing`` where nothing is known."""

    price_gbp_per_kwh: float
    price_kind: str
    carbon_g_per_kwh: float
    carbon_kind: str
    source: str

    @property
    def known(self) -> bool:
        """Whether there is a price and a carbon figure at all."""
        return math.isfinite(self.price_gbp_per_kwh + self.carbon_g_per_kwh)


@dataclass(frozen=True, slots=True)
class Place:
    """A site with its weather, cooling, load and grid figures of this half-hour."""

    site: Site
    reading: Reading
    short_name: str
    headroom_kw: float
    own_load_kw: float
    own_load_next_kw: tuple[float, float, float]
    """expected in the next half-hour, with both ends of its 90 % interval"""
    pue: float
    temperature_c: float
    temperature_kind: str


def country_name(code: str) -> str:
    """The country's name where it is one of the built-in sites' own, else its code."""
    return COUNTRIES.get(code, (code,))[0]


def site_names(services: Services) -> dict[str, str]:
    """A short name of each site by its id: the part before the comma, unless two sites share it."""
    full = {site.site_id: site.name for site in services.sites.sites()}
    short = {site_id: name.split(",")[0] for site_id, name in full.items()}
    uses = Counter(short.values())
    return {site_id: name if uses[name] == 1 else full[site_id] for site_id, name in short.items()}


def reading(price: Series, carbon: Series, slot: int = 0) -> Reading:
    """The figures of slot ``slot`` of two series."""
    sources = dict.fromkeys((price.source, carbon.source))
    return Reading(
        float(price.values[slot]),
        Kind(int(price.kinds[slot])).label,
        float(carbon.values[slot]),
        Kind(int(carbon.kinds[slot])).label,
        ", ".join(sources),
    )


def places(services: Services, now: datetime) -> list[Place]:
    """Every site as it stands in the half-hour of ``now``."""
    sites = {site.site_id: site for site in services.sites.sites()}
    names = site_names(services)
    where = {site_id: (site.latitude, site.longitude) for site_id, site in sites.items()}
    weather = services.energy.weather(where, slot_floor(now), 2)
    capacity = services.sites.quote(slot_floor(now), 2, weather)
    energy = services.energy.quote(tuple(dict.fromkeys(capacity.zones)), slot_floor(now), 1)
    return [
        Place(
            site=sites[site_id],
            reading=reading(energy.price[zone], energy.carbon[zone]),
            short_name=names[site_id],
            headroom_kw=float(capacity.headroom_kw[i, 0]),
            own_load_kw=float(capacity.own_load_kw[i, 0]),
            own_load_next_kw=(
                float(capacity.own_load_kw[i, 1]),
                float(capacity.own_load_low_kw[i, 1]),
                float(capacity.own_load_high_kw[i, 1]),
            ),
            pue=float(capacity.pue[i, 0]),
            temperature_c=float(capacity.temperature_c[i, 0]),
            temperature_kind=Kind(int(capacity.temperature_kind[i, 0])).label,
        )
        for i, (site_id, zone) in enumerate(zip(capacity.site_ids, capacity.zones, strict=True))
    ]
