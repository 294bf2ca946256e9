"""Canonical JSON (RFC 8785) without floats: one value has exactly one spelling, so a hash over it means something."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import rfc8785

MAX_SAFE_INTEGER = 2**53 - 1
_ASTRAL = re.compile(rb"[\xf0-\xf4]")
"""lead bytes of characters beyond U+FFFF: only they sort differently as UTF-16, which RFC 8785 asks for"""


class NotCanonical(ValueError):
    """Bytes that are not the one canonical spelling of a JSON value without floats; the message says why."""


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise ValueError(f"{value!r} is a float; a record holds decimals as strings, made with dec()")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)


def canonical(value: Any) -> bytes:
    """The RFC 8785 bytes of ``value``.

    :raises ValueError: for a float, an integer beyond 2**53 - 1, a lone surrogate or a type that JSON does not have.
    """
    _refuse_floats(value)
    return rfc8785.dumps(value)


def _no_number(text: str) -> NoReturn:
    raise NotCanonical(f"not canonical: the number {text[:40]} is not an integer")


def _safe_integer(text: str) -> int:
    number = int(text)
    if abs(number) > MAX_SAFE_INTEGER:
        raise NotCanonical(f"not canonical: the integer {text[:40]} is beyond 2**53 - 1")
    return number


_DECODER = json.JSONDecoder(parse_float=_no_number, parse_constant=_no_number, parse_int=_safe_integer)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)


def _respelled(value: Any, raw: bytes) -> bytes:
    """The canonical bytes of a value that :data:`_DECODER` accepted, quickly where the quick way is the same."""
    if _ASTRAL.search(raw):
        return rfc8785.dumps(value)
    return _ENCODER.encode(value).encode()


def parse_canonical(raw: bytes) -> Any:
    """The value spelled by ``raw``.

    :raises NotCanonical: when ``raw`` is not JSON, holds a float, or is spelled in another way than RFC 8785's.
    """
    try:
        value = _DECODER.decode(raw.decode())
        spelled = _respelled(value, raw)
    except NotCanonical:
        raise
    except (ValueError, RecursionError) as error:
        raise NotCanonical(f"not JSON: {error}") from error
    if spelled != raw:
        raise NotCanonical("not canonical: the line is not spelled as RFC 8785 spells its value")
    return value
