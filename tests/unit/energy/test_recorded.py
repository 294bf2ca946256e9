from __future__ import annotations

import numpy as np
import pytest

from agents.energy.recorded import (
    CARBON_FILE,
    GB_FILE,
    Recorded,
    read_carbon,
    read_gb,
    read_prices_usd,
    recorded_span,
)
from core.errors import InputError
from tests.unit.energy.fakes import utc
from tests.unit.energy.recordings import write, write_folder, write_gb

START = utc(2023, 3, 1)


def test_a_window_beyond_the_recording_is_not_known():
    recorded = Recorded(10, np.array([1.0, 2.0]))
    assert recorded.end == 12
    assert np.array_equal(recorded.window(9, 4), [np.nan, 1, 2, np.nan], equal_nan=True)
    assert recorded.window(50, 2, outside=0.0).tolist() == [0, 0]
    assert recorded.window(0, 10, outside=0.0).sum() == 0


def test_null_and_spurious_zero_actuals_are_no_figures_and_a_true_zero_is(tmp_path):
    forecasts, actuals = {0: 90, 1: 90, 2: 15}, {0: "", 1: 0, 2: 0}
    write_gb(tmp_path, START, 4, forecast=lambda i: forecasts.get(i, 100), actual=lambda i: actuals.get(i, 99))
    actual = read_gb(tmp_path).actual_g.values
    assert np.array_equal(actual, [np.nan, np.nan, 0, 99], equal_nan=True)


def test_hourly_figures_hold_for_both_half_hours(tmp_path):
    write_folder(tmp_path, START, 2)
    assert read_prices_usd(tmp_path, ["DE-LU"])["DE-LU"].values[:4].tolist() == [100, 100, 101, 101]


def test_zones_that_were_not_recorded_are_left_out(tmp_path):
    write_folder(tmp_path, START, 2)
    assert list(read_carbon(tmp_path, ["IS", "DE-LU"])) == ["DE-LU"]


def test_the_span_is_from_the_first_slot_to_the_end_of_the_last(tmp_path):
    write_folder(tmp_path, START, 2)
    assert recorded_span(tmp_path) == (START, utc(2023, 3, 3))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["utc,ci_forecast,ci_actual,agile_J_inc_vat"], "no rows"),
        (["utc,ci_forecast,ci_actual", "2023-03-01T00:00Z,1,1"], "no column agile_J_inc_vat"),
        (["utc,ci_forecast,ci_actual,agile_J_inc_vat", "2023-03-01T00:00Z,x,1,1"], "could not convert"),
        (["utc,ci_forecast,ci_actual,agile_J_inc_vat", "2023-03-01T00:00,1,1,1"], "not a UTC time"),
        (
            ["utc,ci_forecast,ci_actual,agile_J_inc_vat", "2023-03-01T00:00Z,1,1,1", "2023-03-01T01:30Z,1,1,1"],
            "gaps or doubled rows",
        ),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(tmp_path, lines, said):
    write(tmp_path / GB_FILE, lines)
    with pytest.raises(InputError, match=said) as raised:
        read_gb(tmp_path)
    assert raised.value.field == "SIGNALS"


def test_a_folder_without_recordings_is_named_with_a_remedy(tmp_path):
    with pytest.raises(InputError, match=str(tmp_path)) as raised:
        read_gb(tmp_path)
    assert "folder that holds" in raised.value.diagnostics()


def test_a_file_cut_short_is_refused(tmp_path):
    write_folder(tmp_path, START, 2)
    whole = (tmp_path / CARBON_FILE).read_bytes()
    (tmp_path / CARBON_FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        read_carbon(tmp_path, ["DE-LU"])
