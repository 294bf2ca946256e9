"""What the advisor asks of whoever words its texts and reads sentences for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from agents.advisor.sentence import Sentence
from core.errors import Unavailable


class ModelFailed(Unavailable):
    """Nobody answered, or not with an answer; the message never holds the key.

    ``rest_s``: for how long, in real seconds, there is no use in asking again; None where nobody said.
    """

    remedy = (
        "The rules serve meanwhile; check ANTHROPIC_API_KEY, ADVISOR_MODEL, ADVISOR_TOKENS_PER_DAY and the network."
    )

    def __init__(self, message: str, *, rest_s: float | None = None) -> None:
        super().__init__(message)
        self.rest_s = rest_s


class Wording(Protocol):
    """Words a text anew."""

    def reword(self, text: str) -> str | None:
        """``text`` in other words, None when that was declined; :class:`ModelFailed` when there was no answer."""
        ...


class Drafting(Protocol):
    """Reads a job out of a sentence."""

    def propose(self, sentence: Sentence) -> Mapping[str, Any] | None:
        """Fields of a job request as it reads them, None when it declined; :class:`ModelFailed` when no answer."""
        ...
