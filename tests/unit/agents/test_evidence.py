"""Evidence: every figure of a record is the figure that was decided upon, as text."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from agents.evidence import Facts, award_body, plan_digest, refusal_body, round_body
from agents.messages import Award, Counter, EnergyQuote
from agents.negotiation import Effort, negotiate
from agents.proposal import Expected
from audit.canonical import canonical
from audit.record import body_of
from core.explanation import Explanation
from core.instance import Instance
from core.job import FlexibilityType, Job, Tier
from core.ledger import Leg, SlotEntry
from core.plan import CounterOffer
from core.series import Kind, Series, Unit
from core.slots import SLOT
from tests.unit.agents.explanations import explained, option

START = datetime(2023, 3, 1, tzinfo=UTC)
T = 4
ZONE_OF = {f"s{number}": "GB-C" if number % 2 else "NO-NO2" for number in range(13)}


def series(unit: Unit, source: str, stale: bool = False) -> Series:
    made = Series.of(START, np.full(T, 0.1), Kind.SIMULATED, unit, source, START)
    return replace(made, stale=stale)


ENERGY = EnergyQuote(
    START,
    START,
    T,
    {zone: series(Unit.GBP_PER_KWH, f"price {zone}") for zone in ("GB-C", "NO-NO2")},
    {zone: series(Unit.G_PER_KWH, f"carbon {zone}", stale=zone == "GB-C") for zone in ("GB-C", "NO-NO2")},
)
FACTS = Facts("tick-1", START, ENERGY, lambda tenant: f"commit of {tenant}".encode().hex().ljust(64, "0")[:64], ZONE_OF)
JOB = Job(
    job_id="job-1",
    job_name="secret name",
    job_type="batch",
    flexibility_type=FlexibilityType.DEFERRABLE,
    tenant="physics",
    tier=Tier.STANDARD,
    earliest_start=START,
    latest_finish=START + T * SLOT,
    duration_hours=1,
    power_kw=10,
    submitted_at=START,
    updated_at=START,
)
EXPECTED = Expected(2.0, 3.5, 1.0, 1.25)
AWARD = Award("job-1", "s1", ((1, 3, 10.0),))


def row(slot: int, leg: Leg = Leg.PLAN, site: str = "s1", price: float = 0.2) -> SlotEntry:
    return SlotEntry("job-1", leg, START + SLOT * slot, site, 10.0, 1.2, price, Kind.FORECAST, 100.0, Kind.SIMULATED)


PLANNED = [row(1), row(2)]
BASELINE = [row(0, Leg.BASELINE, "s2", 0.5), row(1, Leg.BASELINE, "s2", 0.5)]


def award(why: Explanation | None = None, baseline: list[SlotEntry] | None = None, moved: bool = False):
    against = BASELINE if baseline is None else baseline
    return award_body(FACTS, JOB, AWARD, moved, why or explained(), PLANNED, against, EXPECTED)


def test_an_award_says_where_when_and_what_it_is_worth_beside_its_baseline():
    body = award()
    assert (body.verdict, body.site_id, body.round_seq_id) == ("award", "s1", "tick-1")
    assert [(run.start, run.end, Decimal(run.power_kw)) for run in body.runs] == [
        ("2023-03-01T00:30:00Z", "2023-03-01T01:30:00Z", 10)
    ]
    assert float(body.cost_gbp or "nan") == pytest.approx(2 * 6.0 * 0.2)
    assert float(body.carbon_kg or "nan") == pytest.approx(2 * 6.0 * 0.1)
    assert (body.baseline_site_id, body.baseline_start) == ("s2", "2023-03-01T00:00:00Z")
    assert float(body.baseline_cost_gbp or "nan") == pytest.approx(2 * 6.0 * 0.5)
    assert body.data_kinds == ["forecast", "simulated"]
    assert {"price GB-C", "carbon GB-C", "price NO-NO2"} <= set(body.sources)
    assert award(moved=True).verdict == "move"


def test_a_job_without_a_baseline_claims_none():
    body = award(baseline=[])
    assert (body.baseline_site_id, body.baseline_cost_gbp, body.baseline_carbon_kg) == (None, None, None)


def test_the_log_holds_no_name_of_a_tenant_or_job():
    line = canonical(body_of("decision", award())).decode()
    assert "physics" not in line
    assert "secret name" not in line


def test_a_refusal_carries_its_reason_its_offers_and_the_figures_behind_them():
    offer = CounterOffer(change="finish 2 h later", extra_gbp=1.25, extra_cost_gbp=1.0, extra_carbon_kg=2.5, site="s1")
    unserved = Counter("job-1", "no room")
    why = Explanation("job-1", None, sites=(option(1, "no_headroom"),), reason="no room", offers=(offer,))
    body = refusal_body(FACTS, JOB, unserved, False, why, BASELINE)
    assert (body.verdict, body.reason, body.site_id, body.runs) == ("counter", "no room", None, [])
    assert [(o.change, Decimal(o.extra_gbp), o.site_id) for o in body.counter_offers] == [
        ("finish 2 h later", Decimal("1.25"), "s1")
    ]
    assert body.explanation is not None
    assert refusal_body(FACTS, JOB, unserved, True, why, ()).verdict == "withdraw"


def test_a_job_that_is_given_up_is_recorded_without_an_explanation():
    body = refusal_body(FACTS, JOB, Counter("job-1", "its window closed"), True, None, ())
    assert (body.verdict, body.options, body.counter_offers, body.explanation) == ("withdraw", [], [], None)


INSTANCE = Instance.model_validate(
    {
        "name": "one",
        "start": START,
        "slots": T,
        "carbon_price_gbp_per_tonne": 100,
        "sites": [
            {
                "id": "s1",
                "region": "GB-C",
                "headroom_kw": [20] * T,
                "price_gbp_per_kwh": [0.3, 0.1, 0.2, 0.3],
                "carbon_g_per_kwh": [100] * T,
                "pue": 1.2,
            }
        ],
        "jobs": [
            {
                "id": "job-1",
                "kind": "block",
                "earliest_slot": 0,
                "latest_slot": T,
                "sites": ["s1"],
                "unserved_penalty_gbp": 100,
                "power_kw": 10,
                "duration_slots": 2,
            }
        ],
    }
)


def test_a_round_names_its_inputs_its_certificate_and_the_state_of_every_feed():
    outcome = negotiate(INSTANCE, 3)
    body = round_body(FACTS, "job", INSTANCE, outcome, "ab" * 32, "instances/ab.json.gz")
    assert (body.round_id, body.trigger, body.jobs, body.placed, body.unserved) == ("tick-1", "job", 1, 1, 0)
    assert Decimal(body.bound_gbp) <= Decimal(body.objective_gbp)
    assert float(body.objective_gbp) == pytest.approx(outcome.plan.objective_gbp, abs=1e-6)
    assert (body.seed, body.instance_sha256, body.output_sha256) == (3, "ab" * 32, plan_digest(outcome.plan))
    feeds = {(use.zone, use.quantity): use for use in body.feeds}
    assert len(feeds) == 4
    assert feeds["GB-C", "carbon"].stale
    assert feeds["NO-NO2", "price"].kinds == ["simulated"]
    assert len(body.rounds) == len(outcome.rounds)


def test_a_round_says_how_hard_it_was_to_try_what_it_came_to_do_and_what_computed_it():
    outcome = negotiate(INSTANCE, 3, Effort(time_limit_s=12.5, target_gap=0.002, rounds=4))
    body = round_body(FACTS, "job", INSTANCE, outcome, "ab" * 32, "p")
    assert body.effort is not None
    assert body.effort.model_dump() == {
        "time_limit_s": "12.500000",
        "target_gap": "0.002000000",
        "trials_a_job": 200,
        "shards": None,
        "rounds": 4,
        "clearings": 30,
    }
    assert body.work is not None
    assert body.work.model_dump() == {"rounds": 1, "clearings": 0, "trials": 0, "stops": []}
    assert {"machine", "python", "numpy", "numba", "highspy"} <= (body.made_with or {}).keys()


def test_a_gap_without_bound_is_written_as_a_number():
    outcome = negotiate(INSTANCE, 3)
    outcome = replace(outcome, plan=outcome.plan.model_copy(update={"gap": float("inf")}))
    body = round_body(FACTS, "job", INSTANCE, outcome, "ab" * 32, "p")
    assert Decimal(body.gap) == 1_000_000


def test_the_digest_tells_plans_apart_by_what_they_decide_not_by_how_long_they_took():
    plan = negotiate(INSTANCE, 3).plan
    assert plan_digest(plan.model_copy(update={"wall_s": 99.0})) == plan_digest(plan)
    moved = plan.assignments[0].model_copy(update={"runs": ((0, 2, 10.0),)})
    assert plan_digest(plan.model_copy(update={"assignments": (moved,)})) != plan_digest(plan)
