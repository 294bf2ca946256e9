"""The submit form: text fields in, a :class:`JobRequest` or errors beside their fields out."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from werkzeug.datastructures import MultiDict

from core.errors import InputError
from core.job import FlexibilityType, JobRequest, Tier
from web.pages.formatting import adaptive, duration, gbp, number, pence, utc
from web.pages.places import country_name
from web.problems import field_errors

if TYPE_CHECKING:
    from agents.advisor.drafts import Assumed, Understood

LABELS = {
    "job_name": "Name",
    "job_type": "Kind of work",
    "flexibility_type": "Flexibility",
    "tenant": "Tenant",
    "tier": "Service tier",
    "priority_level": "Priority level",
    "asset_id": "Registered asset",
    "earliest_start": "Earliest start",
    "latest_finish": "Latest finish",
    "duration_hours": "Duration",
    "power_kw": "Power",
    "gpu_count": "GPU count",
    "levels": "Power levels",
    "allowed_regions": "Allowed regions",
    "carbon_cap_g_per_kwh": "Carbon cap",
    "max_price_gbp_per_kwh": "Price cap",
    "pause_cost_gbp": "Cost of a pause",
    "command": "Command",
    "timeout_minutes": "Time limit",
}
_TIMES = frozenset({"earliest_start", "latest_finish"})
_OF_KIND = {"levels": FlexibilityType.THROTTLABLE, "pause_cost_gbp": FlexibilityType.PAUSABLE}
_LISTS = frozenset({"allowed_regions"})
_PENCE = "max_price_pence_per_kwh"


@dataclass(frozen=True, slots=True)
class FormError:
    """What is wrong with a field, and what to do."""

    message: str
    remedy: str


@dataclass(slots=True)
class JobForm:
    """The form as it stands: what was typed, and what is wrong with it.

    ``values`` keeps the text as typed; a price cap is typed in pence and sent in pounds.
    """

    values: dict[str, str]
    regions: tuple[str, ...] = ()
    errors: dict[str, FormError] = field(default_factory=dict)

    @classmethod
    def blank(cls, deadline: str) -> JobForm:
        """An empty form with the defaults that suit most jobs."""
        return cls(
            {
                "job_type": "batch",
                "flexibility_type": FlexibilityType.DEFERRABLE,
                "tier": Tier.STANDARD,
                "tenant": "default",
                "latest_finish": deadline,
                "duration_hours": "2",
                "power_kw": "10",
                "pause_cost_gbp": "0",
            }
        )

    @classmethod
    def sent(cls, form: MultiDict[str, str]) -> JobForm:
        """The form as it was sent."""
        names = (*LABELS, _PENCE)
        return cls(
            {name: form[name].strip() for name in names if name in form and name not in _LISTS},
            tuple(form.getlist("allowed_regions")),
        )

    @classmethod
    def drafted(cls, request: JobRequest) -> JobForm:
        """The form as a draft fills it in."""
        texts = {name: getattr(request, name) for name in LABELS if name not in _LISTS}
        typed = {name: _typed(value) for name, value in texts.items() if value is not None and name not in _OF_KIND}
        price = request.max_price_gbp_per_kwh
        typed |= {} if price is None else {_PENCE: f"{100 * price:g}"}
        return cls({**typed, "pause_cost_gbp": f"{request.pause_cost_gbp:g}"}, request.allowed_regions)

    def request(self, *, unnamed: str | None = None) -> JobRequest | None:
        """The request that the form spells, or None with ``errors`` filled in.

        ``unnamed`` is the name to use where none was typed yet.
        """
        fields = self._plain(unnamed)
        for read in (_price_cap, _command, _levels):
            try:
                fields |= read({**fields, _PENCE: self.values.get(_PENCE)})
            except _Unreadable as error:
                fields.pop(error.field, None)
                self.refuse(error.field, str(error), error.remedy)
        try:
            request = JobRequest.model_validate(fields)
        except ValidationError as error:
            self._refuse_fields(error)
        return None if self.errors else request

    def _refuse_fields(self, error: ValidationError) -> None:
        for found in field_errors(error):
            name = found.field.split(".")[0]
            self.refuse(name if name in LABELS else "", found.message, found.remedy)

    def refuse(self, name: str, message: str, remedy: str) -> None:
        """Note an error beside the field ``name``; the first one stays. No name is the form as a whole."""
        self.errors.setdefault(name, FormError(message, remedy))

    def refuse_input(self, error: InputError) -> None:
        """Note an error that the job agent or the site raised."""
        name = error.field.split(".")[0]
        self.refuse(name if name in LABELS else "", str(error), error.remedy)

    def _plain(self, unnamed: str | None) -> dict[str, Any]:
        """What was typed, without empty fields and fields of other kinds of job; times as UTC."""
        kind = self.values.get("flexibility_type")
        typed: dict[str, Any] = {
            name: text
            for name, text in self.values.items()
            if text and name != _PENCE and _OF_KIND.get(name, kind) == kind
        }
        if unnamed is not None:
            typed.setdefault("job_name", unnamed)
        if self.regions:
            typed["allowed_regions"] = self.regions
        return {**typed, **{name: f"{typed[name]}Z" for name in _TIMES & typed.keys()}}


_READ: Mapping[str, Callable[[Any], str]] = {
    "duration_hours": lambda hours: duration(3600 * hours),
    "power_kw": lambda kw: f"{adaptive(kw)} kW",
    "earliest_start": utc,
    "latest_finish": utc,
    "max_price_gbp_per_kwh": lambda price: f"{pence(price)} p/kWh",
    "carbon_cap_g_per_kwh": lambda grams: f"{number(grams)} g/kWh",
    "pause_cost_gbp": gbp,
}


def drafted_value(field: Understood | Assumed, names: Mapping[str, str]) -> str:
    """What a draft put into a field, as people read it; ``names`` are those of sites."""
    if field.field == "allowed_regions":
        return ", ".join(names.get(region, country_name(region)) for region in field.value)
    return _READ.get(field.field, str)(field.value)


def _typed(value: object) -> str:
    """A field's value as it would be typed; times in UTC."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M}"
    return f"{value:g}" if isinstance(value, float) else str(value)


class _Unreadable(InputError):
    """Text of a field that cannot even be taken apart."""


def _price_cap(typed: Mapping[str, Any]) -> dict[str, Any]:
    text = typed.get(_PENCE)
    if not text:
        return {}
    try:
        return {"max_price_gbp_per_kwh": float(text) / 100}
    except ValueError as error:
        raise _Unreadable(
            f"{text!r} is not a number",
            field="max_price_gbp_per_kwh",
            value=text,
            remedy="Write pence per kWh, such as 18.5.",
        ) from error


def _command(typed: Mapping[str, Any]) -> dict[str, Any]:
    text = typed.get("command")
    if not text:
        return {}
    try:
        return {"command": tuple(shlex.split(text))}
    except ValueError as error:
        raise _Unreadable(
            f"the command cannot be read: {error}", field="command", value=text, remedy="Close every quotation mark."
        ) from error


def _levels(typed: Mapping[str, Any]) -> dict[str, Any]:
    """One level a line: kW, then work a half-hour."""
    text = typed.get("levels")
    if not text:
        return {}
    pairs = [line.replace(",", " ").split() for line in text.splitlines() if line.strip()]
    if any(len(pair) != 2 for pair in pairs):
        raise _Unreadable(
            "each line of the levels needs two numbers",
            field="levels",
            value=text,
            remedy="Write kW and work a half-hour on each line, such as 50 0.82.",
        )
    return {"levels": [{"power_kw": power, "work_per_slot": work} for power, work in pairs]}
