"""The Merkle tree of RFC 9162, section 2.1: hashes, ranges of leaves, and proofs checked. Pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

Node = tuple[int, int, bytes]
"""level, index and hash of a whole subtree; a range of leaves is a list of them from left to right"""


def leaf_hash(line: bytes) -> bytes:
    """Hash of a leaf (section 2.1.1)."""
    return hashlib.sha256(b"\x00" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node (section 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def push(nodes: list[Node], level: int, index: int, digest: bytes) -> None:
    """Add a subtree at the right end of a range, merging what is whole."""
    while index & 1 and nodes and nodes[-1][0] == level and nodes[-1][1] == index - 1:
        digest, level, index = node_hash(nodes.pop()[2], digest), level + 1, index >> 1
    nodes.append((level, index, digest))


def root_of(nodes: Sequence[Node]) -> bytes:
    """Root of the tree over a range that begins at leaf 0."""
    if not nodes:
        return hashlib.sha256(b"").digest()
    digest = nodes[-1][2]
    for _, _, left in reversed(nodes[:-1]):
        digest = node_hash(left, digest)
    return digest


def included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether an inclusion proof holds (section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, digest = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            digest = node_hash(step, digest)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            digest = node_hash(digest, step)
        at, last = at >> 1, last >> 1
    return last == 0 and digest == root


def consistent(size1: int, size2: int, root1: bytes, root2: bytes, path: Sequence[bytes]) -> bool:
    """Whether a consistency proof holds (section 2.1.4.2); every tree is consistent with the empty one."""
    if size1 in (size2, 0):
        return not path and (root1 == root2 if size1 else root1 == root_of(())) and size1 <= size2
    if not 0 < size1 < size2 or not path:
        return False
    steps = ([root1] if size1 & (size1 - 1) == 0 else []) + list(path)
    at, last = size1 - 1, size2 - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, step)
        at, last = at >> 1, last >> 1
    return last == 0 and first == root1 and second == root2
