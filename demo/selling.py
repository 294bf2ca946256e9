"""The acts in which a scripted buyer buys turn-downs of the Slackwater that sells, changes its mind, and is refused."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from core.slots import SLOT, format_utc
from demo.buyer import Answered, OnSale, on_sale
from demo.clock import eventually
from demo.peers import Travelled
from demo.stage import Stage, hours, kilowatts, short

TURN_DOWN = "turn-down"
CANCELLED = "cancelled"


def turn_down(stage: Stage) -> None:
    """Select, init and confirm; the plan changes, the jobs keep their deadlines."""
    tell = stage.tell
    tell.act("A grid operator buys a turn-down: load leaves two half-hours")
    found = _best(stage)
    offered, starts, kw = found
    before = stage.planned_kw(starts, 2)
    tell.step(
        f"{stage.bap.name} chose {offered.resource['id']}: {kw} kW less at {hours((starts, starts + SLOT))}, "
        f"at {offered.figures('PRICE')[starts]} GBP/kWh"
    )
    agreed = _agreed(stage, offered, starts, [kw, kw])
    stage.contracts[TURN_DOWN] = {**agreed, "starts": starts, "kw": kw, "site": offered.resource["id"].split(".")[1]}
    site = stage.contracts[TURN_DOWN]["site"]
    caps = [max(0.0, before[site][i] - float(kw)) for i in (0, 1)]
    eventually(lambda: _below(stage, site, starts, caps), "a plan that keeps the promise")
    after = stage.planned_kw(starts, 2)
    tell.step("the plan is made anew; planned kW at the meter:")
    rows = [["site", *(f"{starts + SLOT * i:%H:%M} {when}" for i in (0, 1) for when in ("before", "after"))]]
    for name in sorted(before):
        cells = [figure for i in (0, 1) for figure in (before[name][i], after[name][i])]
        rows.append([name, *kilowatts(cells)])
    tell.table(rows)
    tell.check(f"{site} draws at least {kw} kW less", _below(stage, site, starts, caps))
    late = [job["job_name"] for job in stage.jobs() if _ends_late(stage, job)]
    tell.check("every job still ends by its deadline", not late, ", ".join(late) or "all planned in time")


def second_thoughts(stage: Stage) -> None:
    """A tried and a real update, the other requests about a contract, and a cancelled one."""
    tell, bap, seller = stage.tell, stage.bap, stage.to_seller
    held = stage.contracts[TURN_DOWN]
    tell.act("Second thoughts: try, update, cancel, and the small requests")
    less = [held["kw"], held["kw"] - 2]
    wanted = bap.contract(seller, held["offered"], held["starts"], less)
    asked = {"contract": {**wanted, "id": held["contract"]["id"]}}
    tried = bap.ask(seller, "update", asked, held["transaction"], **{"try": True})
    status = bap.ask(seller, "status", {"contract": held["contract"]}, held["transaction"])
    tell.step(
        f"update with try: would come to {_amount(tried.contract):.2f} GBP instead of {_amount(held['contract']):.2f}"
    )
    tell.check("trying changed nothing", _amount(status.contract) == _amount(held["contract"]), tried.error or "")
    updated = bap.ask(seller, "update", asked, held["transaction"])
    tell.step(f"update: {less[1]} kW in the second half-hour, now {_amount(updated.contract):.2f} GBP")
    tell.check("the update holds", updated.error is None and _amount(updated.contract) == _amount(tried.contract))
    held |= {"contract": updated.contract, "kws": less}
    other = _another(stage)
    if other is not None:
        told = bap.ask(seller, "cancel", {"contract": other["contract"]}, other["transaction"])
        tell.step(f"another contract is made and cancelled: {told.contract['status']['code']}")
        tell.check("it is cancelled", told.contract["status"]["code"] == "CANCELLED", told.error or "")
        stage.contracts[CANCELLED] = {**other, "contract": told.contract}
    _small_requests(stage, held)


def _small_requests(stage: Stage, held: Mapping[str, Any]) -> None:
    bap, seller, contract_id = stage.bap, stage.to_seller, held["contract"]["id"]
    tracking = {"contract": held["contract"], "url": f"{bap.url}/status", "status": "ACTIVE"}
    track = bap.ask(seller, "track", {"tracking": tracking}, held["transaction"])
    support = bap.ask(seller, "support", {"support": {"orderId": contract_id}}, held["transaction"])
    told = support.callback["message"]["support"]["channels"][0]["email"]
    rating = {"target": {"id": contract_id}, "range": {"min": 1, "max": 5, "value": 5}}
    rated = bap.ask(seller, "rate", {"ratingInputs": [rating]}, held["transaction"])
    stage.tell.step(
        f"track: {track.callback['message']['tracking']['status']}; support: {told}; rate: 5 of 5, "
        f"{'taken' if rated.error is None else rated.error}"
    )


def bad_guys(stage: Stage) -> None:
    """What must be refused is refused, with its code."""
    tell, bap, to = stage.tell, stage.bap, stage.to_seller
    tell.act("Messages that must be refused")
    body = {"context": bap.asking(to, "discover"), "message": {"intent": {}}}
    raw = json.dumps(body).encode()
    header = bap.signer.sign(raw, stage.clock.now()).header()
    tampered = bap.post(to, raw.replace(b'"intent": {}', b'"intent": {"textSearch": "all"}'), header=header)
    _refused(stage, "tampered: one word more than was signed", tampered, 401, "AUT_SIGNATURE_INVALID")
    taken = bap.post(to, raw, header=header)
    replayed = bap.post(to, raw, header=header)
    tell.detail(f"the untampered message was taken with HTTP {taken.status}")
    _refused(stage, "replayed: the same bytes again", replayed, 400, "CTX_MESSAGE_ID_DUPLICATE")
    old = format_utc(stage.clock.now() - timedelta(hours=1))
    expired = {**body, "context": {**bap.asking(to, "discover"), "timestamp": old, "ttl": "PT30S"}}
    _refused(stage, "expired: an hour old, good for 30 s", bap.post(to, expired), 400, "CTX_TTL_EXPIRED")
    stale = {**body, "context": bap.asking(to, "discover")}
    written = json.dumps(stale).encode()
    past = bap.signer.sign(written, stage.clock.now() - timedelta(hours=1)).header()
    _refused(stage, "signed an hour ago", bap.post(to, written, header=past), 401, "AUT_SIGNATURE_INVALID")
    posing = {**body, "context": {**bap.asking(to, "discover"), "bapId": stage.shop.name, "bapUri": stage.shop.url}}
    _refused(stage, "in another's name", bap.post(to, posing), 401, "AUT_UNAUTHORIZED_ACTION")


def _refused(stage: Stage, what: str, sent: Travelled, status: int, code: str) -> None:
    stage.tell.step(f"{what}: HTTP {sent.status} {sent.code}")
    stage.tell.check(
        f"refused with {code}", sent.code == code and sent.status == status, f"HTTP {sent.status} {sent.code}"
    )


def _best(stage: Stage) -> tuple[OnSale, datetime, Decimal]:
    """The soonest two half-hours on end in which most can leave; half of that, in whole kW."""
    notice = stage.clock.now() + timedelta(minutes=60)
    for _ in range(20):
        told = stage.bap.ask(stage.to_seller, "discover", {"intent": {}})
        cells = [
            (starts, min(power, figures[starts + SLOT]), offered)
            for offered in on_sale(told.callback["message"]["catalogs"], "TurnDownResource")
            for figures in [offered.figures("CAPACITY_AVAILABLE")]
            for starts, power in figures.items()
            if starts >= notice and figures.get(starts + SLOT, Decimal(0)) > 0 and power > 0
        ]
        if cells:
            starts, power, offered = max(cells, key=lambda cell: (cell[1] >= 10, -cell[0].timestamp(), cell[1]))
            return offered, starts, max(Decimal(4), (power / 2).to_integral_value())
    raise RuntimeError("nothing can be turned down in two half-hours on end")


def _agreed(stage: Stage, offered: OnSale, starts: datetime, kw: list[Decimal]) -> dict[str, Any]:
    """Select, init and confirm; what a plan made meanwhile has changed is asked for anew."""
    bap, seller, told = stage.bap, stage.to_seller, None
    for _ in range(4):
        transaction = str(uuid.uuid4())
        contract = bap.contract(seller, offered, starts, kw)
        for action in ("select", "init", "confirm"):
            told = bap.ask(seller, action, {"contract": contract}, transaction)
            if told.error is not None:
                stage.tell.step(f"{action}: answered with {told.callback['error']['code']} "
                                f"({told.callback['error']['message']}); the catalogue is asked anew")  # fmt: skip
                break
            contract = told.contract
            _say(stage, action, told)
        else:
            return {"contract": contract, "transaction": transaction, "offered": offered}
        offered = _same(stage, offered)
    raise RuntimeError("no contract came about")


def _same(stage: Stage, former: OnSale) -> OnSale:
    """A resource as the newest catalogue has it."""
    told = stage.bap.ask(stage.to_seller, "discover", {"intent": {}})
    kind = former.resource["resourceAttributes"]["@type"]
    return next(
        each
        for each in on_sale(told.callback["message"]["catalogs"], kind)
        if each.resource["id"] == former.resource["id"]
    )


def _say(stage: Stage, action: str, told: Answered) -> None:
    contract = told.contract
    stage.tell.step(
        f"{stage.bap.name} -> {stage.seller.subscriber_id}: {action} {short(contract['id'])}..; on_{action}: "
        f"{contract['status']['code']}, {_amount(contract):.2f} GBP if all is delivered"
    )


def _amount(contract: Mapping[str, Any]) -> Decimal:
    """What a contract comes to."""
    return Decimal(str(contract["consideration"][0]["considerationAttributes"]["amount"]))


def _another(stage: Stage) -> dict[str, Any] | None:
    """A compute window, bought to be given back."""
    told = stage.bap.ask(stage.to_seller, "discover", {"intent": {}})
    notice = stage.clock.now() + timedelta(minutes=90)
    for offered in on_sale(told.callback["message"]["catalogs"], "ComputeWindow"):
        for starts, power in sorted(offered.figures("CAPACITY_AVAILABLE").items()):
            if starts >= notice and power >= 10:
                return _agreed(stage, offered, starts, [Decimal(10)])
    return None


def _below(stage: Stage, site: str, starts: datetime, caps: list[float]) -> bool:
    planned = stage.planned_kw(starts, 2)[site]
    return all(kw <= cap + 1e-6 for kw, cap in zip(planned, caps, strict=True))


def _ends_late(stage: Stage, job: Mapping[str, Any]) -> bool:
    """Whether a job has no place, or one that ends after its deadline."""
    rows = stage.seller.ask(f"/api/jobs/{job['job_id']}")["allocations"]
    ends = [datetime.fromisoformat(row["slot_start"]) + SLOT for row in rows]
    return job["status"] in {"pending", "failed"} or max(ends) > datetime.fromisoformat(job["latest_finish"])
