"""Why a job has no place: the first reason that holds, from those of the job alone to those of the plan.

A reason names no figure that changes with every plan: a job is told again only when its reason is another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from agents.explanation.courses import Courses, Pricing
from agents.explanation.grid import Room
from agents.explanation.search import placed
from agents.explanation.wants import Wants
from core.series import BoolArray


@dataclass(frozen=True, slots=True)
class Reasons:
    """Reasons of ``wants`` (n rows) that are not served.

    :param left: against what the plan leaves; ``fitting`` are the best courses in it.
    :param empty: against sites without a plan; ``alone`` are the best courses there.
    """

    wants: Wants
    left: Pricing
    fitting: Courses
    empty: Pricing
    alone: Courses

    def told(self) -> list[str]:
        """The reason of each row; empty where there is room that is worth it."""
        limits, cap, caps = self._without_limits(), self._without_cap(), self._without_shared_caps()
        return [self._reason(row, bool(limits[row]), bool(cap[row]), bool(caps[row])) for row in range(len(self.wants))]

    def _without_limits(self) -> BoolArray:
        free = np.full(len(self.wants), np.inf)
        return self._possible(self.empty, self.wants.with_(max_price=free, max_carbon=free), ~self.alone.found)

    def _without_cap(self) -> BoolArray:
        free = np.full(len(self.wants), np.inf)
        return self._possible(self.empty, self.wants.with_(cap_kg=free), ~self.alone.found)

    def _without_shared_caps(self) -> BoolArray:
        room = self.left.room
        capless: Room = replace(room, site_kg=room.site_kg + np.inf, tenant_kg=room.tenant_kg + np.inf)
        return self._possible(replace(self.left, room=capless), self.wants, self.alone.found & ~self.fitting.found)

    def _possible(self, pricing: Pricing, wants: Wants, rows: BoolArray) -> BoolArray:
        """(n,) among ``rows``, those that would have a course."""
        found = rows.copy()
        found[rows] = placed(pricing, wants.take(rows)).found
        return found

    def _reason(self, row: int, without_limits: bool, without_cap: bool, without_shared_caps: bool) -> str:
        wants, penalty = self.wants, float(self.wants.penalty_gbp[row])
        window, needed = int(wants.last[row] - wants.first[row]), int(wants.least_slots[row])
        if window < needed:
            return f"its window has {max(window, 0)} slots left and it needs {needed}"
        if not wants.sites[row].any():
            return "no site in its allowed regions has room for its power beside the site's own load and what is sold"
        if not self.alone.found[row]:
            return _alone(without_limits, without_cap, bool(wants.hardware[row]))
        if (cost := float(self.alone.counted_gbp[row])) >= penalty:
            return f"its cheapest course costs GBP {cost:.2f}, more than the GBP {penalty:.2f} its tier pays"
        return self._beside_others(row, without_shared_caps)

    def _beside_others(self, row: int, without_shared_caps: bool) -> str:
        if not self.fitting.found[row]:
            return _crowded(without_shared_caps)
        dear = self.fitting.counted_gbp[row] >= self.wants.penalty_gbp[row]
        return "what is left in its window costs more than its tier pays" if dear else ""


def _alone(without_limits: bool, without_cap: bool, hardware: bool) -> str:
    """Why a job would have no course even if it were the only one."""
    if without_limits:
        return "no slots in its window are within its own price and carbon limits"
    if without_cap:
        return "any course in its window would emit more than its own carbon cap"
    what = "room for it and its hardware" if hardware else "room for it"
    return f"no site that it may use has {what} in its window, even without other jobs"


def _crowded(without_shared_caps: bool) -> str:
    """Why a job has no course beside the others."""
    if without_shared_caps:
        return "too little is left for it under the carbon caps: jobs that are dearer to leave out have it"
    return "no site has enough headroom left in its window: jobs that are dearer to leave out hold it"
