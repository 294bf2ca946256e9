from __future__ import annotations

import csv
import gzip
import io

import pytest

from agents.energy.feeds.carbon_bands import BANDS, FIRST_YEAR, LAST_YEAR, index_of


@pytest.mark.parametrize(
    ("year", "bounds"), [(2017, (100, 200, 300, 400)), (2023, (40, 120, 200, 290)), (2030, (5, 50, 130, 150))]
)
def test_the_lower_bound_of_a_band_belongs_to_it(year, bounds):
    assert [index_of(bound, year) for bound in bounds] == list(BANDS[1:])
    assert [index_of(bound - 0.1, year) for bound in bounds] == list(BANDS[:-1])


def test_the_same_intensity_is_judged_harder_each_year_and_never_more_kindly():
    for intensity_g in range(0, 500, 5):
        ranks = [BANDS.index(index_of(intensity_g, year)) for year in range(FIRST_YEAR, LAST_YEAR + 1)]
        assert ranks == sorted(ranks)


def test_years_beyond_the_table_use_its_nearest_row():
    assert index_of(150, 2010) == index_of(150, 2017) == "low"
    assert index_of(150, 2044) == index_of(150, 2030) == "very high"


def test_recorded_intensities_at_the_edge_are_very_high():
    assert index_of(360, 2020) == index_of(290, 2023) == "very high"


@pytest.mark.shared
def test_the_bands_of_2023_agree_with_every_recorded_row(shared_data):
    text = gzip.decompress((shared_data / "gb_carbon_neso_2023_jan_sep.csv.gz").read_bytes()).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    told = [(row["actual"] or row["forecast"], row["index"]) for row in rows]
    assert len(told) > 13_000
    assert [index for value, index in told if value and index_of(float(value), 2023) != index] == []
