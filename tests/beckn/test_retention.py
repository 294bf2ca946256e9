"""What of the trade is old is removed by its own clock, and nothing that was refused is taken for that."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from beckn.protocol.context import AHEAD, MOST_TTL
from beckn.retention import EVERY, Upkeep
from core.clock import ManualClock
from core.settings import Settings
from core.slots import format_utc
from store.retention import Removed, Retention
from tests.beckn.market import Market, asking, market
from tests.beckn.test_layer_points import error_of
from tests.house import START
from tests.waiting import eventually

DAY = timedelta(days=1)


def left(seller: Market) -> dict[str, int]:
    return {name: len(rows) for name, rows in seller.rows("messages", "outbox", "contracts").items()}


def test_a_quote_that_nobody_took_is_gone_after_its_time_and_a_contract_in_force_is_not(tmp_path: Path) -> None:
    with market(tmp_path, beckn_retention_days=40) as seller:
        buyer = seller.buyer()
        _, contract = buyer.bought(8, [5])
        buyer.quoted(8, [5])
        eventually(lambda: all("pending" not in row for row in seller.rows("outbox")["outbox"]))
        assert left(seller) == {"messages": 8, "outbox": 4, "contracts": 2}
        lines = seller.bench.house.log.records(limit=1)[0][0].seq
        seller.bench.clock.set(START + 40 * DAY)
        seller.trade._with.upkeep.advance()
        assert left(seller) == {"messages": 8, "outbox": 4, "contracts": 2}, "its time is not over"
        seller.bench.clock.set(START + 40 * DAY + 2 * EVERY)
        seller.trade._with.upkeep.advance()
        assert left(seller) == {"messages": 6, "outbox": 0, "contracts": 1}
        assert seller.bench.house.store.contracts.get(contract["id"]).peer_id == buyer.name
        assert seller.bench.house.log.records(limit=1)[0][0].seq == lines, "the log is not touched"
        assert seller.bench.house.log.verify().ok


def test_what_is_old_is_removed_as_the_trade_goes_on(tmp_path: Path) -> None:
    with market(tmp_path) as seller:
        seller.buyer().quoted(8, [5])
        eventually(lambda: all("pending" not in row for row in seller.rows("outbox")["outbox"]))
        seller.bench.clock.set(START + 91 * DAY)
        seller.trade.advance()
        assert left(seller) == {"messages": 0, "outbox": 0, "contracts": 0}


class Scripted(Retention):
    """Has so many batches to remove."""

    def __init__(self, batches: int) -> None:
        self.batches, self.asked = batches, 0

    def remove(self, *_: object) -> Removed:
        self.asked += 1
        self.batches -= 1
        return Removed(0, int(self.batches >= 0), 0)


def test_a_batch_a_step_is_removed_and_then_nothing_for_an_hour() -> None:
    clock, retention = ManualClock(START), Scripted(2)
    upkeep = Upkeep(retention, clock, 90)
    for _ in range(10):
        upkeep.advance()
    assert retention.asked == 3
    clock.set(START + EVERY - timedelta(seconds=1))
    upkeep.advance()
    assert retention.asked == 3
    clock.set(START + EVERY)
    upkeep.advance()
    assert retention.asked == 4


@pytest.mark.parametrize("ttl", ["P31D", None])
def test_point_10_an_id_is_refused_until_its_message_no_longer_holds(tmp_path: Path, ttl: str | None) -> None:
    """The least retention: to the last instant at which a message holds its id is kept, then its time is over."""
    with market(tmp_path, beckn_retention_days=32) as seller:
        buyer = seller.buyer()
        sent = START + AHEAD
        context = buyer.context("select", ttl=ttl, timestamp=format_utc(sent))
        body = {"context": context, "message": {"contract": asking(*buyer.offered(), 8, [5])}}
        assert buyer.post("select", body).status == 200
        eventually(lambda: bool(buyer.received("on_select")))
        for after, code in [
            (DAY, "CTX_MESSAGE_ID_DUPLICATE"),
            (MOST_TTL - timedelta(seconds=1), "CTX_MESSAGE_ID_DUPLICATE"),
            (MOST_TTL, "CTX_TTL_EXPIRED"),
            (MOST_TTL + 10 * DAY, "CTX_TTL_EXPIRED"),
        ]:
            seller.bench.clock.set(sent + after)
            for _ in range(3):
                seller.trade._with.upkeep.advance()
            reply = buyer.post("select", body)
            assert (reply.status, error_of(reply)["code"]) == (400, code), after
        assert left(seller)["messages"] == 0


def test_the_least_retention_is_longer_than_a_message_may_hold() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 32"):
        Settings(_env_file=None, beckn_retention_days=31)
    assert timedelta(days=32) > MOST_TTL + AHEAD
