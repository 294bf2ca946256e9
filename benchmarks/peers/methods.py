"""The methods that run in the project's own environment, by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from benchmarks.peers import linear, mixed_integer, rules
from benchmarks.peers.forms import Method

METHODS: Mapping[str, Method] = {
    "run-now-no-capacity": rules.run_now,
    "cheapest-window-no-capacity": rules.cheapest_window,
    "run-now": rules.run_now_in_room,
    "greedy-due-first": rules.greedy_due_first,
    "greedy-largest-first": rules.greedy_largest_first,
    **{f"pop-{parts}": partial(linear.pop, parts=parts) for parts in (2, 4, 8)},
    "exact-lp": linear.exact_linear,
    "exact-milp": mixed_integer.exact_mixed_integer,
}
