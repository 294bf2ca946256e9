"""The actions of version 2: which there are, who is asked, and what answers them."""

from __future__ import annotations

from core.trade import Side

VERSION = "2.0.0"
TRANSACTIONS = ("discover", "select", "init", "confirm", "status", "track", "update", "cancel", "rate", "support")
"""asked of a provider"""
PUBLISH = "catalog/publish"
ON_PUBLISH = "catalog/on_publish"
CALLBACKS = tuple(f"on_{action}" for action in TRANSACTIONS)
"""asked of a consumer: answers, and what a provider says unasked"""
TRIED = frozenset({"update", "cancel"})
"""actions that may be tried without effect"""
ACTIONS = (*TRANSACTIONS, *CALLBACKS, PUBLISH, ON_PUBLISH)
"""path and ``context.action`` are the same word"""


def callback_of(action: str) -> str:
    """What answers a request."""
    return ON_PUBLISH if action == PUBLISH else f"on_{action}"


def request_of(callback: str) -> str:
    """What a callback answers."""
    return PUBLISH if callback == ON_PUBLISH else callback.removeprefix("on_")


def is_callback(action: str) -> bool:
    """Whether an action answers another."""
    return action in CALLBACKS or action == ON_PUBLISH


def sender(action: str) -> Side:
    """Whose id and address the sender of an action bears in the context."""
    return Side.PROVIDER if action == PUBLISH or action in CALLBACKS else Side.CONSUMER
