"""Canonical JSON (RFC 8785) without floats, read: one value has exactly one spelling."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

MAX_SAFE_INTEGER = 2**53 - 1


class NotCanonical(ValueError):
    """Bytes that are not the one canonical spelling of a JSON value without floats; the message says why."""


def _no_number(text: str) -> NoReturn:
    raise NotCanonical(f"not canonical: the number {text[:40]} is not an integer")


def _safe_integer(text: str) -> int:
    number = int(text)
    if abs(number) > MAX_SAFE_INTEGER:
        raise NotCanonical(f"not canonical: the integer {text[:40]} is beyond 2**53 - 1")
    return number


_DECODE = json.JSONDecoder(parse_float=_no_number, parse_constant=_no_number, parse_int=_safe_integer).decode
_PLAIN = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False)
_SORTED = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False, sort_keys=True)
_ASTRAL = re.compile(rb"[\xf0-\xf4]")
"""lead bytes of characters beyond U+FFFF: only they sort differently as UTF-16, which RFC 8785 asks for"""


def _by_utf16(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _by_utf16(value[key]) for key in sorted(value, key=lambda key: key.encode("utf-16-be"))}
    return [_by_utf16(item) for item in value] if isinstance(value, list) else value


def parse_canonical(raw: bytes) -> Any:
    """The value spelled by ``raw``; :class:`NotCanonical` if it is no JSON, holds a float or is spelled otherwise."""
    try:
        text = raw.decode()
        value = _DECODE(text)
        plain = raw.isascii() or not _ASTRAL.search(raw)
        spelled = _SORTED.encode(value) if plain else _PLAIN.encode(_by_utf16(value))
    except NotCanonical:
        raise
    except (ValueError, RecursionError) as error:
        raise NotCanonical(f"not JSON: {error}") from error
    if spelled != text:
        raise NotCanonical("not canonical: the line is not spelled as RFC 8785 spells its value")
    return value
