"""Pages of a long list, and the query that names each."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request, url_for

from core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Paging:
    """Where a list stands: ``number`` counts from 1, ``total`` is of entries."""

    number: int
    size: int
    total: int

    @property
    def offset(self) -> int:
        """Entries before this page."""
        return (self.number - 1) * self.size

    @property
    def last(self) -> int:
        """Number of the last page; 1 for an empty list."""
        return max(1, -(-self.total // self.size))

    @property
    def first_entry(self) -> int:
        """1-based position of the first entry shown."""
        return min(self.offset + 1, self.total)

    @property
    def last_entry(self) -> int:
        """1-based position of the last entry shown."""
        return min(self.offset + self.size, self.total)


def page_number() -> int:
    """The ``page`` of the query; :class:`NotFound` for anything but a positive number."""
    text = request.args.get("page", "1")
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise NotFound(f"no page {text[:40]!r}", remedy="Pages count from 1.")
    return int(text)


def query_url(**changes: object) -> str:
    """The present address with some of its query changed; a value of None leaves the name out."""
    view = {**(request.view_args or {}), **request.args.to_dict(), **changes}
    kept = {name: value for name, value in view.items() if value not in {None, ""}}
    return url_for(request.endpoint or "home.show", **kept)
