"""The forms of this participant's own packs: the models behind their JSON Schema, which also read what others send.

What is written is checked against the same schema as what is read; each pack's module says what its words mean.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from beckn.packs.grid import MOST_INTERVALS
from beckn.packs.reading import at, mapping, text
from beckn.protocol.faults import Fault
from core.series import Kind

COMPUTE_WINDOW = "compute-window"
TURN_DOWN = "turn-down"
CARBON = "carbon"
SETTLEMENT = "settlement"
ALERT = "alert"
VERSION = "v1"

DURATION = r"^P(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?$"
PriceKind = Literal["settled", "estimate", "forecast", "simulated", "none"]
CarbonKind = Literal["outturn", "estimate", "forecast", "simulated"]
PRICE_KINDS: dict[Kind, PriceKind] = {
    Kind.SETTLED: "settled",
    Kind.ESTIMATE: "estimate",
    Kind.FORECAST: "forecast",
    Kind.SIMULATED: "simulated",
    Kind.MISSING: "none",
}
CARBON_KINDS: dict[Kind, CarbonKind] = {
    Kind.SETTLED: "outturn",
    Kind.ESTIMATE: "estimate",
    Kind.FORECAST: "forecast",
    Kind.SIMULATED: "simulated",
}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


class Form(BaseModel):
    """Camel case on the wire, nothing beyond what is said here."""

    model_config = ConfigDict(extra="forbid", alias_generator=_camel, allow_inf_nan=False)


class Point(Form):
    """A GeoJSON point."""

    type: Literal["Point"]
    coordinates: Annotated[list[float], Field(min_length=2, max_length=3)]


class Location(Form):
    """Where it is."""

    geo: Point


class Period(Form):
    """The grid."""

    start: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    duration: Literal["PT30M"]


class Descriptor(Form):
    """What a column is."""

    object_type: Literal["EVENT_PAYLOAD_DESCRIPTOR"]
    payload_type: str
    units: str
    inserted_by: str | None = None


class Payload(Form):
    """One column's figures in one half-hour."""

    type: str
    values: Annotated[list[float], Field(min_length=1, max_length=1)]


class HalfHour(Form):
    """One row of the grid."""

    id: Annotated[int, Field(ge=0, lt=MOST_INTERVALS)]
    payloads: list[Payload]


class GridForm(Form):
    """A time series of half-hours."""

    context: Annotated[str, Field(alias="@context")]
    interval_period: Period
    payload_descriptors: Annotated[list[Descriptor], Field(min_length=1)]
    intervals: Annotated[list[HalfHour], Field(min_length=1, max_length=MOST_INTERVALS)]


class CarbonForm(GridForm):
    """Carbon, apart from what settles."""

    type: Annotated[Literal["CarbonWindow"], Field(alias="@type")]
    kinds: list[CarbonKind]


class CertificateForm(Form):
    """How far the plan behind it can be from the best one."""

    tick_id: str
    objective_gbp: float | None = None
    bound_gbp: float | None = None
    gap: float | None = None
    log_seq: int | None = None


class SiteForm(GridForm):
    """What a site sells, half-hour by half-hour."""

    site_id: Annotated[str, Field(min_length=1, max_length=63)]
    zone: Annotated[str, Field(min_length=2, max_length=24)]
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    location: Location
    notice: Annotated[str, Field(pattern=DURATION)]
    price_kinds: list[PriceKind]
    certificate: CertificateForm | None = None
    carbon: CarbonForm | None = None
    carbon_outturn: CarbonForm | None = None


class ComputeWindowForm(SiteForm):
    """Free headroom of a site."""

    type: Annotated[Literal["ComputeWindow"], Field(alias="@type")]
    minimum_kw: Annotated[float, Field(ge=0)]
    maximum_kw: Annotated[float, Field(ge=0)]
    hardware: str | None = None


class BaselineForm(Form):
    """What a reduction is measured against."""

    method: Literal["declared-plan"]
    tick_id: str
    log_seq: int | None = None


class TurnDownForm(SiteForm):
    """Load of a site that can be moved away."""

    type: Annotated[Literal["TurnDownResource"], Field(alias="@type")]
    maximum_duration: Annotated[str, Field(pattern=DURATION)]
    confidence: list[Annotated[float, Field(ge=0, le=1)]]
    baseline_methodology: BaselineForm


class InputForm(Form):
    """What one role brings to an offer; the participant is null until somebody takes the role."""

    role: Literal["buyer", "seller"]
    participant_id: str | None
    inputs: dict[str, Any] | None = None


class OfferForm(Form):
    """Terms under which a resource is sold."""

    context: Annotated[str, Field(alias="@context")]
    contract_attributes: dict[str, Any] | None = None
    inputs: list[InputForm]


class ComputeWindowOfferForm(OfferForm):
    """Terms of headroom."""

    type: Annotated[Literal["ComputeWindowOffer"], Field(alias="@type")]


class TurnDownOfferForm(OfferForm):
    """Terms of load that moves away."""

    type: Annotated[Literal["TurnDownOffer"], Field(alias="@type")]


class ConsiderationForm(Form):
    """What a contract comes to if all that was promised is delivered."""

    context: Annotated[str, Field(alias="@context")]
    type: Annotated[Literal["FlexConsideration"], Field(alias="@type")]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    amount: float
    basis: Literal["promised", "delivered"]


class AlertForm(GridForm):
    """What a grid needs in the middle of an event."""

    type: Annotated[Literal["GridEventAlert"], Field(alias="@type")]
    event_id: Annotated[str, Field(min_length=1, max_length=120)]
    event_type: Annotated[str, Field(min_length=1, max_length=120)]
    severity: Literal["low", "moderate", "high", "critical"]
    site_id: Annotated[str, Field(min_length=1, max_length=63)]


class ActionForm(GridForm):
    """What is done about it."""

    type: Annotated[Literal["FlexibilityAction"], Field(alias="@type")]
    event_id: Annotated[str, Field(min_length=1, max_length=120)]
    action_type: Literal["shift", "pause", "continue"]
    reason: Annotated[str, Field(max_length=2000)]
    carbon_kg: float | None = None
    response_seconds: Annotated[float, Field(ge=0)] | None = None
    tick_id: str | None = None


FormT = TypeVar("FormT", bound=Form)


def context_of(base: str, pack: str) -> str:
    """The ``@context`` of an own pack; ``base`` is where this participant is reached."""
    return f"{base.rstrip('/')}/schemas/{pack}/{VERSION}/context.jsonld"


def read_form(form: type[FormT], attributes: Any, pack: str, path: str) -> FormT:
    """Read attributes of an own pack, from whichever participant.

    :raises Fault: ``SCH_``, with the JSONPath of the first field that is not as the pack says.
    """
    found = mapping(attributes, path)
    if not text(found, "@context", path).endswith(f"/schemas/{pack}/{VERSION}/context.jsonld"):
        raise Fault("SCH_INVALID_JSONLD_CONTEXT", f"it is not of the pack {pack}/{VERSION}", at(path, "@context"))
    try:
        return form.model_validate(found, strict=False)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = path + "".join(f"[{p}]" if isinstance(p, int) else at("", str(p)) for p in first["loc"])
        code = {"missing": "SCH_REQUIRED_FIELD_MISSING", "extra_forbidden": "SCH_FIELD_NOT_ALLOWED"}
        raise Fault(code.get(first["type"], "SCH_SCHEMA_VALIDATION_FAILED"), first["msg"], where) from error
