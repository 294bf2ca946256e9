"""What the API says of a claim about carbon: the one in force, who stated it, and the share saved where it is known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from agents.settlement.claims import ClaimInForce
from audit.bodies.carbon import ClaimLevel


class ClaimOut(BaseModel):
    """What a delivery claims about carbon: attributional and consequential apart, never to be added."""

    seq: int = Field(description="record of the delivery")
    job_id: str
    stated_by_seq: int = Field(description="record that states this claim: the delivery, or its last restatement")
    stated_at: datetime
    revision: int = Field(description="how many times the claim was restated; 0 as it was made when the job ended")
    carbon: dict[str, Any]

    @classmethod
    def of(cls, claim: ClaimInForce) -> ClaimOut:
        """The wire form of ``claim``."""
        return cls(
            seq=claim.delivery.seq,
            job_id=claim.delivery.body["job_id"],
            stated_by_seq=claim.stated_by.seq,
            stated_at=claim.stated_by.recorded_at,
            revision=claim.revision,
            carbon=claim.carbon,
        )


class CarbonShareOut(BaseModel):
    """Attributional carbon saved as a share of the baseline's, never without interval, baseline policy and level."""

    percent: float = Field(description="negative where more is emitted")
    low_percent: float = Field(description="lower end of the central 95 % interval")
    high_percent: float
    baseline_policy: str
    claim_level: ClaimLevel

    @classmethod
    def of(cls, carbon: Mapping[str, Any] | None) -> CarbonShareOut | None:
        """By the claim of a decision or a delivery, by outturn where it has one.

        None without a claim, without a baseline that emits, and where the claim knows no interval.
        """
        if not carbon:
            return None
        share = carbon["attributional"] or carbon["attributional_forecast"]
        if share is None or share["low_kg"] == share["high_kg"] or not float(share["baseline_kg"]):
            return None
        percent, low, high = (
            100 * float(share[name]) / abs(float(share["baseline_kg"])) for name in ("saved_kg", "low_kg", "high_kg")
        )
        return cls(
            percent=percent,
            low_percent=low,
            high_percent=high,
            baseline_policy=carbon["baseline_policy"],
            claim_level=carbon["claim_level"] if carbon["attributional"] else "forecast",
        )
