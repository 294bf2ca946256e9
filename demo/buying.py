"""The acts of the other side: a Slackwater that buys of two providers, and a utility whose need is answered."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from core.slots import SLOT, format_utc, slot_ceil
from demo.buyer import on_sale
from demo.clock import eventually
from demo.processes import asked
from demo.stage import Stage, short

_WANTED_KW = 40
_SHOP_KW = Decimal(15)
_ENDED = frozenset({"confirmed", "partial", "failed"})


def offers_it(stage: Stage) -> bool:
    """Whether this Slackwater buys at all."""
    document = asked(f"{stage.buyer.url}/openapi/openapi.json")
    return "/api/trade/purchases" in document["paths"]


def windows(stage: Stage) -> None:
    """One purchase over two providers, confirmed together."""
    tell, buyer = stage.tell, stage.buyer
    tell.act("A second Slackwater buys compute windows of two providers at once")
    first = slot_ceil(stage.clock.now() + timedelta(minutes=60))
    stage.shop.stock(first, [_SHOP_KW] * 3, Decimal("0.05"))
    tell.step(f"{stage.shop.name}, a scripted provider, offers {_SHOP_KW} kW at 0.05 GBP/kWh from {first:%H:%M} on")
    providers = [stage.seller.subscriber_id, stage.shop.name]
    wanted = {
        "kw": _WANTED_KW,
        "hours": 1,
        "earliest": format_utc(first),
        "latest": format_utc(first + 3 * SLOT),
        "contiguous": True,
        "providers": providers,
        "tolerance": 0.5,
    }
    bought: dict[str, Any] = {}
    for _ in range(3):
        bought = buyer.ask("/api/trade/purchases", wanted)
        tell.step(
            f"{buyer.name} is told over REST to buy {_WANTED_KW} kW for an hour; it asks {' and '.join(providers)}"
        )
        bought = _ended(stage, bought["purchase_id"])
        if bought["state"] == "confirmed":
            break
        tell.note(f"{bought['state']}: {bought['reason']}; it is tried again")
    legs = [leg for leg in bought["legs"] if leg["state"] == "ACTIVE"]
    tell.step(f"select, init and confirm went to both, in one transaction {short(bought['purchase_id'])}..:")
    rows = [["provider", "contract", "state", "kW", "half-hours", "GBP"]]
    for leg in legs:
        starts = [datetime.fromisoformat(window["start"]) for window in leg["windows"]]
        power = "/".join(f"{window['kw']:g}" for window in leg["windows"])
        when = "/".join(f"{each:%H:%M}" for each in starts)
        rows.append([leg["provider"], short(leg["contract_id"]), leg["state"], power, when, f"{leg['cost_gbp']:.2f}"])
    tell.table(rows)
    tell.check("the purchase is confirmed", bought["state"] == "confirmed", bought["reason"] or "")
    tell.check("both providers have a leg of it", {leg["provider"] for leg in legs} == set(providers))
    stage.contracts["bought"] = {leg["contract_id"]: leg["provider"] for leg in legs}
    stage.contracts["windows end"] = {"at": first + 3 * SLOT}


def _ended(stage: Stage, purchase_id: str) -> dict[str, Any]:
    """A purchase at its end."""
    found: dict[str, Any] = {}

    def ended() -> bool:
        found.update(stage.buyer.ask(f"/api/trade/purchases/{purchase_id}"))
        return found["state"] in _ENDED

    eventually(ended, "the end of the purchase", 90)
    return found


def need(stage: Stage) -> None:
    """A utility's need, answered by the plan in force."""
    tell, seller, utility = stage.tell, stage.seller, stage.utility
    tell.act("A utility needs less load, and is answered")
    starts, place, most = _movable(stage)
    asked_kw = max(Decimal(2), (most / 2).to_integral_value())
    utility.wants(starts, [asked_kw] * 2, Decimal("0.60"), Decimal("0.20"), place)
    utility.share = Decimal(1), Decimal("0.9")
    tell.step(f"{utility.name} has published a need: {asked_kw} kW less in two half-hours from {starts:%H:%M}, "
              "at 0.60 GBP/kWh, 0.20 GBP for each kWh short")  # fmt: skip
    seller.ask("/api/trade/needs", {"providers": [utility.name]})
    seen: list[dict[str, Any]] = []

    def listed() -> bool:
        seen[:] = [each for each in seller.ask("/api/trade/needs")["needs"] if each["utility"] == utility.name]
        return bool(seen)

    eventually(listed, "the need in the list")
    tell.step(f"{seller.name} -> {utility.name}: discover; the need is in its list: {seen[0]['sought_kw']} kW")
    answered = seller.ask(f"/api/trade/needs/{seen[0]['need_id']}/answer", {})
    if answered["contract"] is None:
        tell.step(f"it is {answered['state']}: {answered['reason']}")
        tell.check("the need is answered", holds=False)
        return
    active: dict[str, Any] = {}

    def in_force() -> bool:
        active.update(seller.ask("/api/trade/needs")["needs"][0]["contract"])
        return active["state"] == "ACTIVE" or active["failed"] is not None

    eventually(in_force, "the answer in force", 60)
    power = [window["kw"] for window in active["windows"]]
    tell.step(f"{seller.name} -> {utility.name}: select, init, confirm {short(active['contract_id'])}.., {power} kW: "
              f"{active['state']}, {active['cost_gbp']:.2f} GBP if all is delivered")  # fmt: skip
    tell.check("the answer is in force", active["state"] == "ACTIVE", active["failed"] or "")
    stage.contracts["need"] = {"contract_id": active["contract_id"], "ends": starts + 2 * SLOT}


def _movable(stage: Stage) -> tuple[datetime, tuple[float, float], Decimal]:
    """The soonest two half-hours on end in which load can still leave, where that is, and how much of it."""
    notice = stage.clock.now() + timedelta(minutes=60)
    told = stage.bap.ask(stage.to_seller, "discover", {"intent": {}})
    cells = [
        (starts, min(power, figures[starts + SLOT]), offered.resource["resourceAttributes"]["location"]["geo"])
        for offered in on_sale(told.callback["message"]["catalogs"], "TurnDownResource")
        for figures in [offered.figures("CAPACITY_AVAILABLE")]
        for starts, power in figures.items()
        if starts >= notice and power > 0 and figures.get(starts + SLOT, Decimal(0)) > 0
    ]
    if not cells:
        raise RuntimeError("no load can leave two half-hours on end")
    starts, power, geo = max(cells, key=lambda cell: (cell[1], -cell[0].timestamp()))
    longitude, latitude = geo["coordinates"][:2]
    return starts, (longitude, latitude), power


def settle(stage: Stage) -> None:
    """The scripted providers tell what came of their contracts."""
    tell = stage.tell
    tell.act("The other providers settle")
    last = max(stage.contracts["windows end"]["at"], stage.contracts["need"]["ends"])
    wait_s = stage.clock.real_seconds(last - stage.clock.now()) + 10
    eventually(lambda: stage.clock.now() >= last, f"{last:%H:%M}", wait_s)
    stage.contracts["shop"] = stage.shop.settle()
    for total in stage.contracts["shop"].values():
        tell.step(f"{stage.shop.name} -> {stage.buyer.name}: on_status, actuals, settled: {total} GBP")
    stage.contracts["needs"] = stage.utility.settle()
    for total in stage.contracts["needs"].values():
        tell.step(f"{stage.utility.name} -> {stage.seller.name}: on_status, baselines, actuals, settled: {total} GBP")
        tell.note("a tenth was short in the second half-hour, which costs the penalty")
