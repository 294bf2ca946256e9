"""The OpenAPI side of the application: strict JSON in, models out, and a document that tells of both.

flask-openapi3 is used here, in the route modules beside this one and in ``beckn/routes.py``, and nowhere else.
"""

from __future__ import annotations

import json
import re
from typing import Any

from flask import Response, request
from flask.json.provider import DefaultJSONProvider
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from core.errors import InputError
from web import problems

_SWAGGER = {"validatorUrl": None, "defaultModelsExpandDepth": 0}
_LANDING = (
    '<!doctype html><html lang="en"><title>Slackwater API</title>'
    '<p><a href="swagger">Browse the API</a> or read <a href="openapi.json">openapi.json</a>.'
)
_ERRORS_OF_BODIES = {"400": "Malformed JSON", "413": "Body too large", "415": "Not application/json"}
_ERRORS_OF_CHANGES = {"403": "Not allowed from here", "409": "Conflict with the present state"}


class StrictJSON(DefaultJSONProvider):
    """JSON as RFC 8259 has it: no NaN, no infinities, no nesting beyond reason, no text a database cannot store."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        try:
            parsed = json.loads(s, parse_constant=_refuse_constant, **kwargs)
            _refuse_odd_text(parsed)
        except RecursionError as error:
            raise ValueError("JSON is nested too deeply") from error
        return parsed


class DocumentedAPI(OpenAPI):
    """A Flask application that describes its JSON routes, problems included, as OpenAPI 3.1."""

    json_provider_class = StrictJSON

    def __init__(self, import_name: str, version: str) -> None:
        super().__init__(
            import_name,
            info=Info(title="Slackwater", version=version, description="Flexible compute on clean and cheap power."),
            security_schemes={},
            validation_error_model=problems.Problem,
            validation_error_callback=problems.of_validation,
            static_folder=None,
        )
        self.config.update(OPENAPI_HTML_STRING=_LANDING, SWAGGER_HTML_STRING=_swagger_page(), SWAGGER_CONFIG=_SWAGGER)

    @property
    def api_doc(self) -> dict[str, Any]:
        """The OpenAPI document, built once."""
        if not self.spec_json:
            spec = super().api_doc
            del spec["components"]["securitySchemes"]
            for path, operations in spec["paths"].items():
                for method, operation in operations.items():
                    _document_problems(path, method, operation)
        return self.spec_json

    def check_request(self) -> None:
        """Refuse what no documented operation takes: unknown query parameters and bodies that are not JSON."""
        operation = self._operation()
        if operation is None:
            return
        _refuse_unknown_parameters({p.name for p in operation.parameters or () if p.param_in == "query"})
        if request.method in {"POST", "PUT"}:
            _require_json(required=operation.requestBody is not None and bool(operation.requestBody.required))

    def _operation(self) -> Any:
        if request.url_rule is None:
            return None
        path = self.paths.get(_uri(request.url_rule.rule))
        return getattr(path, request.method.lower(), None) if path else None


def answer(model: BaseModel, status: int = 200, *, location: str | None = None) -> Response:
    """``model`` as JSON that is not kept by caches; numbers that are not known are null."""
    response = Response(model.model_dump_json(), status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    if location is not None:
        response.headers["Location"] = location
    return response


def _uri(rule: str) -> str:
    """``/jobs/<string:job_id>`` as OpenAPI writes it: ``/jobs/{job_id}``."""
    return re.sub(r"<(?:[^<:]+:)?([^>]+)>", r"{\1}", rule)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _refuse_odd_text(parsed: Any) -> None:
    """Raise :class:`ValueError` where a text holds a NUL or half a surrogate pair."""
    stack = [parsed]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(item)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, str) and ("\0" in item or not _encodes(item)):
            raise ValueError("a text holds a NUL or an unpaired surrogate")


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_unknown_parameters(known: set[str]) -> None:
    for name, value in request.args.items():
        if name not in known:
            raise InputError(
                f"there is no query parameter {name!r}",
                field=name,
                value=value,
                remedy=f"Use {', '.join(sorted(known))}." if known else "Leave it out: this route takes none.",
            )
        if "\0" in value:
            raise InputError(f"{name} holds a NUL character", field=name, value=value)


def _require_json(*, required: bool) -> None:
    """400 for what is not JSON, 415 for what does not say that it is; an empty body may pass where none is needed."""
    if not required and not request.mimetype and not request.get_data(cache=True):
        return
    if request.mimetype != "application/json":
        sent = request.mimetype or "no media type"
        raise UnsupportedMediaType(f"the body is sent as {sent}, not as application/json")
    if not request.get_data(cache=True):
        if required:
            raise BadRequest("the body is empty, not JSON")
        return
    try:
        request.get_json()
    except BadRequest as error:
        raise BadRequest(f"the body is not JSON: {error.__cause__ or error.description}") from error


def _document_problems(path: str, method: str, operation: dict[str, Any]) -> None:
    """Write down the problems that an operation may answer with."""
    kinds = {"422": "A field or parameter cannot be used", "500": "Unexpected error", "503": "Cannot promise just now"}
    if "{" in path:
        kinds["404"] = "Not found"
    if method in {"post", "put"}:
        kinds |= _ERRORS_OF_CHANGES | _ERRORS_OF_BODIES
    content = {problems.PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation["responses"].pop("422", None)
    for status, description in sorted(kinds.items()):
        operation["responses"].setdefault(status, {"description": description, "content": content})


def _swagger_page() -> str:
    """The browse page of flask-openapi3, its inline code under this response's nonce."""
    from flask_openapi3_swagger.templates import swagger_html_string  # type: ignore[import-untyped]

    page: str = swagger_html_string
    for tag in ("script", "style"):
        page = page.replace(f"<{tag}>", f'<{tag} nonce="{{{{ csp_nonce() }}}}">')
    return page
