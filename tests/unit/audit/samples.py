"""Bodies and logs that the tests of the audit log share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from audit.fields import Body
from audit.log import AuditLog
from audit.record import (
    AnswerBody,
    BookingBody,
    DecisionBody,
    DeliveryBody,
    FeedSeriesBody,
    FeedSnapshotBody,
    FeedUse,
    NegotiationRoundBody,
    OptionBody,
    RecoveryBody,
    RoundBody,
    RunBody,
    SitePriceBody,
    SolverBody,
)
from core.clock import ManualClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACTOR = "slackwater/test"


def delivery(job_id: str = "job-1", site_id: str = "site-1", method: str = "simulated meter") -> DeliveryBody:
    return DeliveryBody(
        job_id=job_id,
        site_id=site_id,
        status="completed",
        delivered_kwh="12.500",
        committed_kwh="12.500",
        cost_gbp="1.2500",
        carbon_kg="0.8000",
        claim_level="forecast",
        method=method,
    )


def decision(
    job_id: str = "job-1", reason: str = "cheapest clean window", tenant_commit: str = "0" * 64
) -> DecisionBody:
    option = OptionBody(
        option_id="o1",
        site_id="site-1",
        start=NOON,
        end=NOON,
        energy_kwh="1.0",
        cost_gbp="0.1",
        carbon_kg="0.2",
        feasible=True,
    )
    return DecisionBody(
        decision_id=f"d-{job_id}",
        job_id=job_id,
        tenant_commit=tenant_commit,
        verdict="award",
        site_id="site-1",
        runs=[RunBody(start=NOON, end=NOON, power_kw="2.0")],
        reason=reason,
        options=[option],
        chosen_id="o1",
        counter_offers=[],
        cost_gbp="0.1",
        carbon_kg="0.2",
        baseline_policy="run-at-submission",
        data_kinds=["simulated"],
        sources=["simulator"],
        round_seq_id="r-1",
    )


def one_of_each_kind() -> dict[str, Body]:
    return {
        "decision": decision(),
        "delivery": delivery(),
        "round": RoundBody(
            round_id="r-1",
            trigger="job",
            plan_start=NOON,
            slots=96,
            jobs=3,
            placed=2,
            unserved=1,
            rounds=[NegotiationRoundBody(number=1, bound_gbp="9.5", master_gbp="10.0", bids=12)],
            objective_gbp="10.0",
            bound_gbp="9.95",
            gap="0.005",
            seed=7,
            solver=SolverBody(name="HIGHS", version="1.15"),
            instance_sha256="a" * 64,
            instance_path="instances/r-1.json.gz",
            output_sha256="b" * 64,
            feeds=[
                FeedUse(zone="GB-C", quantity="price", source="agile", issued_at=NOON, kinds=["settled"], stale=False)
            ],
            carbon_cap_price_gbp_per_kg="0",
            prices=[SitePriceBody(site_id="site-1", mean_gbp_per_kw_slot="0.01", max_gbp_per_kw_slot="0.05")],
        ),
        "booking": BookingBody(
            booking_id="b-1",
            slot_id="s-1",
            job_id="job-1",
            site_id="site-1",
            start=NOON,
            end=NOON,
            power_kw="5.0",
            price_gbp_per_kwh="0.10",
            carbon_g_per_kwh="50",
            state="confirmed",
            data_kinds=["forecast"],
        ),
        "feed_snapshot": FeedSnapshotBody(
            fetch_id="fetch-0123456789abcdef",
            feed="octopus-agile",
            zone="GB-C",
            fetched_at=NOON,
            answers=[AnswerBody(url="https://feed.example/rates", sha256="c" * 64, raw_bytes=512)],
            series=[
                FeedSeriesBody(quantity="price", valid_from=NOON, valid_to=NOON, kinds=["settled"], unit="GBP/kWh")
            ],
        ),
        "recovery": RecoveryBody(
            torn_bytes=3, torn_sha256="d" * 64, quarantine_path="decisions.jsonl.torn-1", acknowledged=False
        ),
    }


def open_log(path: Path, clock: ManualClock | None = None) -> AuditLog:
    return AuditLog.open(path, clock=clock or ManualClock(NOON), actor=ACTOR)


def write_log(path: Path, records: int) -> list[bytes]:
    """A closed log of ``records`` records; its lines with their line ends."""
    log = open_log(path)
    log.append_all([("delivery", delivery(f"job-{i}", method=f"meter £{i}")) for i in range(records)])
    log.close()
    return path.read_bytes().splitlines(keepends=True)
