"""The project as a set of files, for the tests beside this module."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("accounting", "agents", "audit", "beckn", "commands", "core", "forecasting", "store", "web")


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project that git knows or would add; works whoever owns the clone."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    paths = (ROOT / name for name in listing.stdout.decode().split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def texts(*suffixes: str) -> Iterator[tuple[Path, str]]:
    """Each text file, by its path inside the project; all of them, or those with one of ``suffixes``."""
    for path in files():
        if suffixes and path.suffix not in suffixes:
            continue
        try:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def modules() -> Iterator[tuple[Path, str]]:
    """The product's own Python modules."""
    for path, text in texts(".py"):
        if path.parts[0] in PACKAGES or path.name == "app.py":
            yield path, text


def document(name: str) -> str:
    """The text of a document."""
    return (ROOT / name).read_text(encoding="utf-8")


def code_blocks(text: str, *languages: str) -> list[str]:
    """The fenced blocks of a Markdown text in one of ``languages``."""
    return [body for language, body in re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL) if language in languages]
