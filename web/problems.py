"""The one mapping of errors to HTTP: RFC 9457 problem details for programs, the same facts on a page for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, make_response, render_template, request
from loguru import logger
from pydantic import BaseModel, Field, ValidationError
from werkzeug.exceptions import HTTPException

from core.errors import (
    Conflict,
    FeedError,
    Forbidden,
    InputError,
    LogDamaged,
    NotFound,
    PlanError,
    SignInNeeded,
    SlackwaterError,
    Unavailable,
)

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_S = 30
MAX_BODY_BYTES = 256 * 1024
_API_PATHS = ("/api/", "/health", "/metrics", "/openapi/openapi.json")
_LONGEST_VALUE = 200

_STATUS: tuple[tuple[type[SlackwaterError], HTTPStatus], ...] = (
    (SignInNeeded, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (InputError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (FeedError, HTTPStatus.SERVICE_UNAVAILABLE),
    (PlanError, HTTPStatus.SERVICE_UNAVAILABLE),
    (LogDamaged, HTTPStatus.SERVICE_UNAVAILABLE),
)

_REMEDIES: Mapping[str, str] = {
    "missing": "Add this field.",
    "extra_forbidden": "Remove this field or check its spelling against /openapi/openapi.json.",
    "greater_than": "Send a value greater than {gt}.",
    "greater_than_equal": "Send a value of at least {ge}.",
    "less_than": "Send a value less than {lt}.",
    "less_than_equal": "Send a value of at most {le}.",
    "enum": "Send one of {expected}.",
    "literal_error": "Send one of {expected}.",
    "string_pattern_mismatch": "Send text that matches {pattern}.",
    "string_too_short": "Send at least {min_length} characters.",
    "string_too_long": "Send at most {max_length} characters.",
    "too_short": "Send at least {min_length} items.",
    "too_long": "Send at most {max_length} items.",
    "model_type": "Send a JSON object.",
    "model_attributes_type": "Send a JSON object.",
}

_HTTP_REMEDIES: Mapping[int, str] = {
    400: "Send well-formed JSON in UTF-8, or reload the page and submit the form again.",
    404: "Check the address; /openapi/openapi.json lists every route.",
    405: "Use a method that the Allow header names.",
    413: f"Send at most {MAX_BODY_BYTES} bytes.",
    415: "Send the body as Content-Type: application/json.",
}


class FieldError(BaseModel):
    """One field that cannot be used: its name, what was sent, what is wrong and what to do."""

    field: str
    value: Any = None
    message: str
    remedy: str


class Problem(BaseModel):
    """RFC 9457 problem details; ``errors`` names each field at fault."""

    type: str = Field(description="stable identifier of the kind of problem")
    title: str
    status: int
    detail: str
    instance: str = Field(description="path of the request")
    remedy: str = Field(description="what to do next")
    errors: list[FieldError] = []


def register(app: Flask) -> None:
    """Answer every error of ``app`` as a problem."""
    app.register_error_handler(SlackwaterError, _slackwater_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def of_validation(error: ValidationError) -> Response:
    """The 422 answer to a request that its model refuses."""
    return respond(_problem(HTTPStatus.UNPROCESSABLE_ENTITY, "input", "", field_errors(error)))


def of_error(error: SlackwaterError) -> Problem:
    """The problem that one of our own errors is."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    fields = []
    if isinstance(error, InputError):
        fields = [FieldError(field=error.field, value=safe(error.value), message=str(error), remedy=error.remedy)]
    name = _kind_name(type(error))
    return _problem(status, name, str(error), fields, remedy=error.remedy)


def field_errors(error: ValidationError) -> list[FieldError]:
    """Each refusal of pydantic as field, value, message and remedy."""
    return [_field_error(detail) for detail in error.errors(include_url=False)]


def respond(problem: Problem) -> Response:
    """``problem`` as a page for browsers on page routes, else as ``application/problem+json``."""
    response = _page(problem) if wants_page() else _document(problem)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _document(problem: Problem) -> Response:
    return Response(problem.model_dump_json(), problem.status, content_type=PROBLEM_TYPE)


