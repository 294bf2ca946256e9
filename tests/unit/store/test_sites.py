from __future__ import annotations

import pytest

from core.errors import Conflict, NotFound
from store.database import Database
from store.sites import SiteRepository
from store.ticks import TickRepository
from tests.unit.store.samples import a_site, a_tick, an_asset


def test_seeding_adds_only_sites_that_are_not_known(database: Database) -> None:
    sites = SiteRepository(database)
    sites.add(a_site("b", name="changed by an operator"))
    sites.seed([a_site("c"), a_site("b"), a_site("a")])
    assert [site.site_id for site in sites.all()] == ["b", "c", "a"]
    assert sites.get("b").name == "changed by an operator"


def test_a_site_is_added_once_and_replaced_as_a_whole(database: Database) -> None:
    sites = SiteRepository(database)
    sites.add(a_site("a"))
    with pytest.raises(Conflict, match="'a'"):
        sites.add(a_site("a"))
    sites.replace(a_site("a", capacity_kw=5000.0))
    assert sites.all() == [a_site("a", capacity_kw=5000.0)]
    with pytest.raises(NotFound, match="'b'"):
        sites.replace(a_site("b"))
    with pytest.raises(NotFound, match="'b'"):
        sites.get("b")


def test_assets_are_kept_like_sites(database: Database) -> None:
    sites = SiteRepository(database)
    sites.add_asset(an_asset("a"))
    with pytest.raises(Conflict):
        sites.add_asset(an_asset("a"))
    sites.replace_asset(an_asset("a", max_power_kw=99.0))
    assert sites.assets() == [sites.asset("a")] == [an_asset("a", max_power_kw=99.0)]
    with pytest.raises(NotFound):
        sites.asset("b")
    with pytest.raises(NotFound):
        sites.replace_asset(an_asset("b"))


def test_ticks_come_newest_first(database: Database) -> None:
    ticks = TickRepository(database)
    kept = [a_tick("t1"), a_tick("t2", plan_start=None, gap=None, log_seq=None), a_tick("t3")]
    for tick in kept:
        ticks.add(tick)
    assert ticks.latest(2) == [kept[2], kept[1]]
