"""Cooling: PUE as a function of outdoor temperature and humidity, for each way of getting heat out of a hall.

PUE = 1 + (fans + pumps + compressors) / IT power + electrical losses. All functions are vectorised over numpy arrays
of temperature (°C, dry bulb) and relative humidity (%), and do not fall when it gets warmer at the same humidity.

Sources: wet bulb after Stull (2011), J. Appl. Meteor. Climatol. 50, 2267; supply air 27 °C, the top of ASHRAE's
recommended 18 to 27 °C; air-cooled chiller curves of the EnergyPlus kind with reference COP 3 at 35 °C outdoors;
water inlet limit 35 °C (S21 XP Hyd data sheet); immersion 1.03 to 1.10 (industry range). Shares marked *assumed* are
engineering assumptions: they shape the curve and are not measurements of a site.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.air import wet_bulb_c
from core.series import FloatArray
from core.site import CoolingType

ELECTRICAL_SHARE = 0.06  # UPS and distribution, of IT power; assumed, 0.04 to 0.08
SUPPLY_C = 27.0  # warmest supply air
COLDEST_SUPPLY_C = 18.0
RETURN_C = 37.0  # assumed
FAN_RISE_C = 2.0  # outdoor air warms by this before it reaches the racks; assumed
FAN_SHARE = 0.04  # fans at design flow, of IT power; power goes with the cube of flow
PAD_EFFECTIVENESS = 0.85  # of the wet-bulb depression
PAD_PUMP_SHARE = 0.01  # assumed
CHILLED_WATER_PUMP_SHARE = 0.02  # assumed
REFERENCE_COP = 3.0
PART_LOAD = 0.7  # heat over chiller capacity at reference conditions
HEAD_PRESSURE_FLOOR_C = 9.5  # below this outdoors the chiller holds its condenser pressure: its best point
HOTTEST_CHILLER_C = 55.0  # the curves are not used beyond
LOOP_APPROACH_C = 8.0  # water loop above outdoor air; assumed
LOOP_LIMIT_C = 35.0
LOOP_DERATE_C = 10.0  # all heat goes over the trim chiller this far above the limit; assumed
HYDRO_PUMP_SHARE = 0.02
HYDRO_FAN_SHARE = 0.03
BATH_C = 50.0  # dielectric return; assumed
BATH_APPROACH_C = 10.0  # at full fan speed; assumed
IMMERSION_LEAST = 0.03
IMMERSION_SPAN = 0.07


def chiller_share(temperature_c: FloatArray) -> FloatArray:
    """Compressor power over heat removed, 1/COP, of an air-cooled chiller at outdoor ``temperature_c``.

    Capacity, full-load and part-load curves of the EnergyPlus kind, scaled to ``d = (T - 35) / 2.778``. At 70 % load:
    COP 4.19, 3.15 and 2.85 at 20, 35 and 40 °C. Below ``HEAD_PRESSURE_FLOOR_C`` the figure stays at its best.
    """
    d = (np.clip(temperature_c, HEAD_PRESSURE_FLOOR_C, HOTTEST_CHILLER_C) - 35.0) / 2.778
    capacity = 0.944836 - 0.0570088 * d + 0.00185486 * d**2
    full_load = 2.333 - 1.975 * capacity + 0.6121 * capacity**2
    part_load_ratio = PART_LOAD / capacity
    part_load = 0.03303 + 0.6852 * part_load_ratio + 0.2818 * part_load_ratio**2
    return np.asarray(part_load * full_load * capacity / (PART_LOAD * REFERENCE_COP), dtype=np.float64)


def _air_share(intake_c: FloatArray) -> FloatArray:
    """Fans and mechanical cooling over IT power, with air of ``intake_c`` drawn through the hall.

    Colder supply air (down to 18 °C, mixed with return air) needs less flow; above 27 °C a chiller takes the share of
    the 10 K rise that the air cannot.
    """
    supply_c = np.clip(intake_c + FAN_RISE_C, COLDEST_SUPPLY_C, SUPPLY_C)
    flow = (RETURN_C - SUPPLY_C) / (RETURN_C - supply_c)
    mechanical = np.clip((intake_c + FAN_RISE_C - SUPPLY_C) / (RETURN_C - SUPPLY_C), 0.0, 1.0)
    return np.asarray(FAN_SHARE * flow**3 + mechanical * chiller_share(intake_c), dtype=np.float64)


def _free_air(temperature_c: FloatArray, humidity_percent: FloatArray) -> FloatArray:  # noqa: ARG001  dry: no humidity
    return ELECTRICAL_SHARE + _air_share(temperature_c)


def _evaporative(temperature_c: FloatArray, humidity_percent: FloatArray) -> FloatArray:
    depression = np.maximum(temperature_c - wet_bulb_c(temperature_c, humidity_percent), 0.0)
    return ELECTRICAL_SHARE + PAD_PUMP_SHARE + _air_share(temperature_c - PAD_EFFECTIVENESS * depression)


def _chiller(temperature_c: FloatArray, humidity_percent: FloatArray) -> FloatArray:  # noqa: ARG001  dry condenser
    return ELECTRICAL_SHARE + FAN_SHARE + CHILLED_WATER_PUMP_SHARE + chiller_share(temperature_c)


def _hydro(temperature_c: FloatArray, humidity_percent: FloatArray) -> FloatArray:  # noqa: ARG001  dry coolers
    """Water to the chips over dry coolers: fans speed up to hold the loop at 35 °C, then a trim chiller helps."""
    loop_c = temperature_c + LOOP_APPROACH_C
    speed = LOOP_APPROACH_C / np.maximum(LOOP_LIMIT_C - temperature_c, LOOP_APPROACH_C)
    trim = np.clip((loop_c - LOOP_LIMIT_C) / LOOP_DERATE_C, 0.0, 1.0)
    return np.asarray(
        ELECTRICAL_SHARE + HYDRO_PUMP_SHARE + HYDRO_FAN_SHARE * speed**3 + trim * chiller_share(temperature_c),
        dtype=np.float64,
    )


def _immersion(temperature_c: FloatArray, humidity_percent: FloatArray) -> FloatArray:  # noqa: ARG001  dry coolers
    """Single-phase bath, 1.03 to 1.10 in all, electrical losses included (boards have no fans of their own)."""
    speed = BATH_APPROACH_C / np.maximum(BATH_C - temperature_c, BATH_APPROACH_C)
    return np.asarray(IMMERSION_LEAST + IMMERSION_SPAN * speed**3, dtype=np.float64)


OVERHEAD: dict[CoolingType, Callable[[FloatArray, FloatArray], FloatArray]] = {
    CoolingType.FREE_AIR: _free_air,
    CoolingType.EVAPORATIVE: _evaporative,
    CoolingType.CHILLER: _chiller,
    CoolingType.HYDRO: _hydro,
    CoolingType.IMMERSION: _immersion,
}


def pue(cooling: CoolingType, temperature_c: FloatArray, humidity_percent: FloatArray) -> FloatArray:
    """Power usage effectiveness, at least 1, in the broadcast shape of the inputs.

    :param temperature_c: outdoor dry bulb.
    :param humidity_percent: relative humidity; only evaporative cooling feels it.
    """
    temperature, humidity = np.broadcast_arrays(
        np.asarray(temperature_c, dtype=np.float64), np.asarray(humidity_percent, dtype=np.float64)
    )
    return 1.0 + OVERHEAD[cooling](temperature, humidity)
