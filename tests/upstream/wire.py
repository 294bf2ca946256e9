"""What an API of the upstream is asked and what it answers."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from tests.upstream.faults import Fault, Row, spoiled
from tests.upstream.world import World


@dataclass(frozen=True, slots=True)
class Request:
    """One GET as an API sees it.

    :param base: address of the API, for links to further pages.
    :param path: below ``base``, with a leading slash, decoded.
    :param query: each parameter's last value, decoded.
    :param now: the upstream's present instant; a week ago where it serves last week's dates.
    :param back: by how much every time asked for is moved: a week back where it serves last week's dates.
    """

    base: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    now: datetime
    world: World
    faults: Collection[Fault] = ()
    back: timedelta = timedelta(0)

    def spoil(self, rows: list[tuple[float, Row]], *figures: str) -> list[Row]:
        """The rows as they are answered while data faults are in force; each comes with its slot index."""
        return spoiled(rows, self.faults, *figures)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, before faults of the wire."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """The API refuses the request with ``reply``."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Api(Protocol):
    """One spoken API. ``settings`` maps its settings to base URLs below the address it is mounted at."""

    name: str

    def settings(self, base: str) -> Mapping[str, str]: ...

    def answer(self, request: Request) -> Reply: ...


def json_reply(value: Any, status: int = 200, **headers: str) -> Reply:
    """A JSON answer."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(json.dumps(value, separators=(",", ":")).encode(), status, headers=named)


def listed(text: str) -> list[str]:
    """The parts of a comma-separated parameter."""
    return [part for part in text.split(",") if part]
