"""What the decision log holds of contracts: appended, and durable, before anything is acted on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from audit.bodies.trade import ContractBody, IntervalBody, SettledBody
from audit.fields import dec
from audit.log import AuditLog
from audit.record import Trace
from beckn.protocol.body import write_body
from beckn.provider.items import Item, total_of
from core.slots import format_utc
from core.trade import Contract

Event = Literal["confirmed", "updated", "cancelled", "alerted", "settled"]


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

    def confirmed(self, contract_id: str) -> int | None:
        """The record that confirmed a contract, where there is one."""
        found, _ = self._log.records(kind="contract", text=contract_id, limit=100)
        return next((record.seq for record in found if record.body["event"] == "confirmed"), None)


def document_sha256(wire: Mapping[str, Any]) -> str:
    """SHA-256 of a contract as it is written on the wire, hex."""
    return hashlib.sha256(write_body(wire)).hexdigest()


def _interval(item: Item, number: int) -> IntervalBody:
    line = item.lines[number]
    carbon = line.carbon_g_per_kwh
    return IntervalBody(
        site_id=item.site_id,
        start=format_utc(line.starts),
        power_kw=dec(line.kw, 3),
        baseline_kw=None if line.baseline_kw is None else dec(line.baseline_kw, 3),
        price_per_kwh=dec(line.price, 5),
        penalty_per_kwh=dec(line.penalty, 5),
        carbon_g_per_kwh=None if carbon is None else dec(carbon, 3),
        data_kinds=list(line.kinds),
    )
