"""Reads fields of JSON that others wrote; each refusal is a :class:`Fault` that names the field by its JSONPath."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from beckn.protocol.context import read_duration, read_instant
from beckn.protocol.faults import Fault
from core.slots import require_aware

_MOST = 1_000_000_000
"""no power, price or position here is larger"""
_LONGEST_TEXT = 1000
_LONGEST_LIST = 5000


def mapping(found: Any, path: str) -> Mapping[str, Any]:
    """An object."""
    if not isinstance(found, Mapping):
        raise Fault("SCH_SCHEMA_VALIDATION_FAILED", "it is no object", path)
    return found


def member(found: Mapping[str, Any], name: str, path: str) -> Any:
    """A member that must be there."""
    if found.get(name) is None:
        raise Fault("SCH_REQUIRED_FIELD_MISSING", f"{name} is missing", at(path, name))
    return found[name]


def inner(found: Mapping[str, Any], name: str, path: str) -> Mapping[str, Any]:
    """A member that is an object."""
    return mapping(member(found, name, path), at(path, name))


def text(found: Mapping[str, Any], name: str, path: str) -> str:
    """A member that is a short text, not empty."""
    value = member(found, name, path)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
        raise Fault("SCH_SCHEMA_VALIDATION_FAILED", f"{name} is not a short text", at(path, name))
    return value


def listing(found: Mapping[str, Any], name: str, path: str, most: int = _LONGEST_LIST) -> list[Any]:
    """A member that is a list of at least one and at most ``most``."""
    value = member(found, name, path)
    if not isinstance(value, list) or not 0 < len(value) <= most:
        raise Fault("SCH_SCHEMA_VALIDATION_FAILED", f"{name} is not a list of 1 to {most}", at(path, name))
    return value


def instant(found: Mapping[str, Any], name: str, path: str) -> datetime:
    """A member that is an RFC 3339 date-time, in UTC."""
    try:
        return require_aware(read_instant(text(found, name, path)))
    except ValueError as error:
        raise Fault("SCH_INVALID_FORMAT", str(error), at(path, name)) from error


def duration(found: Mapping[str, Any], name: str, path: str) -> timedelta:
    """A member that is an ISO 8601 duration of fixed length."""
    try:
        return read_duration(text(found, name, path))
    except ValueError as error:
        raise Fault("SCH_INVALID_FORMAT", str(error), at(path, name)) from error


def number(value: Any, path: str) -> Decimal:
    """A finite number as it was written, at most a thousand million either way."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise Fault("SCH_SCHEMA_VALIDATION_FAILED", "it is no number", path)
    if not -_MOST <= value <= _MOST:
        raise Fault("SCH_INVALID_FORMAT", f"the number is not finite, or beyond {_MOST}", path)
    return Decimal(str(value))


def at(path: str, name: str) -> str:
    """JSONPath of a member."""
    return f"{path}.{name}" if name.isidentifier() else f"{path}['{name}']"
