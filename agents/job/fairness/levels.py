"""Ten priority levels that cannot starve: in which order jobs that wait are taken.

A stride scheduler (Waldspurger 1995) chooses the level: every level has its part of the dequeues by weight, and one
that waits is taken at least once in :data:`CYCLE` dequeues. Within a level the tenant is found down the tree, at each
fork the branch that used least for its weight; each request adds to what its tenant used. Of one tenant, first come
first served. Nothing is drawn: the same jobs come in the same order.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from agents.job.fairness.tree import Node
from core.series import FloatArray, IntArray

WEIGHTS = (50, 25, 15, 5, 3, 1, 1, 1, 1, 1)
CYCLE = sum(WEIGHTS)
AGEING = timedelta(hours=12)
"""of waiting that lift a job by one level"""
_STRIDES = tuple(math.lcm(*WEIGHTS) // weight for weight in WEIGHTS)


def aged(level: IntArray, waited_h: FloatArray) -> IntArray:
    """(n,) levels after waiting ``waited_h`` hours: one less for each whole :data:`AGEING`, 0 at the least."""
    lifted = np.floor_divide(np.maximum(waited_h, 0.0), AGEING / timedelta(hours=1)).astype(np.int64)
    return np.asarray(np.maximum(level - lifted, 0), dtype=np.int64)


class Stride:
    """Takes turns among the levels."""

    def __init__(self) -> None:
        self._due = list(_STRIDES)
        self._now = 0

    def take(self, waiting: Sequence[int]) -> int:
        """The level whose turn it is among those in which somebody waits (not empty); of two, the more urgent.

        A level that stood empty has saved nothing up: it is due no earlier than now.
        """
        chosen = min(waiting, key=lambda level: (self._due[level], level))
        self._now = max(self._due[chosen], self._now)
        self._due[chosen] = self._now + _STRIDES[chosen]
        return chosen


class Fork:
    """The jobs of one level that wait below a node of the tree.

    :param used: (n,) what each tenant used, shared by all levels; it only grows.
    """

    def __init__(self, node: Node, jobs: dict[int, deque[int]], used: FloatArray) -> None:
        self._node = node
        self._used = used
        self._own = jobs[node.tenant] if node.tenant is not None else deque[int]()
        children = [Fork(child, jobs, used) for child in node.children if any(m in jobs for m in child.members)]
        self._branches = [(child.used_for_weight(), child.path, child) for child in children]
        heapq.heapify(self._branches)

    @property
    def path(self) -> str:
        """The node's, told apart from its own part of the same name."""
        return f"{self._node.path}/" if self._node.tenant is None else self._node.path

    def used_for_weight(self) -> float:
        """What the node's tenants used together, over its weight."""
        members = self._node.members
        used = self._used[members[0]] if len(members) == 1 else self._used[list(members)].sum()
        return float(used) / self._node.weight

    def __bool__(self) -> bool:
        return bool(self._own or self._branches)

    def take(self) -> int:
        """The next job."""
        if self._own:
            return self._own.popleft()
        while True:
            known, path, branch = self._branches[0]
            now = branch.used_for_weight()
            if now > known:
                heapq.heapreplace(self._branches, (now, path, branch))
                continue
            job = branch.take()
            if not branch:
                heapq.heappop(self._branches)
            return job


def dequeued(root: Node, level: IntArray, tenant: IntArray, request: FloatArray, used: FloatArray) -> IntArray:
    """(n,) jobs in the order in which they are taken; jobs are numbered by arrival.

    :param level: (n,) from 0, the most urgent, to 9.
    :param tenant: (n,) numbers in the tree ``root``.
    :param request: (n,) what taking a job adds to its tenant's use (the admission penalty ``A request``), at least 0.
    :param used: (tenants,) what they used before.
    """
    used = used.copy()
    queues: dict[int, dict[int, deque[int]]] = {}
    for job, (at, whose) in enumerate(zip(level.tolist(), tenant.tolist(), strict=True)):
        queues.setdefault(at, {}).setdefault(whose, deque()).append(job)
    waiting = {at: Fork(root, jobs, used) for at, jobs in sorted(queues.items())}
    stride, order = Stride(), np.empty(len(level), dtype=np.int64)
    for place in range(len(level)):
        at = stride.take(tuple(waiting))
        job = waiting[at].take()
        used[tenant[job]] += request[job]
        order[place] = job
        if not waiting[at]:
            del waiting[at]
    return order
