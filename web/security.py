"""Who may ask, from where, and what a browser may do with the answer."""

from __future__ import annotations

import ipaddress
import secrets
from urllib.parse import urlsplit

from flask import Flask, Response, g, request
from flask_wtf.csrf import CSRFProtect

from core.errors import Forbidden
from core.settings import LOOPBACK, Settings
from web.problems import MAX_BODY_BYTES

_FORWARDING_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
_UNSAFE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def register(app: Flask, settings: Settings) -> CSRFProtect:
    """Guard every request to ``app``; answers the CSRF protection, from which JSON routes are to be exempted."""
    app.config.update(
        SECRET_KEY=settings.secret_key.get_secret_value(),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.jinja_env.globals["csp_nonce"] = csp_nonce
    app.before_request(lambda: _refuse_strangers(settings))
    app.after_request(lambda response: _secure(response, settings))
    return CSRFProtect(app)


def csp_nonce() -> str:
    """The nonce that lets the inline scripts and styles of this one response run."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return str(g.csp_nonce)


def require_command_allowed(settings: Settings, command: tuple[str, ...] | None) -> None:
    """Raise :class:`Forbidden` for a job with a command unless commands are on and the request is local."""
    if command is None:
        return
    if not settings.commands_enabled:
        raise Forbidden(
            "this server does not run jobs' commands",
            field="command",
            value=" ".join(command),
            remedy="Leave command out (the power is then simulated), or set ALLOW_COMMANDS on the server.",
        )
    if not is_local_request():
        raise Forbidden(
            "a job with a command is accepted only from the machine that runs it",
            field="command",
            value=" ".join(command),
            remedy="Submit it on the server's own machine, or leave command out.",
        )


def is_local_request() -> bool:
    """True when the peer is this machine itself and did not pass the request on for another."""
    if any(name in request.headers for name in _FORWARDING_HEADERS):
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def _refuse_strangers(settings: Settings) -> None:
    """Refuse foreign Host names (DNS rebinding) and state changes asked for by foreign pages."""
    host = _hostname(f"//{request.headers.get('Host', '')}")
    if host not in {name.lower() for name in (*LOOPBACK, settings.host, *settings.allowed_hosts)}:
        raise Forbidden(
            "this server does not answer to that host name",
            field="Host",
            value=request.headers.get("Host"),
            remedy="Use the address the server listens on, or add the name to ALLOWED_HOSTS.",
        )
    origin = request.headers.get("Origin")
    if request.method in _UNSAFE_METHODS and origin and not _known_origin(origin, settings):
        raise Forbidden(
            "pages of that origin may not change anything here",
            field="Origin",
            value=origin,
            remedy="Add the origin to ALLOWED_ORIGINS if you trust it.",
        )


def _known_origin(origin: str, settings: Settings) -> bool:
    return origin in settings.allowed_origins or urlsplit(origin).netloc == request.host


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _secure(response: Response, settings: Settings) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Content-Security-Policy", _content_security_policy())
    origin = request.headers.get("Origin")
    if settings.allowed_origins:
        response.vary.add("Origin")
    if origin in settings.allowed_origins:
        _share_with(response, str(origin))
    return response


def _content_security_policy() -> str:
    """Only this server's own files; inline code only where the page asked for a nonce."""
    nonce = f" 'nonce-{g.csp_nonce}'" if "csp_nonce" in g else ""
    return (
        f"default-src 'self'; script-src 'self'{nonce}; style-src 'self'{nonce}; img-src 'self' data:; "
        "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    )


def _share_with(response: Response, origin: str) -> None:
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Allow-Headers"] = "Content-Type"
    response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT"
    response.headers["Access-Control-Expose-Headers"] = "Location, Retry-After"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
