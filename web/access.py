"""Who is asking, and what they may do: operators everything, auditors read the evidence and export it.

Without tokens in the settings everyone who reaches the server is its operator, as on a machine of one's own. Once there
are tokens, requests need one, in ``Authorization: Bearer`` or from signing in. Where auditors alone have tokens, a
request from the server's own machine that brings none is its operator's; where operators have, it is nobody's, since a
proxy on this machine might have passed it on. Beckn's routes are open: partners sign their messages. What was traded is
evidence.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from flask import Flask, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from core.errors import Forbidden, SignInNeeded
from core.settings import Settings
from web import problems
from web.security import is_local_request

LOCAL = "local"
"""name of who asks without a token"""
_OPEN = re.compile(r"/(health|sign-in|static/.*|favicon\.ico|api/beckn/.*|beckn/.*)")
_EVIDENCE = re.compile(
    r"/(audit(/.*)?|api/audit/.*|api/logs(/.*)?|api/statements(/.*)?|signals(/.*)?|api/signals(/.*)?|trade(/.*)?"
    r"|openapi/.*)"
)
_AUDITORS_POSTS = frozenset({"/audit/verify", "/audit/export", "/api/audit/exports", "/sign-out"})
_KEY = "visitor"


class Role(StrEnum):
    """What a visitor may do."""

    OPERATOR = "operator"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is asking."""

    name: str
    role: Role


def new_token() -> tuple[str, str]:
    """A token and the SHA-256 that belongs into the settings, hex."""
    token = f"slackwater_{secrets.token_urlsafe(32)}"
    return token, token_digest(token)


def token_digest(token: str) -> str:
    """SHA-256 of a token, hex: it has 256 random bits, so no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def holder(token: str, settings: Settings) -> Visitor:
    """Whose token it is; :class:`SignInNeeded` when it is nobody's."""
    given = token_digest(token)
    for role, known in _tokens(settings):
        for name, digest in known:
            if hmac.compare_digest(given, digest):
                return Visitor(name, role)
    raise SignInNeeded("that token is not known here")


def sign_in(token: str, settings: Settings) -> Visitor:
    """Remember the holder of a token in this browser's session."""
    visitor = holder(token, settings)
    session.clear()
    session[_KEY] = token_digest(token)
    return visitor


def sign_out() -> None:
    """Forget who is asking from this browser."""
    session.clear()


def visitor() -> Visitor:
    """Who sent the present request; :class:`SignInNeeded` where nobody is known."""
    found = known_visitor()
    if found is None:
        raise SignInNeeded("this needs a token")
    return found


def known_visitor() -> Visitor | None:
    """Who sent the present request, where that is known."""
    found: Visitor | None = g.get("visitor")
    return found


def register(app: Flask, settings: Settings) -> None:
    """Let every request to ``app`` through only where its visitor may ask it."""
    app.before_request(lambda: _admit(settings))
    app.context_processor(lambda: {"visitor": known_visitor()})


def _tokens(settings: Settings) -> Sequence[tuple[Role, Sequence[tuple[str, str]]]]:
    return (Role.OPERATOR, settings.operator_tokens), (Role.AUDITOR, settings.auditor_tokens)


def _admit(settings: Settings) -> ResponseReturnValue | None:
    """Say who is asking; refuse or send to sign in who may not."""
    try:
        g.visitor = _known(settings)
    except SignInNeeded:
        if _OPEN.fullmatch(request.path):
            return None
        if request.method == "GET" and problems.wants_page() and "Authorization" not in request.headers:
            return redirect(url_for("access.form", next=request.full_path.rstrip("?")), code=303)
        raise
    if not may_ask(g.visitor, request.method, request.path):
        raise Forbidden(
            "an auditor reads the evidence and exports it, and does nothing else",
            field="Authorization",
            value=None,
            remedy="Ask an operator, or go to /audit.",
        )
    return None


def may_ask(asking: Visitor, method: str, path: str) -> bool:
    """Whether a visitor may send such a request."""
    if asking.role is Role.OPERATOR or _OPEN.fullmatch(path) or path in _AUDITORS_POSTS:
        return True
    return method in {"GET", "HEAD", "OPTIONS"} and _EVIDENCE.fullmatch(path) is not None


def _known(settings: Settings) -> Visitor:
    """The visitor of the present request; :class:`SignInNeeded` when nobody is known."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.casefold() == "bearer":
        return holder(token.strip(), settings)
    if not (settings.operator_tokens or settings.auditor_tokens):
        return Visitor(LOCAL, Role.OPERATOR)
    remembered = session.get(_KEY)
    for role, known in _tokens(settings):
        for name, digest in known:
            if remembered == digest:
                return Visitor(name, role)
    if is_local_request() and not settings.operator_tokens:
        return Visitor(LOCAL, Role.OPERATOR)
    raise SignInNeeded("this needs a token")
