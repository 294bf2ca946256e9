"""A round negotiated again: the same instance, seed and effort, as far as the first one came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agents.allowance import Work
from agents.evidence import came_out, made_with
from agents.negotiation import Effort, Outcome, negotiate
from agents.replaying.fields import plain, told
from agents.replaying.findings import Finding, differs
from core.instance import Instance

NEEDED = ("effort", "work")
"""What a round's record must hold to be negotiated again; records from before they were kept do not."""


def lacks(body: Mapping[str, Any]) -> list[str]:
    """The fields that a round's record lacks to be negotiated again."""
    return [name for name in NEEDED if body.get(name) is None]


def again(body: Mapping[str, Any], instance: Instance) -> Outcome:
    """The outcome of a round, by its record; no clock is read."""
    recorded, work = body["effort"], body["work"]
    numbers = {name: float(recorded[name]) for name in ("time_limit_s", "target_gap")}
    stops = tuple(work["stops"])
    done = Work(work["rounds"], work["clearings"], work["trials"], stops)
    return negotiate(instance, body["seed"], Effort(**recorded | numbers), again=done)


def compared(body: Mapping[str, Any], outcome: Outcome) -> Iterator[Finding]:
    """Each field of a round's record that did not come out the same."""
    for name, value in came_out(outcome).items():
        recorded, derived = plain(body.get(name)), plain(value)
        if recorded != derived:
            yield differs(name, told(recorded, derived) + _elsewhere(body))


def _elsewhere(body: Mapping[str, Any]) -> str:
    """With what else the round was computed then, where that may be why."""
    then, here = body.get("made_with") or {}, made_with()
    changed = sorted(name for name in then.keys() & here.keys() if then[name] != here[name])
    other = [f"{name} {then[name]}, here {here[name]}" for name in changed]
    return f" (it was computed with {'; '.join(other)})" if other else ""
