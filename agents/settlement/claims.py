"""Claims about carbon on the log: the one in force of each delivery, and its restatement when figures are settled.

A delivery claims by what is known when its job ends. When the ledger knows more, a ``correction`` record says what the
claim comes out as now; the delivery stays as it is, so that every earlier view can be given back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from accounting.settlement import ESTIMATE_FINAL_AFTER
from agents.site.agent import SiteAgent
from agents.site.delivery import carbon_claim, share_delivered
from audit.bodies.carbon import CarbonClaimBody
from audit.bodies.log import ChangeBody, CorrectionBody
from audit.log import AuditLog
from audit.record import Entry, Record
from core.errors import NotFound
from core.job import MAX_WINDOW
from core.ledger import Leg, SlotEntry
from store.ledger import LedgerRepository

KIND = "correction"
RESTATED_FOR = MAX_WINDOW + ESTIMATE_FINAL_AFTER + timedelta(days=5)
"""How long after its delivery a claim may be restated.

A job's window, in which its baseline may lie later than the job; the time for which an estimate may change; and five
days in which the server may have been down.
"""


@dataclass(frozen=True, slots=True)
class ClaimInForce:
    """What a delivery is claimed to have done to carbon, as it was last stated.

    :param versions: the delivery, then its restatements, oldest first.
    """

    versions: tuple[Record, ...]

    @property
    def delivery(self) -> Record:
        """The record of the delivery, which made the claim first."""
        return self.versions[0]

    @property
    def stated_by(self) -> Record:
        """The record whose claim is in force."""
        return self.versions[-1]

    @property
    def carbon(self) -> dict[str, Any]:
        """The claim: a :class:`CarbonClaimBody` as recorded."""
        return carbon_of(self.stated_by)

    @property
    def revision(self) -> int:
        """How many times the claim was restated."""
        return len(self.versions) - 1


def carbon_of(record: Record) -> dict[str, Any]:
    """The claim that a delivery or a correction states."""
    carbon: dict[str, Any] = record.body["carbon"]
    return carbon


def claims_in_force(
    deliveries: Iterable[Record], corrections: Iterable[Record], instant: datetime
) -> list[ClaimInForce]:
    """The claim of each delivery that makes one, as it was stated at ``instant``, in the order of ``deliveries``.

    :param corrections: of any records, oldest first.
    """
    versions = {each.seq: [each] for each in deliveries if each.body.get("carbon") and each.recorded_at <= instant}
    for each in corrections:
        known = versions.get(each.body["corrected_seq"])
        if known is not None and each.body.get("carbon") and each.recorded_at <= instant:
            known.append(each)
    return [ClaimInForce(tuple(known)) for known in versions.values()]


def claims_on(
    log: AuditLog,
    instant: datetime,
    *,
    job_id: str | None = None,
    site_id: str | None = None,
    settlement_date: str | None = None,
) -> list[ClaimInForce]:
    """The claims of the deliveries on a log that match, as they were stated at ``instant``, oldest delivery first.

    :param settlement_date: on which the job's first run began, such as ``2026-10-20``.
    """
    deliveries, corrections = (
        log.matching(kind=kind, job_id=job_id, site_id=site_id, settlement_date=settlement_date)
        for kind in ("delivery", KIND)
    )
    return claims_in_force(deliveries, corrections, instant)


@dataclass(slots=True)
class _Open:
    """A claim that may still change: where its versions stand on the log, and when its delivery was recorded."""

    seqs: tuple[int, ...]
    delivered_at: datetime


class Restatements:
    """Appends a ``correction`` for each delivery whose claim would come out otherwise by now.

    What is kept here between calls is only what the log holds anyway, so that a start begins with a look at all that
    was delivered within :data:`RESTATED_FOR`. Later calls look at what is new and at what the ledger changed.
    """

    def __init__(self, ledger: LedgerRepository, log: AuditLog, sites: SiteAgent) -> None:
        self._ledger = ledger
        self._log = log
        self._sites = sites
        self._looked_at: datetime | None = None
        self._last_seq = -1
        self._open: dict[str, _Open] = {}
        self._due: set[str] = set()

    def restate(self, now: datetime, changed: Collection[str]) -> int:
        """Append what must be restated, and give its number; what the log does not take is due at the next call.

        :param changed: jobs of which the ledger has firmer figures than at the last call.
        """
        self._due.update(changed)
        self._take_up(now)
        records = self._log.append_all(list(self._new(sorted(self._due & self._open.keys()))))
        for record in records:
            self._note(record)
        self._due.clear()
        return len(records)

    def _take_up(self, now: datetime) -> None:
        """Deliveries since the last look are due once; after a start, so are all within :data:`RESTATED_FOR`."""
        first = now - RESTATED_FOR
        deliveries = self._log.matching(kind="delivery", start=self._looked_at or first)
        corrections = self._log.matching(kind=KIND, start=first) if self._looked_at is None else ()
        new = (record for record in deliveries if record.seq > self._last_seq)
        for claim in claims_in_force(new, corrections, now):
            self._last_seq = claim.delivery.seq
            if claim.carbon["claim_level"] != "settled":
                seqs = tuple(record.seq for record in claim.versions)
                job_id = str(claim.delivery.body["job_id"])
                self._open[job_id] = _Open(seqs, claim.delivery.recorded_at)
                self._due.add(job_id)
        self._open = {job_id: each for job_id, each in self._open.items() if each.delivered_at >= first}
        self._looked_at = now

    def _note(self, record: Record) -> None:
        """A claim was restated; one that is settled is the last word."""
        job_id = record.body["job_id"]
        self._open[job_id].seqs += (record.seq,)
        if carbon_of(record)["claim_level"] == "settled":
            del self._open[job_id]

    def _new(self, job_ids: Sequence[str]) -> Iterator[Entry]:
        """Corrections of the claims of these jobs that come out otherwise."""
        rows = self._ledger.of_jobs(job_ids)
        zone_of = {site.site_id: site.zone for site in self._sites.sites()}
        for job_id in job_ids:
            entry = self._correction(self._open[job_id], rows.get(job_id, []), zone_of)
            if entry is not None:
                yield entry

    def _correction(self, known: _Open, rows: Sequence[SlotEntry], zone_of: Mapping[str, str]) -> Entry | None:
        """The correction of a claim by the rows as they are.

        None where it comes out the same, or cannot be made again: its rows are gone, or a record that it rests on was
        removed after its time.
        """
        try:
            claim = ClaimInForce(tuple(map(self._log.get, known.seqs)))
            decision = self._log.get(claim.delivery.body["decision_seq"])
        except NotFound:
            return None
        again = _again(claim.delivery.body, decision.body["sources"], rows, zone_of)
        body = None if again is None else _correction(claim, again)
        if body is None:
            return None
        return Entry(KIND, body, "settlement", [claim.delivery.ref, *(each.ref for each in claim.versions[1:][-1:])])


def _again(
    delivery: Mapping[str, Any], sources: Sequence[str], rows: Sequence[SlotEntry], zone_of: Mapping[str, str]
) -> CarbonClaimBody | None:
    """The claim of a delivery by the rows as they are; None where there are none to compare."""
    command = delivery["command_sha256"] is not None
    share = share_delivered(delivery["delivered_kwh"], delivery["committed_kwh"]) if command else 1.0
    read = [row for row in rows if row.leg is Leg.PLAN and row.delivered_kwh is not None]
    baseline = [row for row in rows if row.leg is Leg.BASELINE]
    return carbon_claim(read, baseline, sources, delivery["reading_type"], share, zone_of)


def _correction(claim: ClaimInForce, again: CarbonClaimBody) -> CorrectionBody | None:
    """The record of a claim that comes out otherwise, its regions those of the delivery; None where it does not."""
    held = claim.carbon
    again = again.model_copy(update={"grid_regions": held["grid_regions"]})
    before, after = _leaves(held), _leaves(again.model_dump())
    paths = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    if not paths:
        return None
    was, now = held["claim_level"], again.claim_level
    why = f"the claim was {was} and is {now} by them" if was != now else f"the claim stays {now}"
    return CorrectionBody(
        corrected_seq=claim.delivery.seq,
        corrected_leaf=claim.delivery.leaf,
        changes=[ChangeBody(path=path, was=before.get(path), now=after.get(path)) for path in paths],
        reason=f"the ledger has firmer figures of its half-hours: {why}",
        job_id=claim.delivery.body["job_id"],
        site_id=claim.delivery.body["site_id"],
        carbon=again,
        revision=claim.revision + 1,
        supersedes_seq=claim.stated_by.seq,
    )


def _leaves(value: Any, path: str = "carbon") -> dict[str, str | None]:
    """The plain values within ``value`` as text, by path such as ``carbon/scope2/location_kg``."""
    if isinstance(value, Mapping):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    else:
        return {path: None if value is None else str(value)}
    return {leaf: text for name, part in parts for leaf, text in _leaves(part, f"{path}/{name}").items()}
