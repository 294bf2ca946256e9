"""Signing in with a token, and out."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import SignInNeeded
from web.access import Role, sign_in, sign_out
from web.services import services_of_request

blueprint = Blueprint("access", __name__)


@blueprint.get("/sign-in")
def form() -> ResponseReturnValue:
    """The form."""
    return render_template("sign_in.html", after=_after(request.args.get("next", "")), error=None)


@blueprint.post("/sign-in")
def enter() -> ResponseReturnValue:
    """Remember who holds the token, and go on."""
    after = _after(request.form.get("next", ""))
    try:
        visitor = sign_in(request.form.get("token", "").strip(), services_of_request().settings)
    except SignInNeeded as error:
        return render_template("sign_in.html", after=after, error=str(error)), 401
    return redirect(after or url_for("audit.index" if visitor.role is Role.AUDITOR else "home.show"), code=303)


@blueprint.post("/sign-out")
def leave() -> ResponseReturnValue:
    """Forget who it was."""
    sign_out()
    return redirect(url_for("access.form"), code=303)


def _after(address: str) -> str:
    """A path of this server to go to afterwards; nothing for any other address."""
    parts = urlsplit(address)
    inside = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if inside and not (parts.scheme or parts.netloc) else ""
