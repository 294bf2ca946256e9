"""What a course of events draws at the meter: work, idling, checkpoints and what cooling adds to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class EnergyUse:
    """Energies in kWh, at least 0.

    :param it_kwh: IT energy of the work itself.
    :param idle_kwh: IT energy drawn by reserved hardware while it waits.
    :param checkpoint_kwh: IT energy of writing and reading checkpoints and doing work again.
    :param overhead_kwh: what the site adds at the meter for all of it: cooling and losses.
    """

    it_kwh: Decimal
    idle_kwh: Decimal
    checkpoint_kwh: Decimal
    overhead_kwh: Decimal

    def __add__(self, other: EnergyUse) -> EnergyUse:
        return EnergyUse(
            self.it_kwh + other.it_kwh,
            self.idle_kwh + other.idle_kwh,
            self.checkpoint_kwh + other.checkpoint_kwh,
            self.overhead_kwh + other.overhead_kwh,
        )

    @classmethod
    def total(cls, parts: Iterable[EnergyUse]) -> EnergyUse:
        """The sum."""
        return sum(parts, cls(ZERO, ZERO, ZERO, ZERO))

    @property
    def site_kwh(self) -> Decimal:
        """At the meter."""
        return self.it_kwh + self.idle_kwh + self.checkpoint_kwh + self.overhead_kwh

    @property
    def pue(self) -> Decimal | None:
        """Energy at the meter over IT energy; None where no IT energy was drawn."""
        drawn = self.it_kwh + self.idle_kwh + self.checkpoint_kwh
        return self.site_kwh / drawn if drawn else None
