"""The Messages API behind a transport, as the advisor meets it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import httpx2
from anthropic import DefaultHttpxClient

from agents.advisor.agent import Advisor
from agents.advisor.budget import TokenBudget
from agents.advisor.model import Model
from agents.advisor.reading import ModelDrafting
from agents.advisor.rewording import ModelWording

KEY = "a-key-that-must-not-be-logged"
DAY = date(2023, 3, 1)


def message(text: str | None, stop_reason: str = "end_turn") -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "small",
        "content": [] if text is None else [{"type": "text", "text": text}],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 300, "output_tokens": 100},
    }


class Api:
    """The API behind the transport: answers with what it was told to, and keeps what it was asked."""

    def __init__(self, answer: httpx2.Response | Exception) -> None:
        self.answer = answer
        self.asked: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Hand:
    """Real seconds, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def saying(text: str | None, stop_reason: str = "end_turn") -> httpx2.Response:
    return httpx2.Response(200, json=message(text, stop_reason))


def failing(status: int, kind: str, **headers: str) -> httpx2.Response:
    body = {"type": "error", "error": {"type": kind, "message": f"no, {KEY}"}}
    return httpx2.Response(status, json=body, headers=headers)


def budget(per_day: int = 100_000) -> TokenBudget:
    return TokenBudget(per_day, lambda: DAY)


def advisor_over(api: Api, hand: Callable[[], float] | None = None, tokens: TokenBudget | None = None) -> Advisor:
    client = DefaultHttpxClient(transport=httpx2.MockTransport(api))
    model = Model(KEY, "small", tokens or budget(), client)
    return Advisor(ModelWording(model), hand or Hand(), ModelDrafting(model))
