"""Figures of the dialect of 2025: powers with units of their own, and prices."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from beckn.packs.reading import at, number
from beckn.protocol.faults import Fault

_KW: Mapping[str, Decimal] = {"w": Decimal("0.001"), "kw": Decimal(1), "mw": Decimal(1000)}


def power(figure: Any, unit: Any, path: str) -> Decimal:
    """A power in kW."""
    factor = _KW.get(unit.lower()) if isinstance(unit, str) else None
    if factor is None:
        raise Fault("SCH_INVALID_ENUM", f"power is in W, kW or MW, not in {str(unit)[:20]!r}", path)
    found = number(figure, path) * factor
    if found < 0:
        raise Fault("SCH_INVALID_FORMAT", "the power is below 0", path)
    return found


def read_price(told: Any, path: str) -> Decimal | None:
    """A price per kWh: ``{value: "0.102"}`` of a catalogue or ``{price: 0.102}`` of an order; None without one."""
    if not isinstance(told, Mapping):
        return None
    figure = told.get("value", told.get("price"))
    if figure is None:
        return None
    if told.get("currency", "GBP") != "GBP":
        raise Fault("BIZ_PRICE_MISMATCH", "prices are in GBP here", at(path, "beckn:price"))
    try:
        value = Decimal(figure) if isinstance(figure, str) and len(figure) <= 30 else number(figure, path)
        return number(value, path)
    except InvalidOperation as error:
        raise Fault("SCH_INVALID_FORMAT", "the price is no number", at(path, "beckn:price")) from error
