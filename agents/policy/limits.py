"""The shared limits: each a cvxpy constraint over the bids, whose dual is its price.

A new limit is one class here and one line in the master; its price reaches the jobs through the board
(agents/job/orders.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp

from core.market import NOWHERE, Market
from core.series import FloatArray, IntArray


class Pool(Protocol):
    """What a limit reads of bids (agents/policy/master.py)."""

    @property
    def job(self) -> IntArray: ...

    @property
    def place(self) -> IntArray: ...

    @property
    def power_kw(self) -> FloatArray: ...

    @property
    def tenant_cap(self) -> IntArray: ...


class Limit(Protocol):
    """One kind of limit."""

    constraints: list[Any]

    def prices(self) -> FloatArray:
        """The duals, at least nought, once the problem is solved."""
        ...


class HeadroomLimits:
    """What bids and site terms draw at the meters, beside the headroom (S, T)."""

    def __init__(self, market: Market, bids: Pool, take: Any, terms_kw: Mapping[int, Any]) -> None:
        self._shape = market.shape
        site = market.place_site[bids.place]
        draw = bids.power_kw * market.pue[site]
        used, matrix = _by_cell(draw, site, self._shape, market.headroom_kw, keep=set(terms_kw))
        self._used = used
        total = matrix @ take
        slots = self._shape[1]
        for where, expression in terms_kw.items():
            at = np.flatnonzero(used // slots == where)
            spread = sp.csr_matrix((np.ones(at.size), (at, used[at] % slots)), shape=(used.size, slots))
            total = total + spread @ expression
        self.constraints = [total <= market.headroom_kw.ravel()[used]] if used.size else []

    def prices(self) -> FloatArray:
        return _spread(self.constraints, self._used, self._shape)


class HardwareLimits:
    """IT power of the bids at places with a limit of their own (P, T)."""

    def __init__(self, market: Market, bids: Pool, take: Any) -> None:
        self._shape = market.hardware_kw.shape
        own = bids.place >= market.shape[0]
        self._used, matrix = _by_cell(
            np.where(own[:, None], bids.power_kw, 0.0), bids.place, self._shape, market.hardware_kw, keep=set()
        )
        limit = market.hardware_kw.ravel()[self._used]
        self.constraints = [matrix @ take <= limit] if self._used.size else []

    def prices(self) -> FloatArray:
        return _spread(self.constraints, self._used, self._shape)


class CarbonCaps:
    """Carbon of the bids under each cap (C,)."""

    def __init__(self, market: Market, bids: Pool, take: Any) -> None:
        self._caps = len(market.cap_kg)
        site = market.place_site[bids.place]
        kg = np.einsum("nt,nt->n", bids.power_kw, market.carbon_kg_per_kw[site])
        counted = (np.full(site.shape, market.total_cap), market.site_cap[site], bids.tenant_cap[bids.job])
        rows = np.concatenate(counted)
        columns, values = np.tile(np.arange(kg.size), len(counted)), np.tile(kg, len(counted))
        at = rows != NOWHERE
        matrix = sp.csr_matrix((values[at], (rows[at], columns[at])), shape=(self._caps, kg.size))
        self.constraints = [matrix @ take <= market.cap_kg] if self._caps else []

    def prices(self) -> FloatArray:
        return _spread(self.constraints, np.arange(self._caps), (self._caps,))


def _by_cell(
    draw: FloatArray, row: IntArray, shape: tuple[int, ...], limit: FloatArray, keep: set[int]
) -> tuple[IntArray, sp.csr_matrix]:
    """Flat cells that all bids together could overdraw (and all of rows to ``keep``), and draws there (cells, n)."""
    bid, slot = np.nonzero(draw)
    cell = row[bid] * shape[1] + slot
    total = np.bincount(cell, weights=draw[bid, slot], minlength=shape[0] * shape[1])
    contested = total > limit.ravel() + 1e-9
    contested.reshape(shape)[sorted(keep)] = True
    used = np.flatnonzero(contested)
    at = np.full(contested.size, NOWHERE)
    at[used] = np.arange(used.size)
    kept = at[cell] != NOWHERE
    entries = (draw[bid, slot][kept], (at[cell][kept], bid[kept]))
    return used, sp.csr_matrix(entries, shape=(used.size, len(draw)))


def _spread(constraints: list[Any], used: IntArray, shape: tuple[int, ...]) -> FloatArray:
    """Duals at their cells, nought elsewhere."""
    prices = np.zeros(int(np.prod(shape)))
    if constraints:
        prices[used] = np.maximum(0.0, np.asarray(constraints[0].dual_value))
    return prices.reshape(shape)
