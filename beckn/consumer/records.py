"""What the log says of the contracts of the consumer's side: written before anything is sent that binds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal, cast

from audit.bodies.trade import ContractBody, IntervalBody, SettledBody
from audit.fields import dec
from audit.log import AuditLog
from audit.record import Trace
from beckn.consumer.legs import Item, Line, amount, read_items, wire_of
from beckn.packs.settlement import Row
from beckn.protocol.body import write_body
from core.slots import format_utc
from core.trade import Contract, ContractState, Product

Event = Literal["confirmed", "updated", "cancelled", "alerted", "settled"]
AGENT = "beckn"


def record(
    log: AuditLog,
    contract: Contract,
    event: Event,
    state: ContractState,
    detail: str | None = None,
    settled: tuple[Sequence[Row], Decimal] | None = None,
    about: str = "",
) -> int:
    """Record a step of a contract once; the number of its record, old or new.

    A step that a crash cut off after its record finds the record here and adds none.

    :param settled: rows in the order of the items' lines, and the total.
    :param about: what ``detail`` begins with, where there may be several records of one event.
    """
    known = _known(log, contract.contract_id, event, about[:300])
    if known is not None:
        return known
    items = read_items(contract)
    rows, total = ((), amount(items)) if settled is None else settled
    body = ContractBody(
        contract_id=contract.contract_id,
        event=event,
        side="consumer",
        product="compute-window" if contract.product is Product.COMPUTE_WINDOW else "turn-down",
        peer_id=contract.peer_id,
        state=state.value,
        tick_id=cast("str | None", contract.document.get("tick_id")),
        currency=cast(str, contract.document["currency"]),
        total=dec(total, 2),
        detail=None if detail is None else detail[:300],
        intervals=[_interval(item, line) for item in items for line in item.lines if line.kw > 0],
        settled=settled_bodies(items, rows),
        document_sha256=hashlib.sha256(write_body(wire_of(contract))).hexdigest(),
    )
    trace = Trace(contract.transaction_id, cast("str | None", contract.document["leg"]["message_id"]))
    return log.append("contract", body, agent=AGENT, trace=trace).seq


def _known(log: AuditLog, contract_id: str, event: Event, about: str) -> int | None:
    records, _ = log.records(kind="contract", text=contract_id, limit=50)
    for each in records:
        body = each.body
        same = (body["contract_id"], body["event"], body["side"]) == (contract_id, event, "consumer")
        if same and (body["detail"] or "").startswith(about):
            return each.seq
    return None


def _interval(item: Item, line: Line) -> IntervalBody:
    return IntervalBody(
        site_id=item.site_id,
        start=format_utc(line.starts),
        power_kw=dec(line.kw, 3),
        baseline_kw=None if line.baseline_kw is None else dec(line.baseline_kw, 3),
        price_per_kwh=dec(line.price, 6),
        penalty_per_kwh=dec(line.penalty, 6),
        carbon_g_per_kwh=None if line.carbon is None else dec(line.carbon, 3),
        data_kinds=list(line.kinds),
    )


def settled_bodies(items: Sequence[Item], rows: Sequence[Row]) -> list[SettledBody]:
    """The half-hours in which something was promised, settled; ``rows`` are in the order of the items' lines."""
    if not rows:
        return []
    cells = [(item, line) for item in items for line in item.lines]
    return [
        SettledBody(
            site_id=item.site_id,
            start=format_utc(line.starts),
            baseline_kw=None if line.baseline_kw is None else dec(line.baseline_kw, 3),
            usage_kw=None,
            delivered_kw=dec(row.delivered_kw, 3),
            settled_kwh=dec(row.settled_kwh, 6),
            pay=dec(row.pay, 6),
            penalty=dec(row.penalty, 6),
            data_kinds=list(line.kinds),
        )
        for (item, line), row in zip(cells, rows, strict=True)
        if line.kw > 0
    ]
