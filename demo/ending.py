"""The last acts: both sides' settlements beside each other, the schemas as judges, the logs verified, the summary."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from demo.clock import eventually
from demo.processes import Slackwater
from demo.schemas import Schemas
from demo.selling import TURN_DOWN
from demo.settlement import reckoned
from demo.stage import Stage, short
from store.messages import MessageRepository
from store.repositories import Repositories

_MOST_SHOWN = 5


def accounts(stage: Stage) -> None:
    """Every settled contract, as each side has it."""
    tell = stage.tell
    tell.act("Both sides' accounts, to the penny")
    with suppress(TimeoutError):
        eventually(
            lambda: all(each.sold is not None and each.bought is not None for each in _accounts(stage)), "all", 45
        )
    found = _accounts(stage)
    tell.step(f"{len(found)} contracts are settled; what the seller receives by the books of each:")
    tell.table(
        [["contract", "seller", "buyer", "seller's books", "buyer's books", ""], *(each.row() for each in found)]
    )
    tell.check("both sides agree on every settlement to the penny", all(each.agree for each in found))
    tell.check("every contract that was confirmed and not cancelled is settled", len(found) == len(_expected(stage)))
    stage.contracts["accounts"] = {"settled": [f"{each.contract} {_pounds(each.sold)}" for each in found]}


def _expected(stage: Stage) -> list[str]:
    """Names of contracts that must be settled."""
    return [TURN_DOWN, *stage.contracts.get("bought", {}), *stage.contracts.get("needs", {})]


@dataclass(frozen=True, slots=True)
class Account:
    """A contract, who sold and bought it, and what the seller receives by the books of each, GBP."""

    contract: str
    seller: str
    buyer: str
    sold: Decimal | None
    bought: Decimal | None

    @property
    def closed(self) -> bool:
        """Whether both have settled."""
        return self.sold is not None and self.bought is not None

    @property
    def agree(self) -> bool:
        """To the penny."""
        return self.sold is not None and self.sold == self.bought

    def row(self) -> list[str]:
        """Of the table."""
        verdict = "agree" if self.agree else "DIFFER"
        return [self.contract, self.seller, self.buyer, _pounds(self.sold), _pounds(self.bought), verdict]


def _accounts(stage: Stage) -> list[Account]:
    seller, buyer = stage.seller, stage.buyer
    held = stage.contracts[TURN_DOWN]["contract"]
    name = f"turn-down {short(held['id'])}"
    found = [Account(name, seller.name, stage.bap.name, booked(seller, held["id"]), reckoned(held))]
    for contract_id, provider in stage.contracts.get("bought", {}).items():
        ours = provider == seller.subscriber_id
        sold = booked_of(seller, buyer.name) if ours else stage.contracts["shop"].get(contract_id)
        found.append(Account(f"windows {short(contract_id)}", provider, buyer.name, sold, booked(buyer, contract_id)))
    for contract_id, total in stage.contracts.get("needs", {}).items():
        sold = booked(seller, contract_id)
        found.append(Account(f"need {short(contract_id)}", seller.name, stage.utility.name, sold, total))
    return found


def booked(server: Slackwater, contract_id: str) -> Decimal | None:
    """What the seller receives by the newest ``settled`` record of a server's decision log, by its id there."""
    return next((each for name, each in _settled(server, contract_id) if name == contract_id), None)


def booked_of(server: Slackwater, peer_id: str) -> Decimal | None:
    """The same of the newest contract with a peer, which knows it by an id of its own."""
    return next((each for _, each in _settled(server, peer_id)), None)


def _settled(server: Slackwater, text: str) -> list[tuple[str, Decimal]]:
    """Contract and total of the ``settled`` records with ``text`` in them, the newest first."""
    bodies = [
        each["body"] for each in server.ask(f"/api/logs?q={text}&limit=200")["logs"] if each["kind"] == "contract"
    ]
    return [(body["contract_id"], Decimal(body["total"])) for body in bodies if body["event"] == "settled"]


