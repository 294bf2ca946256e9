"""A Claude model behind the Messages API: asked once for each text, within a budget, without the model's thinking."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING

from agents.advisor.budget import TokenBudget
from agents.advisor.wording import ModelFailed

if TYPE_CHECKING:
    from anthropic import Anthropic, APIStatusError, DefaultHttpxClient
    from anthropic.types import Message

TIMEOUT_S = 8.0
MAX_RETRIES = 0
"""a person is waiting and the rules are at hand; the advisor asks again later by itself"""
LEAST_REST_S, MOST_REST_S = 1.0, 3600.0
CHARACTERS_A_TOKEN = 3
"""fewer than there are, so that a request reserves no less than it uses"""


class Model:
    """One model.

    :param http_client: what carries the requests; default the library's own. ``anthropic`` is imported at first use.
    """

    def __init__(
        self, api_key: str, name: str, budget: TokenBudget, http_client: DefaultHttpxClient | None = None
    ) -> None:
        self._api_key = api_key
        self._name = name
        self._budget = budget
        self._http_client = http_client

    @cached_property
    def _client(self) -> Anthropic:
        from anthropic import Anthropic

        return Anthropic(
            api_key=self._api_key, timeout=TIMEOUT_S, max_retries=MAX_RETRIES, http_client=self._http_client
        )

    def ask(self, task: str, content: str, most_tokens: int, schema: dict[str, object] | None = None) -> str | None:
        """What the model says to ``content``; None for a refusal, an empty answer or one that was cut off.

        :param schema: JSON schema that the answer keeps to.
        :raises ModelFailed: there is no answer, or no budget for one.
        """
        form = json.dumps(schema) if schema else ""
        reserved = (len(task) + len(content) + len(form)) // CHARACTERS_A_TOKEN + most_tokens
        if not self._budget.reserve(reserved):
            raise ModelFailed("the advisor has used its tokens for today")
        answer = self._answer(task, content, most_tokens, schema)
        if answer.usage is not None:
            self._budget.settle(reserved, answer.usage.input_tokens + answer.usage.output_tokens)
        said = "".join(block.text for block in answer.content or () if block.type == "text").strip()
        return said or None if answer.stop_reason == "end_turn" else None

    def _answer(self, task: str, content: str, most_tokens: int, schema: dict[str, object] | None) -> Message:
        from anthropic import AnthropicError, APIStatusError, omit
        from anthropic.types import Message

        try:
            answer = self._client.messages.create(
                model=self._name,
                max_tokens=most_tokens,
                system=task,
                thinking={"type": "disabled"},
                messages=[{"role": "user", "content": content}],
                output_config={"format": {"type": "json_schema", "schema": schema}} if schema else omit,
            )
        except APIStatusError as error:
            raise _refused(error) from error
        except (AnthropicError, ValueError) as error:
            raise ModelFailed(f"the advisor's model did not answer: {type(error).__name__}") from error
        if not isinstance(answer, Message):
            raise ModelFailed("the advisor's model answered with something that is no message")
        return answer


def _refused(error: APIStatusError) -> ModelFailed:
    """An answer with an error status; how long to rest where it says so."""
    if error.status_code == 429:
        return ModelFailed("the advisor's model is asked too often just now (status 429)", rest_s=_rest_s(error))
    return ModelFailed(f"the advisor's model answered with status {error.status_code}", rest_s=_rest_s(error))


def _rest_s(error: APIStatusError) -> float | None:
    """Seconds of ``Retry-After``, within reason; None where it is missing or no number."""
    try:
        seconds = float(error.response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(max(seconds, LEAST_REST_S), MOST_REST_S) if seconds == seconds else None  # noqa: PLR0124  NaN
