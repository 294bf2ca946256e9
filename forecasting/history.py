"""What is known of a series at the moment of a forecast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from core.series import FloatArray
from core.slots import SLOTS_PER_DAY


@dataclass(frozen=True, slots=True)
class History:
    """A half-hourly series up to its last known figure, and what else was known by then.

    :param first: slot index (``core.halfhours``) of position 0.
    :param values: (n,) the target in its unit, NaN where unknown; the last position is the last known slot.
    :param covariates: by name, each (m,) from the same first slot, NaN where not known at issue; those with m > n run
        ahead of the target. Names are quantities, or ``quantity@zone``. A covariate that is itself a forecast must
        hold, for past slots too, what had been forecast about a day ahead: not its last revision.
    :param timezone: IANA name of the clock by which the people behind the figures live.
    :param floor: the least value the target can take; None where there is none.
    """

    first: int
    values: FloatArray
    covariates: Mapping[str, FloatArray] = field(default_factory=dict)
    timezone: str = "Europe/London"
    floor: float | None = None

    @property
    def end(self) -> int:
        """Index of the first slot that is to be forecast."""
        return self.first + int(self.values.size)

    def last(self, days: int) -> History:
        """The same, no longer than ``days`` before its end."""
        skip = max(0, int(self.values.size) - days * SLOTS_PER_DAY)
        cut = {name: values[skip:] for name, values in self.covariates.items()}
        return replace(self, first=self.first + skip, values=self.values[skip:], covariates=cut)
