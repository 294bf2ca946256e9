"""Sites and assets."""

from __future__ import annotations

from collections.abc import Sequence

from core.site import Asset, Site
from store.database import Database
from store.documents import Documents
from store.tables import assets, sites


class SiteRepository:
    """Sites and the assets that stand there."""

    def __init__(self, database: Database) -> None:
        self._sites = Documents(database, sites, Site, "site_id")
        self._assets = Documents(database, assets, Asset, "asset_id")

    def seed(self, configured: Sequence[Site]) -> None:
        """Add the sites that are not known yet; what operators have changed stays."""
        self._sites.add_missing(tuple(configured))

    def all(self) -> list[Site]:
        """Every site, in order of adding."""
        return self._sites.all()

    def get(self, site_id: str) -> Site:
        """One site; :class:`NotFound`."""
        return self._sites.get(site_id)

    def add(self, site: Site) -> None:
        """A new site; :class:`Conflict` when its id is taken."""
        self._sites.add(site)

    def replace(self, site: Site) -> None:
        """A changed site; :class:`NotFound`."""
        self._sites.replace(site)

    def assets(self) -> list[Asset]:
        """Every asset, in order of adding."""
        return self._assets.all()

    def asset(self, asset_id: str) -> Asset:
        """One asset; :class:`NotFound`."""
        return self._assets.get(asset_id)

    def add_asset(self, asset: Asset) -> None:
        """A new asset; :class:`Conflict` when its id is taken."""
        self._assets.add(asset)

    def replace_asset(self, asset: Asset) -> None:
        """A changed asset; :class:`NotFound`."""
        self._assets.replace(asset)
