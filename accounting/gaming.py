"""A test of the adjustment window: whether load was raised in it, which would raise a baseline, and what that pays.

Participants of NESO's Demand Flexibility Service did so in the winter of 2022/23, and the domestic adjustment was
dropped for it. The load of the window is compared with the unadjusted baseline, against the error that is usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from accounting.placebo import Accuracy

USUAL_ERRORS = Decimal(2)
"""a mean beyond two standard errors happens by chance in about one window of twenty, half of them upwards"""


@dataclass(frozen=True, slots=True)
class WindowTest:
    """What the adjustment window of one event shows; import as positive MWh.

    :param excess_mwh: mean import of the window above the unadjusted baseline, a period.
    :param usual_mwh: excess up to which nothing is remarkable.
    :param extra_mwh: deviation that the adjustment would add over the whole event.
    :param extra_gbp: what that would pay, were it applied; None where no price is known.
    """

    periods: int
    excess_mwh: Decimal
    usual_mwh: Decimal
    extra_mwh: Decimal
    extra_gbp: Decimal | None

    @property
    def flagged(self) -> bool:
        """Whether the window used more than chance explains."""
        return self.excess_mwh > self.usual_mwh


def window_test(
    residuals_mwh: Sequence[Decimal],
    mean_import_mwh: Decimal,
    placebo: Accuracy,
    event_periods: int,
    gbp_mwh: Decimal | None,
) -> WindowTest:
    """Judge a window.

    :param residuals_mwh: metered less unadjusted, signed as volumes are, such as :meth:`Bl01.residuals` gives.
    :param mean_import_mwh: mean import of a period, to which the placebo's shares refer.
    """
    count = len(residuals_mwh)
    excess = -sum(residuals_mwh, Decimal(0)) / count
    usual = USUAL_ERRORS * placebo.cvrmse * mean_import_mwh / Decimal(count).sqrt()
    extra = max(excess, Decimal(0)) * event_periods
    return WindowTest(count, excess, usual, extra, None if gbp_mwh is None else extra * gbp_mwh)
