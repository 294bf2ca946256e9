"""BL01, the baseline of BSC modification P376: the plain mean of recent like days, adjusted on the day.

What is not settled in public texts is a parameter: how many days make a baseline, and by which rule they are selected.
Volumes are MWh by the signs of :mod:`accounting.volumes`; a history is metered volumes by the UTC start of the period.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from accounting.settlement_days import SettlementDay
from accounting.working_days import WorkingDays
from core.slots import SLOT, SLOTS_PER_DAY, settlement_period

METHOD = "BL01"
Trigger = Literal["BOA", "WMAN"]
"""What a deviation answers to: a Bid-Offer Acceptance, or a wholesale market activity notification alone."""
History = Mapping[datetime, Decimal]


class Bl01Parameters(BaseModel):
    """The parameters of BL01, with what public summaries of P376 say of each (docs/evidence.md)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str = Field("slackwater-1", description="name of this set of parameters in records")
    look_back_days: int = Field(60, ge=1, description="candidate days are D-60 to D-1")
    working_days: int = Field(10, ge=1, description="days averaged for a working day")
    non_working_days: int = Field(4, ge=1, description="days averaged for any other day")
    selection: Literal["most_recent", "highest_usage"] = Field("most_recent", description="which eligible days count")
    event_day_fallback: bool = Field(True, description="use event days where other days do not suffice")
    window_periods: int = Field(6, ge=1, description="length of the in-day adjustment window")
    gap_periods: int = Field(2, ge=0, description="periods between that window and the first of the event")


DEFAULT = Bl01Parameters()


@dataclass(frozen=True, slots=True)
class Days:
    """The days that a baseline rests on, newest first; ``skipped`` are event days that were eligible but not needed."""

    used: tuple[date, ...]
    skipped: tuple[date, ...]
    wanted: int

    @property
    def suffice(self) -> bool:
        """Whether there are as many as the method asks for."""
        return len(self.used) == self.wanted


@dataclass(frozen=True, slots=True)
class Baseline:
    """The baseline of one settlement period, unrounded MWh; None where the history does not carry one.

    :param ub_mwh: unadjusted baseline.
    :param ida_mwh: in-day adjustment as the window shows it, whether applied or not.
    """

    days: Days
    ub_mwh: Decimal | None
    ida_mwh: Decimal | None
    ida_applied: bool
    baseline_mwh: Decimal | None


@dataclass(frozen=True, slots=True)
class Bl01:
    """BL01 over one history.

    :param history: metered volumes; a period without a reading is absent.
    :param event_days: days on which the site was dispatched.
    """

    history: History
    working: WorkingDays
    event_days: frozenset[date] = frozenset()
    parameters: Bl01Parameters = DEFAULT
    _chosen: dict[date, Days] = field(default_factory=dict, repr=False, compare=False)

    def days(self, day: SettlementDay) -> Days:
        """The days that the baseline of ``day`` rests on; none at or after ``day`` is ever read."""
        if day.date not in self._chosen:
            self._chosen[day.date] = self._choose(day)
        return self._chosen[day.date]

    def unadjusted(self, day: SettlementDay, period: int) -> Decimal | None:
        """UB: the plain mean of a period over the days used; None where they do not suffice."""
        return self._mean(self.days(day), period)

    def residuals(self, event_start: datetime) -> list[Decimal] | None:
        """Metered less unadjusted in every period of the adjustment window; None where a figure is missing.

        The window may reach into the day before; it is compared with the days used for the day of the event.
        """
        days = self.days(SettlementDay(settlement_period(event_start).date))
        found = []
        for start in self.window(event_start):
            usual, metered = self._mean(days, settlement_period(start).period), self.history.get(start)
            if usual is None or metered is None:
                return None
            found.append(metered - usual)
        return found

    def window(self, event_start: datetime) -> list[datetime]:
        """Starts of the periods on which an event beginning at ``event_start`` is adjusted."""
        first = event_start - SLOT * (self.parameters.gap_periods + self.parameters.window_periods)
        return [first + SLOT * number for number in range(self.parameters.window_periods)]

    def adjustment(self, event_start: datetime) -> Decimal | None:
        """IDA: the mean residual of the window, the same for every period of the event."""
        residuals = self.residuals(event_start)
        return None if residuals is None else sum(residuals, Decimal(0)) / len(residuals)

    def baseline(self, sp_start: datetime, trigger: Trigger | None, event_start: datetime | None = None) -> Baseline:
        """The baseline of the period that starts at ``sp_start``.

        With an acceptance the adjustment is applied; with a notification alone it counts as 0; with neither the
        baseline is what was metered.

        :param event_start: start of the first period of the event, on which the window hangs; default ``sp_start``.
        """
        date_, period = settlement_period(sp_start)
        days = self.days(SettlementDay(date_))
        usual, adjustment = self._mean(days, period), self.adjustment(event_start or sp_start)
        if trigger is None:
            return Baseline(days, usual, adjustment, False, self.history.get(sp_start))
        if trigger == "WMAN":
            return Baseline(days, usual, adjustment, False, usual)
        adjusted = None if usual is None or adjustment is None else usual + adjustment
        return Baseline(days, usual, adjustment, adjusted is not None, adjusted)

    def _choose(self, day: SettlementDay) -> Days:
        wanted = self.parameters.working_days if day.date in self.working else self.parameters.non_working_days
        eligible = [each for each in self._candidates(day) if self._like(each, day)]
        quiet = self._ordered([each for each in eligible if each.date not in self.event_days])
        events = self._ordered([each for each in eligible if each.date in self.event_days])
        spare = events if self.parameters.event_day_fallback else []
        used = sorted((quiet + spare)[:wanted], reverse=True)
        skipped = [each.date for each in sorted(events, reverse=True) if each not in used]
        return Days(tuple(each.date for each in used), tuple(skipped), wanted)

    def _candidates(self, day: SettlementDay) -> list[SettlementDay]:
        return [day.before(days) for days in range(1, self.parameters.look_back_days + 1)]

    def _like(self, candidate: SettlementDay, day: SettlementDay) -> bool:
        """Of the same type, with 48 periods, and read in every one of them."""
        same_type = (candidate.date in self.working) == (day.date in self.working)
        return same_type and not candidate.changes_clock and all(at in self.history for at in candidate.starts())

    def _ordered(self, days: list[SettlementDay]) -> list[SettlementDay]:
        """The most wanted day first; of days of equal usage the later one."""
        newest = sorted(days, reverse=True)
        return newest if self.parameters.selection == "most_recent" else sorted(newest, key=self._volume)

    def _volume(self, day: SettlementDay) -> Decimal:
        """MWh of a whole day: the more it used, the lower."""
        return sum((self.history[at] for at in day.starts()), Decimal(0))

    def _mean(self, days: Days, period: int) -> Decimal | None:
        """Plain mean of a period over the days; None where they do not suffice or do not have it (a long day's 49)."""
        if not days.suffice or period > SLOTS_PER_DAY:
            return None
        starts = [SettlementDay(each).start + SLOT * (period - 1) for each in days.used]
        return sum((self.history[at] for at in starts), Decimal(0)) / len(starts)
