"""What all questions to the Octopus REST API share: its limits, and its answers in pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from agents.energy.feed import Get, Limits
from agents.energy.reading import json_of, mapping, rows
from core.errors import FeedInvalid

HOME = "https://docs.octopus.energy/rest/"
LICENCE = "© Octopus Energy, public API without a key"
LIMITS = Limits(200, timedelta(minutes=1))
"""No limit is documented; 200 requests in a row were answered."""
PAGE_SIZE = 1500
"""More is cut to this without a word."""


def paged(
    get: Get, url: str, parameters: Mapping[str, str], most: int, where: str
) -> Iterator[list[Mapping[str, Any]]]:
    """The rows of each page, following ``next`` on the same host alone; :class:`FeedInvalid` after ``most`` pages."""
    host = urlsplit(url)[:2]
    asked: Mapping[str, str] | None = parameters
    following: Any = url
    for _ in range(most):
        page = mapping(json_of(get(following, asked), where), where)
        yield rows(page.get("results"), where)
        following, asked = page.get("next"), None
        if following is None:
            return
        if not isinstance(following, str) or urlsplit(following)[:2] != host:
            raise FeedInvalid(f"{where} next page {following!r} is not at {'://'.join(host)}.")
    raise FeedInvalid(f"{where} more than {most} pages.")
