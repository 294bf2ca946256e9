"""Prices of other currencies in GBP, at the rates that the operator's settings assume."""

from __future__ import annotations

from dataclasses import dataclass

from core.series import FloatArray
from core.settings import Settings

KWH_PER_MWH = 1000.0


@dataclass(frozen=True, slots=True)
class Rate:
    """What one unit of a currency counts as; an assumption, so no price made with it is a settled one.

    :param currency: ISO 4217 code.
    :param gbp: GBP for one unit.
    """

    currency: str
    gbp: float

    @property
    def note(self) -> str:
        """How a source names the rate, such as ``at 0.86 GBP/EUR``."""
        return f"at {self.gbp:g} GBP/{self.currency}"

    def gbp_per_kwh(self, price_per_mwh: FloatArray) -> FloatArray:
        """Prices per MWh of this currency in GBP/kWh; shape kept, NaN stays NaN."""
        return price_per_mwh * (self.gbp / KWH_PER_MWH)


def euro(settings: Settings) -> Rate:
    """The rate of ``EUR_GBP``."""
    return Rate("EUR", settings.eur_gbp)


def dollar(settings: Settings) -> Rate:
    """The rate of ``USD_GBP``."""
    return Rate("USD", settings.usd_gbp)
