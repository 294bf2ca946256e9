"""Wording by a model: it is sent the rule-based text alone, which holds ids and figures and nothing else."""

from __future__ import annotations

from agents.advisor.model import Model

MAX_TOKENS = 500
_TASK = (
    "You word explanations of a compute scheduler for the people whose jobs it plans. The user's message is one "
    "explanation. Say the same in two to four plain, friendly sentences. Copy every figure, unit, time and site id "
    "you use exactly as it is written; work out no new ones, and write no number as a word. Keep the words forecast, "
    "simulated and baseline where they occur. Leave out what does not matter. Add nothing that the explanation does "
    "not say. Answer with the sentences alone, without a heading or markup."
)


class ModelWording:
    """Words texts as ``model`` does."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def reword(self, text: str) -> str | None:
        """The model's words; None for a refusal, an empty answer or one that was cut off."""
        said = self._model.ask(_TASK, text, MAX_TOKENS)
        return " ".join(said.split()) if said else None
