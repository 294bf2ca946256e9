"""What a contract comes to: the arithmetic of the published demand-flex policy, in decimals.

Per half-hour of ``h`` hours, with all power in kW and prices per kWh:

- delivered = sum over meters of ``max(0, BASELINE - USAGE)``
- pay = ``min(delivered, offered) * h * PRICE``, from the buyer to the seller
- penalty = ``max(0, offered - delivered) * h * SHORTFALL_PENALTY``, from the seller to the buyer
- the seller receives the sum of pay less penalty; the flows of both sum to 0.

Amounts are exact until the end, where the total is rounded once to pence, half to even, and both flows bear the rounded
total.

The policy counts a reduction only. A negative PRICE is meant to pay for consuming more, but a meter that draws more
than its baseline has delivered 0 by the policy: nothing is paid and all of what was offered is short. The same sign
makes a seller pay for a reduction. So the arithmetic here is the policy's at any sign, and whoever answers a need
offers nothing in half-hours whose PRICE is negative (:attr:`beckn.packs.demand_flex.Need.sought_kw`).

A compute window settles alike: what the provider kept free for the buyer, by the log, is delivered, and what it took
back is short.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Any

from beckn.packs.grid import Grid, require_columns, require_same, wire_number
from beckn.protocol.faults import Fault

PENNY = Decimal("0.01")
HOURS = Decimal("0.5")
NOT_SETTLED = frozenset({"RESOURCE_TELEMETRY"})
"""methodologies whose records say something but settle nothing"""
_ZERO = Decimal(0)
_EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Interval:
    """One half-hour to settle.

    :param offered_kw: promised, not below 0. :param delivered_kw: what came, not below 0.
    :param price: per kWh delivered. :param penalty: per kWh short, not below 0.
    """

    offered_kw: Decimal
    delivered_kw: Decimal
    price: Decimal
    penalty: Decimal


@dataclass(frozen=True, slots=True)
class Row:
    """One half-hour settled: ``pay`` goes to the seller, ``penalty`` to the buyer."""

    delivered_kw: Decimal
    settled_kwh: Decimal
    pay: Decimal
    penalty: Decimal


@dataclass(frozen=True, slots=True)
class Settlement:
    """A contract settled.

    :param total: what the seller receives, in pence precise; negative where it pays.
    """

    rows: tuple[Row, ...]
    total: Decimal
    currency: str

    @property
    def flows(self) -> dict[str, Decimal]:
        """By role, positive where it receives; they sum to 0."""
        return {"buyer": -self.total if self.total else _ZERO, "seller": self.total}


def delivered_kw(meters: Iterable[tuple[Decimal, Decimal]]) -> Decimal:
    """Reduction over meters, each given as baseline and usage in kW; a meter that drew more counts 0."""
    with localcontext(_EXACT):
        return sum((max(_ZERO, baseline - usage) for baseline, usage in meters), _ZERO)


def settle(intervals: Sequence[Interval], currency: str) -> Settlement:
    """Settle half-hours; :class:`ValueError` where power or a penalty is below 0."""
    with localcontext(_EXACT):
        rows = tuple(_row(interval) for interval in intervals)
        exact = sum((row.pay - row.penalty for row in rows), _ZERO)
        total = exact.quantize(PENNY, ROUND_HALF_EVEN)
    return Settlement(rows, total if total else _ZERO.quantize(PENNY), currency)


def _row(interval: Interval) -> Row:
    if min(interval.offered_kw, interval.delivered_kw, interval.penalty) < 0:
        raise ValueError(f"power and penalties are not below 0: {interval}")
    settled = min(interval.delivered_kw, interval.offered_kw) * HOURS
    short = max(_ZERO, interval.offered_kw - interval.delivered_kw) * HOURS
    return Row(interval.delivered_kw, settled, settled * interval.price, short * interval.penalty)


def intervals_of(terms: Grid, offered: Grid, meters: Sequence[Grid], path: str = "$") -> tuple[Interval, ...]:
    """The half-hours of a contract, from its terms, what was offered, and each meter's baseline and usage.

    :raises Fault: the grids differ, a column lacks, or a meter has no reading in one of the half-hours.
    """
    require_columns(terms, ("PRICE", "SHORTFALL_PENALTY"), path)
    require_columns(offered, ("CAPACITY_OFFERED",), path)
    require_same(offered, terms, path)
    for meter in meters:
        require_columns(meter, ("BASELINE", "USAGE"), path)
        require_same(meter, terms, path)
    columns = [(meter.figures("BASELINE"), meter.figures("USAGE")) for meter in meters]
    told = zip(
        offered.figures("CAPACITY_OFFERED"), terms.figures("PRICE"), terms.figures("SHORTFALL_PENALTY"), strict=True
    )
    return tuple(
        Interval(
            _told(power, path, i),
            delivered_kw((_told(base[i], path, i), _told(use[i], path, i)) for base, use in columns),
            _told(price, path, i),
            _told(penalty, path, i),
        )
        for i, (power, price, penalty) in enumerate(told)
    )


def _told(figure: Decimal | None, path: str, number: int) -> Decimal:
    if figure is None:
        raise Fault("SCH_REQUIRED_FIELD_MISSING", f"a figure of interval {number} is missing; it cannot settle", path)
    return figure


def revenue_flows(settlement: Settlement) -> list[dict[str, Any]]:
    """The flows on the wire, buyer first."""
    count = len(settlement.rows)
    said = {"buyer": f"Net payable across {count} half-hours", "seller": f"Net receivable across {count} half-hours"}
    return [
        {"role": role, "value": wire_number(value), "currency": settlement.currency, "description": said[role]}
        for role, value in settlement.flows.items()
    ]
