"""Point 1: the catalogue goes to the discovery service, and what that makes of it is heard from nobody else."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from beckn.publishing import LEAST
from beckn.signing import Signature
from core.slots import format_utc
from tests.beckn.market import SELLER, SELLER_URL, Buyer, Market, market
from tests.beckn.peers import Came, Say, peer_saying
from tests.beckn.registries import NETWORK
from tests.beckn.test_layer_points import error_of
from tests.house import START
from tests.waiting import eventually

DISCOVERY = 5


@contextmanager
def publishing(folder: Path) -> Iterator[tuple[Market, Buyer]]:
    """A seller and the discovery service of its network."""
    with peer_saying(lambda _came, _times: Say()) as peer:
        name = f"bap-{DISCOVERY}.example.org"
        with market(folder, beckn_discovery_url=peer.url, beckn_discovery_id=name) as world:
            yield world, world.buyer(DISCOVERY, peer)


def published(world: Market, service: Buyer, times: int) -> list[Came]:
    """What was published so far, once it is that often."""
    world.trade.advance()
    eventually(lambda: all("pending" not in row for row in world.rows("outbox")["outbox"]))
    came = list(service.peer.came)
    assert [each.path for each in came] == ["/beckn/catalog/publish"] * times
    return came


def test_point_01_the_catalogue_is_published_when_other_offers_stand_in_it(tmp_path: Path) -> None:
    with publishing(tmp_path) as (world, service):
        (first,) = published(world, service, 1)
        told = json.loads(first.body)
        assert (told["context"]["bppId"], told["context"]["bppUri"]) == (SELLER, SELLER_URL)
        assert "bapId" not in told["context"]
        assert told["message"]["catalogs"] == world.trade.catalogues()
        assert {each["visibleTo"][0] for each in told["message"]["publishDirectives"]} == {NETWORK}
        published(world, service, 1)
        world.bench.tick()
        published(world, service, 1)
        world.bench.clock.set(START + LEAST - timedelta(seconds=1))
        published(world, service, 1)
        world.bench.clock.set(START + LEAST)
        second = json.loads(published(world, service, 2)[1].body)
        world.bench.clock.set(START + 2 * LEAST)
        published(world, service, 2)
        assert second["context"]["messageId"] != told["context"]["messageId"]
        offers = [
            {offer["id"] for each in body["message"]["catalogs"] for offer in each["offers"]} for body in (told, second)
        ]
        assert not offers[0] & offers[1]


@pytest.mark.parametrize("status", ["PARTIAL", "REJECTED", "ACCEPTED"])
def test_point_01_what_became_of_a_publication_is_heard_from_the_service_alone(tmp_path: Path, status: str) -> None:
    said: list[str] = []
    handler = logger.add(said.append, level="WARNING", format="{message}")
    try:
        with publishing(tmp_path) as (world, service):
            (came,) = published(world, service, 1)
            asked = json.loads(came.body)
            bound = Signature.parse(came.headers["Authorization"]).value
            result = {"catalogId": asked["message"]["catalogs"][0]["id"], "status": status}
            if status != "ACCEPTED":
                result["errors"] = [{"code": "SCH_SCHEMA_VALIDATION_FAILED", "message": "no place"}]  # type: ignore[assignment]
            context = {
                **asked["context"],
                "action": "catalog/on_publish",
                "timestamp": format_utc(world.bench.clock.now()),
            }
            body = {"context": context, "message": {"results": [result]}}

            def post(who: Buyer, answers: str | None, told: Any = body) -> tuple[int, str | None]:
                raw = json.dumps(told).encode()
                header = who.signer.sign(raw, world.bench.clock.now(), answers).header()
                reply = who.post("catalog/on_publish", raw, header)
                return reply.status, None if reply.status == 200 else error_of(reply)["code"]

            assert post(service, None) == (401, "AUT_SIGNATURE_INVALID"), "it is not bound to what was published"
            assert post(world.buyer(6), bound) == (401, "AUT_UNAUTHORIZED_ACTION")
            other = {**body, "context": {**context, "messageId": str(uuid.uuid4())}}
            assert post(service, None, other) == (400, "CTX_TRANSACTION_ID_UNKNOWN")
            assert post(service, bound) == (200, None)
            eventually(lambda: world.trade.owed == 0)
            assert any(f"published {status}: no place" in each for each in said) == (status != "ACCEPTED")
    finally:
        logger.remove(handler)
