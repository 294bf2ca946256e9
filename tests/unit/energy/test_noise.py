from __future__ import annotations

import numpy as np
import pytest

from agents.energy import noise

INDEX = np.arange(800_000, 840_000, dtype=np.int64)


@pytest.mark.parametrize("make", [noise.uniform, noise.normal, lambda key, index: noise.smooth(key, index, 37)])
def test_noise_of_a_slot_does_not_depend_on_the_window_asked(make):
    key = noise.key_of(1, "wind")
    assert np.array_equal(make(key, INDEX)[1234:1300], make(key, INDEX[1234:1300]))


def test_keys_differ_by_seed_and_name():
    assert len({noise.key_of(seed, name) for seed in (1, 2) for name in ("a", "b")} | {noise.key_of(1, "a", "b")}) == 5


def test_normal_noise_has_mean_zero_and_unit_variance():
    values = noise.normal(noise.key_of(7, "x"), INDEX)
    assert values.mean() == pytest.approx(0, abs=0.02)
    assert values.std() == pytest.approx(1, abs=0.02)


def test_an_autoregressive_process_has_unit_variance_and_its_coefficient():
    process = noise.autoregressive(noise.key_of(7, "e"), INDEX, 0.97)
    assert process.std() == pytest.approx(1, abs=0.08)
    assert np.corrcoef(process[:-1], process[1:])[0, 1] == pytest.approx(0.97, abs=0.005)


def test_a_forecast_errs_by_nothing_at_lead_zero_and_by_the_whole_process_far_ahead():
    process = np.array([5.0, 3.0, 2.0])
    error = noise.forecast_error(process, np.array([-1, 0, 2_000]), 4.0, 0.97)
    assert error[:2].tolist() == [0.0, 0.0]
    assert error[2] == pytest.approx(2.0)
