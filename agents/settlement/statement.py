"""The statement of a site for a settlement day: what its records said at an instant, added up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from accounting.runs import PeriodKey, Run, RunCalendar, Statement, as_of, binding
from accounting.settlement_days import SettlementDay
from accounting.volumes import Total
from accounting.working_days import WorkingDays
from agents.settlement.bodies import statement_of
from agents.settlement.claimed import KIND
from audit.log import AuditLog

SUMMED = ("metered_mwh", "baseline_mwh", "expected_mwh", "deviation_mwh")


@dataclass(frozen=True, slots=True)
class UsedCertificate:
    """A certificate and how many Wh of a day's import it covers."""

    gc_id: str
    issuer: str
    storage: bool
    matched_wh: int


@dataclass(frozen=True, slots=True)
class DayScope2:
    """Scope 2 of a day by both methods, side by side: ``unknown`` of its ``parts`` have no figure and are not in it.

    :param without_residual_mix: half-hours whose unmatched import is counted with the grid's average by market too.
    :param sources: kind and provider of the intensities, each once.
    """

    import_kwh: Decimal
    location_kg: Decimal
    market_kg: Decimal
    matched_wh: int
    certificates: tuple[UsedCertificate, ...]
    parts: int
    unknown: int
    without_residual_mix: int
    sources: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, periods: Iterable[Statement]) -> DayScope2:
        """Add up what half-hours state, of each only the latest: it is the whole site's, whichever pair names it."""
        latest = {each.key.settlement_period: each.figures.get("scope2") for each in sorted(periods, key=_seq)}
        known: list[Mapping[str, Any]] = [told for told in latest.values() if isinstance(told, Mapping)]
        return cls(
            import_kwh=_sum(known, "import_kwh"),
            location_kg=_sum(known, "location_kg"),
            market_kg=_sum(known, "market_kg"),
            matched_wh=sum(told["matched_wh"] for told in known),
            certificates=_certificates(known),
            parts=len(latest),
            unknown=len(latest) - len(known),
            without_residual_mix=sum(told["without_residual_mix"] for told in known),
            sources=tuple(sorted({(told["kind"], told["provider"]) for told in known})),
        )


@dataclass(frozen=True, slots=True)
class DayStatement:
    """Every half-hour of a site's day as it was stated at ``instant``, by period and pair.

    :param binding: the periods for which a run at or after SF is stated.
    :param totals: sums over the day by field, each with how many half-hours are unknown.
    :param gbp: indicative compensation; None where none is stated.
    :param scope2: emissions of what was drawn, from which nothing avoided is taken off.
    :param missing: periods of the day that were not stated at ``instant``.
    :param runs: the day of each settlement run to come or past, where the operator gave a calendar.
    """

    site_id: str
    day: SettlementDay
    instant: datetime
    periods: tuple[Statement, ...]
    binding: frozenset[PeriodKey]
    totals: Mapping[str, Total]
    gbp: Decimal | None
    scope2: DayScope2
    missing: tuple[int, ...]
    runs: Mapping[Run, date]


def day_statement(
    log: AuditLog, site_id: str, day: date, instant: datetime, calendar: RunCalendar | None, working: WorkingDays
) -> DayStatement:
    """Read from the log what was stated of a site's day at ``instant``.

    :raises Conflict: a version on the log does not follow from the one before.
    """
    settlement_day = SettlementDay(day)
    records = _records(log, site_id, settlement_day)
    stated = {key: each for key, each in as_of(records, instant).items() if not each.figures.get("withdrawn")}
    periods = tuple(stated[key] for key in sorted(stated))
    found = {key.settlement_period for key in stated}
    return DayStatement(
        site_id=site_id,
        day=settlement_day,
        instant=instant,
        periods=periods,
        binding=frozenset(binding(records, instant)),
        totals={name: Total.of(_figure(each.figures[name]) for each in periods) for name in SUMMED},
        gbp=_compensation(periods),
        scope2=DayScope2.of(periods),
        missing=tuple(period for period in range(1, settlement_day.count + 1) if period not in found),
        runs={} if calendar is None else calendar.due(day, working),
    )


def _records(log: AuditLog, site_id: str, day: SettlementDay) -> Sequence[Statement]:
    """Every version of the day, in order."""
    found = log.matching(kind=KIND, site_id=site_id, settlement_date=day.date.isoformat())
    return [statement_of(record.seq, record.recorded_at, record.body) for record in found]


def _seq(statement: Statement) -> int:
    return statement.seq


def _sum(told: Iterable[Mapping[str, Any]], name: str) -> Decimal:
    return sum((Decimal(each[name]) for each in told), Decimal(0))


def _certificates(told: Iterable[Mapping[str, Any]]) -> tuple[UsedCertificate, ...]:
    """Each certificate once, with what it covers in all half-hours."""
    matched: dict[tuple[str, str, bool], int] = {}
    for each in (used for half in told for used in half["certificates"]):
        key = each["gc_id"], each["issuer"], each["storage"]
        matched[key] = matched.get(key, 0) + each["matched_wh"]
    return tuple(UsedCertificate(*key, wh) for key, wh in matched.items())


def _figure(text: object) -> Decimal | None:
    return None if text is None else Decimal(str(text))


def _compensation(periods: Iterable[Statement]) -> Decimal | None:
    paid = [each.figures["comp"] for each in periods]
    amounts = [Decimal(comp["gbp"]) for comp in paid if isinstance(comp, dict)]
    return sum(amounts, Decimal(0)) if amounts else None
