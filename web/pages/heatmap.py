"""The plan as a heat map: one row a site, one cell a half-hour, darker where more of the headroom is planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from core.series import FloatArray
from core.slots import SLOT, SLOT_HOURS

if TYPE_CHECKING:
    from agents.standing import StandingPlan

STEPS = 9
MOST_SLOTS = 96


@dataclass(frozen=True, slots=True)
class SiteRow:
    """One site's part of the plan, over the slots shown.

    :param cells: ``(slot, step)`` where the plan uses headroom at all; ``step`` is 0 to 8.
    """

    site_id: str
    name: str
    mean_share: float
    peak_share: float
    peak_at: datetime | None
    planned_kwh: float
    free_kwh: float
    cells: tuple[tuple[int, int], ...]


def utilisation(plan: StandingPlan) -> FloatArray:
    """Share of headroom planned, (S, T); 0 where there is no headroom."""
    planned, headroom = plan.planned_kw[:, :MOST_SLOTS], plan.headroom_kw[:, :MOST_SLOTS]
    return np.divide(planned, headroom, out=np.zeros_like(planned), where=headroom > 0)


def rows(plan: StandingPlan, names: Mapping[str, str]) -> list[SiteRow]:
    """The table behind the heat map, in the order of the plan's sites."""
    share = utilisation(plan)
    return [_row(plan, share[i], i, names.get(site_id, site_id)) for i, site_id in enumerate(plan.site_ids)]


def _row(plan: StandingPlan, share: FloatArray, index: int, name: str) -> SiteRow:
    planned = plan.planned_kw[index, :MOST_SLOTS]
    headroom = plan.headroom_kw[index, :MOST_SLOTS]
    total, peak = float(headroom.sum()), int(share.argmax()) if share.size else 0
    return SiteRow(
        site_id=plan.site_ids[index],
        name=name,
        mean_share=float(planned.sum()) / total if total else 0.0,
        peak_share=float(share.max()) if share.size else 0.0,
        peak_at=plan.start + SLOT * peak if share.any() else None,
        planned_kwh=float(planned.sum()) * SLOT_HOURS,
        free_kwh=float(plan.free_kw[index, :MOST_SLOTS].sum()) * SLOT_HOURS,
        cells=tuple((int(i), _step(float(share[i]))) for i in np.flatnonzero(share > 0)),
    )


def _step(share: float) -> int:
    """1 to 8 for a share above 0, so that a little is told from nothing."""
    return 1 + min(STEPS - 2, int(share * (STEPS - 1)))


def chart_data(plan: StandingPlan, names: Mapping[str, str]) -> dict[str, Any]:
    """What the browser's heat map reads."""
    share = utilisation(plan)
    sites, slots = share.shape
    return {
        "type": "heatmap",
        "description": f"Planned share of headroom at {sites} sites over {slots} half-hours.",
        "start": int(plan.start.timestamp() * 1000),
        "step": int(SLOT.total_seconds() * 1000),
        "slots": slots,
        "names": [names.get(site_id, site_id) for site_id in plan.site_ids],
        "cells": [[t, s, round(float(share[s, t]), 3)] for s in range(sites) for t in range(slots)],
        "planned": np.round(plan.planned_kw[:, :slots], 1).tolist(),
        "headroom": np.round(plan.headroom_kw[:, :slots], 1).tolist(),
    }
