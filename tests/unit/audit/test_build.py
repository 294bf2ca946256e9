from __future__ import annotations

import subprocess

import pytest

from audit.build import PACKAGED, git_sha

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def checkout(tmp_path):
    """A checkout on a branch with one commit, and that commit."""

    def git(*words):
        told = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words]
        return subprocess.run(told, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q", "-b", "trunk")
    git("commit", "-q", "--allow-empty", "-m", "first")
    return tmp_path, git


def test_the_commit_of_a_checkout_is_read_from_its_head(checkout):
    root, git = checkout
    sha = git("rev-parse", "HEAD")
    assert git_sha(root) == sha
    git("pack-refs", "--all")
    assert git_sha(root) == sha
    git("checkout", "-q", "--detach")
    assert git_sha(root) == sha


def test_the_commit_of_a_worktree_is_its_own(checkout):
    root, git = checkout
    git("worktree", "add", "-q", "-b", "side", "side")
    git("-C", "side", "commit", "-q", "--allow-empty", "-m", "second")
    assert git_sha(root / "side") == git("rev-parse", "side") != git_sha(root)


def test_a_packaged_commit_needs_no_repository(tmp_path):
    packaged = tmp_path / "commit.txt"
    packaged.write_text(SHA + "\n")
    assert git_sha(tmp_path, packaged) == SHA


def test_where_nothing_tells_the_commit_it_is_unknown(tmp_path):
    assert PACKAGED.read_text().startswith("$Format:")
    assert git_sha(tmp_path) == "unknown"
    (tmp_path / ".git").write_text("gitdir: nowhere\n")
    assert git_sha(tmp_path) == "unknown"
