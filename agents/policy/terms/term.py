"""What every site term answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from core.series import FloatArray


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a term does: ``draw_kw`` (T,) at the meter, and what that costs besides its energy.

    :param own_gbp: wear, less what was earned.
    :param power_kw: the parts of it that the plan file names, each (T,).
    """

    draw_kw: FloatArray
    own_gbp: float
    power_kw: Mapping[str, FloatArray] = field(default_factory=dict)

    def towards(self, other: Schedule, share: float) -> Schedule:
        """The mixture of both; of terms that may only be on or off it is a relaxation."""
        return Schedule(
            self.draw_kw + share * (other.draw_kw - self.draw_kw),
            self.own_gbp + share * (other.own_gbp - self.own_gbp),
        )


class SiteTerm(Protocol):
    """A site's own use of power."""

    @property
    def site(self) -> int:
        """Index of its site."""
        ...

    def respond(self, rate: FloatArray) -> Schedule:
        """A schedule of least charge at ``rate``, whatever else draws power."""
        ...

    def floor_gbp(self, rate: FloatArray) -> float:
        """Proven least charge of any schedule at ``rate``."""
        ...

    def least_kw(self) -> FloatArray:
        """(T,): what it draws at the meter whatever is planned."""
        ...

    def fit(self, rate: FloatArray, room_kw: FloatArray) -> Schedule:
        """A good schedule that draws at most ``room_kw`` (T,) at the meter, or as little more as it must."""
        ...

    def expression(self, rate: FloatArray) -> tuple[Any, Any, list[Any]]:
        """For a cvxpy model: draw at the meter (T,), charge in GBP at ``rate``, constraints (relaxed to shares)."""
        ...


def terms_cost(schedules: list[Schedule], rates: list[FloatArray]) -> float:
    """Energy at each term's own rate and its own costs, in GBP."""
    return float(sum(np.dot(s.draw_kw, rate) + s.own_gbp for s, rate in zip(schedules, rates, strict=True)))
