"""Points 13, 14 and 15: every decision derived again from its stored inputs, with no network and no clock."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_socket
import sqlalchemy as sa

import agents.allowance
import app
from agents.evidence import plan_digest
from agents.negotiation import Effort, Outcome
from agents.replaying import negotiated
from agents.replaying.cases import DECISION, ROUND, Case, Told, cases
from agents.replaying.inputs import kept_instance
from agents.solver import InlineSolver
from audit.canonical import canonical
from audit.record import digest
from audit.storage import beside
from audit.verifier.lines import NO_HASH
from core.clock import ManualClock
from core.instance import Instance, JobInstance, SiteInstance
from core.plan import Plan
from core.slots import SLOT, SLOT_HOURS, format_utc
from store.database import Database
from store.tables import bodies, fetches
from store.vintages import VintageRepository
from tests.conftest import ROOT
from tests.upstream.desk import utc
from tests.upstream.household import Household, household

NOW = utc(2026, 11, 20, 13, 47)
LATER = NOW + timedelta(days=20)
TICKS = 5
CUT_AFTER = 40
"""looks at a clock that goes on by a second with each of them"""


@dataclass
class Hurried:
    """Negotiates in this thread; every other time the clock runs away and cuts it short."""

    solved: int = 0
    outcomes: list[Outcome] = field(default_factory=list)

    def solve(self, instance: Instance, seed: int, effort: Effort) -> Outcome:
        self.solved += 1
        effort = replace(effort, target_gap=-1.0)
        if self.solved % 2:
            return self._kept(InlineSolver().solve(instance, seed, effort))
        reads = count()
        with pytest.MonkeyPatch.context() as runaway:
            runaway.setattr("agents.allowance.time.monotonic", lambda: float(next(reads)))
            return self._kept(InlineSolver().solve(instance, seed, replace(effort, time_limit_s=CUT_AFTER)))

    def _kept(self, outcome: Outcome) -> Outcome:
        self.outcomes.append(outcome)
        return outcome

    def close(self) -> None:
        """Nothing is held."""


def lived(home: Household) -> None:
    """Some half-hours in which jobs of all kinds come, more than there is room for at one site."""
    for tick in range(TICKS):
        for kind in ("deferrable", "pausable", "throttlable"):
            home.submit(flexibility_type=kind, power_kw=30 + 10 * tick)
        home.submit(
            flexibility_type="deferrable",
            power_kw=90,
            allowed_regions=["london"],
            latest_finish=home.clock.now() + timedelta(hours=5),
        )
        assert home.live_on().outcome == "planned"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a house that has lived; its upstream is gone."""
    folder: Path = tmp_path_factory.mktemp("lived")
    with pytest.MonkeyPatch.context() as patched, household(folder, NOW, patched, solver=Hurried()) as home:
        lived(home)
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(original, tmp_path / "var"))


class Forbidden:
    """Stands for a module whose every use is an error."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for")


@contextmanager
def sealed() -> Iterator[None]:
    """No socket can be made, no look taken at how long anything takes, and the clock stands."""
    pytest_socket.disable_socket()
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(agents.allowance, "time", Forbidden())
            patched.setattr("core.clock.SystemClock.now", Forbidden().__getattr__)
            patched.setattr(app, "clock_of", lambda settings: ManualClock(LATER))
            patched.setattr(app, "log_to_stderr", lambda level: None)
            yield
    finally:
        pytest_socket.enable_socket()


@dataclass(frozen=True)
class Printed:
    """What the command printed as JSON, and its exit status."""

    status: int
    summary: dict[str, int]
    records: list[dict[str, Any]]

    def odd(self) -> list[tuple[int, str, str, str]]:
        """Seq, verdict, what and why of every finding."""
        return [
            (record["seq"], found["verdict"], found["what"], found["why"])
            for record in self.records
            for found in record["findings"]
        ]

    def whys(self) -> str:
        return "\n".join(f"{what}: {why}" for _, _, what, why in self.odd())


@pytest.fixture
def replay(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Printed]:
    """Runs ``audit replay`` over the copy, sealed."""
    monkeypatch.setenv("DATA_DIR", str(folder))

    def run(*words: str) -> Printed:
        capsys.readouterr()
        with sealed():
            status = app.main(["audit", "replay", "--json", *(words or ("--all",))])
        told = json.loads(capsys.readouterr().out)
        return Printed(status, told["summary"], told["records"])

    return run


def rewritten(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The whole log written anew by someone who may: each record changed, and the chain good again."""
    log, prev, lines = folder / "decisions.jsonl", NO_HASH, []
    for line in log.read_bytes().splitlines():
        envelope = json.loads(line)
        change(envelope)
        lines.append(canonical({**envelope, "prev": prev}))
        prev = digest(lines[-1])
    log.write_bytes(b"".join(line + b"\n" for line in lines))
    beside(log, ".head").unlink()


