"""How good a baseline is: applied to days on which nothing happened, where the truth is what was metered.

Bias and CVRMSE are shares of the mean metered volume. As in CAISO's baseline accuracy studies, a baseline is
judged by both: the one says whether it flatters, the other how far off it usually is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from accounting.bl01 import Bl01
from accounting.settlement_days import SettlementDay


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Errors of a baseline over placebo days.

    :param bias: mean of baseline less metered import over mean metered import; above 0 it claims too much turn-down.
    :param cvrmse: root mean square of the same errors, over the same mean.
    """

    days: tuple[date, ...]
    periods: int
    bias: Decimal
    cvrmse: Decimal


def accuracy(days: Sequence[date], imports_mwh: Iterable[tuple[Decimal, Decimal]]) -> Accuracy | None:
    """Accuracy from pairs of import, by baseline and metered (MWh, positive); None where nothing was used."""
    pairs = list(imports_mwh)
    mean = sum((metered for _, metered in pairs), Decimal(0)) / max(1, len(pairs))
    if not pairs or mean <= 0:
        return None
    errors = [baseline - metered for baseline, metered in pairs]
    bias = sum(errors, Decimal(0)) / len(errors)
    square = sum((error * error for error in errors), Decimal(0)) / len(errors)
    return Accuracy(tuple(days), len(pairs), bias / mean, square.sqrt() / mean)


def placebo_days(method: Bl01, day: SettlementDay, count: int) -> list[SettlementDay]:
    """The latest ``count`` days before ``day`` that were no event, were read whole and had a baseline of their own."""
    found: list[SettlementDay] = []
    for back in range(1, method.parameters.look_back_days + 1):
        each = day.before(back)
        quiet = each.date not in method.event_days and all(at in method.history for at in each.starts())
        if quiet and not each.changes_clock and method.days(each).suffice:
            found.append(each)
        if len(found) == count:
            break
    return found


def placebo(method: Bl01, day: SettlementDay, count: int = 10) -> Accuracy | None:
    """Accuracy of the unadjusted baseline on the ``count`` placebo days before ``day``; None where there is none."""
    days = placebo_days(method, day, count)
    pairs = []
    for each in days:
        for period, start in enumerate(each.starts(), start=1):
            usual = method.unadjusted(each, period)
            if usual is not None:
                pairs.append((-usual, -method.history[start]))
    return accuracy([each.date for each in days], pairs)
