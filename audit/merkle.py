"""The Merkle tree over the log's lines (RFC 9162, section 2.1): an index of its levels, and proofs out of it.

Checking proofs is the verifier's (:mod:`audit.verifier.tree`). The index is rebuilt from the log; nothing of it is
stored. Level 0 are the leaves; level k holds the hashes of whole subtrees of 2**k leaves, so that a root or a proof
takes O(log n) hashes.
"""

from __future__ import annotations

import threading

from audit.verifier.tree import node_hash, root_of

HASH_BYTES = 32


class MerkleIndex:
    """The levels of the tree, 64 bytes a leaf in memory. Safe to use from several threads."""

    def __init__(self) -> None:
        self._levels: list[bytearray] = [bytearray()]
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self._levels[0]) // HASH_BYTES

    def append(self, leaf: bytes) -> None:
        """Add a leaf by its hash."""
        with self._lock:
            index, digest = self.size, leaf
            self._levels[0] += digest
            for level in range(1, index.bit_length() + 2):
                if not index & 1:
                    return
                digest = node_hash(self._node(level - 1, index - 1), digest)
                index >>= 1
                if level == len(self._levels):
                    self._levels.append(bytearray())
                self._levels[level] += digest

    def leaf(self, index: int) -> bytes:
        """Hash of a leaf."""
        return self._node(0, index)

    def leaves(self, start: int, end: int) -> bytes:
        """Hashes of the leaves ``[start, end)``, one after another."""
        return bytes(self._levels[0][start * HASH_BYTES : end * HASH_BYTES])

    def root(self, size: int | None = None) -> bytes:
        """Root over the first ``size`` leaves, all by default (section 2.1.1)."""
        with self._lock:
            size = self.size if size is None else self._within(size)
            return self._subtree(0, size) if size else root_of(())

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Proof that leaf ``index`` is in the tree of ``size`` leaves (section 2.1.3.1), from the leaf upwards."""
        with self._lock:
            if not 0 <= index < self._within(size):
                raise ValueError(f"there is no leaf {index} in a tree of {size}")
            path: list[bytes] = []
            start, end = 0, size
            while end - start > 1:
                middle = start + _left(end - start)
                if index < middle:
                    path.append(self._subtree(middle, end))
                    end = middle
                else:
                    path.append(self._subtree(start, middle))
                    start = middle
            return path[::-1]

    def consistency(self, old: int, size: int) -> list[bytes]:
        """Proof that the tree of ``size`` leaves continues that of ``old`` (section 2.1.4.1)."""
        with self._lock:
            if not 0 <= old <= self._within(size):
                raise ValueError(f"a tree of {size} leaves does not continue one of {old}")
            path: list[bytes] = []
            start, end = 0, size
            whole = True
            while 0 < old < end:
                middle = start + _left(end - start)
                if old <= middle:
                    path.append(self._subtree(middle, end))
                    end = middle
                else:
                    path.append(self._subtree(start, middle))
                    start, whole = middle, False
            if old and not whole:
                path.append(self._subtree(start, end))
            return path[::-1]

    def _within(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise ValueError(f"the tree has {self.size} leaves, not {size}")
        return size

    def _node(self, level: int, index: int) -> bytes:
        return bytes(self._levels[level][index * HASH_BYTES : (index + 1) * HASH_BYTES])

    def _subtree(self, start: int, end: int) -> bytes:
        """Hash over the leaves ``[start, end)``, where ``start`` is a multiple of the largest power of two in it."""
        count = end - start
        if count & (count - 1) == 0:
            level = count.bit_length() - 1
            return self._node(level, start >> level)
        middle = start + _left(count)
        return node_hash(self._subtree(start, middle), self._subtree(middle, end))


def _left(count: int) -> int:
    """The largest power of two below ``count`` (section 2.1.1)."""
    return 1 << (count - 1).bit_length() - 1
