from __future__ import annotations

import itertools

import numpy as np
import pytest

from agents.job.fairness.tree import LEAST_FACTOR, entitlements, fair_shares, ranked, tree_of

NAMES = ["acme/research", "acme/web", "beta", "acme"]


def test_parts_divide_what_their_whole_is_due():
    shares = fair_shares(tree_of(NAMES, {"acme": 3.0, "acme/research": 2.0}))
    assert shares == pytest.approx([0.375, 0.1875, 0.25, 0.1875])


def test_a_subtree_that_is_due_more_comes_before_all_of_one_that_is_due_less():
    tree = tree_of(["a/x", "a/y", "b/x", "b/y"], {})
    assert ranked(tree, np.array([0.30, 0.05, 0.10, 0.20])) == [2, 3, 1, 0]
    assert ranked(tree, np.array([0.0, 0.5, 0.2, 0.2])) == [2, 3, 0, 1], "a/x used nothing, but a used more than b"


@pytest.mark.parametrize("seed", range(30))
def test_no_part_of_a_tenant_stands_between_parts_of_another(seed: int):
    rng = np.random.default_rng(seed)
    names = [f"{whole}/{part}" for whole in "abcd" for part in "xyz"]
    order = ranked(tree_of(names, {"b": 2.0}), rng.random(12))
    wholes = [names[number][0] for number in order]
    assert sorted(order) == list(range(12))
    assert sum(one != other for one, other in itertools.pairwise(wholes)) == 3


def test_weight_counts_in_the_order():
    assert ranked(tree_of(["a", "b"], {"a": 3.0}), np.array([0.5, 0.2])) == [0, 1]
    assert ranked(tree_of(["a", "b"], {}), np.array([0.5, 0.2])) == [1, 0]


def test_what_a_part_leaves_goes_to_its_own_whole_first():
    tree = tree_of(["acme/research", "acme/web", "beta"], {})
    found = entitlements(tree, np.array([[0.1], [9.0], [9.0]]), np.zeros(3))
    assert found[:, 0] == pytest.approx([0.1, 0.4, 0.5])


def test_who_used_its_share_of_late_is_due_half_as_much_for_its_weight():
    tree = tree_of(["a", "b"], {})
    found = entitlements(tree, np.full((2, 1), 9.0), np.array([0.5, 0.0]))
    assert found[:, 0] == pytest.approx([1 / 3, 2 / 3])
    much = entitlements(tree, np.full((2, 1), 9.0), np.array([500.0, 0.0]))
    assert much[0, 0] / much[1, 0] == pytest.approx(LEAST_FACTOR)
