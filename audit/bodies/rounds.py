"""A negotiation: what went in, how the price rounds went, and the certificate that came out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from audit.fields import Body, Dec, Hex64, Time


class PriceRoundBody(Body):
    """One price round: the bound it proves and the master's value."""

    number: int
    bound_gbp: Dec
    master_gbp: Dec
    bids: int


class SolverBody(Body):
    """The optimiser used."""

    name: str
    version: str


class OriginBody(Body):
    """Slots ``[first, last)`` of a round whose figures are those of one stored answer, or were made here."""

    first: int
    last: int
    source: str
    fetch_id: str | None = None


class FeedUse(Body):
    """A series that the round used: whose, how old, of what kinds, and from which stored answers.

    ``zone`` is a grid zone, or for the temperature that cooling was reckoned with a site.
    """

    zone: str
    quantity: Literal["price", "carbon", "temperature"]
    source: str
    issued_at: Time
    kinds: list[str]
    stale: bool
    origins: list[OriginBody] = Field(default_factory=list)


class SitePriceBody(Body):
    """Price of a site's headroom over the plan's slots."""

    site_id: str
    mean_gbp_per_kw_slot: Dec
    max_gbp_per_kw_slot: Dec


class TenantBody(Body):
    """What a round took into account of one tenant: weight, decayed use before it, and shares as in ShareBody.

    ``beyond`` of its ``jobs`` were beyond its share. What each job then counted for stands in the instance.
    """

    tenant_commit: Hex64
    weight: Dec
    usage: Dec
    asked_share: Dec
    due_share: Dec
    jobs: int
    beyond: int


class EffortBody(Body):
    """How hard a negotiation was to try; ``rounds`` and ``shards`` None: as many as the number of jobs asks for."""

    time_limit_s: Dec
    target_gap: Dec
    trials_a_job: int
    shards: int | None
    rounds: int | None
    clearings: int


class WorkBody(Body):
    """What a negotiation came to do, so that it can be done again without a clock.

    ``stops`` are the numbers, from 0, of the questions whether its time was over that were answered with yes.
    """

    rounds: int
    clearings: int
    trials: int
    stops: list[int]


class RoundBody(Body):
    """One negotiation: what went in, how the rounds went, and the certificate that came out.

    ``effort`` and ``work`` are what deriving it again takes besides instance and seed; ``made_with`` names the versions
    of what computed it.
    """

    round_id: str
    trigger: str
    plan_start: Time
    slots: int
    jobs: int
    placed: int
    unserved: int
    rounds: list[PriceRoundBody]
    objective_gbp: Dec
    bound_gbp: Dec
    gap: Dec
    seed: int
    solver: SolverBody
    instance_sha256: Hex64
    instance_path: str
    output_sha256: Hex64
    feeds: list[FeedUse]
    carbon_cap_price_gbp_per_kg: Dec
    prices: list[SitePriceBody]
    tenants: list[TenantBody] = Field(default_factory=list)
    effort: EffortBody | None = None
    work: WorkBody | None = None
    made_with: dict[str, str] | None = None
