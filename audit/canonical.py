"""Canonical JSON (RFC 8785) without floats, written: one value has exactly one spelling, so a hash over it says much.

Reading it back is the verifier's (:mod:`audit.verifier.spelling`).
"""

from __future__ import annotations

import json
import re
from typing import Any

import rfc8785

from audit.verifier.spelling import MAX_SAFE_INTEGER

_ASTRAL = re.compile(rb"[\xf0-\xf4]")
"""lead bytes of characters beyond U+FFFF: only they sort differently as UTF-16, which RFC 8785 asks for"""
_ATOMS = frozenset({str, bool, type(None)})
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)
"""spells as RFC 8785 does what :func:`_require_spellable` lets pass, and is compiled"""


def _require_spellable(value: Any) -> None:
    """Refuse what the quick encoder would spell without a word: floats, large integers, keys that are no strings."""
    kind = type(value)
    if kind in _ATOMS:
        return
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise ValueError(f"{key!r} is no string; object keys must be strings")
            _require_spellable(item)
    elif kind is list or kind is tuple:
        for item in value:
            _require_spellable(item)
    elif isinstance(value, float):
        raise ValueError(f"{value!r} is a float; a record holds decimals as strings, made with dec()")
    elif isinstance(value, int):
        if abs(value) > MAX_SAFE_INTEGER:
            raise ValueError(f"{value} exceeds safe integer domain, which ends at 2**53 - 1")
    elif not isinstance(value, str):
        raise ValueError(f"unsupported type: {kind.__name__} is not one that JSON has")


def canonical(value: Any) -> bytes:
    """The RFC 8785 bytes of ``value``.

    :raises ValueError: for a float, an integer beyond 2**53 - 1, a lone surrogate or a type that JSON does not have.
    """
    _require_spellable(value)
    try:
        raw = _ENCODER.encode(value).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"non-UTF-8 text: {error.reason}") from error
    return rfc8785.dumps(value) if _ASTRAL.search(raw) else raw
