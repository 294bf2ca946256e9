"""Shares: what every tenant is due of the sites, what it uses, and who waits."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from web.api.documented import answer
from web.services import services_of_request

if TYPE_CHECKING:
    from agents.sharing import TenantShare

api = APIBlueprint("api_shares", __name__, abp_tags=[Tag(name="shares", description="What tenants are due and use")])


class TenantShareOut(BaseModel):
    """One tenant. Shares are of a site's capacity at its meter, 0 to 1."""

    tenant: str
    weight: float = Field(description="of TENANT_WEIGHTS; 1 where none is set")
    fair_share: float = Field(description="what it is due beside the other tenants of this list")
    used_share: float = Field(description="the greatest share that it uses of any site in this half-hour")
    resource: str | None = Field(description="that site; null where it uses nothing")
    usage: float = Field(description="the same, decayed: what it used of late")
    level: float | None = Field(description="fair_share over usage: above 1 it had less than it is due; null: nothing")
    rank: int = Field(description="its place among those whose turn it is, 1 first")
    open_jobs: int
    waiting: int = Field(description="of its open jobs, those without a place")
    oldest_since: datetime | None = Field(description="when the first of those was submitted")

    @classmethod
    def of(cls, share: TenantShare) -> TenantShareOut:
        """The wire form of ``share``."""
        return cls(**{name: getattr(share, name) for name in cls.model_fields})


class Shares(BaseModel):
    """Every tenant that has open jobs or used something of late, by name."""

    timestamp: datetime
    half_life_hours: float = Field(description="after which what was used counts for half")
    tenants: list[TenantShareOut]


@api.get("/api/shares", responses={200: Shares})
def shares() -> Response:
    """How every tenant stands: what it is due, uses now, used of late, and who waits since when."""
    services = services_of_request()
    return answer(
        Shares(
            timestamp=services.clock.now(),
            half_life_hours=services.settings.usage_half_life_hours,
            tenants=[TenantShareOut.of(share) for share in services.loop.shares()],
        )
    )
