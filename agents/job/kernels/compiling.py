"""Compilation of this package's functions, once for a machine.

numba's cache asks only whether the file of a function has changed, not those of the functions it calls. So the compiled
code is kept in a folder named by the contents of the whole package.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def _cache_folder() -> str:
    sources = sorted([*Path(__file__).parent.glob("*.py"), Path(__file__).parents[1] / "orders.py"])
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    return str(Path(__file__).parent / "__pycache__" / f"compiled-{digest[:16]}")


CACHE_FOLDER = _cache_folder()


def compiled(function: Function) -> Function:
    """Compile ``function`` when it is first called, for the types it is called with, and keep the result on disk."""
    numba.config.CACHE_DIR = CACHE_FOLDER  # type: ignore[attr-defined]  # numba adds its settings at run time
    return cast(Function, numba.njit(cache=True, error_model="numpy", nogil=True)(function))
