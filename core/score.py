"""Scores: how well a forecast did on figures that it had not seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.vintage import Quantity


@dataclass(frozen=True, slots=True)
class Score:
    """One model for one zone and quantity, over the slots of one day of lead, out of sample.

    :param model: name of the model.
    :param day_ahead: 1 for the first 48 slots that were not known, to 7.
    :param scored_at: when the score was taken.
    :param slots: number of figures compared.
    :param mae: mean absolute error, in the unit of the quantity.
    :param naive_mae: that of the figure of the same half-hour a week before (seasonal naive).
    :param slot_mean_mae: that of the mean of the same half-hour over the last 7 days.
    :param coverage: share of the outturns within the interval of probability ``level``.
    """

    model: str
    zone: str
    quantity: Quantity
    day_ahead: int
    scored_at: datetime
    slots: int
    mae: float
    naive_mae: float
    slot_mean_mae: float
    coverage: float
    level: float
