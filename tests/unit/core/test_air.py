from __future__ import annotations

import numpy as np
import pytest

from core.air import wet_bulb_c


def test_wet_bulb_is_stulls_published_example():
    assert float(wet_bulb_c(np.array(20.0), np.array(50.0))) == pytest.approx(13.70, abs=0.005)


def test_wet_bulb_is_never_above_the_air_and_rises_with_humidity():
    temperature = np.linspace(0, 50, 71)
    humid, dry = (wet_bulb_c(temperature, np.full(71, percent)) for percent in (100.0, 30.0))
    assert (humid <= temperature).all()
    assert (dry <= humid).all()
