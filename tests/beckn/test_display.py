"""Catalogues are kept while nothing has changed that they tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from beckn.provider.stock import Mark
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


def test_what_another_process_sold_is_seen_within_a_second_and_what_was_sold_here_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with market(tmp_path / "var", start=False) as made:
        looks: list[None] = []
        display = made.trade._display
        look = display._stock.mark

        def counted() -> Mark:
            looks.append(None)
            return look()

        monkeypatch.setattr(display._stock, "mark", counted)
        first = made.trade.catalogues()
        assert made.trade.catalogues() is first
        assert len(looks) == 1
        display.look()
        assert made.trade.catalogues() is first
        assert len(looks) == 2
        monkeypatch.setattr("beckn.provider.display.LOOK_S", 0.0)
        assert made.trade.catalogues() is first
        assert len(looks) == 3


def test_what_changes_while_it_is_looked_at_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with market(tmp_path / "var", start=False) as made:
        looks: list[None] = []
        display = made.trade._display
        mark = display._stock.mark

        def sold_meanwhile() -> Mark:
            found = mark()
            looks.append(None)
            if len(looks) == 1:
                display.look()
            return found

        monkeypatch.setattr(display._stock, "mark", sold_meanwhile)
        made.trade.catalogues()
        made.trade.catalogues()
        assert len(looks) == 2
