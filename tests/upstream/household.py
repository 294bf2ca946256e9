"""The whole application pointed at an upstream, driven by hand through simulated time."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

import agents.energy.build
import app
from agents.energy.build import live_feeds
from agents.energy.client import Client
from agents.energy.reread import Reread, Rereader
from agents.solver import InlineSolver, Solver
from commands.house import House
from core.clock import ManualClock
from core.instance import Instance
from core.job import Job, JobRequest
from core.ledger import TickRecord
from core.settings import Settings
from store.vintages import VintageRepository
from tests.house import SITES
from tests.upstream.desk import BOUNDS, ticking
from tests.upstream.server import Upstream
from tests.upstream.truth import LETTER_OF, told
from tests.upstream.world import World, slots
from web.application import create_app
from web.services import Services

TICK = timedelta(minutes=30)
UNUSED = {"entsoe_key": None, "watttime_username": None, "watttime_password": None}
"""Feeds without their keys, for they give nothing that the three sites are planned with."""
FIELDS = {"price": "price_gbp_per_kwh", "carbon": "carbon_g_per_kwh"}


@dataclass
class Household:
    """A house of three sites, its upstream and its clock; what tests do with them again and again."""

    folder: Path
    clock: ManualClock
    upstream: Upstream
    house: House
    web: FlaskClient

    def submit(self, **changes: Any) -> Job:
        """A job of two hours at 20 kW with a day to finish."""
        fields_: dict[str, Any] = {
            "job_name": f"job {self.clock.now():%H:%M}",
            "flexibility_type": "pausable",
            "duration_hours": 2,
            "power_kw": 20,
            "latest_finish": self.clock.now() + timedelta(hours=24),
        }
        return self.house.jobs.submit(JobRequest.model_validate({**fields_, **changes}))

    def live_on(self) -> TickRecord:
        """Half an hour later: the feeds that are due are asked, the agents meet, the dispatcher acts."""
        self.clock.advance(TICK)
        self.house.energy.refresh()
        record = self.house.loop.tick("schedule")
        self.house.dispatcher.dispatch()
        return record

    def health(self) -> dict[str, Any]:
        """The body of /health."""
        answer = self.web.get("/health")
        assert answer.status_code == 200
        return dict(answer.get_json())

    def feeds(self, *zones: str) -> list[dict[str, Any]]:
        """What /health says of price and carbon of some zones."""
        told_of = self.health()["feeds"]
        return [feed for feed in told_of if feed["zone"] in zones and feed["quantity"] in FIELDS]

    def page(self, path: str = "/") -> str:
        """The text of a page."""
        answer = self.web.get(path, follow_redirects=True)
        assert answer.status_code == 200, path
        return answer.get_data(as_text=True)

    def rounds(self) -> Iterator[tuple[dict[str, Any], Instance]]:
        """Every round on the decision log with the instance that was planned, newest first."""
        records, _ = self.house.log.records(kind="negotiation_round", limit=10_000)
        for record in records:
            packed = (self.folder / record.body["instance_path"]).read_bytes()
            yield record.body, Instance.model_validate_json(gzip.decompress(packed))

    def reread(self) -> list[Reread]:
        """Every round's figures compared with the bytes that were stored."""
        rereader = Rereader(VintageRepository(self.house.database), live_feeds(self.house.settings))
        return [rereader.round(body, instance) for body, instance in self.rounds()]

    def assert_planned_with_what_was_told(self) -> int:
        """Every GB figure of every round is what its source said in the answer that the record names; how many."""
        vintages, compared = VintageRepository(self.house.database), 0
        for body, instance in self.rounds():
            sites = {site.region: site for site in instance.sites}
            for use in body["feeds"]:
                if use["zone"] not in LETTER_OF:
                    continue
                planned = np.array(getattr(sites[use["zone"]], FIELDS[use["quantity"]]))
                asked = slots(instance.start, instance.start + TICK * instance.slots)
                for origin in use["origins"]:
                    if origin["fetch_id"] is None:
                        continue
                    fetch = vintages.get(origin["fetch_id"])
                    if fetch.feed not in {"octopus-agile", "carbon-intensity"}:
                        continue
                    mine = slice(origin["first"], min(origin["last"], instance.slots))
                    expected = told(self.upstream.world, use["zone"], use["quantity"], asked[mine], fetch.fetched_at)
                    np.testing.assert_allclose(planned[mine], expected, atol=1e-8)
                    compared += len(expected)
        return compared


@contextmanager
def household(
    folder: Path,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    world: World | None = None,
    solver: Solver | None = None,
    **changes: Any,
) -> Iterator[Household]:
    """A composed house on ``folder`` whose feeds all ask an upstream; nothing is started, the feeds are asked once."""
    clock = ManualClock(now)
    with Upstream(world, clock, drip_s=0.1) as upstream:
        client = Client(bounds=BOUNDS, monotonic=ticking(clock))
        monkeypatch.setattr(agents.energy.build, "Client", lambda **_: client)
        overrides = {**upstream.settings_overrides(), **UNUSED}
        settings = Settings(
            **{"data_dir": folder, "database_url": None, "signals": "auto", "seed": 7, **overrides, **changes},
            _env_file=None,
        )
        house = app.compose(settings, clock, solver or InlineSolver(), SITES)
        parts = {field.name: getattr(house, field.name, "test") for field in fields(Services)}
        house.energy.refresh()
        try:
            yield Household(folder, clock, upstream, house, create_app(Services(**parts)).test_client())
        finally:
            house.close()
            client.close()
