"""Catalogues are kept while nothing has changed that they tell."""

from __future__ import annotations

from pathlib import Path

from tests.beckn.market import market


def test_catalogues_are_made_anew_for_a_new_plan_only(tmp_path: Path) -> None:
    with market(tmp_path / "var", start=False) as made:
        first = made.trade.catalogues()
        assert first
        assert made.trade.catalogues() is first
        made.bench.submit()
        made.bench.tick()
        second = made.trade.catalogues()
        assert second is not first
        assert {each["id"] for each in second} >= {each["id"] for each in first}
        assert [o["id"] for each in first for o in each["offers"]] != [
            o["id"] for each in second for o in each["offers"]
        ]
