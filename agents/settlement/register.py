"""The operator's settlement file: BM units, activations, certificates, calendars. Nothing of it is ever made up.

It is read anew whenever settlement looks at it, so that flows and activations noted later restate their periods.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from accounting.bl01 import Bl01Parameters, Trigger
from accounting.certificates import Certificate
from accounting.compensation import CompensationScheme
from accounting.flows import FLOWS, FlowRecord, FlowState
from accounting.metering_points import BalancingUnit, MeteringPoint
from accounting.runs import RunCalendar
from accounting.working_days import WorkingDays
from core.errors import InputError
from core.slots import settlement_period

REMEDY = "Correct SETTLEMENT_FILE; docs/evidence.md shows what it may hold."


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(_Part):
    """A message that came about a flow."""

    message: str
    at: AwareDatetime
    reject_code: str | None = None


class Submission(_Part):
    """A flow that was due about the periods of an activation, and what became of it."""

    flow: str
    sent_at: AwareDatetime | None = None
    file_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    answers: tuple[Answer, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.flow not in FLOWS:
            raise ValueError(f"flow {self.flow!r} is none of {', '.join(FLOWS)}")
        if (self.sent_at is None) != (self.file_sha256 is None) or (self.answers and self.sent_at is None):
            raise ValueError("a flow that was sent has sent_at and file_sha256, and only such a flow has answers")
        return self

    def record(self, sp_start: datetime, working: WorkingDays, now: datetime) -> FlowRecord:
        """As it stands at ``now`` for a period; :class:`Conflict` for answers that cannot have come."""
        record = FlowRecord.due(self.flow, sp_start, working)
        if self.sent_at is None or self.file_sha256 is None:
            return record.looked_at(now)
        record = record.sent(self.sent_at, self.file_sha256)
        for answer in self.answers if record.state is not FlowState.MISSED else ():
            record = record.answered(answer.message, answer.at, answer.reject_code)
        return record


class Activation(_Part):
    """Periods of a settlement day in which a site deviated on purpose."""

    site_id: str
    settlement_date: date
    first_period: int = Field(ge=1, le=50)
    last_period: int = Field(ge=1, le=50)
    trigger: Trigger
    submitted_mwh: Decimal | None = Field(None, description="expected volume submitted for each period, by BSC signs")
    flows: tuple[Submission, ...] = ()

    def covers(self, site_id: str, sp_start: datetime) -> bool:
        """Whether the period is one of it."""
        day, period = settlement_period(sp_start)
        here = site_id == self.site_id and day == self.settlement_date
        return here and self.first_period <= period <= self.last_period


class RegisterBody(_Part):
    """What the file holds."""

    unit: tuple[BalancingUnit, ...] = ()
    activation: tuple[Activation, ...] = ()
    compensation: CompensationScheme | None = None
    runs: RunCalendar | None = None
    bl01: Bl01Parameters = Bl01Parameters()
    bank_holidays: frozenset[date] = Field(frozenset(), description="those that were proclaimed for once")
    certificate: tuple[Certificate, ...] = ()
    residual_mix: dict[str, Annotated[Decimal, Field(ge=0)]] = Field(
        default_factory=dict, description="gCO2/kWh of what certificates leave, by grid zone"
    )

    @model_validator(mode="after")
    def _one_unit_a_site(self) -> Self:
        sites = [unit.site_id for unit in self.unit]
        if len(set(sites)) < len(sites):
            raise ValueError("a site has two units")
        return self

    @model_validator(mode="after")
    def _certificates_once(self) -> Self:
        counts = Counter(certificate.gc_id for certificate in self.certificate)
        if twice := [gc_id for gc_id, count in counts.items() if count > 1]:
            raise ValueError(f"certificate {twice[0]} is listed twice")
        return self


@dataclass(frozen=True, slots=True)
class Register:
    """The file as read, with the digest of its bytes."""

    body: RegisterBody
    sha256: str

    def unit(self, site_id: str) -> BalancingUnit | None:
        """The BM unit of a site; None where it has none."""
        return next((unit for unit in self.body.unit if unit.site_id == site_id), None)

    def points(self, site_id: str) -> tuple[MeteringPoint, ...]:
        """The MSID pairs of a site's BM unit; none where it has no unit."""
        unit = self.unit(site_id)
        return () if unit is None else unit.points

    def activation(self, site_id: str, sp_start: datetime) -> Activation | None:
        """The activation that a period belongs to, if any."""
        return next((each for each in self.body.activation if each.covers(site_id, sp_start)), None)

    def event_days(self, site_id: str) -> frozenset[date]:
        """The days on which a site was activated."""
        return frozenset(each.settlement_date for each in self.body.activation if each.site_id == site_id)

    def certificates(self, site_id: str, day: date) -> list[Certificate]:
        """Those for a site's settlement day, in the order in which they are claimed: by start, then by number."""
        found = [each for each in self.body.certificate if (each.site_id, each.settlement_date) == (site_id, day)]
        return sorted(found, key=lambda each: (each.start, each.gc_id))


def read_register(path: Path | None) -> Register:
    """Read the file; without a path, a register in which no site has a unit.

    :raises InputError: it cannot be read, or something in it cannot be; the message names the field.
    """
    if path is None:
        return Register(RegisterBody(), hashlib.sha256(b"").hexdigest())
    try:
        raw = path.read_bytes()
        body = RegisterBody.model_validate(tomllib.loads(raw.decode()))
    except OSError as error:
        raise _refused(path, f"cannot be read ({error.strerror})", "SETTLEMENT_FILE") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise _refused(path, f"{field}: {first['msg']}", field) from error
    except ValueError as error:
        raise _refused(path, f"is not TOML in UTF-8: {error}", "SETTLEMENT_FILE") from error
    return Register(body, hashlib.sha256(raw).hexdigest())


def _refused(path: Path, problem: str, field: str) -> InputError:
    return InputError(f"{path}: {problem}", field=field, value=str(path), remedy=REMEDY)
