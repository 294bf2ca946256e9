"""Point 4: proofs agree with another implementation and with the published vectors."""

from __future__ import annotations

import math

from pymerkle import InmemoryTree, verify_consistency

from audit.merkle import MerkleIndex
from audit.verifier.tree import consistent, included, leaf_hash, root_of

MOST = 257
CT_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
CT_ROOT = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
EMPTY_ROOT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def both() -> tuple[MerkleIndex, InmemoryTree]:
    ours, theirs = MerkleIndex(), InmemoryTree(algorithm="sha256")
    for number in range(MOST):
        entry = b"entry %d" % number
        ours.append(leaf_hash(entry))
        theirs.append_entry(entry)
    return ours, theirs


def test_point_04_roots_and_proofs_agree_with_pymerkle_for_all_sizes():
    ours, theirs = both()
    for size in range(1, MOST + 1):
        root = ours.root(size)
        assert root == theirs.get_root(size)
        for index in {0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size)):
            path = ours.inclusion(index, size)
            assert path == theirs.prove_inclusion(index + 1, size).path[1:]
            assert len(path) <= math.ceil(math.log2(size)) if size > 1 else not path
            assert included(ours.leaf(index), index, size, path, root)


def test_point_04_every_pair_of_sizes_is_proved_consistent():
    ours, theirs = both()
    roots = [ours.root(size) for size in range(MOST + 1)]
    for new in range(MOST + 1):
        for old in range(new + 1):
            assert consistent(old, new, roots[old], roots[new], ours.consistency(old, new))
        for old in {1, new // 3, new // 2, new - 1, new} & set(range(1, new + 1)):
            verify_consistency(roots[old], roots[new], theirs.prove_consistency(old, new))


def test_point_04_the_published_roots_come_out():
    tree = MerkleIndex()
    assert tree.root().hex() == root_of(()).hex() == EMPTY_ROOT
    for leaf in CT_LEAVES:
        tree.append(leaf_hash(bytes.fromhex(leaf)))
    assert tree.root().hex() == CT_ROOT
