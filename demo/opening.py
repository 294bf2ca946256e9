"""The first acts: keys and registration, jobs and a plan, publishing and discovering."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

from core.slots import format_utc
from demo.buyer import on_sale
from demo.clock import eventually
from demo.peers import Travelled
from demo.processes import Slackwater
from demo.stage import NETWORK, Stage, short, written

_JOBS = (
    ("train-a", "pausable", 1, 30),
    ("train-b", "deferrable", 1, 25),
    ("render", "throttlable", 1, 20),
    ("index", "deferrable", 0.5, 20),
    ("backup", "pausable", 0.5, 15),
)


def register(stage: Stage) -> None:
    """Keys are made and made known; then the servers start."""
    tell = stage.tell
    tell.act("Keys and registration")
    tell.step(f"a development registry listens at {stage.registry.url} (python app.py beckn registry)")
    for server in (stage.seller, stage.buyer):
        key = server.make_key(stage.clock)
        stage.registry.register(
            server.subscriber_id, server.beckn_url, key["unique_key_id"], key["signing_public_key"], NETWORK
        )
        tell.step(
            f"Slackwater {server.subscriber_id} made a key (beckn keys --make) and registered it: "
            f"{short(key['unique_key_id'])}.., public half {key['signing_public_key'][:12]}.."
        )
    for peer in stage.peers:
        peer.start()
    tell.step(f"scripted peers registered theirs: {', '.join(peer.name for peer in stage.peers)}")
    with ThreadPoolExecutor(2) as together:
        took = list(together.map(lambda server: server.serve(stage.clock), (stage.seller, stage.buyer)))
    tell.step("both Slackwaters serve (python app.py serve)")
    for server, seconds in zip((stage.seller, stage.buyer), took, strict=True):
        tell.note(f"{server.subscriber_id} at {server.url}, process {server.pid}, ready after {seconds:.1f} s")


def plan(stage: Stage) -> None:
    """The seller is given work and plans it."""
    tell, now = stage.tell, stage.clock.now()
    begin = now.replace(minute=0, second=0, microsecond=0) + timedelta(minutes=90)
    finish = begin + timedelta(minutes=90)
    tell.act("The seller has work to do, and plans it")
    for name, kind, duration, power in _JOBS:
        stage.seller.ask(
            "/api/jobs",
            {
                "job_name": name,
                "flexibility_type": kind,
                "duration_hours": duration,
                "power_kw": power,
                "earliest_start": format_utc(begin),
                "latest_finish": format_utc(finish),
            },
        )
    tell.step(f"{len(_JOBS)} jobs are submitted over REST, to run between {begin:%H:%M} and {finish:%H:%M}")
    eventually(lambda: all(job["status"] in {"scheduled", "running"} for job in stage.jobs()), "a plan of all jobs")
    tick = stage.seller.ask("/api/plan")["tick"]
    tell.step(f"a plan is negotiated and certified: {len(_JOBS)} of {len(_JOBS)} jobs have a place")
    tell.detail(written(tick))
    stage.contracts["deadline"] = {"latest_finish": finish}


def discover(stage: Stage) -> None:
    """Catalogs by both ways."""
    tell, bap = stage.tell, stage.bap
    tell.act("Publish and discover")
    for server in (stage.seller, stage.buyer):
        eventually(partial(_published, stage, server), f"a catalog of {server.name}")
        published = _published(stage, server)[-1]
        tell.step(
            f"{published.sender} -> {stage.discovery.name}: catalog/publish, "
            f"{len(published.body['message']['catalogs'])} catalogs; answered with catalog/on_publish ACCEPTED"
        )
    service = bap.ask((stage.discovery.name, stage.discovery.url), "discover", {"intent": {}})
    tell.step(f"{bap.name} -> {stage.discovery.name}: discover; on_discover names "
              f"{sorted({each['bppId'] for each in service.callback['message']['catalogs']})}")  # fmt: skip
    everything = bap.ask(stage.to_seller, "discover", {"intent": {}})
    catalogs = everything.callback["message"]["catalogs"]
    offers = [(each["id"], len(each["offers"])) for each in catalogs]
    tell.step(f"{bap.name} -> {stage.seller.subscriber_id}: discover, directly; on_discover brings {offers}")
    near = {"op": "S_DWITHIN", "geometry": {"type": "Point", "coordinates": [-1.5, 53.8]}, "distanceMeters": 50_000}
    intent = {
        "filters": {"type": "jsonpath", "expression": "$[?(@.resourceAttributes['@type'] == 'ComputeWindow')]"},
        "spatial": [{**near, "targets": "$['resourceAttributes']['location']['geo']"}],
    }
    filtered = bap.ask(stage.to_seller, "discover", {"intent": intent})
    found = [
        each["id"]
        for catalog in filtered.callback.get("message", {}).get("catalogs", [])
        for each in catalog["resources"]
    ]
    tell.step(f"the same, filtered by JSONPath and within 50 km of Leeds: {found}")
    tell.check(
        "the filter finds the windows of Leeds alone", found == ["compute-window.leeds"], filtered.error or found
    )
    windows, downs = on_sale(catalogs, "ComputeWindow"), on_sale(catalogs, "TurnDownResource")
    tell.check("both products are for sale", bool(windows) and bool(downs))
    tell.check("no acknowledgement lacks its signature of four lines", not bap.unsigned, "; ".join(bap.unsigned))


def _published(stage: Stage, server: Slackwater) -> list[Travelled]:
    """What a server published."""
    return [each for each in stage.discovery.came("catalog/publish") if each.sender == server.name]
