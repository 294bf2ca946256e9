"""What the advisor asks of whoever words its texts for people."""

from __future__ import annotations

from typing import Protocol

from core.errors import Unavailable


class WordingFailed(Unavailable):
    """Nobody answered, or not with an answer; the message never holds the key."""

    remedy = "Explanations keep their rule-based text; check ANTHROPIC_API_KEY, ADVISOR_MODEL and the network."


class Wording(Protocol):
    """Words a text anew."""

    def reword(self, text: str) -> str | None:
        """``text`` in other words, None when that was declined; :class:`WordingFailed` when there was no answer."""
        ...
