"""A power cut at any system call: what was done stays, nothing more is done."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

import pytest

CALLS = ("write", "pwrite", "fsync", "link", "replace", "unlink", "ftruncate")


class PowerCut(BaseException):
    """The process ends where it stands."""


@contextlib.contextmanager
def power_cut(at: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The ``at``-th of the calls, from 0, and all after it are not made; yields the names of those that were asked."""
    asked: list[str] = []

    def wrapped(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            asked.append(name)
            if len(asked) > at:
                raise PowerCut
            return real(*arguments, **named)

        return call

    with monkeypatch.context() as patched:
        for name in CALLS:
            patched.setattr(os, name, wrapped(name, getattr(os, name)))
        with contextlib.suppress(PowerCut):
            yield asked


def let_go(log: object) -> None:
    """What the system does when a process is gone: its files are closed and its locks released."""
    log._vault.close()
    log._file.close()
