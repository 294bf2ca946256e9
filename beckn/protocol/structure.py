"""The structure of version 2's messages: what each action must bring, and what it may not.

Objects that the specification closes refuse unknown fields; attribute bags are open, and say by ``@context`` and
``@type`` whose words they use. ``contract.id`` may be any short text, because published examples have no UUID there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from beckn.protocol.actions import ON_PUBLISH, PUBLISH, is_callback
from beckn.protocol.context import read_instant
from beckn.protocol.faults import Fault

_CODES: Mapping[str, str] = {
    "missing": "SCH_REQUIRED_FIELD_MISSING",
    "extra_forbidden": "SCH_FIELD_NOT_ALLOWED",
    "enum": "SCH_INVALID_ENUM",
    "literal_error": "SCH_INVALID_ENUM",
    "value_error": "SCH_INVALID_FORMAT",
}


def _instant(text: str) -> str:
    read_instant(text)
    return text


Text = Annotated[str, Field(min_length=1, max_length=4000)]
Id = Annotated[str, Field(min_length=1, max_length=512)]
Instant = Annotated[str, AfterValidator(_instant)]


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, alias_generator=to_camel)


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Attributes(_Open):
    """A bag of a domain's own fields."""

    context: Text = Field(alias="@context")
    type: Text = Field(alias="@type")


class Descriptor(_Closed):
    """Words about something."""

    code: str | None = None
    name: str | None = None
    short_desc: str | None = None
    long_desc: str | None = None
    thumbnail_image: str | None = None
    docs: list[Any] | None = None
    media_file: list[Any] | None = None


class _ContractStatus(Descriptor):
    code: Literal["DRAFT", "ACTIVE", "CANCELLED", "COMPLETE"] | None = None


class _CommitmentCode(Descriptor):
    code: Literal["DRAFT", "ACTIVE", "CLOSED"] | None = None


class _CommitmentStatus(_Open):
    descriptor: _CommitmentCode | None = None


class Period(_Closed):
    """A time from, until, or both."""

    start_date: Instant | None = None
    end_date: Instant | None = None
    start_time: str | None = None
    end_time: str | None = None


class Provider(_Closed):
    """Who offers."""

    id: Id
    descriptor: Descriptor
    available_at: list[Any] | None = None
    provider_attributes: Attributes | None = None


class Resource(_Open):
    """What is offered."""

    id: Id
    descriptor: Descriptor | None = None
    resource_attributes: Attributes | None = None


class Offer(_Open):
    """On which terms."""

    id: Id
    resource_ids: list[Id] | None = None
    descriptor: Descriptor | None = None
    validity: Period | None = None
    offer_attributes: Attributes | None = None


class _Chosen(Offer):
    resource_ids: list[Id]


class Commitment(_Open):
    """One promise of a contract."""

    id: Id | None = None
    status: _CommitmentStatus
    resources: Annotated[list[Resource], Field(max_length=500)]
    offer: _Chosen
    commitment_attributes: Attributes | None = None


class Consideration(_Open):
    """What is given for it."""

    id: Id
    status: Descriptor | None = None
    consideration_attributes: Attributes | None = None


class Participant(_Open):
    """Who takes part."""

    id: Id | None = None
    descriptor: Descriptor | None = None
    participant_attributes: Attributes | None = None


class Performance(_Closed):
    """How it goes."""

    id: Id | None = None
    status: Descriptor | None = None
    commitment_ids: list[Id] | None = None
    performance_attributes: Attributes | None = None


class Settlement(_Open):
    """What has been paid."""

    id: Id | None = None
    consideration_id: Id | None = None
    status: Literal["DRAFT", "COMMITTED", "COMPLETE"] | None = None
    settlement_attributes: Attributes | None = None


class Contract(_Closed):
    """What is agreed."""

    id: Id | None = None
    descriptor: Descriptor | None = None
    status: _ContractStatus | None = None
    commitments: Annotated[list[Commitment], Field(min_length=1, max_length=500)]
    consideration: Annotated[list[Consideration], Field(max_length=500)] | None = None
    participants: Annotated[list[Participant], Field(max_length=500)] | None = None
    performance: Annotated[list[Performance], Field(max_length=500)] | None = None
    settlements: Annotated[list[Settlement], Field(max_length=500)] | None = None
    contract_attributes: Attributes | None = None


class _Named(Contract):
    id: Id
    commitments: Annotated[list[Commitment], Field(max_length=500)] | None = None  # type: ignore[assignment]


