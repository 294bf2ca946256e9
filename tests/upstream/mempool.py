"""mempool.space: Bitcoin's difficulty, hash rate and price of this moment; no history is used."""

from __future__ import annotations

from collections.abc import Mapping

from tests.upstream.faults import Fault
from tests.upstream.wire import Refusal, Reply, Request, json_reply
from tests.upstream.world import slot_of

HASHES_PER_S = 1.05e21
DIFFICULTY = 1.46e14
USD_PER_GBP = 1.31


class Mempool:
    """Mounted at ``/mempool``."""

    name = "mempool"

    def settings(self, base: str) -> Mapping[str, str]:
        return {"mempool_url": base}

    def answer(self, request: Request) -> Reply:
        seconds = int(request.now.timestamp())
        match request.path.removeprefix("/api"):
            case "/v1/difficulty-adjustment":
                return json_reply(
                    {
                        "progressPercent": 44.4,
                        "difficultyChange": 1.8,
                        "estimatedRetargetDate": 1000 * (seconds + 640_000),
                        "remainingBlocks": 1121,
                        "remainingTime": 640_000_000,
                        "previousRetarget": -2.1,
                        "nextRetargetHeight": 977_000,
                        "timeAvg": 590_000,
                        "timeOffset": 0,
                    }
                )
            case "/v1/prices":
                gbp = 0 if Fault.SPURIOUS_ZERO in request.faults else request.world.bitcoin_gbp(slot_of(request.now))
                usd = round(gbp * USD_PER_GBP)
                return json_reply({"time": seconds - seconds % 300, "USD": usd, "EUR": round(gbp / 0.86), "GBP": gbp})
            case "/v1/mining/hashrate/3d":
                now = {"currentHashrate": HASHES_PER_S, "currentDifficulty": DIFFICULTY}
                days = [{"timestamp": seconds - 86400 * day, "avgHashrate": HASHES_PER_S} for day in (3, 2, 1)]
                return json_reply({"hashrates": days, "difficulty": [], **now})
        raise Refusal(json_reply({"error": "Not found"}, 404))
