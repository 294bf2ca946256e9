"""The site agent: knows the sites and their assets, and quotes what each site can take slot by slot."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import numpy as np

from agents.messages import CapacityQuote
from agents.site.cooling import pue
from agents.site.own_load import own_load_kw
from agents.site.weather import simulate
from core.clock import Clock
from core.errors import InputError
from core.site import Asset, Site
from core.slots import require_aware, slot_floor
from store.sites import SiteRepository


class SiteAgent:
    """Speaks for all sites.

    :param seed: of the simulated weather and own load.
    :param zones: grid zones that have prices and carbon; a site elsewhere is refused. None: any zone is taken.
    """

    def __init__(
        self, clock: Clock, repository: SiteRepository, seed: int, zones: Collection[str] | None = None
    ) -> None:
        self._clock = clock
        self._repository = repository
        self._seed = seed
        self._zones = None if zones is None else frozenset(zones)

    def sites(self) -> tuple[Site, ...]:
        """All sites, in the order of the store."""
        return tuple(self._repository.all())

    def get(self, site_id: str) -> Site:
        """One site; :class:`NotFound`."""
        return self._repository.get(site_id)

    def register(self, site: Site) -> Site:
        """Add a site; :class:`Conflict` when its id is taken, :class:`InputError` when its zone has no figures."""
        self._require_zone(site)
        self._repository.add(site)
        return site

    def change(self, site: Site) -> Site:
        """Replace a site; :class:`NotFound`, or :class:`InputError` when its zone has no figures."""
        self._require_zone(site)
        self._repository.replace(site)
        return site

    def assets(self) -> tuple[Asset, ...]:
        """All assets, in the order of the store."""
        return tuple(self._repository.assets())

    def asset(self, asset_id: str) -> Asset:
        """One asset; :class:`NotFound`."""
        return self._repository.asset(asset_id)

    def register_asset(self, asset: Asset) -> Asset:
        """Add an asset; :class:`Conflict` when its id is taken, :class:`InputError` when its region is no site's."""
        self._require_region(asset)
        self._repository.add_asset(asset)
        return asset

    def change_asset(self, asset: Asset) -> Asset:
        """Replace an asset; :class:`NotFound`, or :class:`InputError` when its region is no site's."""
        self._require_region(asset)
        self._repository.replace_asset(asset)
        return asset

    def quote(self, start: datetime, slots: int) -> CapacityQuote:
        """Headroom, own load, PUE and the (simulated) outdoor temperature of all sites, (S, T).

        Read afresh from the store, so a changed site shows at once. ``start`` must be a slot start.
        """
        start = require_aware(start)
        if start != slot_floor(start) or slots < 1:
            raise InputError(
                f"a quote needs a half-hour start and at least one slot, not {start.isoformat()} and {slots}",
                field="start" if slots >= 1 else "slots",
                value=start.isoformat() if slots >= 1 else slots,
            )
        sites = self.sites()
        own = own_load_kw(sites, self._seed, start, slots)
        weather = simulate(sites, self._seed, start, slots)
        capacity = np.array([site.capacity_kw for site in sites]).reshape(-1, 1)
        return CapacityQuote(
            issued_at=self._clock.now(),
            start=start,
            site_ids=tuple(site.site_id for site in sites),
            zones=tuple(site.zone for site in sites),
            headroom_kw=np.maximum(capacity - own, 0.0),
            own_load_kw=own,
            pue=np.array(
                [
                    pue(site.cooling, weather.temperature_c[i], weather.humidity_percent[i])
                    for i, site in enumerate(sites)
                ]
            ).reshape(len(sites), slots),
            temperature_c=weather.temperature_c,
        )

    def _require_zone(self, site: Site) -> None:
        if self._zones is not None and site.zone not in self._zones:
            raise InputError(
                f"grid zone {site.zone!r} has no prices and no carbon figures here",
                field="zone",
                value=site.zone,
                remedy=f"Use one of {', '.join(sorted(self._zones))}.",
            )

    def _require_region(self, asset: Asset) -> None:
        known = frozenset[str]().union(*(site.regions() for site in self.sites()))
        if asset.region not in known:
            raise InputError(
                f"region {asset.region!r} is no site, grid zone or country of a known site",
                field="region",
                value=asset.region,
                remedy=f"Use one of {', '.join(sorted(known))}, or register the site first.",
            )
