"""Claims of carbon: sums of the records of their half-hours, against a named baseline that could have been run.

A :class:`Saving` cannot be made without such a baseline, an interval and a claim level, so no percentage stands alone.
It may be negative. Rebound counts: a claim must hold every half-hour of either course.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Generic, Literal, TypeVar

from accounting.carbon import Attributional, Consequential, PeriodCarbon
from core.errors import Conflict
from core.series import Kind

TOLERANCE_KW = Decimal("1e-6")
Mass = TypeVar("Mass", Attributional, Consequential)


class ClaimLevel(IntEnum):
    """How firm a claim is, from the weakest."""

    FORECAST = 0
    METERED = 1
    SETTLED = 2

    @property
    def label(self) -> Literal["forecast", "metered", "settled"]:
        """Lower-case word for screens and records."""
        return _LABELS[self]


_LABELS: dict[ClaimLevel, Literal["forecast", "metered", "settled"]] = {
    ClaimLevel.FORECAST: "forecast",
    ClaimLevel.METERED: "metered",
    ClaimLevel.SETTLED: "settled",
}


@dataclass(frozen=True, slots=True)
class Draw:
    """A half-hour of a schedule at the meter, and the room that there was for it."""

    site_id: str
    sp_start: datetime
    kw: Decimal
    room_kw: Decimal


@dataclass(frozen=True, slots=True)
class FeasibleBaseline:
    """A baseline policy by name with the schedule it led to; :class:`Conflict` where there was no room for that."""

    policy: str
    schedule: tuple[Draw, ...]

    def __post_init__(self) -> None:
        if not self.policy or not self.schedule:
            raise Conflict("a baseline needs the name of its policy and a schedule")
        for draw in self.schedule:
            if draw.kw > draw.room_kw + TOLERANCE_KW:
                raise Conflict(
                    f"the baseline {self.policy} could not have been run: it draws {draw.kw} kW at {draw.site_id} "
                    f"at {draw.sp_start:%Y-%m-%d %H:%M}Z, where there was room for {draw.room_kw} kW"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving(Generic[Mass]):
    """What was saved against a baseline, by one account.

    :param of: mass of the baseline; None where a share of it means nothing, as in the consequential account.
    """

    against: FeasibleBaseline
    level: ClaimLevel
    saved: Mass
    of: Mass | None

    def __post_init__(self) -> None:
        wrong = (self.against, FeasibleBaseline), (self.level, ClaimLevel), (self.saved, Attributional | Consequential)
        if not all(isinstance(value, kind) for value, kind in wrong):
            raise TypeError("a saving needs a feasible baseline, a claim level and a mass with its interval")

    @property
    def percent(self) -> Decimal | None:
        """Share of the baseline; None without one."""
        return None if self.of is None or self.of.kg == 0 else 100 * self.saved.kg / abs(self.of.kg)


def level_of(period: PeriodCarbon) -> ClaimLevel:
    """Forecast until energy is metered and the intensity has turned out; settled when both are the last word.

    A simulated intensity never turns out, however final it is.
    """
    outturn = period.outturn
    if not period.metered or outturn is None or outturn.kind >= Kind.FORECAST:
        return ClaimLevel.FORECAST
    last = outturn.final or outturn.kind is Kind.SETTLED
    return ClaimLevel.SETTLED if period.settled and last else ClaimLevel.METERED


@dataclass(frozen=True, slots=True)
class CarbonClaim:
    """What one change of course did, by both accounts, never netted.

    :param subject: the job or site whose course was changed.
    """

    subject: str
    baseline: FeasibleBaseline
    periods: tuple[PeriodCarbon, ...]

    def __post_init__(self) -> None:
        keys = [(period.site_id, period.sp_start) for period in self.periods]
        if len(set(keys)) < len(keys):
            raise Conflict(f"the claim of {self.subject} counts a half-hour twice")
        if missing := {(draw.site_id, draw.sp_start) for draw in self.baseline.schedule} - set(keys):
            raise Conflict(f"the claim of {self.subject} leaves out {len(missing)} half-hours of its baseline")

    @property
    def level(self) -> ClaimLevel:
        """That of its weakest half-hour."""
        return min(level_of(period) for period in self.periods)

    @property
    def displaced(self) -> list[PeriodCarbon]:
        """Half-hours in which less was drawn than the baseline."""
        return [period for period in self.periods if period.saved_kwh > 0]

    @property
    def rebound(self) -> list[PeriodCarbon]:
        """Half-hours in which more was drawn than the baseline."""
        return [period for period in self.periods if period.saved_kwh < 0]

    def attributional(self, *, forecast: bool = False) -> Saving[Attributional] | None:
        """By average intensity, outturn where known or ``forecast`` throughout; None where a half-hour has none."""
        averages = [period.forecast if forecast else period.average for period in self.periods]
        pairs = [(p, average) for p, average in zip(self.periods, averages, strict=True) if average is not None]
        if len(pairs) < len(self.periods):
            return None
        return Saving(
            against=self.baseline,
            level=ClaimLevel.FORECAST if forecast else self.level,
            saved=Attributional.total(period.saved(average) for period, average in pairs),
            of=Attributional.total(period.baseline_mass(average) for period, average in pairs),
        )

    def consequential(self) -> Saving[Consequential] | None:
        """By marginal intensity; None where a half-hour has no estimate."""
        parts = [period.avoided(period.marginal) for period in self.periods if period.marginal is not None]
        if len(parts) < len(self.periods):
            return None
        return Saving(against=self.baseline, level=self.level, saved=Consequential.total(parts), of=None)


@dataclass(frozen=True, slots=True)
class RecordedClaim:
    """A claim as a record has it.

    :param subject: the job whose course was changed.
    :param halves: sites and starts of the half-hours of either course.
    :param by_forecast: attributional by forecast; ``attributional`` is by outturn. None where not known.
    """

    subject: str
    policy: str
    level: ClaimLevel
    halves: frozenset[tuple[str, datetime]]
    by_forecast: Attributional | None
    attributional: Attributional | None
    consequential: Consequential | None


@dataclass(frozen=True, slots=True)
class AccountTotal(Generic[Mass]):
    """A sum of claims by one account: ``unknown`` of the ``parts`` had no figure and are not in it.

    :param saved: None where no claim has a figure.
    :param level: that of the weakest claim in the sum.
    """

    saved: Mass | None
    level: ClaimLevel
    parts: int
    unknown: int


class ClaimBook:
    """The claims of one level of account, all jobs or all sites, in which no kWh is claimed twice."""

    def __init__(self) -> None:
        self._held: set[tuple[str, str, datetime]] = set()
        self._claims: list[RecordedClaim] = []

    def add(self, claim: RecordedClaim) -> None:
        """Enter a claim; :class:`Conflict` when one of its half-hours of that subject is claimed already."""
        keys = {(claim.subject, *half) for half in claim.halves}
        if twice := min(keys & self._held, default=None):
            raise Conflict(
                f"{twice[0]} has claimed its kWh of {twice[2]:%Y-%m-%d %H:%M}Z at {twice[1]} already",
                remedy="Count one of its records; a claim that was wrong is corrected by a record of its own.",
            )
        self._held |= keys
        self._claims.append(claim)

    @property
    def policies(self) -> tuple[str, ...]:
        """The baseline policies that were claimed against."""
        return tuple(sorted({claim.policy for claim in self._claims}))

    def by_forecast(self) -> AccountTotal[Attributional]:
        """Sum of the attributional savings by forecast, which stay forecasts."""
        found = [(claim.by_forecast, ClaimLevel.FORECAST) for claim in self._claims]
        return _total(Attributional, found)

    def attributional(self) -> AccountTotal[Attributional]:
        """Sum of the attributional savings by outturn."""
        return _total(Attributional, [(claim.attributional, claim.level) for claim in self._claims])

    def consequential(self) -> AccountTotal[Consequential]:
        """Sum of the consequential savings."""
        return _total(Consequential, [(claim.consequential, claim.level) for claim in self._claims])


def _total(account: type[Mass], claims: Sequence[tuple[Mass | None, ClaimLevel]]) -> AccountTotal[Mass]:
    known = [(mass, level) for mass, level in claims if mass is not None]
    return AccountTotal(
        account.total(mass for mass, _ in known) if known else None,
        min((level for _, level in known), default=ClaimLevel.FORECAST),
        len(claims),
        len(claims) - len(known),
    )
