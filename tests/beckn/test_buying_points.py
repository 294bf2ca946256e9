"""What a consumer asks for, and that a provider of our own kind takes it."""

from __future__ import annotations

import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from beckn.consumer.choosing import Part
from beckn.consumer.legs import read_items
from beckn.consumer.lots import Listing, listings
from beckn.consumer.quoting import contract_of, items_of
from beckn.packs.compute_window import read_compute_window
from beckn.packs.grid import read_grid, same_grid
from core.slots import SLOT
from tests.beckn.market import SELLER, SELLER_URL, market
from tests.beckn.oracles import message_faults
from tests.consumers import FIRST, Provider, consumers, order, windows

A = "a.example.org"


def two_days(cheap: set[int]) -> Provider:
    """96 half-hours with carbon, of which ``cheap`` cost less than the others."""
    prices = [0.05 if i in cheap else 0.2 for i in range(96)]
    return Provider(A, [windows(A, [60.0] * 96, prices, carbon=[100.0 + i for i in range(96)])])


@pytest.mark.parametrize(
    ("cheap", "first", "kw"), [({40, 42}, 40, [50, 0, 50]), ({0, 1}, 0, [50, 50]), ({95}, 95, [50])]
)
def test_point_19_only_the_half_hours_from_the_first_wanted_to_the_last_are_asked_for(
    tmp_path: Path, cheap: set[int], first: int, kw: list[float]
) -> None:
    with consumers(tmp_path, two_days(cheap)) as ours:
        latest = FIRST + 96 * SLOT
        bought = ours.service.buy(order(A, hours=len(cheap) / 2, latest=latest))
        ours.settle()
        for action in ("select", "init", "confirm"):
            (row,) = ours.sent(action)
            body = ours.body(row)
            (told,) = body["message"]["contract"]["commitments"]
            asked = read_grid(told["commitmentAttributes"], "$")
            terms = read_compute_window(told["resources"][0]["resourceAttributes"], "$").shown
            assert [float(each or 0) for each in asked.figures("CAPACITY_OFFERED")] == kw
            assert asked.start == FIRST + first * SLOT
            assert same_grid(asked, terms.grid)
            assert float(terms.grid.figures("PRICE")[0] or 0) == 0.05
            assert terms.carbon is not None
            assert terms.carbon.grid.figures("CARBON_INTENSITY")[0] == 100 + first
            assert message_faults(action, body) == []
        (leg,) = ours.legs(bought.purchase_id)
        assert [float(line.kw) for line in read_items(leg)[0].lines] == kw
        assert (leg.starts, leg.ends) == (FIRST + first * SLOT, FIRST + (first + len(kw)) * SLOT)
        assert ours.service.purchase(bought.purchase_id).confirmed_kwh == 25 * len(cheap)


def asked_of(found: dict[Any, Listing], name: str, numbers: tuple[int, ...]) -> dict[str, Any]:
    """The contract that a consumer asks for: 5 kW of what is on sale, by number."""
    (listing,) = (each for each in found.values() if each.resource["id"] == name)
    lots = list(listing.lots())
    items = items_of([Part(lots[number], Decimal(5)) for number in numbers], found)
    return contract_of(str(uuid.uuid4()), items, found, SELLER, "bap-1.example.org")


def test_point_19_a_provider_takes_the_span_that_is_asked_for(tmp_path: Path) -> None:
    with market(tmp_path) as world:
        buyer = world.buyer()
        catalog = next(each for each in world.trade.catalogues() if each["id"].endswith("compute-window"))
        found = {each.key: each for each in listings(catalog, SELLER, SELLER_URL)}
        asked = asked_of(found, "compute-window.leeds", (10, 13))
        assert len(asked["commitments"][0]["commitmentAttributes"]["intervals"]) == 4
        transaction = str(uuid.uuid4())
        quoted = buyer.ask("select", {"contract": asked}, transaction)
        assert "error" not in quoted, quoted["error"]
        told = {**asked, "id": quoted["message"]["contract"]["id"]}
        told["commitments"] = [
            {**told["commitments"][0], "offer": quoted["message"]["contract"]["commitments"][0]["offer"]}
        ]
        for action in ("init", "confirm"):
            answer = buyer.ask(action, {"contract": told}, transaction)
            assert "error" not in answer, answer["error"]
        assert answer["message"]["contract"]["status"]["code"] == "ACTIVE"
