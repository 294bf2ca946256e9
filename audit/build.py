"""Which commit is running: named by a packaged file, or by the repository that the program runs from."""

from __future__ import annotations

import re
from pathlib import Path

UNKNOWN = "unknown"
PACKAGED = Path(__file__).with_name("commit.txt")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def git_sha(root: Path, packaged: Path = PACKAGED) -> str:
    """The commit of the program, full hex, or ``unknown``.

    :param root: folder of a checkout; its ``HEAD`` is read as it is now.
    :param packaged: filled in by ``git archive`` (``export-subst``), so that a release without a repository knows.
    """
    return _sha(_text(packaged)) or _head(root / ".git") or UNKNOWN


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _sha(text: str) -> str:
    return text if _SHA.fullmatch(text) else ""


def _head(git: Path) -> str:
    """What ``HEAD`` stands for, in a repository or in a worktree of one; empty where there is none."""
    if git.is_file():
        git = git.parent / _text(git).removeprefix("gitdir:").strip()
    head = _text(git / "HEAD")
    if not head.startswith("ref:"):
        return _sha(head)
    ref = head.removeprefix("ref:").strip()
    shared = git / (_text(git / "commondir") or ".")
    return _sha(_text(git / ref)) or _sha(_text(shared / ref)) or _packed(shared, ref)


def _packed(shared: Path, ref: str) -> str:
    found = (line.split(" ", 1) for line in _text(shared / "packed-refs").splitlines() if " " in line)
    return next((_sha(sha) for sha, name in found if name == ref), "")
