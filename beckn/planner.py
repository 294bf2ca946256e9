"""What the trade asks of the house: the plan in force, what may be moved in it, and the sites."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from agents.flexibility.firm import Firm, Wanted
from agents.flexibility.movable import MovableLoad
from agents.standing import StandingPlan
from core.site import Site


class Planner(Protocol):
    """Who knows the plan in force, and the lock under which it changes."""

    @property
    def plan_lock(self) -> AbstractContextManager[bool]: ...

    def standing(self) -> StandingPlan:
        """The plan in force."""
        ...


class FlexiblePlanner(Planner, Protocol):
    """Who also knows what may be moved in it, and what that costs."""

    def movable(self) -> MovableLoad | None:
        """What can be moved; None where nothing is planned."""
        ...

    def firm(self, wanted: Sequence[Wanted]) -> Firm:
        """What can be promised of what is wanted, and for what; takes seconds, and not the plan's lock."""
        ...


class Sites(Protocol):
    """Who knows the sites."""

    def sites(self) -> tuple[Site, ...]: ...
