"""Fair shares through ticks over a real store, and through the real negotiation."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.evidence import plan_digest
from agents.job.demand import demand
from agents.job.fairness.shares import jain
from agents.negotiation import Effort, Outcome, negotiate
from agents.proposal import Figures, Stakes, instance_of
from agents.replaying.negotiated import again
from agents.sharing import OTHERS_FIRST, Sharing, Weighed
from core.instance import read_instance
from core.job import Job, JobRequest, JobStatus
from core.ledger import Leg
from core.series import Kind
from core.slots import SLOT
from tests.house import START, Bench, small_site

HOURS = 24
DEADLINE = START + timedelta(hours=HOURS)


@pytest.fixture
def one_site(tmp_path: Path) -> Iterator[Bench]:
    """One site of 100 kW, and room for about forty jobs of 20 kW and two hours in a day."""
    bench = Bench.build(tmp_path / "var", sites=(small_site("london"),))
    yield bench
    bench.house.close()


def many(bench: Bench, count: int, tenant: str, **changes: Any) -> list[Job]:
    return [bench.submit(tenant=tenant, latest_finish=DEADLINE, **changes) for _ in range(count)]


def placed(bench: Bench, jobs: list[Job]) -> int:
    return sum(bench.status(job) is not JobStatus.PENDING for job in jobs)


def test_a_whale_that_came_first_does_not_keep_another_tenants_jobs_out(one_site: Bench):
    whale = many(one_site, 150, "whale", tier="premium")
    one_site.tick()
    alone = placed(one_site, whale)
    assert 25 < alone < 60
    minnow = many(one_site, 6, "minnow", tier="spot")
    one_site.tick()
    assert placed(one_site, minnow) == 6
    assert placed(one_site, whale) >= alone - 7, "what the other leaves is the whale's"


def test_a_whale_that_keeps_coming_does_not_delay_another_tenant_through_ticks(one_site: Bench):
    many(one_site, 60, "whale")
    late = []
    for slot in range(0, 24, 4):
        one_site.at(slot)
        many(one_site, 20, "whale")
        mine = one_site.submit(tenant="minnow", latest_finish=one_site.clock.now() + timedelta(hours=6))
        one_site.tick()
        one_site.house.dispatcher.dispatch()
        late.append(one_site.status(mine))
    assert JobStatus.PENDING not in late


def test_two_tenants_that_want_everything_get_alike_whatever_they_call_urgent(one_site: Bench):
    loud = many(one_site, 80, "loud", tier="premium")
    quiet = many(one_site, 80, "quiet")
    one_site.tick()
    assert jain([placed(one_site, loud), placed(one_site, quiet)]) >= 0.95
    assert placed(one_site, quiet) > 15


def test_weights_are_kept(tmp_path: Path):
    bench = Bench.build(tmp_path / "var", sites=(small_site("london"),), tenant_weights="gold=3")
    gold, iron = many(bench, 80, "gold"), many(bench, 80, "iron")
    bench.tick()
    assert placed(bench, gold) / placed(bench, iron) == pytest.approx(3, rel=0.2)
    bench.house.close()


def test_the_urgent_jobs_of_a_tenant_come_first(one_site: Bench):
    calm = many(one_site, 80, "mine", priority_level=6)
    urgent = many(one_site, 20, "mine", priority_level=0)
    one_site.tick()
    assert placed(one_site, urgent) == 20
    assert placed(one_site, calm) < 40


def test_what_has_begun_is_not_displaced(one_site: Bench):
    whale = many(one_site, 60, "whale", flexibility_type="pausable")
    one_site.tick()
    one_site.house.dispatcher.dispatch()
    one_site.at(1)
    begun = [job for job in whale if one_site.rows(job) and one_site.rows(job)[0].slot_start == START]
    assert begun
    many(one_site, 60, "minnow")
    one_site.tick()
    for job in begun:
        assert len(one_site.rows(job)) == 4


def test_a_refused_job_is_told_that_its_tenant_is_beyond_its_share(one_site: Bench):
    whale = many(one_site, 120, "whale")
    minnow = many(one_site, 10, "minnow")
    record = one_site.tick()
    assert placed(one_site, minnow) == 10
    refused = next(job for job in reversed(whale) if one_site.status(job) is JobStatus.PENDING)
    (body,) = one_site.decisions(refused)
    assert body["reason"] == one_site.job(refused).reason == OTHERS_FIRST
    share = body["explanation"]["share"]
    assert share["site_id"] == "london"
    assert float(share["asked_share"]) > 1 > float(share["due_share"]) == 0.5
    assert 0 < float(share["factor"]) < 0.1
    round_ = one_site.house.log.get(record.log_seq or 0).body
    commits = {one_site.house.log.commit("tenant", name): name for name in ("whale", "minnow")}
    told = {commits[row["tenant_commit"]]: row for row in round_["tenants"]}
    assert (told["whale"]["jobs"], told["minnow"]["beyond"]) == (120, 0)
    assert told["whale"]["beyond"] > 50
    assert float(told["whale"]["usage"]) == 0.0


def test_a_refusal_for_reasons_of_its_own_is_not_put_down_to_fairness(one_site: Bench):
    many(one_site, 120, "whale")
    many(one_site, 10, "minnow")
    dirty = one_site.submit(tenant="whale", latest_finish=DEADLINE, carbon_cap_g_per_kwh=0)
    one_site.tick()
    assert "limits" in (one_site.job(dirty).reason or "")


def test_where_nobody_else_has_the_room_its_want_is_the_reason(one_site: Bench):
    whale = many(one_site, 120, "whale")
    one_site.submit(
        tenant="minnow", allowed_regions=["london"], latest_finish=START + 100 * SLOT, earliest_start=START + 60 * SLOT
    )
    one_site.tick()
    refused = [job for job in whale if one_site.status(job) is JobStatus.PENDING]
    assert refused
    assert OTHERS_FIRST not in {one_site.job(job).reason for job in refused}


def test_without_want_of_room_rounds_and_plans_know_nothing_of_shares(one_site: Bench):
    jobs = [*many(one_site, 3, "whale"), *many(one_site, 2, "minnow")]
    record = one_site.tick()
    assert placed(one_site, jobs) == 5
    body = one_site.house.log.get(record.log_seq or 0).body
    assert body["tenants"] == []
    instance = read_instance(one_site.folder / body["instance_path"])
    assert {job.unserved_penalty_gbp for job in instance.jobs} == {4.0 * 40}


def test_the_instance_that_was_kept_gives_the_same_plan_again(one_site: Bench):
    many(one_site, 70, "whale")
    many(one_site, 10, "minnow")
    record = one_site.tick()
    body = one_site.house.log.get(record.log_seq or 0).body
    assert body["tenants"]
    instance = read_instance(one_site.folder / body["instance_path"])
    assert plan_digest(again(body, instance).plan) == body["output_sha256"]


def test_what_was_used_of_late_is_read_off_the_ledger_and_halves_in_a_half_life(tmp_path: Path):
    bench = Bench.build(tmp_path / "var", sites=(small_site("london"),), usage_half_life_hours=6)
    job = bench.submit("fixed", tenant="ada", power_kw=50)
    bench.tick()
    for slot in range(5):
        bench.at(slot)
        bench.house.dispatcher.dispatch()
    first = {share.tenant: share for share in bench.house.loop.shares()}["ada"]
    fresh = 1 - 0.5 ** (0.5 / 6)
    shares = [row.site_kwh / 50 for row in bench.rows(job)]
    assert first.usage == pytest.approx(sum(fresh * (1 - fresh) ** (3 - n) * share for n, share in enumerate(shares)))
    bench.at(4 + 12)
    later = {share.tenant: share for share in bench.house.loop.shares()}["ada"]
    assert later.usage == pytest.approx(first.usage / 2)
    bench.house.close()


def test_shares_say_who_uses_what_and_who_waits_since_when(one_site: Bench):
    assert one_site.house.loop.shares() == []
    one_site.submit("fixed", tenant="acme/research", power_kw=50)
    waiting = one_site.submit(tenant="beta", power_kw=90, carbon_cap_g_per_kwh=0)
    one_site.tick()
    one_site.at(1)
    acme, beta = one_site.house.loop.shares()
    assert (acme.tenant, acme.weight, acme.fair_share, acme.resource) == ("acme/research", 1.0, 0.5, "london")
    (row,) = one_site.house.ledger.entries(leg=Leg.PLAN, start=START + SLOT, end=START + 2 * SLOT)
    assert acme.used_share == pytest.approx(row.power_kw * row.pue / 100)
    assert (beta.used_share, beta.resource, beta.usage, beta.level) == (0.0, None, 0.0, None)
    assert (beta.waiting, beta.oldest_since) == (1, waiting.submitted_at)
    assert (acme.waiting, acme.rank, beta.rank) == (0, 2, 1)
    assert acme.level == pytest.approx(0.5 / acme.usage)


def figures(room_kw: float, slots: int = 48) -> Figures:
    """One site with prices that rise and fall."""
    price = 0.1 + 0.05 * np.sin(np.arange(slots) / 8)[np.newaxis]
    carbon, kinds = np.full((1, slots), 200.0), np.full((1, slots), int(Kind.FORECAST), dtype=np.int8)
    ends = {f"{name}_{end}_{unit}": figure for name, unit, figure in (("price", "gbp_per_kwh", price), ("carbon", "g_per_kwh", carbon)) for end in ("low", "high")}  # fmt: skip  # noqa: E501
    return Figures(
        start=START,
        site_ids=("london",),
        zones=("GB-C",),
        availability=(0.999,),
        headroom_kw=np.full((1, slots), room_kw),
        sold_kw=np.zeros((1, slots)),
        pue=np.full((1, slots), 1.2),
        price_gbp_per_kwh=price,
        carbon_g_per_kwh=carbon,
        price_kind=kinds,
        carbon_kind=kinds,
        cap_kw=np.full((1, slots), np.inf),
        **ends,
    )


def drafted(bench: Bench, tenant: str, number: int, **changes: Any) -> Job:
    fields = {"job_name": "j", "tenant": tenant, "duration_hours": 2, "power_kw": 20, "latest_finish": DEADLINE}
    job = bench.house.jobs.drafted(JobRequest.model_validate({**fields, **changes}))
    return job.model_copy(update={"job_id": f"{tenant}-{number}"})


def negotiated(bench: Bench, jobs: list[Job], room_kw: float) -> tuple[Weighed, Outcome]:
    quoted = figures(room_kw)
    wanted = {job.job_id: demand(job, [], ("london",), START, quoted.slots) for job in jobs}
    house = bench.house
    found = Sharing(house.jobs, house.sites, house.ledger, {}, 24.0).weigh(jobs, wanted, quoted, 100.0, START)
    return found, negotiate(instance_of(quoted, found.wanted, Stakes(100.0)), 7, Effort(time_limit_s=20))


@pytest.mark.slow
def test_ten_thousand_jobs_of_one_tenant_do_not_keep_ten_of_another_out(bench: Bench):
    whale = [drafted(bench, "whale", number, tier="premium") for number in range(10_000)]
    minnow = [drafted(bench, "minnow", number, tier="spot") for number in range(10)]
    weighed, outcome = negotiated(bench, whale + minnow, 1_000.0)
    served = {award.job_id.split("-")[0] for award in outcome.awards}
    assert sum(award.job_id.startswith("minnow") for award in outcome.awards) == 10
    assert served == {"whale", "minnow"}
    assert len(outcome.awards) > 450, "room for 500 is not left empty"
    assert not any(job_id.startswith("minnow") for job_id in weighed.shares)


def test_jobs_as_large_as_the_site_do_not_keep_small_ones_out(bench: Bench):
    whale = [drafted(bench, "whale", number, power_kw=80, duration_hours=12) for number in range(20)]
    minnow = [drafted(bench, "minnow", number, power_kw=10) for number in range(4)]
    _, outcome = negotiated(bench, whale + minnow, 100.0)
    assert sum(award.job_id.startswith("minnow") for award in outcome.awards) == 4
