"""Wording by a Claude model: it is sent the rule-based text alone, which holds ids and figures and nothing else."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from agents.advisor.wording import WordingFailed

if TYPE_CHECKING:
    from anthropic import Anthropic, DefaultHttpxClient
    from anthropic.types import Message

TIMEOUT_S = 8.0
MAX_RETRIES = 0
"""a person is waiting and the rule-based text is at hand; the advisor asks again later by itself"""
MAX_TOKENS = 500
_TASK = (
    "You word explanations of a compute scheduler for the people whose jobs it plans. The user's message is one "
    "explanation. Say the same in two to four plain, friendly sentences. Copy every figure, unit, time and site id "
    "you use exactly as it is written; work out no new ones, and write no number as a word. Keep the words forecast, "
    "simulated and baseline where they occur. Leave out rejected options that do not matter. Add nothing that the "
    "explanation does not say. Answer with the sentences alone, without a heading or markup."
)


class ModelWording:
    """Asks the Messages API, once per text and without the model's thinking.

    :param http_client: what carries the requests; default the library's own. ``anthropic`` is imported at first use.
    """

    def __init__(self, api_key: str, model: str, http_client: DefaultHttpxClient | None = None) -> None:
        self._api_key = api_key
        self._model = model
        self._http_client = http_client

    @cached_property
    def _client(self) -> Anthropic:
        from anthropic import Anthropic

        return Anthropic(
            api_key=self._api_key, timeout=TIMEOUT_S, max_retries=MAX_RETRIES, http_client=self._http_client
        )

    def reword(self, text: str) -> str | None:
        """The model's words; None for a refusal, an empty answer or one that was cut off."""
        answer = self._ask(text)
        said = "".join(block.text for block in answer.content or () if block.type == "text")
        return " ".join(said.split()) or None if answer.stop_reason == "end_turn" else None

    def _ask(self, text: str) -> Message:
        from anthropic import AnthropicError, APIStatusError
        from anthropic.types import Message

        try:
            answer = self._client.messages.create(
                model=self._model,
                max_tokens=MAX_TOKENS,
                system=_TASK,
                thinking={"type": "disabled"},
                messages=[{"role": "user", "content": text}],
            )
        except APIStatusError as error:
            raise WordingFailed(f"the advisor's model answered with status {error.status_code}") from error
        except (AnthropicError, ValueError) as error:
            raise WordingFailed(f"the advisor's model did not answer: {type(error).__name__}") from error
        if not isinstance(answer, Message):
            raise WordingFailed("the advisor's model answered with something that is no message")
        return answer
