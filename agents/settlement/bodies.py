"""The ``settlement_period`` record: what settlement knows of a half-hour, as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from accounting.bl01 import METHOD, Baseline, Bl01Parameters, Trigger
from accounting.compensation import CompensationScheme, compensation
from accounting.flows import FlowRecord
from accounting.gaming import WindowTest
from accounting.metering_points import BalancingUnit, MeteringPoint, gsp_group_of
from accounting.placebo import Accuracy
from accounting.runs import PeriodKey, Restatement, Run, Statement
from accounting.settlement_days import SettlementDay
from accounting.volumes import ROUNDING, PairVolume, recorded
from audit.bodies.settlement import (
    AccuracyBody,
    CompensationBody,
    FlowBody,
    PeriodScope2Body,
    SettlementPeriodBody,
    WindowTestBody,
)
from audit.fields import dec
from core.series import Kind
from core.slots import format_utc, settlement_period

Commit = Callable[[str], str]
"""A salted commitment to an identifier, such as :meth:`audit.log.AuditLog.commit`."""
VERSIONING = ("run", "revision", "supersedes_seq")
"""fields that say which version of a period a record is, and nothing about the period"""

UNSAID = (
    *("ub_mwh", "ida_mwh", "baseline_mwh", "metered_mwh", "deviation_mwh", "expected_mwh"),
    *("trigger", "scrp_gbp_mwh", "comp", "accuracy", "window_test", "scope2"),
)
"""figures that a statement which was withdrawn has no more"""


@dataclass(frozen=True, slots=True)
class Place:
    """A site in the market, or one MSID pair of it; ``unit`` and ``point`` are None where it has none."""

    site_id: str
    zone: str
    unit: BalancingUnit | None = None
    point: MeteringPoint | None = None


@dataclass(frozen=True, slots=True)
class PeriodFigures:
    """What is known of a half-hour; unrounded MWh signed as volumes are, None where unknown."""

    sp_start: datetime
    baseline: Baseline
    metered_mwh: Decimal | None
    kinds: frozenset[Kind]
    trigger: Trigger | None = None
    submitted_mwh: Decimal | None = None
    flows: tuple[FlowRecord, ...] = ()
    accuracy: Accuracy | None = None
    window_test: WindowTest | None = None
    scope2: PeriodScope2Body | None = None


def period_body(
    place: Place,
    figures: PeriodFigures,
    parameters: Bl01Parameters,
    scheme: CompensationScheme | None,
    commit: Commit,
) -> SettlementPeriodBody:
    """The first statement of a half-hour that claims no run; :func:`restated` makes other versions of it."""
    day, period = settlement_period(figures.sp_start)
    point = place.point
    volume = PairVolume(
        point.baseline_indicator if point else "B",
        figures.metered_mwh,
        figures.baseline.baseline_mwh,
        figures.submitted_mwh,
    )
    return SettlementPeriodBody.model_validate(
        {
            "site_id": place.site_id,
            "settlement_date": day.isoformat(),
            "settlement_period": period,
            "sp_start_utc": format_utc(figures.sp_start),
            "sp_count": SettlementDay(day).count,
            "lead_party": place.unit.lead_party if place.unit else None,
            "bmu": place.unit.bmu if place.unit else None,
            "gsp_group": place.unit.gsp_group if place.unit else gsp_group_of(place.zone),
            "msid_pair_commit": commit(point.pair) if point else None,
            "baseline_indicator": point.baseline_indicator if point else None,
            "consent": point.consent(day) if point else None,
            "method": METHOD,
            "method_version": parameters.version,
            "rounding": ROUNDING,
            **_baseline(figures.baseline),
            "metered_mwh": _mwh(figures.metered_mwh),
            "deviation_mwh": _mwh(volume.deviation_mwh),
            "expected_mwh": _mwh(volume.expected_mwh),
            "run": None,
            "revision": 0,
            "supersedes_seq": None,
            "trigger": figures.trigger,
            **_compensation(scheme, day, figures.trigger, volume.deviation_mwh),
            "flows": [_flow(flow) for flow in figures.flows],
            "accuracy": _accuracy(figures.accuracy),
            "window_test": _window_test(figures.window_test),
            "scope2": figures.scope2,
            "data_kinds": [kind.label for kind in sorted(figures.kinds)],
        }
    )


def restated(body: SettlementPeriodBody, run: Run | None, version: Restatement) -> SettlementPeriodBody:
    """The same figures as another version of the period."""
    said = {"revision": version.revision, "supersedes_seq": version.supersedes_seq}
    return body.model_copy(update={**said, "run": run.name if run is not None else None})


def withdrawn(held: Statement) -> SettlementPeriodBody:
    """The first statement of a half-hour of which ``held`` is in force, as one that says nothing any more."""
    unsaid = {**dict.fromkeys(UNSAID), "withdrawn": True, "run": None, "revision": 0, "supersedes_seq": None}
    return SettlementPeriodBody.model_validate({**held.figures, **unsaid, "ida_applied": False, "flows": []})


def figures_of(body: Mapping[str, Any]) -> dict[str, object]:
    """What a body says of its period, whichever version it is."""
    return {name: value for name, value in body.items() if name not in VERSIONING}


def key_of(body: Mapping[str, Any]) -> PeriodKey:
    """Which period a body is about."""
    return PeriodKey(
        body["site_id"],
        date.fromisoformat(body["settlement_date"]),
        body["settlement_period"],
        body["msid_pair_commit"] or "",
    )


def statement_of(seq: int, recorded_at: datetime, body: Mapping[str, Any]) -> Statement:
    """The version of a period that record ``seq`` states."""
    run = None if body["run"] is None else Run[body["run"]]
    return Statement(key_of(body), seq, recorded_at, run, body["revision"], body["supersedes_seq"], figures_of(body))


def _mwh(figure: Decimal | None) -> str | None:
    return None if figure is None else str(recorded(figure))


def _baseline(baseline: Baseline) -> dict[str, object]:
    return {
        "days_used": [day.isoformat() for day in baseline.days.used],
        "event_days_skipped": [day.isoformat() for day in baseline.days.skipped],
        "ub_mwh": _mwh(baseline.ub_mwh),
        "ida_mwh": _mwh(baseline.ida_mwh),
        "ida_applied": baseline.ida_applied,
        "baseline_mwh": _mwh(baseline.baseline_mwh),
    }


def _compensation(
    scheme: CompensationScheme | None, day: date, trigger: Trigger | None, deviation_mwh: Decimal | None
) -> dict[str, object]:
    paid = None if scheme is None or deviation_mwh is None else compensation(scheme, day, trigger, deviation_mwh)
    if paid is None:
        return {"scrp_gbp_mwh": None, "comp": None}
    body = CompensationBody(
        payer=paid.payer, payee=paid.payee, mode=paid.mode, gbp=str(paid.gbp), indicative=paid.indicative
    )
    return {"scrp_gbp_mwh": str(paid.gbp_mwh), "comp": body}


def _flow(record: FlowRecord) -> FlowBody:
    return FlowBody(
        flow=f"{record.flow.name} {record.flow.code}",
        state=record.state.value,
        deadline=format_utc(record.deadline),
        file_sha256=record.file_sha256,
        sent_at=None if record.sent_at is None else format_utc(record.sent_at),
        state_at=None if record.state_at is None else format_utc(record.state_at),
        heard=record.heard,
        reject_code=record.reject_code,
    )


def _accuracy(found: Accuracy | None) -> AccuracyBody | None:
    if found is None:
        return None
    days = [day.isoformat() for day in found.days]
    return AccuracyBody(days=days, bias=dec(found.bias, 6), cvrmse=dec(found.cvrmse, 6))


def _window_test(found: WindowTest | None) -> WindowTestBody | None:
    if found is None:
        return None
    return WindowTestBody(
        excess_mwh=str(recorded(found.excess_mwh)),
        usual_mwh=str(recorded(found.usual_mwh)),
        extra_mwh=str(recorded(found.extra_mwh)),
        extra_gbp=None if found.extra_gbp is None else dec(found.extra_gbp, 2),
        flagged=found.flagged,
    )
