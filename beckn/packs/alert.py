"""Alerts in the middle of an event, and the answer: shift, pause or go on as planned.

A buyer sends ``GridEventAlert`` as the performance of an update, with CAPACITY_REQUESTED for what it needs beside what
was promised. The seller answers with ``FlexibilityAction``, linked by the id of the event: CAPACITY_OFFERED is what
leaves the half-hours besides, and ``responseSeconds`` the time from the alert to the decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from beckn.packs.contracts import performance
from beckn.packs.forms import ALERT, ActionForm, AlertForm, context_of, read_form
from beckn.packs.grid import Column, Grid, read_grid, require_columns, wire_number, write_event
from core.slots import SLOT

ALERT_KIND = "GridEventAlert"
ACTION_KIND = "FlexibilityAction"


@dataclass(frozen=True, slots=True)
class Alert:
    """What a grid needs besides: ``needed_kw`` for each half-hour from ``starts``, at a site."""

    event_id: str
    event_type: str
    severity: str
    site_id: str
    starts: datetime
    needed_kw: tuple[Decimal, ...]

    def cells(self) -> tuple[tuple[datetime, Decimal], ...]:
        """The half-hours in which something is needed."""
        found = ((self.starts + SLOT * number, kw) for number, kw in enumerate(self.needed_kw))
        return tuple((starts, kw) for starts, kw in found if kw > 0)

    def wire(self, base: str) -> dict[str, Any]:
        """As ``performanceAttributes``; ``base`` is where the sender is reached."""
        grid = Grid(self.starts, {"CAPACITY_REQUESTED": Column.of("KW", self.needed_kw, "buyer")})
        return {
            "@context": context_of(base, ALERT),
            "@type": ALERT_KIND,
            "eventId": self.event_id,
            "eventType": self.event_type,
            "severity": self.severity,
            "siteId": self.site_id,
            **write_event(grid),
        }


@dataclass(frozen=True, slots=True)
class Answered:
    """What is done about an alert.

    :param action: ``shift``, ``pause`` or ``continue``. :param freed_kw: for each half-hour from ``starts``.
    :param carbon_kg: emitted more; negative: less. None where it is not known, as :param response_seconds:.
    """

    event_id: str
    action: str
    reason: str
    starts: datetime
    freed_kw: tuple[Decimal, ...]
    carbon_kg: Decimal | None
    response_seconds: Decimal | None
    tick_id: str | None

    def wire(self, base: str) -> dict[str, Any]:
        """As ``performanceAttributes``; ``base`` is where the sender is reached."""
        grid = Grid(self.starts, {"CAPACITY_OFFERED": Column.of("KW", self.freed_kw, "seller")})
        told: dict[str, Any] = {
            "@context": context_of(base, ALERT),
            "@type": ACTION_KIND,
            "eventId": self.event_id,
            "actionType": self.action,
            "reason": self.reason,
            **write_event(grid),
        }
        figures = {"carbonKg": self.carbon_kg, "responseSeconds": self.response_seconds}
        told |= {name: wire_number(figure) for name, figure in figures.items() if figure is not None}
        return told if self.tick_id is None else {**told, "tickId": self.tick_id}

    def performed(self, code: str, commitment_ids: Sequence[str], base: str) -> dict[str, Any]:
        """As a performance of a contract: ``code`` says how far it is."""
        return performance(f"alert-{self.event_id}"[:500], code, self.action, commitment_ids, self.wire(base))


def read_alert(performances: Sequence[Mapping[str, Any]] | None, path: str) -> Alert | None:
    """The alert among the performances of an update; None where there is none. :class:`Fault` ``SCH_``."""
    for number, each in enumerate(performances or ()):
        attributes = each.get("performanceAttributes") or {}
        if attributes.get("@type") == ALERT_KIND:
            here = f"{path}[{number}].performanceAttributes"
            form = read_form(AlertForm, attributes, ALERT, here)
            grid = read_grid(attributes, here, ("CAPACITY_REQUESTED",))
            require_columns(grid, ("CAPACITY_REQUESTED",), here)
            figures = tuple(figure or Decimal(0) for figure in grid.figures("CAPACITY_REQUESTED"))
            return Alert(form.event_id, form.event_type, form.severity, form.site_id, grid.start, figures)
    return None


def read_action(performances: Sequence[Mapping[str, Any]] | None, path: str) -> Answered | None:
    """The answer to an alert among the performances of a contract; None where there is none."""
    for number, each in enumerate(performances or ()):
        attributes = each.get("performanceAttributes") or {}
        if attributes.get("@type") == ACTION_KIND:
            here = f"{path}[{number}].performanceAttributes"
            form = read_form(ActionForm, attributes, ALERT, here)
            grid = read_grid(attributes, here, ("CAPACITY_OFFERED",))
            require_columns(grid, ("CAPACITY_OFFERED",), here)
            figures = tuple(figure or Decimal(0) for figure in grid.figures("CAPACITY_OFFERED"))
            carbon, seconds = (
                None if each is None else Decimal(str(each)) for each in (form.carbon_kg, form.response_seconds)
            )
            told = form.event_id, form.action_type, form.reason
            return Answered(*told, grid.start, figures, carbon, seconds, form.tick_id)
    return None
