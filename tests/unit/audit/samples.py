"""Bodies and logs that the tests of the audit log share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from audit.bodies.booking import BookingBody
from audit.bodies.carbon import CarbonClaimBody, ClaimLevel, EnergyBody, MassBody, MovedBody, ShareBody
from audit.bodies.decision import DecisionBody, OptionBody, RunBody
from audit.bodies.feeds import AnswerBody, FeedSeriesBody, FeedSnapshotBody
from audit.bodies.log import (
    ChangeBody,
    CorrectionBody,
    DeletionBody,
    ExportBody,
    KeyBody,
    RecoveryBody,
    RedactionBody,
    SegmentBody,
)
from audit.bodies.rounds import FeedUse, PriceRoundBody, RoundBody, SitePriceBody, SolverBody
from audit.bodies.settlement import DeliveryBody, SettlementPeriodBody
from audit.bodies.trade import ContractBody, IntervalBody, MessageBody, SettledBody
from audit.fields import Body
from audit.log import AuditLog
from audit.record import Build, Entry
from core.clock import ManualClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BUILD = Build("0.0.test", "unknown", "e" * 64)


def delivery(job_id: str = "job-1", site_id: str = "site-1", method: str = "simulated meter") -> DeliveryBody:
    return DeliveryBody(
        job_id=job_id,
        site_id=site_id,
        decision_seq=None,
        status="completed",
        interval_s=1800,
        reading_type="SIMULATED",
        meter_class=None,
        it_kwh="10.000",
        site_kwh="12.500",
        pue="1.25",
        checkpoint_kwh="0",
        missing_pct="0",
        delivered_kwh="12.500",
        committed_kwh="12.500",
        rebound=[],
        u95_kwh=None,
        sha256_raw="c" * 64,
        carbon=None,
        cost_gbp="1.2500",
        carbon_kg="0.8000",
        claim_level="forecast",
        method=method,
    )


def carbon_claim(level: ClaimLevel, saved_kg: str | None = "19.79") -> CarbonClaimBody:
    """The claim of the worked example, with 19.79 kg of 144.42 kg saved by outturn or another saving."""
    energy = EnergyBody(it_kwh="0", idle_kwh="0", checkpoint_kwh="0", overhead_kwh="0", site_kwh="0", pue=None)
    ends = {"low_kg": "13.29", "high_kg": "26.29", "baseline_kg": "144.42"}
    outturn = None if saved_kg is None else ShareBody(saved_kg=saved_kg, saved_percent="13.70", **ends)
    return CarbonClaimBody(
        claim_level=level,
        baseline_policy="run_at_submission",
        baseline_schedule=[],
        grid_regions=["GB-C"],
        baseline_energy=energy,
        energy=energy,
        average_forecast=[],
        average_outturn=[],
        marginal=[],
        attributional_forecast=None,
        attributional=outturn,
        consequential=MassBody(saved_kg="-3.15", low_kg="-4.00", high_kg="-2.30"),
        scope2=None,
        displaced=[MovedBody(site_id="london", date="2026-10-20", sp=36, mwh="0.2000")],
        rebound=[],
        sci=None,
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


def period() -> SettlementPeriodBody:
    site = ("lead_party", "bmu", "gsp_group", "msid_pair_commit", "baseline_indicator", "consent")
    volumes = ("ub_mwh", "ida_mwh", "baseline_mwh", "metered_mwh", "deviation_mwh", "expected_mwh")
    market = ("run", "supersedes_seq", "trigger", "scrp_gbp_mwh", "comp", "accuracy", "window_test")
    return SettlementPeriodBody(
        site_id="site-1",
        settlement_date="2026-10-20",
        settlement_period=36,
        sp_start_utc="2026-10-20T16:30:00Z",
        sp_count=48,
        method="BL01",
        method_version="slackwater-1",
        rounding="HALF_EVEN@4dp",
        days_used=[],
        event_days_skipped=[],
        ida_applied=False,
        revision=0,
        flows=[],
        data_kinds=["simulated"],
        **dict.fromkeys((*site, *volumes, *market)),
    )


def one_of_each_kind() -> dict[str, Body]:
    return {
        "decision": decision(),
        "delivery": delivery(),
        "settlement_period": period(),
        "negotiation_round": RoundBody(
            round_id="r-1",
            trigger="job",
            plan_start=NOON,
            slots=96,
            jobs=3,
            placed=2,
            unserved=1,
            rounds=[PriceRoundBody(number=1, bound_gbp="9.5", master_gbp="10.0", bids=12)],
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
        "message": MessageBody(
            direction="in",
            action="confirm",
            peer_id="bap.example.org",
            sha256="0" * 64,
            raw_bytes=2048,
            signature="c2lnbmF0dXJl",
            outcome="accepted",
            code=None,
            detail=None,
        ),
        "contract": ContractBody(
            contract_id="6f1c1a4e-3a0e-4a54-8a07-9b9b3c1f6a11",
            event="settled",
            side="provider",
            product="turn-down",
            peer_id="bap.example.org",
            state="COMPLETE",
            tick_id="tick-1",
            currency="GBP",
            total="12.34",
            detail=None,
            intervals=[
                IntervalBody(
                    site_id="site-1",
                    start=NOON,
                    power_kw="10.000",
                    baseline_kw="40.000",
                    price_per_kwh="0.25000",
                    penalty_per_kwh="0.05000",
                    carbon_g_per_kwh="180.000",
                    data_kinds=["forecast"],
                )
            ],
            settled=[
                SettledBody(
                    site_id="site-1",
                    start=NOON,
                    baseline_kw="40.000",
                    usage_kw="30.000",
                    delivered_kw="10.000",
                    settled_kwh="5.0000",
                    pay="1.250000",
                    penalty="0.000000",
                    data_kinds=["settled"],
                )
            ],
            document_sha256="0" * 64,
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
        "correction": CorrectionBody(
            corrected_seq=0,
            corrected_leaf="a" * 64,
            changes=[ChangeBody(path="cost_gbp", was="0.1", now="0.2")],
            reason="the tariff was read wrongly",
        ),
        "redaction": RedactionBody(field="tenant", commitments=["b" * 64], reason="asked by the person"),
        "export": ExportBody(
            recipient_commit="a" * 64,
            format="jsonl",
            records=2,
            first_seq=0,
            last_seq=1,
            tree_size=2,
            sha256="b" * 64,
        ),
        "key": KeyBody(vkey="slackwater/1+aabbccdd+AQ==", supersedes="slackwater/1+00bbccdd+AQ=="),
        "segment": SegmentBody(
            name="decisions-000000000000.jsonl",
            first_seq=0,
            records=5,
            size_bytes=2000,
            sha256="c" * 64,
            tree_size=5,
            root="d" * 64,
        ),
        "deletion": DeletionBody(
            name="decisions-000000000000.jsonl",
            first_seq=0,
            records=5,
            size_bytes=2000,
            sha256="c" * 64,
            last_recorded_at=NOON,
            retention_days=2557,
            leaves_name="decisions-000000000000.leaves",
            leaves_sha256="d" * 64,
        ),
        "recovery": RecoveryBody(
            torn_bytes=3, torn_sha256="d" * 64, quarantine_path="decisions.jsonl.torn-1", acknowledged=False
        ),
    }


def open_log(path: Path, clock: ManualClock | None = None) -> AuditLog:
    return AuditLog.open(path, clock=clock or ManualClock(NOON), build=BUILD)


def write_log(path: Path, records: int) -> list[bytes]:
    """A closed log of ``records`` records; its lines with their line ends."""
    log = open_log(path)
    log.append_all([Entry("delivery", delivery(f"job-{i}", method=f"meter £{i}")) for i in range(records)])
    log.close()
    return path.read_bytes().splitlines(keepends=True)
