"""Builds the advisor that the settings ask for."""

from __future__ import annotations

from agents.advisor.agent import Advisor
from agents.advisor.budget import TokenBudget
from agents.advisor.model import Model
from agents.advisor.reading import ModelDrafting
from agents.advisor.rewording import ModelWording
from core.clock import SystemClock
from core.settings import Settings


def build_advisor(settings: Settings) -> Advisor:
    """With a key an advisor whose texts a model words, without one an advisor by rules alone."""
    key = settings.anthropic_api_key
    if key is None:
        return Advisor(None)
    clock = SystemClock()
    budget = TokenBudget(settings.advisor_tokens_per_day, lambda: clock.now().date())
    model = Model(key.get_secret_value(), settings.advisor_model, budget)
    return Advisor(ModelWording(model), drafting=ModelDrafting(model))
