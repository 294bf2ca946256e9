"""Keeping keys out of whatever is stored, shown or logged."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from urllib.parse import quote

from agents.energy.feed import Authorisation

SHORTEST = 4
"""Shorter values are no secrets, and stand in any text."""

HIDDEN = "[key]"


class Secrets:
    """The secret words of one request."""

    def __init__(self, key: Authorisation) -> None:
        words = {form for word in _words(key) for form in (word, quote(word, safe=""))}
        self._words = sorted((word for word in words if len(word) >= SHORTEST), key=len, reverse=True)
        self._bytes = [word.encode() for word in self._words]

    def hidden(self, text: str) -> str:
        """``text`` with every secret word replaced."""
        for word in self._words:
            text = text.replace(word, HIDDEN)
        return text

    def hidden_bytes(self, body: bytes) -> bytes:
        """``body`` with every secret word replaced."""
        for word in self._bytes:
            body = body.replace(word, HIDDEN.encode())
        return body

    def told_by(self, body: bytes) -> bool:
        """Whether a secret word stands in ``body``."""
        return any(word in body for word in self._bytes)


def _words(key: Authorisation) -> Iterator[str]:
    """Values as a whole, and what follows the scheme in ``Bearer …`` and ``Basic …``, this one decoded too."""
    yield from key.parameters.values()
    for value in key.headers.values():
        scheme, _, word = value.partition(" ")
        yield value
        yield word
        if scheme.lower() == "basic":
            yield _password(word)


def _password(word: str) -> str:
    try:
        return base64.b64decode(word).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
