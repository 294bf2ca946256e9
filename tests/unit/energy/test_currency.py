"""Prices of other currencies."""

import numpy as np
import pytest

from agents.energy.currency import Rate, dollar, euro
from core.settings import Settings


def test_euros_a_megawatt_hour_become_pounds_a_kilowatt_hour():
    assert Rate("EUR", 0.86).gbp_per_kwh(np.array([100.0, -50.0])).tolist() == pytest.approx([0.086, -0.043])


def test_a_missing_price_stays_missing():
    assert np.isnan(Rate("EUR", 0.86).gbp_per_kwh(np.array([np.nan]))).all()


def test_a_source_names_the_rate_that_was_assumed():
    assert Rate("EUR", 0.86).note == "at 0.86 GBP/EUR"


def test_each_currency_has_the_rate_of_its_own_setting():
    settings = Settings(_env_file=None, eur_gbp=0.9, usd_gbp=0.7)
    assert (euro(settings), dollar(settings)) == (Rate("EUR", 0.9), Rate("USD", 0.7))
