"""Builds the advisor that the settings ask for."""

from __future__ import annotations

from agents.advisor.agent import Advisor
from agents.advisor.model import ModelWording
from core.settings import Settings


def build_advisor(settings: Settings) -> Advisor:
    """With a key an advisor whose texts a model words, without one an advisor by rules alone."""
    key = settings.anthropic_api_key
    return Advisor(ModelWording(key.get_secret_value(), settings.advisor_model) if key else None)
