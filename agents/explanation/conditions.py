"""The conditions under which jobs run: which of them each job has, and the job without one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from agents.explanation.grid import Grid
from agents.explanation.wants import BLOCK, NONE, PAUSABLE, Wants
from core.series import BoolArray, IntArray
from core.slots import SLOT_HOURS

LATER_SLOTS = (8, 2)
"""a deadline is tried at the end of the horizon, and where that helps, four hours and an hour later"""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition.

    :param words: how it is lifted, for a person.
    :param holds: (n,) which rows have it.
    :param lifted: the rows without it.
    :param elsewhere: lifting it opens further sites, and changes nothing at the others.
    """

    name: str
    words: str
    holds: Callable[[Wants], BoolArray]
    lifted: Callable[[Wants], Wants]
    elsewhere: bool = False


def deadlines(grid: Grid) -> Iterator[Condition]:
    """The deadline lifted by ever less: where more saves nothing, less saves nothing."""
    yield _deadline("had no deadline within the plan", grid.slots, grid.slots)
    for later in LATER_SLOTS:
        yield _deadline(f"finished up to {later * SLOT_HOURS:g} h later", grid.slots, later)


def conditions(own_first: IntArray) -> Iterator[Condition]:
    """All others; ``own_first`` (J,) is when each job of the instance may start, those before it aside."""
    yield Condition("window_start", "started as early as it likes", lambda w: w.first > 0, _from_the_first)
    yield Condition(
        "after",
        "did not wait for the jobs it comes after",
        lambda w: w.first > own_first[w.job],
        lambda w: w.with_(first=own_first[w.job]),
    )
    yield Condition("sites", "ran at any site", lambda w: np.asarray(~w.sites.all(axis=1)), _anywhere, elsewhere=True)
    yield from _limits()
    yield from _runs()
    yield from _attachments()


def _attachments() -> Iterator[Condition]:
    yield Condition(
        "hardware",
        "ran on any hardware",
        lambda w: w.hardware > 0,
        lambda w: w.with_(hardware=np.zeros_like(w.hardware)),
    )
    yield Condition(
        "planned",
        "moved from its planned course at no cost",
        lambda w: w.move_gbp > 0,
        lambda w: w.with_(move_gbp=np.zeros_like(w.move_gbp)),
    )
    yield Condition(
        "home",
        "left its home at no cost",
        lambda w: w.migration_gbp > 0,
        lambda w: w.with_(migration_gbp=np.zeros_like(w.migration_gbp)),
    )


def _from_the_first(wants: Wants) -> Wants:
    return wants.with_(first=np.zeros_like(wants.first))


def _anywhere(wants: Wants) -> Wants:
    return wants.with_(sites=np.ones_like(wants.sites))


def _deadline(words: str, slots: int, later: int) -> Condition:
    return Condition(
        "deadline",
        words,
        lambda w: w.last < slots,
        lambda w: w.with_(last=np.minimum(w.last + later, slots)),
    )


def _limits() -> Iterator[Condition]:
    yield Condition(
        "max_price",
        "had no price limit",
        lambda w: np.isfinite(w.max_price),
        lambda w: w.with_(max_price=np.full(len(w), np.inf)),
    )
    yield Condition(
        "max_carbon",
        "had no carbon limit",
        lambda w: np.isfinite(w.max_carbon),
        lambda w: w.with_(max_carbon=np.full(len(w), np.inf)),
    )
    yield Condition(
        "cap_kg",
        "had no carbon cap of its own",
        lambda w: np.isfinite(w.cap_kg),
        lambda w: w.with_(cap_kg=np.full(len(w), np.inf)),
    )


def _runs() -> Iterator[Condition]:
    yield Condition(
        "pauses",
        "could pause as often as it likes",
        lambda w: (w.kind == BLOCK) | ((w.kind == PAUSABLE) & (w.max_pauses != NONE)),
        lambda w: w.with_(kind=np.full(len(w), PAUSABLE), max_pauses=np.full(len(w), NONE)),
    )
    yield Condition(
        "min_run",
        "could run for any length at a time",
        lambda w: (w.kind == PAUSABLE) & (w.min_run > 1),
        lambda w: w.with_(min_run=np.ones_like(w.min_run)),
    )
