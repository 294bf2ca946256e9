from __future__ import annotations

import numpy as np
import pytest

from agents.job.fairness.usage import fading, rate


@pytest.mark.parametrize(("sample_h", "half_life_h"), [(0.5, 24.0), (1.0, 6.0), (0.5, 168.0)])
def test_use_is_half_forgotten_after_a_half_life(sample_h: float, half_life_h: float):
    fresh, samples = rate(sample_h, half_life_h), half_life_h / sample_h
    assert fading(np.array(3 + samples), fresh) == pytest.approx(fading(np.array(3.0), fresh) / 2)


def test_a_steady_use_becomes_the_usage():
    assert fading(np.arange(2_000.0), rate(0.5, 24.0)).sum() == pytest.approx(1)


def test_it_is_what_the_rule_gives_sample_by_sample():
    used, fresh, usage = np.random.default_rng(0).random(60), rate(0.5, 5.0), 0.0
    for sample in used:
        usage = fresh * sample + (1 - fresh) * usage
    assert used[::-1] @ fading(np.arange(60.0), fresh) == pytest.approx(usage)
