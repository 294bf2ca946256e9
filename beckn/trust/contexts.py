"""What ``@context`` a message may use: addresses on known hosts; what they name is here and never fetched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from beckn.protocol.faults import Fault

DEEPEST = 64
"""levels of a message"""
_URL = re.compile(r"(https?://[A-Za-z0-9.:\[\]-]+)((?:/[A-Za-z0-9_~!$&'()*+,;=:@.-]+)+)")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
_BAG = re.compile(r".+Attributes")


@dataclass(frozen=True, slots=True)
class _Allowed:
    """Where a context may be.

    :param origins: scheme and host. :param bases: URLs without a last slash, below which they may be too.
    """

    origins: frozenset[str]
    bases: tuple[str, ...]

    def require(self, found: Any, path: str) -> None:
        if not isinstance(found, str):
            raise _refused("it is no address; contexts written out are not accepted", path)
        read = _URL.fullmatch(found) if len(found) <= 2048 else None
        if read is None or {".", ".."} & set(read[2].split("/")):
            raise _refused(f"{found[:120]!r} is no plain https address", path)
        if read[1] not in self.origins and not any(found.startswith(f"{base}/") for base in self.bases):
            raise _refused(f"{found[:120]!r} is on no host whose contexts are accepted", path)


@dataclass(frozen=True, slots=True)
class _Step:
    """A field or an item, and what it stands in; the path is written out only where it is told."""

    within: _Place
    step: str | int
    depth: int


_Place = _Step | None


def require_contexts(message: dict[str, Any], hosts: tuple[str, ...], bases: tuple[str, ...]) -> None:
    """Return if every ``@context`` of a message may be used, and every bag of attributes names one and its type.

    :param hosts: whose contexts are accepted, over https. :param bases: URLs below which contexts are accepted too:
        our own, and the one that the registry has of the sender.
    :raises Fault: ``SCH_INVALID_JSONLD_CONTEXT``, ``SCH_REQUIRED_FIELD_MISSING``; ``SCH_SCHEMA_VALIDATION_FAILED``
        where a message is too deep, or a bag is none. Each with the JSONPath of the first field at fault.
    """
    allowed = _Allowed(frozenset(f"https://{host}" for host in hosts), tuple(base.rstrip("/") for base in bases))
    for name, value, place in _fields(message):
        if name == "@context":
            _require_context(value, _path(place), allowed)
        elif _BAG.fullmatch(name):
            _require_bag(value, _path(place))
    context = message.get("context")
    listed = context.get("schemaContext") if isinstance(context, dict) else None
    for number, each in enumerate(listed if isinstance(listed, list) else []):
        allowed.require(each, f"$.context.schemaContext[{number}]")


def _require_context(value: Any, path: str, allowed: _Allowed) -> None:
    if not isinstance(value, list):
        allowed.require(value, path)
        return
    if not value:
        raise _refused("it is empty", path)
    for number, each in enumerate(value):
        allowed.require(each, f"{path}[{number}]")


def _require_bag(value: Any, path: str) -> None:
    """A bag of attributes, or a list of them, says what it is."""
    for number, bag in enumerate(value) if isinstance(value, list) else ((None, value),):
        here = path if number is None else f"{path}[{number}]"
        if not isinstance(bag, dict):
            raise Fault("SCH_SCHEMA_VALIDATION_FAILED", "attributes are an object", here)
        for name in ("@context", "@type"):
            if not bag.get(name):
                raise Fault("SCH_REQUIRED_FIELD_MISSING", f"attributes lack {name}", f"{here}['{name}']")


def _fields(message: dict[str, Any]) -> Iterator[tuple[str, Any, _Place]]:
    """Every field of a message in its order: name, value, place."""
    ahead: list[tuple[Any, _Place]] = [(message, None)]
    while ahead:
        value, place = ahead.pop()
        if place is not None and isinstance(place.step, str):
            yield place.step, value, place
        if not isinstance(value, dict | list):
            continue
        depth = 1 if place is None else place.depth + 1
        if depth > DEEPEST:
            raise Fault("SCH_SCHEMA_VALIDATION_FAILED", f"the message has more than {DEEPEST} levels", _path(place))
        inner: Iterable[tuple[str | int, Any]]
        if isinstance(value, dict):
            inner = reversed(value.items())
        else:
            inner = reversed([(number, each) for number, each in enumerate(value) if isinstance(each, dict | list)])
        ahead.extend((each, _Step(place, step, depth)) for step, each in inner)


def _path(place: _Place) -> str:
    """The JSONPath of a place."""
    steps: list[str] = []
    while place is not None:
        step, place = place.step, place.within
        if isinstance(step, int):
            steps.append(f"[{step}]")
        elif _PLAIN.fullmatch(step):
            steps.append(f".{step}")
        else:
            shown = step[:80].replace("\\", "\\\\").replace("'", "\\'")
            steps.append(f"['{shown}']")
    return "".join(["$", *reversed(steps)])


def _refused(why: str, path: str) -> Fault:
    return Fault("SCH_INVALID_JSONLD_CONTEXT", f"@context: {why}", path)
