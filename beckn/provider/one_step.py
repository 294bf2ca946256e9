"""Orders that are confirmed in one step: whether they ask for what was quoted, and accept what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from beckn.packs.grid import read_grid
from beckn.packs.settlement import HOURS, PENNY
from beckn.protocol.faults import Fault
from beckn.provider.items import ZERO, Asked, Item
from beckn.provider.paper import read_asked
from core.trade import Product

_HALF = Decimal("0.000005")
"""prices are rounded to five places"""
_COMMITMENTS = "$.message.contract.commitments"


def asked_in(wire: Mapping[str, Any]) -> tuple[Asked, ...] | None:
    """What an order asks for; None where it says no half-hours, and means what was quoted."""
    if not any("commitmentAttributes" in each for each in wire["commitments"]):
        return None
    return read_asked(wire)


def answers(items: Sequence[Item], asked: Sequence[Asked]) -> bool:
    """Whether ``items`` are a quotation of what is asked: a window in whole, a turn-down perhaps in part."""
    quoted = {(item.product, item.site_id): item for item in items}
    for one in asked:
        item = quoted.pop((one.product, one.site_id), None)
        if item is None or item.starts != one.starts or len(item.lines) != len(one.kw):
            return False
        part = one.product is Product.TURN_DOWN
        for wanted, line in zip(one.kw, item.lines, strict=True):
            if wanted != line.kw and not (part and wanted > line.kw):
                return False
    return not quoted


def require_accepted(wire: Mapping[str, Any], items: Sequence[Item]) -> None:
    """Return if the items cost no more than the prices in an order; :class:`Fault` ``BIZ_PRICE_MISMATCH``."""
    by_resource = {item.resource_id: item for item in items}
    for number, told in enumerate(wire["commitments"]):
        resource = told["resources"][0] if told["resources"] else {}
        item = by_resource.get(resource.get("id", ""))
        if item is None or resource.get("resourceAttributes") is None:
            continue
        path = f"{_COMMITMENTS}[{number}].resources[0].resourceAttributes"
        grid = read_grid(resource["resourceAttributes"], path, ("PRICE",))
        prices = grid.figures("PRICE")
        if grid.start != item.starts or len(prices) != len(item.lines):
            raise Fault("BIZ_PRICE_MISMATCH", "the prices are of other half-hours", path)
        energy = [line.kw * HOURS for line in item.lines]
        accepted = sum((kwh * (price or ZERO) for kwh, price in zip(energy, prices, strict=True)), ZERO)
        asked = sum((line.amount for line in item.lines), ZERO)
        if asked > accepted + PENNY + sum(energy, ZERO) * _HALF:
            raise Fault("BIZ_PRICE_MISMATCH", f"it costs {asked:.2f} GBP now, not {accepted:.2f}", path)