def _page(problem: Problem) -> Response:
    """The problem as a page; as a document where the page itself cannot be made."""
    try:
        return make_response(render_template("problem.html", problem=problem), problem.status)
    except Exception:
        logger.exception("the page of a problem could not be made")
        return _document(problem)


def safe(value: object) -> Any:
    """``value`` as short JSON: numbers and booleans as they are, the rest as text of at most 200 characters."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) < 2**53:
        return value
    text = value if isinstance(value, str) else repr(value) if _is_container(value) else str(value)
    text = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _is_container(value: object) -> bool:
    return isinstance(value, dict | list | tuple | set)


def _slackwater_error(error: SlackwaterError) -> Response:
    problem = of_error(error)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("{} {} answered {}: {}", request.method, request.path, problem.status, error.diagnostics())
    return respond(problem)


def _http_error(error: HTTPException) -> Response:
    if error.response is not None or error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return make_response(error.get_response())
    remedy = _HTTP_REMEDIES.get(error.code, "Check the request against /openapi/openapi.json.")
    response = respond(_problem(HTTPStatus(error.code), "http", error.description or error.name, [], remedy=remedy))
    for name, value in error.get_headers():
        if name not in {"Content-Type", "Content-Length"}:
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    logger.opt(exception=error).error("{} {} failed", request.method, request.path)
    detail = "The server met an error that it did not expect; it is in the server log."
    return respond(_problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", detail, [], remedy=SlackwaterError.remedy))


def _problem(
    status: HTTPStatus, name: str, detail: str, errors: Iterable[FieldError], *, remedy: str = InputError.remedy
) -> Problem:
    fields = list(errors)
    return Problem(
        type=f"urn:slackwater:problem:{name}",
        title=status.phrase,
        status=status,
        detail=safe(detail) if detail else "; ".join(f"{e.field}: {e.message}" for e in fields),
        instance=request.path,
        remedy=remedy,
        errors=fields,
    )


def _kind_name(kind: type[SlackwaterError]) -> str:
    """Class name in words: ``LogUnavailable`` becomes ``log-unavailable``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower().removesuffix("-error")


def wants_page() -> bool:
    """Whether the present request comes from a browser that opens a page."""
    if request.path.startswith(_API_PATHS):
        return False
    accepted = request.accept_mimetypes
    return bool(accepted) and accepted["text/html"] > accepted["application/json"]


def _field_error(detail: Any) -> FieldError:
    """One entry of ``ValidationError.errors()``; a refusal of the whole model names the field its message names."""
    message = str(detail["msg"]).removeprefix("Value error, ")
    field = ".".join(str(part) for part in detail["loc"])
    value = detail.get("input")
    if isinstance(value, dict) and not (field and detail["type"] == "missing"):
        inner = _named_field(message, value)
        if inner and detail["type"] == "value_error":
            field = f"{field}.{inner}" if field else inner
            value = value.get(inner)
    elif detail["type"] == "missing":
        value = None
    template = _REMEDIES.get(detail["type"], InputError.remedy)
    remedy = template.format_map({key: safe(entry) for key, entry in (detail.get("ctx") or {}).items()})
    value = None if detail["type"] == "missing" else safe(value)
    return FieldError(field=field or "body", value=value, message=message, remedy=remedy)


def _named_field(message: str, sent: Mapping[str, Any]) -> str | None:
    """The field that ``message`` speaks of: a sent one first, then any name with an underscore."""
    words: list[str] = re.findall(r"[a-z][a-z_]*", message)
    for word in words:
        if word in sent:
            return word
    spoken = {key: message.find(re.sub(r"_(kw|kwh|gbp|hours|minutes)$", "", key).replace("_", " ")) for key in sent}
    found = sorted((place, key) for key, place in spoken.items() if place >= 0)
    return found[0][1] if found else next((word for word in words if "_" in word), None)
