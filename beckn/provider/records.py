"""What the decision log holds of contracts: appended, and durable, before anything is acted on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from audit.bodies.trade import ContractBody, IntervalBody, SettledBody
from audit.fields import dec
from audit.log import AuditLog
from audit.record import Trace
from beckn.protocol.body import write_body
from beckn.provider.items import Item, total_of
from core.slots import format_utc
from core.trade import Contract, Message

_MARGIN = timedelta(seconds=1)
"""a record's time is told less exactly than a message's"""
_MOST = 10
"""records that one message brings about"""
Event = Literal["confirmed", "updated", "cancelled", "alerted", "restored", "settled"]


class Records:
    """Writes contracts to ``log``; amounts are in ``currency``."""

    def __init__(self, log: AuditLog, currency: str) -> None:
        self._log = log
        self._currency = currency

    def event(
        self,
        event: Event,
        contract: Contract,
        items: Sequence[Item],
        trace: tuple[str, str] | None,
        *,
        settled: Sequence[SettledBody] = (),
        total: str | None = None,
        detail: str | None = None,
    ) -> int:
        """Append a step of a contract; the number of its record.

        :param trace: transaction and message id of what it answers.
        """
        body = ContractBody(
            contract_id=contract.contract_id,
            event=event,
            side=contract.side.value,
            product=contract.product.value,
            peer_id=contract.peer_id,
            state="ACTIVE" if event == "confirmed" else contract.state.value,
            tick_id=items[0].tick_id,
            currency=self._currency,
            total=total if total is not None else dec(total_of(items), 2),
            detail=detail,
            intervals=[_interval(item, number) for item in items for number in range(len(item.lines))],
            settled=list(settled),
            document_sha256=document_sha256(contract.document.get("wire", {})),
        )
        return self._log.append("contract", body, agent="beckn", trace=Trace(*trace) if trace else None).seq

    def confirmed(self, since: datetime) -> dict[str, tuple[int, str]]:
        """What was confirmed from ``since`` on and not taken back: record and message id, by contract id."""
        found: dict[str, tuple[int, str]] = {}
        for record in self._log.matching(kind="contract", start=since - _MARGIN):
            contract_id = record.body["contract_id"]
            if record.body["event"] == "confirmed":
                found[contract_id] = record.seq, record.trace.beckn_message_id or ""
            elif record.body["event"] == "cancelled":
                found.pop(contract_id, None)
        return found

    def of_message(self, message: Message, contract_id: str | None = None) -> tuple[int, Event] | None:
        """The last record that the work on ``message`` left before it was cut off, and of what it is."""
        start = message.at - _MARGIN
        for record in self._log.records(kind="contract", text=message.message_id, start=start, limit=_MOST)[0]:
            body = record.body
            mine = record.trace.beckn_message_id == message.message_id and body["peer_id"] == message.peer_id
            if mine and contract_id in {None, body["contract_id"]}:
                return record.seq, body["event"]
        return None


def document_sha256(wire: Mapping[str, Any]) -> str:
    """SHA-256 of a contract as it is written on the wire, hex."""
    return hashlib.sha256(write_body(wire)).hexdigest()


def _interval(item: Item, number: int) -> IntervalBody:
    line = item.lines[number]
    outturn = line.outturn
    carbon = line.carbon_g_per_kwh if outturn is None else outturn.g_per_kwh
    return IntervalBody(
        site_id=item.site_id,
        start=format_utc(line.starts),
        power_kw=dec(line.kw, 3),
        baseline_kw=None if line.baseline_kw is None else dec(line.baseline_kw, 3),
        price_per_kwh=dec(line.price, 5),
        penalty_per_kwh=dec(line.penalty, 5),
        carbon_g_per_kwh=None if carbon is None else dec(carbon, 3),
        data_kinds=list(line.kinds) if outturn is None else sorted({*line.kinds, outturn.kind}),
    )
