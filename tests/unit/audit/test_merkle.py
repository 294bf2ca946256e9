from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.merkle import MerkleIndex
from audit.verifier.tree import consistent, included, leaf_hash, push, root_of

MOST = 70


def tree_of(count: int) -> MerkleIndex:
    made = MerkleIndex()
    for number in range(count):
        made.append(leaf_hash(b"%d" % number))
    return made


TREE = tree_of(MOST)
SIZES = st.integers(0, MOST)


@given(st.integers(1, MOST), st.data())
def test_an_inclusion_proof_holds_for_its_leaf_and_place_alone(size, data):
    index = data.draw(st.integers(0, size - 1))
    path, root = TREE.inclusion(index, size), TREE.root(size)
    assert included(TREE.leaf(index), index, size, path, root)
    other = data.draw(st.integers(0, size + 2).filter(lambda at: at != index))
    assert not included(TREE.leaf(index), other, size, path, root)
    assert not included(leaf_hash(b"forged"), index, size, path, root)
    assert not included(TREE.leaf(index), index, size, [*path, b"\0" * 32], root)
    if path:
        assert not included(TREE.leaf(index), index, size, path[:-1], root)
        spoilt = data.draw(st.integers(0, len(path) - 1))
        assert not included(TREE.leaf(index), index, size, [*path[:spoilt], b"\1" * 32, *path[spoilt + 1 :]], root)


@given(SIZES, SIZES, st.data())
def test_a_consistency_proof_holds_for_its_two_trees_alone(one, other, data):
    old, new = sorted((one, other))
    path = TREE.consistency(old, new)
    roots = TREE.root(old), TREE.root(new)
    assert consistent(old, new, *roots, path)
    assert not consistent(old, new, *roots, [*path, b"\0" * 32])
    if 0 < old < new:
        assert not consistent(new, old, *roots[::-1], path)
        assert not consistent(old, new, b"\1" * 32, roots[1], path)
        assert not consistent(old, new, roots[0], b"\1" * 32, path)
        assert not consistent(old, new, *roots, path[:-1])


@given(st.lists(SIZES, max_size=5))
def test_ranges_joined_have_the_root_of_the_whole(cuts):
    joined: list = []
    for start, end in pairwise([0, *sorted(cuts), MOST]):
        part: list = []
        for index in range(start, end):
            push(part, 0, index, TREE.leaf(index))
        for node in part:
            push(joined, *node)
    assert root_of(joined) == TREE.root()


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (0, MOST + 1)])
def test_what_is_not_in_the_tree_has_no_proof(index, size):
    with pytest.raises(ValueError, match=r"there is no leaf|the tree has"):
        TREE.inclusion(index, size)


def test_the_empty_tree_has_the_hash_of_nothing():
    assert MerkleIndex().root() == hashlib.sha256().digest()
    assert TREE.leaves(3, 5) == TREE.leaf(3) + TREE.leaf(4)
