"""The statement of a site for a settlement day: what its records said at an instant, added up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from accounting.runs import PeriodKey, Run, RunCalendar, Statement, as_of, binding
from accounting.settlement_days import SettlementDay
from accounting.volumes import Total
from accounting.working_days import WorkingDays
from agents.settlement.bodies import statement_of
from audit.log import AuditLog

KIND = "settlement_period"
SUMMED = ("metered_mwh", "baseline_mwh", "expected_mwh", "deviation_mwh")


@dataclass(frozen=True, slots=True)
class DayStatement:
    """Every half-hour of a site's day as it was stated at ``instant``, by period and pair.

    :param binding: the periods for which a run at or after SF is stated.
    :param totals: sums over the day by field, each with how many half-hours are unknown.
    :param gbp: indicative compensation; None where none is stated.
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
    stated = _without_doubles(as_of(records, instant))
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
        missing=tuple(period for period in range(1, settlement_day.count + 1) if period not in found),
        runs={} if calendar is None else calendar.due(day, working),
    )


def _records(log: AuditLog, site_id: str, day: SettlementDay) -> Sequence[Statement]:
    """Every version of the day, in order."""
    found = log.matching(kind=KIND, site_id=site_id, settlement_date=day.date.isoformat())
    return [statement_of(record.seq, record.recorded_at, record.body) for record in found]


def _without_doubles(stated: Mapping[PeriodKey, Statement]) -> dict[PeriodKey, Statement]:
    """A period that was stated for the whole site, before its pairs were known, counts by its pairs alone."""
    by_pair = {key.settlement_period for key in stated if key.pair}
    return {key: each for key, each in stated.items() if key.pair or key.settlement_period not in by_pair}


def _figure(text: object) -> Decimal | None:
    return None if text is None else Decimal(str(text))


def _compensation(periods: Iterable[Statement]) -> Decimal | None:
    paid = [each.figures["comp"] for each in periods]
    amounts = [Decimal(comp["gbp"]) for comp in paid if isinstance(comp, dict)]
    return sum(amounts, Decimal(0)) if amounts else None
