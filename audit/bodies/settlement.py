"""What settlement is about: the volumes of a half-hour, the flows that told of them, and what a job delivered."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from audit.bodies.carbon import CarbonClaimBody, ClaimLevel
from audit.fields import Body, Dec, Hex64, Time

Run = Literal["II", "SF", "R1", "R2", "R3", "RF", "DF"]
Date = str


class CompensationBody(Body):
    """What the deviation would be compensated with: indicative, and not ours to pay or to receive."""

    payer: str
    payee: str
    mode: str
    gbp: Dec
    indicative: bool


class FlowBody(Body):
    """A submission about the period. Only a message that accepts it makes it ``accepted``; late, it is ``missed``."""

    flow: str
    state: Literal["due", "sent", "acknowledged", "accepted", "rejected", "settled", "missed"]
    deadline: Time
    file_sha256: Hex64 | None = None
    sent_at: Time | None = None
    state_at: Time | None = None
    heard: str | None = None
    reject_code: str | None = None


class AccuracyBody(Body):
    """Errors of the baseline on placebo days, as shares of the mean import."""

    days: list[Date]
    bias: Dec
    cvrmse: Dec


class WindowTestBody(Body):
    """Import of the adjustment window above the unadjusted baseline, and what that would pay: the gaming test."""

    excess_mwh: Dec
    usual_mwh: Dec
    extra_mwh: Dec
    extra_gbp: Dec | None
    flagged: bool


class CertificateBody(Body):
    """A certificate and how much of the half-hour's import it covers; ``storage`` when it came out of a store."""

    gc_id: str
    issuer: str
    storage: bool
    matched_wh: int = Field(ge=1)


class PeriodScope2Body(Body):
    """Scope 2 of a site's half-hour by both methods of the GHG Protocol; avoided emissions belong to neither.

    ``location_kg`` is the import times the grid's average, ``g_per_kwh``, of the kind and provider named. ``market_kg``
    counts nothing for what certificates cover and the residual mix for the rest; where nobody gave one, the grid's
    average, and ``without_residual_mix`` says that it was used. ``matched_wh`` is the sum of the certificates.
    """

    import_kwh: Dec
    g_per_kwh: Dec
    kind: str
    provider: str
    residual_g_per_kwh: Dec | None
    location_kg: Dec
    market_kg: Dec
    certificates: list[CertificateBody]
    matched_wh: int
    without_residual_mix: bool


class SettlementPeriodBody(Body):
    """A site, or one MSID pair of it, in one settlement period: MWh by the signs of the BSC, to four decimals.

    Null is unknown. ``bmu``, ``lead_party`` and the pair are null for a site that trades through no BM unit, and
    ``run`` where no settlement run is claimed. A restatement is a record of its own that names the one it supersedes.
    One that is ``withdrawn`` says nothing any more: the site's pairs have changed, and other records state the period.
    ``ub_mwh`` and ``ida_mwh`` are stated whether they apply or not. ``scope2`` is null where energy or intensity is
    unknown. Where ``data_kinds`` has ``simulated``, no meter stands behind the figures.
    """

    site_id: str
    settlement_date: Date = Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
    settlement_period: int = Field(ge=1, le=50)
    sp_start_utc: Time
    sp_count: Literal[46, 48, 50]
    lead_party: str | None
    bmu: str | None
    gsp_group: str | None
    msid_pair_commit: Hex64 | None
    baseline_indicator: Literal["B", "S"] | None
    consent: bool | None
    method: str
    method_version: str
    rounding: str
    days_used: list[Date]
    event_days_skipped: list[Date]
    ub_mwh: Dec | None
    ida_mwh: Dec | None
    ida_applied: bool
    baseline_mwh: Dec | None
    metered_mwh: Dec | None
    deviation_mwh: Dec | None
    expected_mwh: Dec | None
    run: Run | None
    revision: int
    supersedes_seq: int | None
    trigger: Literal["WMAN", "BOA"] | None
    scrp_gbp_mwh: Dec | None
    comp: CompensationBody | None
    flows: list[FlowBody]
    accuracy: AccuracyBody | None
    window_test: WindowTestBody | None
    scope2: PeriodScope2Body | None = None
    withdrawn: bool = False
    data_kinds: list[str]


class ReboundBody(Body):
    """Energy that a job drew in a period in which its baseline drew less: MWh as a deviation, so negative."""

    date: Date
    sp: int
    mwh: Dec


ReadingType = Literal["DIRECT_READ", "ESTIMATED", "SIMULATED"]
"""As OpenADR 3 names them, and one of our own for readings behind which there is no meter."""


class DeliveryBody(Body):
    """What a job drew and did in the end, against what was committed to it; null is unknown.

    ``it_kwh``, ``site_kwh`` and ``pue`` are of the half-hours that were read, ``missing_pct`` is the share of those
    that were not. ``u95_kwh`` is half of the 95 % interval of ``site_kwh``. ``sha256_raw`` is over the readings, pairs
    of slot start and IT kWh, as canonical JSON. ``decision_seq`` is the record that placed the job last.
    """

    job_id: str
    site_id: str | None
    decision_seq: int | None = None
    status: str
    interval_s: int = 1800
    reading_type: ReadingType | None = None
    meter_class: str | None = None
    it_kwh: Dec | None = None
    site_kwh: Dec | None = None
    pue: Dec | None = None
    checkpoint_kwh: Dec | None = None
    missing_pct: Dec | None = None
    delivered_kwh: Dec
    committed_kwh: Dec
    rebound: list[ReboundBody] = Field(default_factory=list)
    u95_kwh: Dec | None = None
    sha256_raw: Hex64 | None = None
    cost_gbp: Dec
    carbon_kg: Dec
    claim_level: ClaimLevel
    carbon: CarbonClaimBody | None = None
    data_kinds: list[str] = Field(default_factory=list)
    exit_status: int | None = None
    command_sha256: Hex64 | None = None
    output_sha256: Hex64 | None = None
    runtime_s: Dec | None = None
    method: str