def rounds_of(folder: Path) -> list[Case]:
    return [case for case in cases(folder / "decisions.jsonl") if case.round is not None]


def prices_answer(case: Case) -> Told:
    """What the log tells of an answer with prices that a round was planned with."""
    assert case.round is not None
    used = {origin["fetch_id"] for use in case.round.body["feeds"] for origin in use["origins"]}
    return next(told for told in case.answers.values() if told.feed == "octopus-agile" and told.fetch_id in used)


def derived(folder: Path, case: Case) -> tuple[Instance, Plan]:
    """The instance of a round, and the plan that comes out of it."""
    assert case.round is not None
    instance, wrong = kept_instance(folder, case.round.body)
    assert instance is not None
    assert wrong == []
    return instance, negotiated.again(case.round.body, instance).plan


def of_kind(kind: str, change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """``change`` for the bodies of one kind."""
    return lambda envelope: change(envelope["body"]) if envelope["kind"] == kind else None


# -- 13: the same again -----------------------------------------------------------------------------------------------


def test_point_13_replay_all_reproduces_every_output_with_the_network_off_and_the_clock_frozen(folder, replay):
    found = rounds_of(folder)
    bodies_ = [case.round.body for case in found if case.round]
    assert len(found) == TICKS
    cut = [bool(body["work"]["stops"]) for body in bodies_]
    assert cut == [False, True, False, True, False], "some ran to their end, some were cut short by their time limit"
    assert {body["work"]["rounds"] for body in bodies_} > {120}
    told = replay("--all")
    assert told.odd() == []
    assert told.status == 0
    decisions = sum(len(case.decisions) for case in found)
    assert (told.summary["rounds"], told.summary["decisions"]) == (TICKS, decisions)
    assert told.summary["same"] == TICKS + decisions
    assert told.summary["figures_read_again"] > 96 * TICKS
    with sealed():
        digests = [plan_digest(derived(folder, case)[1]) for case in found]
    assert digests == [body["output_sha256"] for body in bodies_]


def test_point_13_the_seal_holds():
    import socket

    with sealed():
        with pytest.warns(UserWarning, match="getaddrinfo"), pytest.raises(pytest_socket.SocketBlockedError):
            socket.create_connection(("127.0.0.1", 1))
        with pytest.raises(AssertionError, match="monotonic was asked for"):
            agents.allowance.Deadline(1.0)


@pytest.mark.slow
def test_point_13_another_process_with_other_threads_and_another_order_of_sets_gives_the_same(folder):
    environment = os.environ | {"DATA_DIR": str(folder), "PYTHONHASHSEED": "4711", "OPENBLAS_NUM_THREADS": "2"}
    words = [sys.executable, str(ROOT / "app.py"), "audit", "replay", "--all", "--json"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["summary"]["rounds"] == TICKS


def test_point_13_one_figure_of_an_instance_file_that_was_changed_is_named(folder, replay):
    case = rounds_of(folder)[2]
    path = folder / case.round.body["instance_path"]
    made = json.loads(gzip.decompress(path.read_bytes()))
    made["sites"][0]["price_gbp_per_kwh"][7] += 0.01
    path.write_bytes(gzip.compress(json.dumps(made, separators=(",", ":")).encode()))
    told = replay("--all")
    assert told.status == 1
    assert {seq for seq, verdict, *_ in told.odd() if verdict == "differs"} == {case.round.seq}
    assert f"instance: recorded with SHA-256 {case.round.body['instance_sha256']}" in told.whys()
    slot = format_utc(datetime.fromisoformat(case.round.body["plan_start"]) + 7 * SLOT)
    assert f"GB-C price at {slot}: planned with" in told.whys()
    assert {seq for seq, verdict, *_ in told.odd() if verdict == "not replayable"} == {d.seq for d in case.decisions}


def test_point_13_an_instance_file_that_is_gone_or_no_longer_a_file_of_ours_is_named(folder, replay):
    one, other = rounds_of(folder)[:2]
    (folder / one.round.body["instance_path"]).unlink()
    (folder / other.round.body["instance_path"]).write_bytes(b"not packed")
    told = replay("--all")
    assert told.status == 1
    assert "is not there" in told.whys()
    assert "cannot be read: Not a gzipped file" in told.whys()


def test_point_13_a_body_that_was_taken_out_of_the_store_is_named(folder, replay):
    told_of = prices_answer(rounds_of(folder)[0])
    sha256, url = next(iter(told_of.bodies.items()))
    execute(folder, sa.delete(bodies).where(bodies.c.sha256 == sha256))
    told = replay("--all")
    assert told.status == 1
    named = f"the body of {url} with SHA-256 {sha256} is not in the store"
    assert f"{told_of.fetch_id}: {named}" in told.whys()


def test_point_13_answers_that_were_deleted_in_their_time_are_said_to_be_gone_and_others_to_be_missing(
    folder, replay, monkeypatch
):
    execute(folder, sa.delete(fetches))
    told = replay("--all")
    assert (told.status, told.summary["not_replayable"]) == (1, 0)
    assert "it should still be in the store and is not" in told.whys()
    monkeypatch.setenv("KEEP_ANSWERS_DAYS", "10")
    told = replay("--all")
    assert (told.status, told.summary["differs"], told.summary["not_replayable"]) == (3, 0, TICKS)
    assert "it was deleted when its time was over" in told.whys()


def test_point_13_a_round_of_which_too_little_was_recorded_is_said_to_be_so(folder, replay):
    def old(body: dict[str, Any]) -> None:
        for name in ("effort", "work", "made_with"):
            del body[name]

    rewritten(folder, of_kind(ROUND, old))
    told = replay("--all")
    assert told.status == 3
    assert (told.summary["same"], told.summary["differs"]) == (0, 0)
    assert "work: the record does not hold it: it was written before it was kept" in told.whys()
    assert told.summary["figures_read_again"] > 0, "what can be told is still told"


def test_point_13_where_time_ended_a_round_is_needed_and_used(folder, replay):
    rewritten(folder, of_kind(ROUND, lambda body: body["work"].update(stops=[])))
    told = replay("--all")
    cut = [case.round.seq for case in rounds_of(folder)][1::2]
    assert told.status == 1
    assert sorted({seq for seq, _, what, _ in told.odd() if what == "work"}) == cut


def test_point_13_an_output_that_was_not_what_came_out_is_named_with_what_computed_it(folder, replay):
    def forged(body: dict[str, Any]) -> None:
        body["output_sha256"] = "0" * 64
        body["made_with"]["numpy"] = "1.0"

    rewritten(folder, of_kind(ROUND, forged))
    told = replay("--all")
    assert told.status == 1
    assert f"output_sha256: recorded {'0' * 64}, derived" in told.whys()
    assert f"(it was computed with numpy 1.0, here {np.__version__})" in told.whys()


def test_point_13_one_decision_or_round_is_replayed_by_its_seq_or_id(folder, replay):
    case = rounds_of(folder)[1]
    decision = case.decisions[0]
    for name in (str(decision.seq), decision.body["decision_id"]):
        told = replay(name)
        assert [record["seq"] for record in told.records] == [case.round.seq, decision.seq]
    for name in (str(case.round.seq), case.round.body["round_id"]):
        assert len(replay(name).records) == 1 + len(case.decisions)


@pytest.mark.parametrize("words", [("999999",), (), ("3", "--all")])
def test_point_13_nothing_or_too_much_to_replay_is_refused(folder, monkeypatch, capsys, words):
    monkeypatch.setenv("DATA_DIR", str(folder))
    with sealed():
        assert app.main(["audit", "replay", *words]) == 2
    assert "seq" in capsys.readouterr().err


def test_point_13_a_person_is_told_in_a_sentence(folder, monkeypatch, capsys):
    monkeypatch.setenv("DATA_DIR", str(folder))
    with sealed():
        assert app.main(["audit", "replay", "--all"]) == 0
    assert f"{TICKS} rounds and " in capsys.readouterr().out
    beside(folder / "decisions.jsonl", "").rename(folder / "elsewhere")
    with sealed():
        assert app.main(["audit", "replay", "--all"]) == 2
    assert "DATA_DIR" in capsys.readouterr().err


# -- 14: no look-ahead ------------------------------------------------------------------------------------------------


def test_point_14_an_answer_from_after_the_round_is_refused_however_well_it_is_forged(folder, replay):
    """The store and the whole log are written anew with an answer that came an hour after the first round."""
    first = rounds_of(folder)[0]
    old = prices_answer(first).fetch_id
    at = first.round.recorded_at + timedelta(hours=1)
    database = Database(f"sqlite:///{folder / 'slackwater.db'}")
    store = VintageRepository(database)
    fetch = store.get(old)
    series = {quantity: replace(each, issued_at=at) for quantity, each in fetch.series.items()}
    new = store.add(replace(fetch, fetched_at=at, series=series))
    database.close()

    def forged(envelope: dict[str, Any]) -> None:
        body = json.loads(json.dumps(envelope["body"]).replace(old, new))
        if body.get("fetch_id") == new:
            body["fetched_at"] = format_utc(at)
        envelope["body"] = body

    rewritten(folder, forged)
    told = replay(str(first.round.seq))
    assert told.status == 1
    recorded = format_utc(first.round.recorded_at)
    assert f"{new}: look-ahead: it is from {format_utc(at)}, and the round was recorded at {recorded}" in told.whys()


def test_point_14_an_instant_forged_in_the_store_alone_is_named(folder, replay):
    first = rounds_of(folder)[0]
    forged = prices_answer(first).fetch_id
    execute(folder, sa.update(fetches).where(fetches.c.fetch_id == forged).values(fetched_at=LATER))
    told = replay("--all")
    assert told.status == 1
    assert f"{forged}: recorded as fetched at " in told.whys()
    assert f"{forged}: look-ahead: it is from {format_utc(LATER)}" in told.whys()


def test_point_14_an_answer_that_the_log_tells_of_only_after_the_round_is_refused(folder, replay):
    rewritten(folder, of_kind("feed_snapshot", lambda body: body.update(fetch_id=f"{body['fetch_id'][:-1]}x")))
    told = replay("--all")
    assert told.status == 1
    assert "the log does not tell of this answer before the round that uses it" in told.whys()


def test_point_14_a_series_issued_after_the_round_is_refused(folder, replay):
    rewritten(folder, of_kind(ROUND, lambda body: body["feeds"][0].update(issued_at=format_utc(LATER))))
    told = replay("--all")
    assert told.status == 1
    assert f"look-ahead: it is from {format_utc(LATER)}" in told.whys()


# -- 15: the options --------------------------------------------------------------------------------------------------


def test_point_15_rejected_options_are_present_and_the_chosen_one_is_the_cheapest_that_fits(folder):
    """By plain arithmetic over every window of every site: no code of the planner but its prices."""
    checked = 0
    for case in rounds_of(folder):
        instance, plan = derived(folder, case)
        jobs = {job.id: job for job in instance.jobs}
        frozen = {held.job for held in instance.frozen}
        for record in case.decisions:
            job = jobs[record.body["job_id"]]
            if job.kind == "block" and record.body["chosen_id"] and job.id not in frozen:
                assert_chosen_is_cheapest(record.body, job, instance, plan)
                checked += len(record.body["options"]) > 1
    assert checked >= TICKS


def assert_chosen_is_cheapest(body: dict[str, Any], job: JobInstance, instance: Instance, plan: Plan) -> None:
    """Every allowed site is among the options, each with its cheapest window; of those that fit none is cheaper."""
    options = {option["site_id"]: option for option in body["options"]}
    assert options.keys() == set(job.sites)
    chosen = options.pop(body["site_id"])
    assert (chosen["option_id"], chosen["reject_code"], chosen["feasible"]) == (body["chosen_id"], None, True)
    sites = {site.id: site for site in instance.sites}
    scarcity = {price.site: np.array(price.headroom_gbp_per_kw_slot) for price in plan.prices}
    start = round((datetime.fromisoformat(chosen["start"]) - instance.start) / SLOT)
    windows = priced_windows(job, sites[body["site_id"]], scarcity[body["site_id"]], instance)
    assert windows[start] == pytest.approx(float(chosen["priced_gbp"]), abs=2e-6)
    for site_id, option in options.items():
        cheapest = min(priced_windows(job, sites[site_id], scarcity[site_id], instance).values())
        assert cheapest == pytest.approx(float(option["priced_gbp"]), abs=2e-6)
        assert option["reject_code"]
        if option["feasible"]:
            assert float(option["priced_gbp"]) >= float(chosen["priced_gbp"]) - 2e-6


def priced_windows(job: JobInstance, site: SiteInstance, scarcity: np.ndarray, instance: Instance) -> dict[int, float]:
    """By start, what a block costs at a site: energy, carbon at its price, scarcity, and a move."""
    carbon = instance.carbon_price_gbp_per_tonne * np.array(site.carbon_g_per_kwh) / 1e6
    rate = np.array(site.pue) * (SLOT_HOURS * (np.array(site.price_gbp_per_kwh) + carbon) + scarcity)
    found = {}
    for first in range(job.earliest_slot, job.latest_slot - job.duration_slots + 1):
        last = first + job.duration_slots
        stays = job.planned and (job.planned.site, job.planned.runs) == (site.id, ((first, last, job.power_kw),))
        move = 0.0 if stays or job.planned is None else job.move_cost_gbp or 0.0
        found[first] = float(job.power_kw * rate[first:last].sum()) + move
    return found


def test_point_15_a_decision_that_says_another_option_was_chosen_is_named(folder, replay):
    def swapped(body: dict[str, Any]) -> None:
        if body["chosen_id"] and len(body["options"]) > 1:
            one, other = body["options"][:2]
            one["reject_code"], other["reject_code"] = other["reject_code"], None
            body["chosen_id"] = other["option_id"]

    rewritten(folder, of_kind(DECISION, swapped))
    told = replay("--all")
    assert told.status == 1
    assert "chosen_id: recorded opt-2, derived opt-1" in told.whys()
    assert "it fits, is GBP" in told.whys()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda body: body["options"].pop(), "options: recorded"),
        (lambda body: body["options"][0].update(cost_gbp="0.010000"), "options.opt-1: 0.010000 + "),
        (lambda body: body["options"][0].update(carbon_gbp="9.000000"), "at the carbon price"),
        (lambda body: body.update(cost_gbp="0.010000"), "cost_gbp: recorded 0.010000, derived "),
        (lambda body: body.update(carbon_high_kg="99.000000"), "carbon_high_kg: recorded 99.000000, derived "),
        (lambda body: body["runs"][0].update(power_kw="1.000000"), "runs: [0].power_kw: recorded 1.000000"),
        (lambda body: body.update(verdict="counter"), "verdict: recorded counter, derived award or move"),
        (lambda body: body.update(reason="it liked it there"), "reason: recorded it liked it there, derived "),
        (lambda body: body.update(job_id="job-x"), "job_id: the round did not plan job-x"),
        (lambda body: body["explanation"].update(run_now_fits="perhaps"), "run_now_fits: recorded perhaps"),
    ],
)
def test_point_15_any_other_change_of_an_award_is_named(folder, replay, change, named):
    case = rounds_of(folder)[0]
    award = next(record for record in case.decisions if record.body["chosen_id"])
    rewritten(folder, lambda envelope: change(envelope["body"]) if envelope["seq"] == award.seq else None)
    told = replay(str(case.round.seq))
    assert told.status == 1
    assert {seq for seq, *_ in told.odd()} == {award.seq}
    assert named in told.whys()


def test_point_15_a_refusal_is_derived_again_with_its_reason_and_offers(folder, replay):
    decisions = (record for case in rounds_of(folder) for record in case.decisions)
    record = next(record for record in decisions if record.body["verdict"] == "counter")
    assert record.body["counter_offers"]
    rewritten(
        folder,
        lambda envelope: envelope["body"]["counter_offers"].clear() if envelope["seq"] == record.seq else None,
    )
    told = replay(str(record.seq))
    assert [(seq, what) for seq, _, what, _ in told.odd()] == [(record.seq, "counter_offers")]


def execute(folder: Path, statement: sa.Executable) -> None:
    """Change the store behind its back, foreign keys aside."""
    engine = sa.create_engine(f"sqlite:///{folder / 'slackwater.db'}")
    with engine.begin() as connection:
        connection.execute(statement)
    engine.dispose()
