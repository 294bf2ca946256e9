"""Bodies as they travel: JSON read within bounds, and written the same way every time."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from beckn.protocol.faults import Fault

MOST_BYTES = 4 * 1024 * 1024
"""a catalogue of a large provider has about one"""
DEEPEST = 40
MOST_VALUES = 200_000


def read_body(raw: bytes) -> Mapping[str, Any]:
    """A JSON object within bounds of size and depth; :class:`Fault` for anything else."""
    if len(raw) > MOST_BYTES:
        raise Fault("SCH_INVALID_JSON", f"the body has more than {MOST_BYTES} bytes")
    try:
        found = json.loads(raw, object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise Fault("SCH_INVALID_JSON", f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Fault("SCH_INVALID_JSON", "the body is not a JSON object", "$")
    _require_shallow(found)
    return found


def write_body(message: Mapping[str, Any]) -> bytes:
    """The bytes of a message that is sent."""
    return json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the name {next(n for n in names if names.count(n) > 1)[:40]!r} stands twice in an object")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


def _finite(text: str) -> float:
    figure = float(text)
    if not math.isfinite(figure):
        raise ValueError(f"{text[:40]} is beyond every number here")
    return figure


def _require_shallow(found: Any) -> None:
    """Refuse deep nesting, too many values and text that cannot be stored."""
    level, depth, count = [found], 0, 0
    while level:
        depth, count = depth + 1, count + len(level)
        if depth > DEEPEST or count > MOST_VALUES:
            raise _too_deep()
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(value)
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
            elif isinstance(value, str) and not _storable(value):
                raise Fault("SCH_INVALID_JSON", "the body has text with a null character or half a surrogate pair")
        level = below


def _storable(text: str) -> bool:
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _too_deep() -> Fault:
    return Fault("SCH_INVALID_JSON", f"the body is nested deeper than {DEEPEST} or has more than {MOST_VALUES} values")
