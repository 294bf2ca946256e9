"""The acts in which time passes: a power cut, an alert in the middle of the event, and what was delivered."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from beckn.packs.alert import Alert, read_action
from core.slots import SLOT
from demo.clock import eventually
from demo.peers import Misbehaviour
from demo.selling import TURN_DOWN
from demo.settlement import reckoned, told
from demo.stage import PASSING, Stage, short

_PAGE = Misbehaviour(200, b"<html><body>It works!</body></html>", "text/html")
_BUSY = Misbehaviour(
    503, b'{"message":{"status":"NACK","error":{"code":"NET_OVERLOADED","message":"come back later"}}}', after_s=0.3
)


def power_cut(stage: Stage) -> None:
    """The seller dies with callbacks owed, is started again, and delivers each once."""
    tell, bap, seller, held = stage.tell, stage.bap, stage.seller, stage.contracts[TURN_DOWN]
    tell.act("A peer that misbehaves, and a power cut with callbacks owed")
    bap.misbehaves.extend([_PAGE, *[_BUSY] * 200])
    ids = []
    for _ in range(3):
        sent = bap.tell(stage.to_seller, "status", {"contract": held["contract"]}, held["transaction"])
        ids.append(sent.message_id)
    tell.step(f"{bap.name} asks for the status {len(ids)} times, each acknowledged; but it answers the callbacks with "
              "a page of HTML, then slowly with HTTP 503")  # fmt: skip
    eventually(lambda: len(_failed(stage)) >= 2, "attempts to deliver")
    tries = len(_failed(stage))
    process = seller.pid
    seller.kill()
    tell.step(f"after {tries} attempts in vain {seller.name}, process {process}, is ended with kill -9")
    tell.check("none of the callbacks has arrived", not any(bap.came("on_status", each) for each in ids))
    status, listed = seller.run(stage.clock, "beckn", "outbox")
    owed = [line for line in listed.splitlines() if "on_status" in line]
    tell.step(f"python app.py beckn outbox, on the store that is left: {len(owed)} callbacks are owed")
    tell.check("all of them are on the disk", status == 0 and len(owed) >= len(ids), len(owed))
    bap.misbehaves.clear()
    stage.buyer.stop()
    stage.clock.run_at(PASSING)
    with ThreadPoolExecutor(2) as together:
        took = list(together.map(lambda server: server.serve(stage.clock), (seller, stage.buyer)))
    tell.step(f"both servers are started again, with a clock {PASSING:g} times as fast as the machine's: half an hour "
              f"takes {1800 / PASSING:g} s ({took[0]:.0f} s to start)")  # fmt: skip
    for message_id in ids:
        bap.awaited("on_status", message_id)
    counts = [len(bap.came("on_status", each)) for each in ids]
    tell.step("the callbacks arrive, with fresh signatures")
    tell.check("each exactly once", counts == [1] * len(ids), counts)


def alert(stage: Stage) -> None:
    """In the first half-hour of the event the grid needs more in the second."""
    tell, bap, held = stage.tell, stage.bap, stage.contracts[TURN_DOWN]
    starts: datetime = held["starts"]
    tell.act("Time passes; the event begins, and the grid raises an alert in the middle of it")
    _until(stage, starts + timedelta(minutes=1))
    begun = _stage_told(stage, "DELIVERY_STARTED")
    tell.step(f"{stage.seller.subscriber_id} -> {bap.name}: on_status, baselines: "
              f"{_figures(begun, 'BASELINE')} kW")  # fmt: skip
    spike = Alert("spike-1", "CARBON_SPIKE", "high", held["site"], starts + SLOT, (Decimal(2),))
    asked = {
        **held["contract"],
        "performance": [{"id": "alert-spike-1", "performanceAttributes": spike.wire(bap.url)}],
    }
    answer = bap.ask(stage.to_seller, "update", {"contract": asked}, held["transaction"])
    if answer.error is not None:
        tell.step(f"update with a GridEventAlert: answered with {answer.callback['error']}")
        tell.check("the alert is answered", holds=False)
        return
    action = read_action(answer.contract["performance"], "$")
    if action is None:
        tell.check("the alert is answered with what is done", holds=False)
        return
    tell.step(f"update with a GridEventAlert: 2 kW more in the half-hour from {starts + SLOT:%H:%M}; on_update: "
              f"{action.action} ({action.reason}), decided in {action.response_seconds} s of its clock")  # fmt: skip
    tell.check("the answer names the event", action.event_id == "spike-1", action.event_id)
    held["contract"] = {name: each for name, each in answer.contract.items() if name != "performance"}


def delivery(stage: Stage) -> None:
    """Readings and the settlement, unasked."""
    tell, bap, held = stage.tell, stage.bap, stage.contracts[TURN_DOWN]
    ends = held["starts"] + 2 * SLOT
    tell.act("The event is over: actuals, and what is settled")
    _until(stage, ends)
    eventually(lambda: _settled(stage, held["contract"]["id"]), "the settlement", 60)
    done = _stage_told(stage, "DELIVERY_COMPLETE")
    tell.step(f"{stage.seller.subscriber_id} -> {bap.name}: on_status, actuals: baseline {_figures(done, 'BASELINE')}, "
              f"usage {_figures(done, 'USAGE')} kW")  # fmt: skip
    settled = _settled(stage, held["contract"]["id"])
    held["contract"] = settled[-1]
    flows = {each["role"]: each["value"] for each in held["contract"]["contractAttributes"]["revenueFlows"]}
    tell.step(f"{stage.seller.subscriber_id} -> {bap.name}: on_status, {short(held['contract']['id'])}.. is "
              f"{held['contract']['status']['code']}, revenue flows {flows}")  # fmt: skip
    tell.check("the flows are what the readings come to", told(held["contract"]) == reckoned(held["contract"]))


def finished_jobs(stage: Stage) -> None:
    """The jobs that were moved are done in time."""
    finish = stage.contracts["deadline"]["latest_finish"]
    eventually(
        lambda: all(job["status"] in {"completed", "failed", "cancelled"} for job in stage.jobs()),
        "the end of all jobs",
        max(30.0, stage.clock.real_seconds(finish + SLOT - stage.clock.now())),
    )
    done = [job for job in stage.jobs() if job["status"] == "completed"]
    stage.tell.step(f"{len(done)} of {len(stage.jobs())} jobs are completed by {stage.clock.now():%H:%M}")
    stage.tell.check("every job was completed before its deadline", len(done) == len(stage.jobs()))


def _until(stage: Stage, instant: datetime) -> None:
    """Wait for an instant of the story."""
    left = stage.clock.real_seconds(instant - stage.clock.now())
    eventually(lambda: stage.clock.now() >= instant, f"{instant:%H:%M}", max(1.0, left + 5))


def _failed(stage: Stage) -> list[str]:
    """Callbacks that the buyer refused."""
    return [each.action for each in stage.bap.wire if each.action == "on_status" and not each.accepted]


def _told(stage: Stage) -> list[dict[str, Any]]:
    """Contracts of ``on_status``, the oldest first."""
    return [each.body["message"]["contract"] for each in stage.bap.came("on_status")]


def _stage_told(stage: Stage, code: str) -> dict[str, Any]:
    """The contract with the performance of a stage, waited for."""
    contract_id = stage.contracts[TURN_DOWN]["contract"]["id"]

    def found() -> list[dict[str, Any]]:
        return [
            each
            for each in _told(stage)
            if each["id"] == contract_id and any(one["status"]["code"] == code for one in each.get("performance") or ())
        ]

    eventually(found, f"on_status {code}", 60)
    return found()[-1]


def _settled(stage: Stage, contract_id: str) -> list[dict[str, Any]]:
    return [
        each for each in _told(stage) if each["id"] == contract_id and each["contractAttributes"].get("revenueFlows")
    ]


def _figures(contract: dict[str, Any], name: str) -> list[float]:
    """A column of the first meter."""
    meter = contract["performance"][0]["performanceAttributes"]["meters"][0]
    return [
        payload["values"][0]
        for interval in meter["telemetry"]["intervals"]
        for payload in interval["payloads"]
        if payload["type"] == name
    ]