class Catalog(_Closed):
    """What a provider offers."""

    id: Id
    descriptor: Descriptor
    provider: Provider
    bpp_id: str | None = None
    bpp_uri: str | None = None
    is_active: bool | None = None
    validity: Period | None = None
    resources: list[Resource] | None = None
    offers: list[Offer] | None = None

    @model_validator(mode="after")
    def _something(self) -> Catalog:
        if self.resources is None and self.offers is None:
            raise ValueError("a catalog has resources or offers")
        return self


class _Filters(_Open):
    type: Literal["jsonpath"]
    expression: str


class Intent(_Closed):
    """What is looked for."""

    text_search: str | None = None
    filters: _Filters | None = None
    spatial: Annotated[list[dict[str, Any]], Field(max_length=20)] | None = None
    media_search: dict[str, Any] | None = None


class _Directive(_Open):
    catalog_id: Id
    catalog_type: Literal["MASTER", "REGULAR"]
    update_mode: Literal["FULL", "MERGE"] | None = None
    visible_to: list[str] | None = None


class _Result(_Open):
    catalog_id: Id
    status: Literal["ACCEPTED", "REJECTED", "PARTIAL"]
    errors: list[dict[str, Any]] | None = None


class _Rating(_Closed):
    target: dict[str, Any]
    range: dict[str, Any]
    feedback_form_submission: dict[str, Any] | None = None


class _Support(_Closed):
    order_id: str | None = None
    descriptor: Descriptor | None = None
    channels: Annotated[list[Attributes], Field(min_length=1)] | None = None


class _Tracking(_Open):
    contract: _Named | None = None
    status: Literal["ACTIVE", "INACTIVE"] | None = None
    url: str | None = None


class _Discover(_Closed):
    intent: Intent


class _OnDiscover(_Closed):
    catalogs: Annotated[list[Catalog], Field(max_length=1000)]


class _WithContract(_Closed):
    contract: Contract


class _WithNamed(_Open):
    contract: _Named


class _Track(_Closed):
    tracking: _Tracking


class _Rate(_Closed):
    rating_inputs: list[_Rating]


class _OnRate(_Closed):
    ratings: list[_Rating]


class _AboutSupport(_Closed):
    support: _Support


class _Publish(_Open):
    catalogs: Annotated[list[Catalog], Field(min_length=1, max_length=1000)]
    publish_directives: list[_Directive] | None = None


class _OnPublish(_Open):
    results: list[_Result]


class _Error(_Open):
    code: Text
    message: Text


_MESSAGES: Mapping[str, type[BaseModel]] = {
    "discover": _Discover,
    "on_discover": _OnDiscover,
    **dict.fromkeys(("select", "init", "confirm", "update"), _WithContract),
    **{f"on_{name}": _WithContract for name in ("select", "init", "confirm", "update", "status", "cancel")},
    "status": _WithNamed,
    "cancel": _WithNamed,
    "track": _Track,
    "on_track": _Track,
    "rate": _Rate,
    "on_rate": _OnRate,
    "support": _AboutSupport,
    "on_support": _AboutSupport,
    PUBLISH: _Publish,
    ON_PUBLISH: _OnPublish,
}
_AN_ERROR = TypeAdapter(_Error)


def require_structure(body: Mapping[str, Any], action: str) -> None:
    """Return if ``body`` is a message of ``action``; :class:`Fault` ``SCH_`` with the path of the first thing wrong."""
    if unknown := body.keys() - {"context", "message", "error"}:
        name = min(unknown)
        raise Fault("SCH_FIELD_NOT_ALLOWED", f"the body has the unknown field {name[:60]!r}", f"$.{name[:60]}")
    at = "message"
    try:
        if body.get("error") is not None:
            at = "error"
            _AN_ERROR.validate_python(body["error"])
            at = "message"
            if is_callback(action) and body.get("message") in (None, {}):
                return
        if "message" not in body:
            raise Fault("SCH_REQUIRED_FIELD_MISSING", "the body has no message", "$.message")
        _MESSAGES[action].model_validate(body["message"])
    except ValidationError as error:
        raise _fault(error, at) from error


def _fault(error: ValidationError, at: str) -> Fault:
    first = error.errors(include_url=False, include_input=False)[0]
    code = _CODES.get(first["type"], "SCH_SCHEMA_VALIDATION_FAILED")
    return Fault(code, first["msg"].removeprefix("Value error, "), _path(at, first["loc"]))


def _path(at: str, parts: Sequence[int | str]) -> str:
    """JSONPath of a place in a body."""
    steps = [f"[{p}]" if isinstance(p, int) else f".{p}" if p.isidentifier() else f"['{p}']" for p in parts]
    return f"$.{at}{''.join(steps)}"[:300]
