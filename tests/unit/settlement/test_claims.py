"""A claim about carbon is restated on the log when the ledger's figures are settled, once for each time it changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from accounting.settlement import ESTIMATE_FINAL_AFTER
from agents.energy.agent import EnergyAgent
from agents.settlement.claims import RESTATED_FOR, claims_in_force
from agents.site.agent import SiteAgent
from audit.record import Record
from audit.storage import LogFile
from audit.verify import verify
from core.job import Job, JobRequest, JobStatus
from core.ledger import Leg
from core.series import Kind, Series, Unit
from core.slots import SLOT, slot_floor
from tests.house import START, Bench

FINAL = ESTIMATE_FINAL_AFTER + SLOT


@dataclass
class Grid:
    """What every zone is seen to have had: settled prices, and carbon of one kind that falls slot by slot."""

    kind: Kind = Kind.ESTIMATE
    more_g: float = 0.0

    def observed(self, _zone: str, start: datetime, slots: int) -> tuple[Series, Series]:
        since = (slot_floor(start) - START) / SLOT
        grams = 300.0 - 2 * (since + np.arange(slots)) + self.more_g
        kinds = np.full(slots, self.kind, dtype=np.int8)
        settled = np.full(slots, Kind.SETTLED, dtype=np.int8)
        return (
            Series(start, np.full(slots, 0.1), settled, Unit.GBP_PER_KWH, "prices", START),
            Series(start, grams, kinds, Unit.G_PER_KWH, "grid", START),
        )


@pytest.fixture
def grid(monkeypatch: pytest.MonkeyPatch) -> Grid:
    made = Grid()
    monkeypatch.setattr(EnergyAgent, "observed", lambda _, *asked: made.observed(*asked))
    return made


def delivered(bench: Bench) -> Job:
    """A job that was planned once, and has ended without another tick."""
    job = bench.submit()
    bench.tick()
    for slot in range(1, 50):
        bench.at(slot)
        bench.house.dispatcher.dispatch()
        if bench.status(job).terminal:
            break
    assert bench.status(job) is JobStatus.COMPLETED
    return job


def corrections(bench: Bench, job: Job) -> list[Record]:
    return list(bench.house.log.matching(kind="correction", job_id=job.job_id))


def delivery(bench: Bench, job: Job) -> Record:
    (record,) = bench.house.log.matching(kind="delivery", job_id=job.job_id)
    return record


def ended(bench: Bench, job: Job) -> datetime:
    """When the last half-hour of either course is over."""
    return max(row.slot_start for row in (*bench.rows(job), *bench.rows(job, Leg.BASELINE))) + SLOT


def test_a_claim_made_from_forecasts_is_restated_once_as_settled_and_then_never_again(bench: Bench, grid: Grid):
    job = delivered(bench)
    first = delivery(bench, job)
    assert first.body["carbon"]["claim_level"] == "forecast"
    bench.clock.set(ended(bench, job) + FINAL)
    bench.tick()
    (record,) = corrections(bench, job)
    body = record.body
    assert (body["corrected_seq"], body["corrected_leaf"]) == (first.seq, first.leaf)
    assert (body["revision"], body["supersedes_seq"]) == (1, first.seq)
    assert body["carbon"]["claim_level"] == "settled"
    assert body["reason"].endswith("the claim was forecast and is settled by them")
    assert {"path": "carbon/claim_level", "was": "forecast", "now": "settled"} in body["changes"]
    assert [(ref.seq, ref.leaf) for ref in record.refs] == [(first.seq, first.leaf)]
    bench.tick()
    bench.clock.set(bench.clock.now() + SLOT)
    bench.tick()
    assert corrections(bench, job) == [record]


def test_the_restated_claim_is_what_the_ledger_says(bench: Bench, grid: Grid):
    job = delivered(bench)
    bench.clock.set(ended(bench, job) + FINAL)
    bench.tick()
    (record,) = corrections(bench, job)
    claim = record.body["carbon"]
    saved = sum(r.carbon_kg for r in bench.rows(job, Leg.BASELINE)) - sum(r.carbon_kg for r in bench.rows(job))
    assert float(claim["attributional"]["saved_kg"]) == pytest.approx(saved, abs=1e-6)
    held = delivery(bench, job).body["carbon"]
    kept = "attributional_forecast", "baseline_schedule", "energy", "baseline_energy", "displaced", "rebound"
    assert [claim[name] for name in kept] == [held[name] for name in kept]


def test_an_estimate_that_is_revised_restates_the_claim_and_names_the_one_before(bench: Bench, grid: Grid):
    job = delivered(bench)
    bench.clock.set(ended(bench, job))
    bench.tick()
    grid.more_g = 10.0
    bench.clock.set(bench.clock.now() + SLOT)
    bench.tick()
    bench.clock.set(ended(bench, job) + FINAL)
    bench.tick()
    found = corrections(bench, job)
    assert [each.body["carbon"]["claim_level"] for each in found] == ["metered", "metered", "settled"]
    assert [each.body["revision"] for each in found] == [1, 2, 3]
    seqs = [delivery(bench, job).seq, *(each.seq for each in found)]
    assert [each.body["supersedes_seq"] for each in found] == seqs[:-1]
    assert [ref.seq for ref in found[2].refs] == [seqs[0], seqs[2]]
    assert found[1].body["reason"].endswith("the claim stays metered")
    grams = next(c for c in found[1].body["changes"] if c["path"] == "carbon/average_outturn/0/mean_g_per_kwh")
    assert Decimal(grams["now"]) - Decimal(grams["was"]) == 10
    assert [c["path"] for c in found[2].body["changes"]] == ["carbon/claim_level"]


def test_a_restart_restates_nothing_twice_and_forgets_nothing(bench: Bench, grid: Grid):
    job = delivered(bench)
    bench.clock.set(ended(bench, job))
    bench.tick()
    again = bench.restarted()
    again.tick()
    assert [each.body["revision"] for each in corrections(again, job)] == [1]
    again.clock.set(ended(again, job) + FINAL)
    again.tick()
    assert [each.body["carbon"]["claim_level"] for each in corrections(again, job)] == ["metered", "settled"]
    last = again.restarted()
    last.tick()
    assert len(corrections(last, job)) == 2
    last.house.close()
    assert verify(last.house.log.path).ok


def test_what_the_log_did_not_take_is_restated_after_the_restart(
    bench: Bench, grid: Grid, monkeypatch: pytest.MonkeyPatch
):
    job = delivered(bench)
    bench.clock.set(ended(bench, job) + FINAL)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LogFile, "append", full)
    assert bench.tick().outcome == "failed"
    assert all(row.settled for row in bench.rows(job)), "the ledger is ahead of the log"
    monkeypatch.undo()
    again = bench.restarted()
    again.tick()
    (record,) = corrections(again, job)
    assert record.body["carbon"]["claim_level"] == "settled"
    again.house.close()


def test_an_earlier_view_has_the_earlier_claim(bench: Bench, grid: Grid):
    job = delivered(bench)
    for at in (ended(bench, job) + SLOT, ended(bench, job) + FINAL):
        bench.clock.set(at)
        bench.tick()
    records = [delivery(bench, job)], corrections(bench, job)
    seen = [claims_in_force(*records, record.recorded_at) for record in (*records[0], *records[1])]
    assert [claim.carbon["claim_level"] for (claim,) in seen] == ["forecast", "metered", "settled"]
    assert [claim.revision for (claim,) in seen] == [0, 1, 2]
    assert claims_in_force(*records, records[0][0].recorded_at - SLOT) == []


def test_simulated_carbon_never_settles_a_claim(bench: Bench, grid: Grid):
    grid.kind = Kind.SIMULATED
    job = delivered(bench)
    bench.clock.set(ended(bench, job) + FINAL)
    bench.tick()
    (record,) = corrections(bench, job)
    assert record.body["carbon"]["claim_level"] == "forecast"
    assert {each["kind"] for each in record.body["carbon"]["average_outturn"]} == {"simulated"}


def test_a_claim_is_restated_no_longer_than_it_may_be(bench: Bench, grid: Grid):
    job = delivered(bench)
    bench.clock.set(delivery(bench, job).recorded_at + RESTATED_FOR + SLOT)
    bench.tick()
    assert corrections(bench, job) == []


def test_a_site_that_moves_to_another_zone_does_not_change_what_was_claimed(
    bench: Bench, grid: Grid, monkeypatch: pytest.MonkeyPatch
):
    job = delivered(bench)
    regions = delivery(bench, job).body["carbon"]["grid_regions"]
    moved = tuple(site.model_copy(update={"zone": "GB-H"}) for site in bench.house.sites.sites())
    monkeypatch.setattr(SiteAgent, "sites", lambda _: moved)
    bench.clock.set(ended(bench, job) + FINAL)
    bench.tick()
    (record,) = corrections(bench, job)
    assert record.body["carbon"]["grid_regions"] == regions != ["GB-H"]


def test_where_nothing_changed_no_claim_is_made_again(bench: Bench, grid: Grid, monkeypatch: pytest.MonkeyPatch):
    job = delivered(bench)
    bench.clock.set(ended(bench, job))
    bench.tick()
    made: list[object] = []
    monkeypatch.setattr("agents.settlement.claims.carbon_claim", lambda *asked: made.append(asked))
    bench.tick()
    bench.clock.set(bench.clock.now() + SLOT)
    bench.tick()
    bench.clock.set(min(row.slot_start for row in bench.rows(job, Leg.BASELINE)) + FINAL)
    bench.tick()
    assert sorted(row.settled for row in bench.rows(job, Leg.BASELINE)) == [False, False, False, True]
    assert made == []
    grid.more_g = 1.0
    bench.tick()
    assert len(made) == 1


def test_a_command_that_ended_early_goes_on_being_compared_with_its_share(tmp_path: Path, grid: Grid):
    bench = Bench.build(tmp_path / "var", commands_enabled=True)
    request = {"job_name": "echo", "flexibility_type": "fixed", "duration_hours": 2, "power_kw": 20}
    command = {"command": ["/bin/sh", "-c", "sleep 0.2"], "latest_finish": START + 24 * SLOT}
    job = bench.house.jobs.submit(JobRequest.model_validate(request | command), local=True)
    bench.tick()
    bench.clock.set(bench.rows(job)[0].slot_start)
    bench.house.dispatcher.dispatch()
    bench.clock.set(bench.clock.now() + SLOT / 2)
    while not bench.status(job).terminal:
        bench.house.dispatcher.dispatch()
    held = delivery(bench, job).body
    assert 0 < float(held["delivered_kwh"]) < float(held["committed_kwh"])
    bench.clock.set(ended(bench, job) + FINAL)
    bench.house.ledger.scale_baseline(job.job_id, 1.0)  # as it stands between the record and the end of the job
    bench.tick()
    (record,) = corrections(bench, job)
    assert record.body["carbon"]["claim_level"] == "settled"
    assert record.body["carbon"]["baseline_energy"] == held["carbon"]["baseline_energy"]
    bench.house.close()
