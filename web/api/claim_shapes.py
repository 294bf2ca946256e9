"""What the API says of a claim about carbon: the one in force, who stated it, and the share saved where it is known."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from agents.settlement.claims import ClaimInForce


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
