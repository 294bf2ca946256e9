"""What is run on what: the instances, the methods tried on each, their time limits, and the figures to reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

PLANNER = "slackwater"
IGNORING = ("run-now-no-capacity", "cheapest-window-no-capacity")
"""rules that overbook: what they would save if there were always room"""
GREEDY = ("greedy-due-first", "greedy-largest-first")
RULES = (*IGNORING, "run-now", *GREEDY)
POP = ("pop-2", "pop-4", "pop-8")
EXTERNAL = ("cats", "emhass", "flexmeasures")
"""peers from PyPI, each in an environment of its own"""
TITLES: Mapping[str, str] = {
    PLANNER: "**Slackwater**",
    "run-now-no-capacity": "run now, capacity ignored",
    "cheapest-window-no-capacity": "cheapest window, capacity ignored",
    "run-now": "run now, first come first served",
    "greedy-due-first": "greedy, earliest deadline first",
    "greedy-largest-first": "greedy, largest first",
    **{f"pop-{parts}": f"POP-{parts}" for parts in (2, 4, 8)},
    "exact-lp": "exact LP",
    "exact-milp": "exact MILP",
    "cats": "CATS 1.2.1",
    "emhass": "EMHASS 0.18.7",
    "flexmeasures": "FlexMeasures 1.0.1 core",
}


class Target(NamedTuple):
    """What the planner has to reach on two cores."""

    wall_s: float
    gap: float | None
    peak_mb: float | None


class Case(NamedTuple):
    """One instance.

    :ivar told: what it is, for people.
    :ivar limit_s: the planner's time limit; ``patience_s`` that of the other methods.
    """

    name: str
    told: str
    limit_s: float
    methods: tuple[str, ...]
    patience_s: float = 60.0
    target: Target | None = None


LIMIT = 0.9
"""of a target's time is the planner's limit: the rest is for what it is doing when the time is up, and to write down"""
TIGHT_CAP = Target(5.0, 0.015, 500)
_MODELS = (*POP, "exact-lp", "exact-milp")


def _b2() -> tuple[Case, ...]:
    return tuple(
        Case(
            f"b2-{kind}-{factor}",
            f"1,000 {kind} jobs, 1 site, 720 slots, cap {factor} x mean load",
            LIMIT * TIGHT_CAP.wall_s,
            (*RULES, *_MODELS, "cats", *(EXTERNAL[1:] if (kind, factor) == ("block", 1.3) else ())),
            patience_s=120.0,
            target=TIGHT_CAP if (kind, factor) == ("mixed", 1.3) else None,
        )
        for kind in ("block", "mixed")
        for factor in (1.17, 1.3, 1.57, 2.1)
    )


def _b3() -> tuple[Case, ...]:
    cap = "1 site, 96 slots, cap 1.8 x mean load"
    blocks = [
        Case(
            f"b3-{jobs}",
            f"{jobs:,} blocks, {cap}",
            LIMIT * 1.0,
            (*RULES, "exact-lp", "exact-milp", *EXTERNAL),
            target=Target(1.0, 0.01, 300) if jobs == 200 else None,
        )
        for jobs in (20, 40, 100, 200, 1000)
    ]
    pausable = [
        Case(f"b3-pausable-{jobs}", f"{jobs} jobs that pause for nothing, {cap}", 1.0, blocks[0].methods)
        for jobs in (20, 100)
    ]
    return (*blocks, *pausable)


def _b4() -> tuple[Case, ...]:
    where = "10 sites, 96 slots, 60 % asked for"
    return (
        Case("b4-1k", f"1,000 mixed jobs, {where}", 4.0, (*RULES, *_MODELS)),
        Case(
            "b4-10k",
            f"10,000 mixed jobs, {where}",
            LIMIT * 4.0,
            (*RULES, "pop-8", "exact-lp"),
            patience_s=300.0,
            target=Target(4.0, 0.0025, 1000),
        ),
        Case(
            "b4-100k",
            f"100,000 mixed jobs, {where}",
            LIMIT * 30.0,
            RULES,
            patience_s=300.0,
            target=Target(30.0, 0.0015, 3000),
        ),
        Case(
            "b4-1m",
            f"1,000,000 blocks, {where}",
            LIMIT * 240.0,
            ("run-now", "greedy-due-first"),
            patience_s=900.0,
            target=Target(240.0, 0.001, 10_000),
        ),
        Case("b4-full-300", "300 jobs, 10 sites, every feature of the formulation", 4.0, ("exact-milp",)),
        Case("b4-full-10k", "10,000 jobs, 10 sites, every feature of the formulation", 10.0, ()),
    )


CASES = (
    Case("b1", "300 jobs of a machine learning project, 3 sites, 14 days, no cap", 4.0, (*RULES, "exact-lp", "cats")),
    *_b2(),
    *_b3(),
    *_b4(),
    Case("b5", "1,400 jobs over 14 days, 10 sites, all known beforehand", 10.0, RULES),
)
QUICK = ("b1", "b2-mixed-1.3", "b3-20", "b3-200", "b4-1k")
QUICK_METHODS = (*RULES, "cats")
"""of the quick run: what takes a second or two"""
REPLANNED = "b4-10k-replan"
REPLAN_TARGET = Target(0.5, 0.0025, None)
BACKTEST = "backtest-2023"
BACKTEST_TARGET = Target(900.0, 0.01, None)
