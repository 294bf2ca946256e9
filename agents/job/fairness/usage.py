"""What tenants used of late: a share of the resources that fades, half of it in each half-life."""

from __future__ import annotations

import numpy as np

from core.series import FloatArray

HALF_LIVES_KEPT = 7
"""older samples count for less than a hundredth"""


def rate(sample_h: float, half_life_h: float) -> float:
    """What the newest sample counts: ``A = 1 - 0.5 ** (sample / half-life)``."""
    return 1.0 - float(0.5 ** (sample_h / half_life_h))


def fading(age: FloatArray, fresh: float) -> FloatArray:
    """What samples of ``age`` (in samples, the newest 0) count after ``U <- A u + (1 - A) U`` from nought at each.

    :param fresh: A.
    """
    return np.asarray(fresh * (1.0 - fresh) ** age)
