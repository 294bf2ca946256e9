"""Jobs of several tenants that want the same room."""

from __future__ import annotations

import numpy as np

from agents.job.fairness.claims import Asks, Claims, Dues, World, weighed
from agents.job.fairness.tree import tree_of
from core.series import FloatArray

SITES, SLOTS, ROOM_KW, GBP_PER_KW_SLOT = 2, 24, 100.0, 0.05


def asks(tenant: list[int], **changes: object) -> Asks:
    """Jobs of 10 kW for four slots anywhere, worth 4 GBP a kWh; ``changes`` replace what is said of all."""
    n = len(tenant)
    fields: dict[str, object] = {
        "level": np.ones(n, dtype=np.int64),
        "sites": np.ones((n, SITES), dtype=bool),
        "first": np.zeros(n, dtype=np.int64),
        "last": np.full(n, SLOTS),
        "kw_slots": np.full(n, 40.0),
        "penalty_gbp": np.full(n, 80.0),
        "begun": np.zeros(n, dtype=bool),
        "planned": np.zeros(n, dtype=bool),
    }
    return Asks(tenant=np.array(tenant), **{**fields, **{name: np.asarray(value) for name, value in changes.items()}})


def claims(
    asked: Asks,
    tenants: str = "ab",
    usage: tuple[float, ...] = (),
    cost_gbp: FloatArray | None = None,
    **weights: float,
) -> Claims:
    """The claims of tenants named by the letters of ``tenants``, in a world of 4,800 kW-slots."""
    cost = np.full((SITES, SLOTS), GBP_PER_KW_SLOT) if cost_gbp is None else cost_gbp
    world = World(np.full((SITES, SLOTS), ROOM_KW), cost)
    used = np.array(usage or (0.0,) * len(tenants))
    return weighed(asked, world, Dues(tree_of(list(tenants), weights), used, 0.01))