def verify_logs(stage: Stage) -> None:
    """The servers are stopped; their logs are checked offline."""
    tell = stage.tell
    tell.act("The decision logs are verified, offline")
    servers = (stage.seller, stage.buyer)
    with ThreadPoolExecutor(2) as together:
        outcomes = list(together.map(lambda server: _verified(stage, server), servers))
    for server, (status, said) in zip(servers, outcomes, strict=True):
        told = said.strip().partition(": ")[2].split("; ") if status == 0 else [said[-500:]]
        tell.step(f"python app.py audit verify, {server.name}: {'; '.join(told[:2])}")
        tell.check(f"the log of {server.name} is whole", status == 0)


def _verified(stage: Stage, server: Slackwater) -> tuple[int, str]:
    """Status and words of the verification of a server that is stopped for it."""
    server.stop()
    return server.run(stage.clock, "audit", "verify")


def judge(stage: Stage, folder: Path | None) -> None:
    """Every message of the story by the published schemas."""
    tell = stage.tell
    tell.act("Every message that travelled")
    messages = _messages(stage)
    counts = Counter(action for action, _ in messages.values())
    tell.step(f"{len(messages)} messages travelled: " + ", ".join(f"{name} {n}" for name, n in sorted(counts.items())))
    stage.contracts["messages"] = {"count": len(messages), "valid": None}
    unsigned = [each for peer in stage.peers for each in peer.unsigned]
    tell.check("every signature on a callback or an acknowledgement held", not unsigned, "; ".join(unsigned[:3]))
    if folder is None:
        tell.step("no folder of schemas was given (--schemas PATH), so none was checked")
        return
    schemas = Schemas(folder)
    faults = [
        f"{action}: {fault}"
        for action, raw in messages.values()
        for fault in schemas.message_faults(action, json.loads(raw))
    ]
    answers = [
        fault
        for peer in stage.peers
        for each in peer.wire
        if each.answer.startswith(b"{") and each.receiver in {stage.seller.name, stage.buyer.name}
        for fault in schemas.answer_faults(each.status, json.loads(each.answer))
    ]
    distinct = list(dict.fromkeys(faults))
    for fault in distinct[:_MOST_SHOWN]:
        tell.note(fault[:300])
    valid = tell.check(
        "every message is as the published schemas say", not faults, f"{len(distinct)} faults" if distinct else ""
    )
    for fault in list(dict.fromkeys(answers))[:_MOST_SHOWN]:
        tell.note(fault[:300])
    tell.check("so is every acknowledgement of the Slackwaters", not answers)
    stage.contracts["messages"]["valid"] = valid


def _messages(stage: Stage) -> dict[str, tuple[str, bytes]]:
    """Action and bytes of what travelled, by digest: what peers kept, and what is in the stores of the servers."""
    found: dict[str, tuple[str, bytes]] = {}
    for each in stage.travelled():
        found[hashlib.sha256(each.raw).hexdigest()] = each.action, each.raw
    for server in (stage.seller, stage.buyer):
        repositories = Repositories.at(f"sqlite:///{server.folder / 'slackwater.db'}")
        try:
            repository: MessageRepository = repositories.messages
            for message in repository.latest(100_000):
                found[hashlib.sha256(message.body).hexdigest()] = message.action, message.body
        finally:
            repositories.database.close()
    return found


def summary(stage: Stage) -> None:
    """What it comes to."""
    tell, messages = stage.tell, stage.contracts["messages"]
    print("\nSummary", flush=True)
    judged = {
        None: "not judged by the schemas",
        True: "all valid by the schemas",
        False: "NOT all valid by the schemas",
    }
    rows = [
        ["real time", f"{tell.seconds:.0f} s"],
        ["messages", f"{messages['count']}, {judged[messages['valid']]}"],
        ["settled", "; ".join(stage.contracts["accounts"]["settled"])],
        ["checks", f"{tell.checked - len(tell.differed)} of {tell.checked} hold"],
    ]
    tell.table(rows)
    for each in tell.differed:
        tell.note(f"DIFFERS {each}")
    print("Both sides agree." if not tell.differed else "Something differs.", flush=True)


def _pounds(amount: Decimal | None) -> str:
    return "none" if amount is None else f"{amount:.2f} GBP"
