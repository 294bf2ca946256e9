"""Moist air: what follows from temperature and humidity alone."""

from __future__ import annotations

import numpy as np

from core.series import FloatArray


def wet_bulb_c(temperature_c: FloatArray, humidity_percent: FloatArray) -> FloatArray:
    """Wet-bulb temperature at sea-level pressure (Stull 2011), within 1 °C; 20 °C and 50 % give 13.70 °C.

    Inputs are held to the formula's range, -20 to 50 °C and 5 to 99 %; the result is never above the air itself.
    """
    t = np.clip(temperature_c, -20.0, 50.0)
    rh = np.clip(humidity_percent, 5.0, 99.0)
    bulb = (
        t * np.arctan(0.151977 * np.sqrt(rh + 8.313659))
        + np.arctan(t + rh)
        - np.arctan(rh - 1.676331)
        + 0.00391838 * rh**1.5 * np.arctan(0.023101 * rh)
        - 4.686035
    )
    return np.asarray(np.minimum(bulb, temperature_c), dtype=np.float64)
