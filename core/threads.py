"""Threads of the linear algebra beneath numpy."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    """Looks for the libraries once: that takes longer than a small solve."""
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """Small solves on one thread: handing them to several costs more than it saves, most of all on a busy machine."""
    limited: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limited
