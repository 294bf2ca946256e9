"""What a contract comes to by the buyer's own arithmetic, from nothing but the messages; and what each side says."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

HALF_HOUR = Decimal("0.5")
PENNY = Decimal("0.01")
ZERO = Decimal(0)


def reckoned(contract: Mapping[str, Any], measured: Mapping[str, Any] | None = None) -> Decimal:
    """What the seller receives, GBP to the penny: terms by ``contract``, readings by ``measured`` or the same.

    Per half-hour: delivered is the sum over meters of baseline less usage, each not below 0; pay is what was delivered
    of what was promised, at the price; what is short costs the penalty.
    """
    total = ZERO
    performances = (measured or contract)["performance"]
    for commitment in contract["commitments"]:
        terms = _columns(commitment["resources"][0]["resourceAttributes"])
        promised = _columns(commitment["commitmentAttributes"])["CAPACITY_OFFERED"]
        meters = [
            _columns(meter["telemetry"])
            for each in performances
            if commitment["id"] in each["commitmentIds"]
            for meter in each["performanceAttributes"].get("meters", ())
        ]
        for i, power in promised.items():
            delivered = sum((max(ZERO, meter["BASELINE"][i] - meter["USAGE"][i]) for meter in meters), ZERO)
            total += min(delivered, power) * HALF_HOUR * terms["PRICE"][i]
            total -= max(ZERO, power - delivered) * HALF_HOUR * terms["SHORTFALL_PENALTY"][i]
    return total.quantize(PENNY, ROUND_HALF_EVEN)


def told(contract: Mapping[str, Any], role: str = "seller") -> Decimal | None:
    """What flows to a role by the contract itself; None where it does not say."""
    for each in contract["contractAttributes"].get("revenueFlows") or ():
        if each["role"] == role:
            return Decimal(str(each["value"]))
    return None


def _columns(series: Mapping[str, Any]) -> dict[str, dict[int, Decimal]]:
    """Figures by column and interval."""
    found: dict[str, dict[int, Decimal]] = {}
    for interval in series["intervals"]:
        for payload in interval["payloads"]:
            if payload["values"]:
                found.setdefault(payload["type"], {})[interval["id"]] = Decimal(str(payload["values"][0]))
    return found
