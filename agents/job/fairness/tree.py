"""Tenants as a tree: ``acme/research`` is a part of ``acme``, and parts share what their whole is due.

Slurm calls this a Fair Tree: siblings are compared with one another alone, so that nobody in a subtree that is due more
comes after anybody in one that is due less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agents.job.fairness.shares import water_filled
from core.series import FloatArray

LEAST_FACTOR = 2.0**-4
"""what use in the past takes of a weight at most"""


@dataclass(frozen=True, slots=True)
class Node:
    """A tenant with all of its parts.

    :param weight: against its siblings.
    :param members: numbers of the tenants in it, rising.
    :param tenant: its number where it is a single tenant, else None.
    """

    path: str
    weight: float
    members: tuple[int, ...]
    children: tuple[Node, ...] = ()
    tenant: int | None = None


def tree_of(tenants: Sequence[str], weights: Mapping[str, float]) -> Node:
    """The tree of ``tenants``, numbered as given; a weight that is not stated is 1.

    A tenant that has parts and jobs of its own is one more part of itself, with the weight 1.
    """
    return _node("", 1.0, [(tuple(name.split("/")), number) for number, name in enumerate(tenants)], weights)


def _node(
    path: str, weight: float, members: Sequence[tuple[tuple[str, ...], int]], weights: Mapping[str, float]
) -> Node:
    numbers = tuple(sorted(number for _, number in members))
    parts: dict[str, list[tuple[tuple[str, ...], int]]] = {}
    for rest, number in members:
        parts.setdefault(rest[0] if rest else "", []).append((rest[1:], number))
    if path and len(members) == 1 and "" in parts:
        return Node(path, weight, numbers, tenant=numbers[0])
    children = tuple(_child(path, name, some, weights) for name, some in sorted(parts.items()))
    return Node(path, weight, numbers, children)


def _child(path: str, name: str, members: Sequence[tuple[tuple[str, ...], int]], weights: Mapping[str, float]) -> Node:
    if not name:
        return Node(path, 1.0, (members[0][1],), tenant=members[0][1])
    inner = f"{path}/{name}" if path else name
    return _node(inner, weights.get(inner, 1.0), members, weights)


def fair_shares(root: Node) -> FloatArray:
    """(n,) what each tenant is due of everything: its weight among its siblings, times what their whole is due."""
    shares = np.zeros(len(root.members))
    _share(root, 1.0, shares)
    return shares


def _share(node: Node, due: float, shares: FloatArray) -> None:
    if node.tenant is not None:
        shares[node.tenant] = due
    total = sum(child.weight for child in node.children)
    for child in node.children:
        _share(child, due * child.weight / total, shares)


def entitlements(root: Node, demand: FloatArray, usage: FloatArray) -> FloatArray:
    """(n, R) what each tenant may have of each resource: its share, and what others leave of theirs.

    What a part leaves goes to the other parts of its whole first. A weight counts less the more was used of late:
    times ``2 ** -(usage / due)`` (Slurm's fair-share factor), at least :data:`LEAST_FACTOR`.

    :param demand: (n, R) as shares of each resource, which may add up to more than 1.
    :param usage: (n,) decayed use of each tenant, as a share.
    """
    found = np.zeros_like(demand)
    _entitle(root, 1.0, np.ones(demand.shape[1]), demand, usage, found)
    return found


def _entitle(
    node: Node, due: float, total: FloatArray, demand: FloatArray, usage: FloatArray, found: FloatArray
) -> None:
    if node.tenant is not None:
        found[node.tenant] = total
        return
    weights = np.array([child.weight for child in node.children])
    shares = due * weights / weights.sum()
    used = np.array([usage[list(child.members)].sum() for child in node.children])
    wanted = np.array([demand[list(child.members)].sum(axis=0) for child in node.children])
    counted = weights * np.maximum(LEAST_FACTOR, np.exp2(-used / shares))
    for child, share, room in zip(node.children, shares.tolist(), water_filled(counted, wanted, total), strict=True):
        _entitle(child, share, room, demand, usage, found)


def ranked(root: Node, usage: FloatArray) -> list[int]:
    """Tenants, the one that is due most first: depth first, siblings by share over use (``S / U``), then by name."""
    return list(_ranked(root, usage))


def _ranked(node: Node, usage: FloatArray) -> Iterator[int]:
    if node.tenant is not None:
        yield node.tenant
    order = sorted(node.children, key=lambda child: (usage[list(child.members)].sum() / child.weight, child.path))
    for child in order:
        yield from _ranked(child, usage)
