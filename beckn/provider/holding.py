"""What is kept for a contract, as rows of the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from beckn.provider.items import Item, Line
from core.trade import Hold, Product, Reduction


def at_the_price_of(quoted: Item, renewed: Item) -> Item:
    """What is promised by the present plan, on the terms and under the offer that were quoted."""
    lines = tuple(
        replace(new, price=old.price, penalty=old.penalty) for old, new in zip(quoted.lines, renewed.lines, strict=True)
    )
    return replace(renewed, offer_id=quoted.offer_id, lines=lines)


def reductions_of(contract_id: str, items: Sequence[Item]) -> list[Reduction]:
    """What confirmed items move away."""
    return [
        reduction_of(contract_id, item, line, None)
        for item in items
        if item.product is Product.TURN_DOWN
        for line in item.wanted
    ]


def reduction_of(contract_id: str, item: Item, line: Line, until: datetime | None) -> Reduction:
    """What a line moves away; committed at once where ``until`` is None."""
    return Reduction(
        contract_id=contract_id,
        site_id=item.site_id,
        starts=line.starts,
        baseline_kw=float(line.baseline_kw or 0),
        reduction_kw=float(line.kw),
        state=Hold.COMMITTED if until is None else Hold.HELD,
        held_until=until,
    )


def thousandths(figure: float) -> Decimal:
    """A figure of a computation with three decimals."""
    return Decimal(str(round(figure, 3))).quantize(Decimal("0.001"))
