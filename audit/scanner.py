"""A search for what must not stand on the log in clear: meter identifiers, and names kept in the vault or the store."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from audit.record import Record

_MSID = re.compile(r"(?<![0-9])[0-9]{13}(?![0-9])")
_HASH = re.compile(r"[0-9a-f]{32,}")
"""digests and identifiers: runs of digits in them are chance"""
LEAST_LETTERS = 3
"""shorter names would be found everywhere"""


@dataclass(frozen=True, slots=True)
class Finding:
    """A record that says something in clear; ``path`` leads to it inside the line, what it says is not repeated."""

    seq: int
    path: str
    what: str


def scan_records(records: Iterable[Record], names: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """Every place where a record holds a 13-digit meter identifier or one of ``names`` (what it is, and the name)."""
    told = {name.casefold(): what for what, name in names if len(name) >= LEAST_LETTERS}
    words = "|".join(re.escape(name) for name in sorted(told, key=len, reverse=True))
    named = re.compile(rf"(?<![\w/])(?:{words})(?![\w/])") if told else None
    for record in records:
        for path, text in _texts(json.loads(record.line), ""):
            for what in _found(text, named, told):
                yield Finding(record.seq, path, what)


def _found(text: str, named: re.Pattern[str] | None, told: dict[str, str]) -> Iterator[str]:
    if _MSID.search(_HASH.sub("", text)):
        yield "MSID"
    if named is not None and (match := named.search(text.casefold())):
        yield told[match[0]]


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text and key in a value, with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{path}/{key}", key
            yield from _texts(item, f"{path}/{key}")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _texts(item, f"{path}/{place}")
    elif isinstance(value, str | int):
        yield path, str(value)
