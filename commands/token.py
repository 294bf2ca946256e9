"""``token``: make a token for an operator or an auditor."""

from __future__ import annotations

import argparse

from core.settings import Settings
from web.access import new_token


def make(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print a new token once, and the setting under which the server knows it."""
    setting = "AUDITOR_TOKENS" if arguments.role == "auditor" else "OPERATOR_TOKENS"
    known = settings.auditor_tokens if arguments.role == "auditor" else settings.operator_tokens
    token, digest = new_token()
    told = ",".join(f"{name}={held}" for name, held in [*known, (arguments.name, digest)] if name)
    Settings.model_validate({setting.lower(): told})
    print(f"Give {arguments.name} this token; it is shown only now:\n\n    {token}\n")
    print(f"Start the server with this setting:\n\n    {setting}={told}")
    return 0
