"""Fields of a record against what was derived."""

from __future__ import annotations

from typing import Any

from audit.fields import Body

LONGEST = 90
ABSENT = "no such field"


def plain(value: Any) -> Any:
    """A field's value as it stands on the log; what is unknown is left out, for records from before a field was."""
    if isinstance(value, Body):
        value = value.model_dump()
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items() if each is not None}
    return [plain(each) for each in value] if isinstance(value, list) else value


def told(recorded: Any, derived: Any, where: str = "") -> str:
    """The first place at which two values that are not the same part, and both values there."""
    if isinstance(recorded, dict) and isinstance(derived, dict):
        names = sorted(recorded.keys() | derived.keys())
        pairs = {name: (recorded.get(name, ABSENT), derived.get(name, ABSENT)) for name in names}
        name = next(name for name, (one, other) in pairs.items() if one != other)
        return told(*pairs[name], f"{where}.{name}".lstrip("."))
    if isinstance(recorded, list) and isinstance(derived, list) and len(recorded) == len(derived):
        number = next(number for number, pair in enumerate(zip(recorded, derived, strict=True)) if pair[0] != pair[1])
        return told(recorded[number], derived[number], f"{where}[{number}]")
    return f"{where}{': ' if where else ''}recorded {_short(recorded)}, derived {_short(derived)}"


def _short(value: Any) -> str:
    text = f"{len(value)} items" if isinstance(value, list) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
