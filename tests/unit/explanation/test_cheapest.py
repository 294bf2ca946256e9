"""The cheapest courses of each kind against every course there is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from agents.explanation.cheapest import Shape, cheapest_block, cheapest_levels, cheapest_runs
from agents.explanation.wants import NONE

LADDERS = ((1.0,), (0.7, 1.0), (0.6, 0.85, 1.0), (0.82, 0.955, 1.0))


def held(rng: np.random.Generator, rows: int, slots: int) -> np.ndarray:
    """Costs of slots, some below nought, some shut."""
    costs = np.round(rng.normal(1, 2, (rows, slots)), 2)
    costs[rng.random(costs.shape) < 0.15] = np.inf
    return costs


def lengths(used: tuple[int, ...]) -> list[int]:
    return [len(list(group)) for on, group in itertools.groupby(used) if on]


def patterns(slots: int, duration: int, shape: Shape) -> Iterator[tuple[int, ...]]:
    """Every choice of slots that does the work in runs of the shape."""
    for used in itertools.product((0, 1), repeat=slots):
        runs = lengths(used)
        pauses = len(runs) - 1
        if (
            runs
            and sum(runs) == duration + pauses * shape.restart
            and (shape.max_pauses == NONE or pauses <= shape.max_pauses)
            and min(runs) >= shape.min_run
            and all(run > shape.restart for run in runs[1:])
        ):
            yield used


@pytest.mark.parametrize("seed", range(40))
def test_runs_are_the_cheapest_of_all_patterns_of_their_shape(seed: int) -> None:
    rng = np.random.default_rng(seed)
    slots = int(rng.integers(1, 10))
    costs, duration, pause = held(rng, 4, slots), rng.integers(1, 6, 4), np.round(rng.random(4), 2)
    shape = Shape(int(rng.integers(1, 4)), int(rng.integers(0, 3)), int(rng.choice([NONE, 0, 1, 2])))
    least, used = cheapest_runs(costs, duration, pause, shape)
    for row in range(4):
        charged = {
            pattern: costs[row][np.array(pattern) > 0].sum() + pause[row] * (len(lengths(pattern)) - 1)
            for pattern in patterns(slots, int(duration[row]), shape)
        }
        assert least[row] == pytest.approx(min(charged.values(), default=np.inf))
        if np.isfinite(least[row]):
            assert charged[tuple(used[row].astype(int).tolist())] == pytest.approx(least[row])
        else:
            assert not used[row].any()


@pytest.mark.parametrize("seed", range(10))
def test_a_block_is_the_cheapest_of_all_places(seed: int) -> None:
    rng = np.random.default_rng(seed)
    costs, duration = held(rng, 6, 9), int(rng.integers(1, 11))
    least, used = cheapest_block(costs, duration)
    places = [costs[:, start : start + duration].sum(axis=1) for start in range(9 - duration + 1)]
    assert least == pytest.approx(np.min(places, axis=0) if places else np.full(6, np.inf))
    found = np.isfinite(least)
    assert np.where(used[found], costs[found], 0.0).sum(axis=1) == pytest.approx(least[found])


@pytest.mark.parametrize("seed", range(60))
def test_levels_do_the_work_at_nearly_the_least_cost(seed: int) -> None:
    rng = np.random.default_rng(seed)
    slots = int(rng.integers(1, 5)) if seed % 2 else 12
    ladder = np.array(LADDERS[seed % len(LADDERS)])
    powers = ladder**1.5 * 10
    per_kw = held(rng, 3, slots)
    work = rng.uniform(0.3, 1.2 * slots, 3) if slots < 12 else np.full(3, 2.0)
    costs = per_kw[:, :, None] * powers
    least, level = cheapest_levels(costs, np.tile(ladder, (3, 1)), work)
    for row in range(3):
        done = np.array([0.0, *ladder])[level[row]].sum()
        spent = np.concatenate([np.zeros((slots, 1)), costs[row]], axis=1)[np.arange(slots), level[row]].sum()
        best = _least_levels(costs[row], ladder, float(work[row]))
        assert np.isfinite(least[row]) == np.isfinite(best)
        if np.isfinite(best):
            assert done >= work[row] - 1e-9
            assert spent == pytest.approx(least[row])
            assert best - 1e-9 <= least[row] <= best + costs[row][np.isfinite(costs[row])].max(initial=0.0) + 1e-9


def _least_levels(costs: np.ndarray, ladder: np.ndarray, work: float) -> float:
    """The least cost of ``work``, by going through what may be done after each slot."""
    reached = {0.0: 0.0}
    for slot in costs:
        after = dict(reached)
        for done, spent in reached.items():
            for gain, cost in zip(ladder, slot, strict=True):
                more = round(done + float(gain), 9)
                if np.isfinite(cost) and spent + cost < after.get(more, np.inf):
                    after[more] = spent + cost
        reached = after
    return min((spent for done, spent in reached.items() if done >= work - 1e-9), default=np.inf)


def test_levels_that_are_shut_in_some_slots_are_not_used_there() -> None:
    costs = np.array([[[1.0, 2.0], [0.1, np.inf], [3.0, 6.0]]])
    least, level = cheapest_levels(costs, np.array([[0.7, 1.0]]), np.array([1.7]))
    assert level.tolist() == [[2, 1, 0]]
    assert least == pytest.approx([2.1])


def test_a_job_that_is_paid_to_run_runs_at_full_power_wherever_it_is_paid() -> None:
    costs = np.array([-1.0, 5.0, -2.0])[None, :, None] * np.array([5.0, 10.0])
    least, level = cheapest_levels(costs, np.array([[0.7, 1.0]]), np.array([0.5]))
    assert level.tolist() == [[2, 0, 2]]
    assert least == pytest.approx([-30.0])
