"""National demand of Great Britain from Elexon Insights: the initial outturn, and the forecast up to a day ahead.

National demand (INDO and its forecast NDF) is what the transmission system supplies, losses included; station load,
pumping and exports are not counted, and embedded wind and solar have already lowered it. The initial outturn is of
operational metering and appears within 15 minutes of the half-hour's end (estimates).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from agents.energy.feed import Ask, Fetched
from agents.energy.feeds.elexon_rows import (
    Plausible,
    Read,
    Rows,
    contradictions,
    day_chunks,
    forecast_range,
    latest,
    minute,
    newest_figures,
    numbers,
    outturn_and_forecast,
    require_recent,
    rows_of,
    screened,
    slots_of,
)
from core.series import Kind

PLAUSIBLE = Plausible(0.0, 80_000.0, zero=False)
"""The most ever met is about 60,000 MW."""
DAYS_A_REQUEST = 7
OLDEST = timedelta(hours=4)
"""Age that the newest outturn never has while the source works."""
FORECAST_AHEAD = timedelta(days=3)
"""Beyond the end of any day-ahead forecast."""
NATIONAL = "N"


def demand(ask: Ask, base: str) -> Fetched:
    """National demand, MW: the outturn, and the latest forecast where there is none yet."""
    source = "Elexon national demand GB (INDO, NDF)"
    return outturn_and_forecast(ask, base, "demand", source, _outturn, _forecast)


def _outturn(ask: Ask, base: str, start: datetime, end: datetime) -> Read:
    where = "Elexon demand outturn:"
    found = [
        row
        for first, last in day_chunks(start, end, DAYS_A_REQUEST)
        for row in rows_of(
            ask.get(
                f"{base}/demand/outturn",
                {"settlementDateFrom": first.isoformat(), "settlementDateTo": last.isoformat()},
            ),
            where,
        )
    ]
    return _read(ask, found, "initialDemandOutturn", (Kind.ESTIMATE, OLDEST), where)


def _forecast(ask: Ask, base: str) -> Read:
    where = "Elexon demand forecast:"
    start, end = forecast_range(ask, FORECAST_AHEAD, where)
    answer = ask.get(f"{base}/forecast/demand/day-ahead/latest", {"from": minute(start), "to": minute(end)})
    found = [row for row in rows_of(answer, where) if row.get("boundary", NATIONAL) == NATIONAL]
    return _read(ask, found, "nationalDemand", (Kind.FORECAST, timedelta(0)), where)


def _read(ask: Ask, found: Rows, column: str, what: tuple[Kind, timedelta], where: str) -> Read:
    """The figures of a column; ``what`` they are, and how old the newest may be."""
    kind, oldest = what
    ordered, published = latest(found, "publishTime", where)
    index = slots_of(ordered, where)
    megawatts, findings = screened(ask, "demand", index, numbers(ordered, column, where), PLAUSIBLE)
    figures = newest_figures(index, megawatts, kind)
    require_recent(figures, ask, oldest, where)
    return figures, findings + contradictions(ask, "demand", index, published, megawatts)
