"""Arrays in which sites quote and jobs bid: the numerical words of the negotiation.

Axes: S sites, T slots, n bids. Powers are IT kW; ``pue`` turns them into kW at the meter, where headroom is counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.instance import Instance
from core.series import FloatArray, IntArray
from core.slots import SLOT_HOURS

NOWHERE = -1
TOLERANCE_KW = 1e-6


@dataclass(frozen=True, slots=True)
class Market:
    """What every site offers in every slot; all arrays have shape (S, T).

    :param headroom_kw: at the meter.
    :param cost_gbp_per_kw: money and carbon at the carbon price, for one IT kW held for one slot.
    :param carbon_kg_per_kw: carbon of one IT kW held for one slot.
    """

    headroom_kw: FloatArray
    pue: FloatArray
    price_gbp_per_kwh: FloatArray
    carbon_g_per_kwh: FloatArray
    cost_gbp_per_kw: FloatArray
    carbon_kg_per_kw: FloatArray
    carbon_cap_kg: float | None

    @classmethod
    def of(cls, instance: Instance) -> Market:
        """The market that an instance describes."""
        shape = (len(instance.sites), instance.slots)
        stack = {
            name: np.array([getattr(site, name) for site in instance.sites], dtype=np.float64).reshape(shape)
            for name in ("headroom_kw", "price_gbp_per_kwh", "carbon_g_per_kwh")
        }
        pue = np.array([np.broadcast_to(np.asarray(site.pue, float), shape[1]) for site in instance.sites]).reshape(
            shape
        )
        carbon = stack["carbon_g_per_kwh"]
        rate = stack["price_gbp_per_kwh"] + instance.carbon_price_gbp_per_tonne * carbon / 1e6
        return cls(
            pue=pue,
            cost_gbp_per_kw=pue * SLOT_HOURS * rate,
            carbon_kg_per_kw=pue * SLOT_HOURS * carbon / 1000,
            carbon_cap_kg=instance.carbon_cap_kg,
            **stack,
        )


@dataclass(frozen=True, slots=True)
class Prices:
    """What a scarce thing costs, on top of energy and carbon.

    :param headroom: (S, T), GBP per kW at the meter held for one slot, >= 0.
    :param carbon: GBP per kg under the carbon cap, >= 0.
    """

    headroom: FloatArray
    carbon: float = 0.0

    @classmethod
    def zero(cls, market: Market) -> Prices:
        """Nothing is scarce."""
        return cls(np.zeros_like(market.headroom_kw))

    def per_kw(self, market: Market) -> FloatArray:
        """(S, T): what one IT kW for one slot costs in all, scarcity included."""
        scarce = market.pue * self.headroom + self.carbon * market.carbon_kg_per_kw
        return np.asarray(market.cost_gbp_per_kw + scarce, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class BidBatch:
    """One bid for each of n jobs, in the order asked.

    :param job: (n,) job index.
    :param site: (n,) site index, ``NOWHERE`` where the job found no feasible profile.
    :param power_kw: (n, T) IT power, zero outside the profile.
    :param cost_gbp: (n,) energy, carbon and pause cost, scarcity prices left out; inf where there is no profile.
    :param value_gbp: (n,) the same with scarcity prices; what the job minimised.
    :param floor_gbp: (n,) proven lower bound on the value of any profile of the job (equal to the value for block
        and pausable jobs; the continuous relaxation for elastic ones); inf where there is no profile.
    """

    job: IntArray
    site: IntArray
    power_kw: FloatArray
    cost_gbp: FloatArray
    value_gbp: FloatArray
    floor_gbp: FloatArray

    @property
    def found(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """(n,) True where there is a profile."""
        return np.asarray(self.site != NOWHERE)

    def take(self, rows: IntArray) -> BidBatch:
        """The bids at ``rows``."""
        return BidBatch(*(getattr(self, name)[rows] for name in self.__slots__))

    @classmethod
    def join(cls, parts: list[BidBatch]) -> BidBatch:
        """All bids of several batches, one after another."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))

    @classmethod
    def empty(cls, jobs: IntArray, slots: int) -> BidBatch:
        """No profile for any of ``jobs``."""
        count = len(jobs)
        none = np.full(count, np.inf)
        return cls(
            np.asarray(jobs, dtype=np.int64),
            np.full(count, NOWHERE, dtype=np.int64),
            np.zeros((count, slots)),
            none,
            none.copy(),
            none.copy(),
        )


def draw_kw(batch: BidBatch, market: Market) -> FloatArray:
    """(S, T): what the bids draw at the meters together."""
    total = np.zeros_like(market.headroom_kw)
    rows = batch.found
    np.add.at(total, batch.site[rows], batch.power_kw[rows] * market.pue[batch.site[rows]])
    return total


def carbon_kg(batch: BidBatch, market: Market) -> FloatArray:
    """(n,): carbon of each bid; zero where there is no profile."""
    rate = market.carbon_kg_per_kw[np.maximum(batch.site, 0)]
    return np.asarray(np.einsum("nt,nt->n", batch.power_kw, rate))
