"""The Agile tariff's published formula and its VAT, over arrays of slots.

Before VAT, in p/kWh: ``min(95, D * W + P * [16:00 <= local < 19:00] - 3.333 * [from 1 April 2026])`` with the wholesale
price ``W`` in p/kWh and the region's ``D`` and ``P``.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from agents.energy.zones import GbRegion
from core.halfhours import london_half_hour, slot_index
from core.series import FloatArray, IntArray

CAP_P = 95.0
PEAK_HALF_HOURS = (32, 38)
LEVY_CUT_P = 3.333
LEVY_CUT_FROM = slot_index(datetime(2026, 3, 31, 23, tzinfo=UTC))
VAT = 0.05
VAT_FREE_FROM = slot_index(datetime(2026, 9, 30, 23, tzinfo=UTC))
VAT_FREE_TO = slot_index(datetime(2027, 3, 31, 23, tzinfo=UTC))


def vat_rate(index: IntArray) -> FloatArray:
    """VAT on domestic electricity by slot: 5 %, and 0 % from 1 October 2026 to 31 March 2027 local time."""
    return np.where((index >= VAT_FREE_FROM) & (index < VAT_FREE_TO), 0.0, VAT)


def with_vat_gbp(price_exc_vat_p: FloatArray, index: IntArray) -> FloatArray:
    """Pence before VAT to GBP/kWh with the VAT of each slot; negative prices carry it too."""
    return np.asarray(price_exc_vat_p * (1 + vat_rate(index)) / 100)


def _adders_p(region: GbRegion, index: IntArray) -> FloatArray:
    half_hour = london_half_hour(index)
    peak = (half_hour >= PEAK_HALF_HOURS[0]) & (half_hour < PEAK_HALF_HOURS[1])
    return np.asarray(region.peak_adder_p * peak - LEVY_CUT_P * (index >= LEVY_CUT_FROM))


def region_price_p(wholesale_p: FloatArray, region: GbRegion, index: IntArray) -> FloatArray:
    """Unit rate before VAT, p/kWh, of a region at a wholesale price."""
    return np.minimum(CAP_P, region.distribution * wholesale_p + _adders_p(region, index))


def wholesale_p(region_price_exc_vat_p: FloatArray, region: GbRegion, index: IntArray) -> FloatArray:
    """The wholesale price, p/kWh, behind a region's rate before VAT: a lower bound where the rate is at its cap."""
    return np.asarray((region_price_exc_vat_p - _adders_p(region, index)) / region.distribution)
