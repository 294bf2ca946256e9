"""The site agent: knows the sites and their assets, and quotes what each site can take slot by slot."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import numpy as np

from agents.messages import CapacityQuote, WeatherQuote
from agents.site.cooling import pue
from agents.site.load_forecast import LoadForecaster
from agents.site.own_load import SimulatedMeters
from agents.site.weather import conditions
from core.clock import Clock
from core.errors import InputError
from core.score import Score
from core.series import FloatArray, Kind, Series
from core.site import Asset, Site
from core.slots import require_aware, slot_floor
from store.sites import SiteRepository


class SiteAgent:
    """Speaks for all sites.

    :param seed: of the simulated weather and of the simulated meters.
    :param zones: grid zones that have prices and carbon; a site elsewhere is refused, and one that is stored already
        takes no part. None: any zone is taken.
    :param retrain_hours: time after which the models of the own load are fitted anew.
    """

    def __init__(
        self,
        clock: Clock,
        repository: SiteRepository,
        seed: int,
        zones: Collection[str] | None = None,
        retrain_hours: float = 24.0,
    ) -> None:
        self._clock = clock
        self._repository = repository
        self._seed = seed
        self._zones = None if zones is None else frozenset(zones)
        self._meters = SimulatedMeters(clock, seed)
        self._load = LoadForecaster(clock, self._meters, retrain_hours)

    def sites(self) -> tuple[Site, ...]:
        """All sites in zones that have figures, in the order of the store."""
        return tuple(site for site in self._repository.all() if self._zones is None or site.zone in self._zones)

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

    def quote(self, start: datetime, slots: int, weather: WeatherQuote | None = None) -> CapacityQuote:
        """What all sites can take in ``slots`` slots from ``start``, (S, T).

        Own load is read up to the slot under way and forecast beyond it. Headroom is the capacity less the upper end of
        the own load's 90 % interval: in a coming slot it is below what is expected to be free, so that what is promised
        on it holds where the load turns out higher. Weather, and so PUE, comes from ``weather`` where that has figures
        and is simulated where not. Sites are read afresh from the store, so that a changed one shows at once.

        :param start: a slot start; anything else, or no slots, is an :class:`InputError`.
        """
        start = _require_slots(start, slots)
        sites = self.sites()
        own = self._load.quote(sites, start, slots)
        outdoors = conditions(sites, self._seed, start, slots, weather)
        capacity = np.array([site.capacity_kw for site in sites]).reshape(-1, 1)
        overhead = [
            pue(site.cooling, outdoors.temperature_c[i], outdoors.humidity_percent[i]) for i, site in enumerate(sites)
        ]
        return CapacityQuote(
            issued_at=self._clock.now(),
            start=start,
            site_ids=tuple(site.site_id for site in sites),
            availability=tuple(site.availability for site in sites),
            zones=tuple(site.zone for site in sites),
            headroom_kw=np.maximum(capacity - own.high_kw, 0.0),
            own_load_kw=own.mean_kw,
            own_load_low_kw=own.low_kw,
            own_load_high_kw=own.high_kw,
            own_load_kind=own.kind,
            pue=np.array(overhead).reshape(len(sites), slots),
            temperature_c=outdoors.temperature_c,
            temperature_kind=outdoors.temperature_kind,
        )

    def inference_demand(self, start: datetime, slots: int) -> Mapping[str, Series]:
        """Demand for inference in kW at the meter by IANA time zone: read up to now, then forecast with its interval.

        It is the own load of the sites with inference hardware. ``start`` as in :meth:`quote`.
        """
        return self._load.inference_demand(self.sites(), _require_slots(start, slots), slots)

    def read_meters(self, sites: Sequence[Site], start: datetime, slots: int) -> tuple[FloatArray, Kind]:
        """Own load of slots that have begun at the meters in kW, (S, T), and what those readings are."""
        return self._meters.read(sites, start, slots), self._meters.kind

    def load_scores(self) -> tuple[Score, ...]:
        """How well the own load of each site has been forecast, by day ahead; the ``zone`` is the site's id."""
        return self._load.scores(self.sites())

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


def _require_slots(start: datetime, slots: int) -> datetime:
    """``start`` in UTC; :class:`InputError` unless it is a slot start and there are slots."""
    start = require_aware(start)
    if start != slot_floor(start) or slots < 1:
        raise InputError(
            f"a quote needs a half-hour start and at least one slot, not {start.isoformat()} and {slots}",
            field="start" if slots >= 1 else "slots",
            value=start.isoformat() if slots >= 1 else slots,
        )
    return start
