"""The names of the dialect of 2025: a context in snake case, keys with the prefix ``beckn:``, ids that are any text.

Everything inside speaks version 2, so an id that is no UUID becomes one, made from it and from who sent it: the same id
of the same sender is the same UUID each time, and those of two senders never meet.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from beckn.packs.reading import mapping
from beckn.protocol.faults import Fault

WORDS = "https://raw.githubusercontent.com/beckn/protocol-specifications-new"
"""below it stands every ``@context`` of the dialect"""
CORE, COMPUTE, DEMAND = (
    f"{WORDS}/refs/heads/draft/schema/{name}/context.jsonld"
    for name in ("core/v2", "ComputeEnergy/v1", "DemandFlexibility/v1")
)
OLD_NAMES: Mapping[str, str] = {"search": "discover", "rating": "rate"}
"""actions that have another name in version 2"""
ACTIONS: Mapping[str, str] = {
    "shift": "workload_shift",
    "pause": "workload_pause",
    "continue": "continue_with_acknowledgement",
}
"""what is done about an event of the grid"""
_PREFIX = re.compile(r"(?:beckn|schema):")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_LONGEST_ID = 255
_CONTEXT: Mapping[str, str] = {
    "version": "version",
    "action": "action",
    "bap_id": "bapId",
    "bap_uri": "bapUri",
    "bpp_id": "bppId",
    "bpp_uri": "bppUri",
    "transaction_id": "transactionId",
    "message_id": "messageId",
    "timestamp": "timestamp",
    "ttl": "ttl",
    "schema_context": "schemaContext",
}


def is_2025(body: Mapping[str, Any]) -> bool:
    """Whether a body speaks the dialect: its context has ids in snake case and none in camel case."""
    context = body.get("context")
    return isinstance(context, Mapping) and "message_id" in context and "messageId" not in context


def action_of(name: str) -> str:
    """An action, request or callback, by its name in version 2."""
    answers = "on_" if name.startswith("on_") else ""
    bare = name.removeprefix("on_")
    return f"{answers}{OLD_NAMES.get(bare, bare)}"


def named(sender: object, told: object, field: str) -> str:
    """The UUID that stands for the id ``told`` by ``sender``; a UUID stands for itself."""
    if not isinstance(told, str) or not 0 < len(told) <= _LONGEST_ID:
        raise Fault("CTX_INVALID_FIELD", f"{field} is no text of at most {_LONGEST_ID} signs", f"$.context.{field}")
    return told.lower() if _UUID.fullmatch(told) else made_of(sender, told)


def made_of(sender: object, *parts: str) -> str:
    """A UUID made of texts of a sender."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "|".join([str(sender), *parts])))


def read_context(context: Any) -> dict[str, Any]:
    """A context of the dialect in the words of version 2; :class:`Fault` ``CTX_`` where it is none of the dialect."""
    if not isinstance(context, Mapping):
        raise Fault("CTX_MISSING_FIELD", "the message has no context", "$.context")
    for field in ("message_id", "transaction_id"):
        if context.get(field) is None:
            raise Fault("CTX_MISSING_FIELD", f"context.{field} is missing", f"$.context.{field}")
    told = {new: context[old] for old, new in _CONTEXT.items() if context.get(old) is not None}
    if isinstance(told.get("action"), str):
        told["action"] = action_of(told["action"])
    sender = context.get("bap_id")
    for old in ("message_id", "transaction_id"):
        told[_CONTEXT[old]] = named(sender, context[old], old)
    return told


def write_context(context: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """A context of version 2 in the words of the dialect; ``kept`` is what is echoed as it came."""
    told = {old: context[new] for old, new in _CONTEXT.items() if context.get(new) is not None}
    return {**told, **kept, "schema_context": [CORE]}


def plain(value: Any) -> Any:
    """A message without the prefixes of its keys and types; what stands first wins where two keys become one."""
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for name, each in value.items():
            kept = plain(each) if name != "@type" or not isinstance(each, str) else _PREFIX.sub("", each, count=1)
            found.setdefault(_PREFIX.sub("", name, count=1) if _PREFIX.match(name) else name, kept)
        return found
    return [plain(each) for each in value] if isinstance(value, list) else value


def bag(kind: str, words: str, **fields: Any) -> dict[str, Any]:
    """An object of the dialect with its type; fields that are None are left out."""
    told = {f"beckn:{name}": value for name, value in fields.items() if value is not None}
    return {"@context": words, "@type": f"beckn:{kind}", **told}


def descriptor(name: str, short: str) -> dict[str, Any]:
    """Words about something."""
    return {"@type": "beckn:Descriptor", "schema:name": name, "beckn:shortDesc": short}


def inner_bag(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A member that is an object; an empty one where it is not there."""
    found = told.get(name)
    return {} if found is None else mapping(found, f"$..['beckn:{name}']")
