"""The certificates that the log claims: the latest statements count, of whatever day and from whatever run of ours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from accounting.runs import PeriodKey
from agents.settlement.bodies import key_of
from audit.log import AuditLog

KIND = "settlement_period"
CLAIMING = '"gc_id":'
"""occurs in the line of a statement that claims a certificate"""


class Claimed:
    """Which certificate is claimed for which site's day; empty until :meth:`load`."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._loaded = False
        self._of: dict[PeriodKey, tuple[str, ...]] = {}

    def load(self) -> None:
        """Read the log once: whatever was ever claimed and is still stated so."""
        if self._loaded:
            return
        self._loaded = True
        claiming = {key_of(record.body) for record in self._log.matching(kind=KIND, text=CLAIMING)}
        for day in sorted({(key.site_id, key.settlement_date) for key in claiming}):
            for record in self._log.matching(kind=KIND, site_id=day[0], settlement_date=day[1].isoformat()):
                self.note(record.body)

    def note(self, body: Mapping[str, Any]) -> None:
        """Take in a statement that comes after all others of its period."""
        if not self._loaded:
            return
        key, scope2 = key_of(body), body.get("scope2")
        self._of.pop(key, None)
        if scope2 is not None and scope2["certificates"]:
            self._of[key] = tuple(each["gc_id"] for each in scope2["certificates"])

    def forget(self) -> None:
        """Read the log again when it is needed: what was noted was not recorded."""
        self._loaded = False
        self._of.clear()

    def elsewhere(self, site_id: str, day: date) -> dict[str, str]:
        """Certificates claimed for another site or another day than these, each with where."""
        return {
            gc_id: f"{key.site_id} on {key.settlement_date}"
            for key, gc_ids in self._of.items()
            if (key.site_id, key.settlement_date) != (site_id, day)
            for gc_id in gc_ids
        }

    def has(self, gc_id: str) -> bool:
        """Whether a certificate is claimed anywhere."""
        return any(gc_id in gc_ids for gc_ids in self._of.values())
