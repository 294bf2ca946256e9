"""Changes of a contract of ours, and ratings: what may be asked for after the confirmation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from beckn.protocol.faults import Fault
from beckn.provider.items import Asked, Item


def lessened(before: Sequence[Item], asked: Sequence[Asked]) -> tuple[Item, ...]:
    """The items with less in some half-hours; :class:`Fault` where more is asked for, or something else."""
    wanted = {(f"{one.product.value}.{one.site_id}", one.starts, len(one.kw)): one.kw for one in asked}
    items = []
    for item in before:
        kw = wanted.pop((item.resource_id, item.starts, len(item.lines)), None)
        if kw is None:
            raise Fault("BIZ_INVALID_UPDATE_TARGET", f"{item.resource_id} was confirmed for other half-hours")
        if any(new > line.kw for new, line in zip(kw, item.lines, strict=True)):
            raise Fault("BIZ_UPDATE_INCONSISTENT", "more than was confirmed is a contract of its own: select it")
        lines = tuple(replace(line, kw=new) for new, line in zip(kw, item.lines, strict=True))
        items.append(replace(item, lines=lines))
    if wanted:
        raise Fault("BIZ_INVALID_UPDATE_TARGET", "the contract is not about that resource")
    return tuple(items)


def powers(items: Sequence[Item]) -> dict[tuple[str, datetime], float]:
    """What is promised by site and half-hour."""
    return {(item.site_id, line.starts): float(line.kw) for item in items for line in item.lines}


def require_range(told: Mapping[str, Any], path: str) -> None:
    """A rating within its own bounds."""
    figures = [told.get(name) for name in ("min", "value", "max")]
    numbers = [each for each in figures if isinstance(each, int | float) and not isinstance(each, bool)]
    if len(numbers) != 3 or not numbers[0] <= numbers[1] <= numbers[2]:
        raise Fault("BIZ_INVALID_RATING_VALUE", "min, value and max are numbers in that order", path)
