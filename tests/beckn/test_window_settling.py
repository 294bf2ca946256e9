"""A window is settled when what was sold of it is over, whatever half-hours its grid has besides."""

from __future__ import annotations

import uuid
from pathlib import Path

from core.trade import ContractState
from tests.beckn.market import asking, market


def test_half_hours_in_which_nothing_was_sold_keep_no_window_from_being_settled(tmp_path: Path) -> None:
    with market(tmp_path) as world:
        buyer, transaction = world.buyer(), str(uuid.uuid4())
        catalogs = buyer.ask("discover", {"intent": {}})["message"]["catalogs"]
        resource, offer = buyer.windows(catalogs, "compute-window", "leeds")
        contract = asking(resource, offer, 6, [30, 20, *[0] * 40])
        for action in ("select", "init", "confirm"):
            told = buyer.ask(action, {"contract": contract}, transaction)
            assert "error" not in told, told["error"]
            contract = told["message"]["contract"]
        world.bench.tick()
        for slot in (6, 8, 8, 8):
            world.bench.at(slot + 0.1)
            world.bench.house.dispatcher.dispatch()
            world.trade.advance()
        stored = world.bench.house.store.contracts.get(contract["id"])
        assert stored.state is ContractState.COMPLETE, stored.document.get("stage")
        settled = stored.document["settled"]
        assert [row["pay"] != "0.000000" for row in settled] == [True, True, *[False] * 40]
        assert {row["penalty"] for row in settled[2:]} == {"0.000000"}
