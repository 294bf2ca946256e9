"""What the fields of records are made of: times, decimals and digests as text, and the base of all bodies."""

from __future__ import annotations

import math
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from core.slots import format_utc


def dec(value: float | Decimal, places: int) -> str:
    """``value`` as a decimal string with ``places`` decimals, rounded half to even; :class:`ValueError` if not finite.

    A negative zero loses its sign, so that equal figures are equal strings.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a finite figure and cannot be recorded")
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _instant(value: Any) -> Any:
    """Aware times become RFC 3339 with ``Z``; naive ones raise :class:`ValueError`."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return format_utc(value) if isinstance(value, datetime) else value


Time = Annotated[str, BeforeValidator(_instant)]
DECIMAL = r"^-?[0-9]+(\.[0-9]+)?$"
Dec = Annotated[str, Field(pattern=DECIMAL)]
Hex64 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Body(BaseModel):
    """Base of all bodies: unknown fields are refused, so are floats where a decimal string belongs."""

    model_config = ConfigDict(extra="forbid", frozen=True)
