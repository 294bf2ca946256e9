"""The envelope of every message: who speaks to whom about what, and until when it holds.

Reading it is the first layer of checks; each fault names its code and the field.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from beckn.protocol.actions import ACTIONS, ON_PUBLISH, PUBLISH, TRIED, VERSION, callback_of, sender
from beckn.protocol.faults import Fault
from core.slots import format_utc
from core.trade import Side

AHEAD = timedelta(seconds=5)
"""how far the clock of a peer may be ahead of ours"""
DEFAULT_TTL = timedelta(seconds=30)
MOST_TTL = timedelta(days=31)
"""how long any message holds after its timestamp, also one that names no ttl"""
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_DURATION = re.compile(r"P(?!$)(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,252}")
_LONGEST_URI = 2048


@dataclass(frozen=True, slots=True)
class Context:
    """A context that has been read; ids and addresses are None where the message leaves them out.

    :param tried: the effect is asked for as a preview only.
    """

    action: str
    transaction_id: str
    message_id: str
    timestamp: datetime
    bap_id: str | None = None
    bap_uri: str | None = None
    bpp_id: str | None = None
    bpp_uri: str | None = None
    version: str = VERSION
    ttl: timedelta | None = None
    network_id: str | None = None
    tried: bool = False
    schema_context: tuple[str, ...] = ()

    @property
    def expires_at(self) -> datetime:
        """When it no longer holds."""
        return self.timestamp + (self.ttl or DEFAULT_TTL)

    @property
    def sender_id(self) -> str | None:
        """Who sent it, by its own word."""
        return self.bpp_id if sender(self.action) is Side.PROVIDER else self.bap_id

    @property
    def sender_uri(self) -> str | None:
        """Where the sender is reached, by its own word."""
        return self.bpp_uri if sender(self.action) is Side.PROVIDER else self.bap_uri

    def answered(self, now: datetime, own_id: str, own_uri: str, ttl: timedelta = DEFAULT_TTL) -> Context:
        """The context of the callback that answers this request."""
        given = replace(self, action=callback_of(self.action), timestamp=now, ttl=ttl, tried=self.tried)
        return given if self.action == PUBLISH else replace(given, bpp_id=own_id, bpp_uri=own_uri)

    def unasked(self, action: str, now: datetime, ttl: timedelta = DEFAULT_TTL) -> Context:
        """The context of a further message in the same transaction, with an id of its own."""
        return replace(self, action=action, message_id=str(uuid.uuid4()), timestamp=now, ttl=ttl, tried=False)

    def wire(self, schemas: Sequence[str] = ()) -> dict[str, Any]:
        """As it travels; ``schemas`` are the ``@context`` of what the message carries."""
        told: dict[str, Any] = {
            "networkId": self.network_id,
            "version": self.version,
            "action": self.action,
            "bapId": self.bap_id,
            "bapUri": self.bap_uri,
            "bppId": self.bpp_id,
            "bppUri": self.bpp_uri,
            "transactionId": self.transaction_id,
            "messageId": self.message_id,
            "timestamp": format_utc(self.timestamp),
            "ttl": None if self.ttl is None else f"PT{self.ttl.total_seconds():g}S",
            "schemaContext": list(schemas) or list(self.schema_context) or None,
        }
        if self.tried:
            told["try"] = True
        return {name: value for name, value in told.items() if value is not None}


def read_context(found: Any, path_action: str, now: datetime) -> Context:
    """Read the ``context`` of a message to ``path_action``; :class:`Fault` ``CTX_`` for the first thing wrong."""
    if not isinstance(found, Mapping):
        raise Fault("CTX_MISSING_FIELD", "the message has no context", "$.context")
    context = _Reader(found)
    version = context.text("version")
    if version != VERSION:
        raise Fault(
            "CTX_VERSION_UNSUPPORTED", f"version {version[:40]!r} is not served, {VERSION} is", "$.context.version"
        )
    action = context.text("action")
    if action != path_action or action not in ACTIONS:
        raise Fault(
            "CTX_ACTION_MISMATCH", f"action {action[:40]!r} was sent to the path of {path_action!r}", "$.context.action"
        )
    message_id, transaction_id = context.uuid("messageId"), context.uuid("transactionId")
    bought = action not in {PUBLISH, ON_PUBLISH}
    read = Context(
        action=action,
        transaction_id=transaction_id,
        message_id=message_id,
        timestamp=context.instant("timestamp"),
        bap_id=context.id("bapId", needed=bought),
        bap_uri=context.uri("bapUri", needed=bought),
        bpp_id=context.id("bppId", needed=action != "discover"),
        bpp_uri=context.uri("bppUri", needed=action != "discover"),
        ttl=context.duration("ttl"),
        network_id=context.optional("networkId"),
        tried=context.flag("try"),
        schema_context=context.texts("schemaContext"),
    )
    if read.timestamp > now + AHEAD:
        raise Fault("CTX_INVALID_FIELD", "the timestamp is in the future", "$.context.timestamp")
    held_until = read.timestamp + (read.ttl or MOST_TTL)
    if held_until <= now:
        raise Fault("CTX_TTL_EXPIRED", f"it held until {format_utc(held_until)}", "$.context.ttl")
    if read.tried and action not in TRIED and action.removeprefix("on_") not in TRIED:
        raise Fault("CTX_INVALID_FIELD", "only update and cancel can be tried", "$.context.try")
    return read


def message_id_of(found: Any) -> str | None:
    """The messageId of what may be a message, for its acknowledgement."""
    context = found.get("context") if isinstance(found, Mapping) else None
    told = context.get("messageId", context.get("message_id")) if isinstance(context, Mapping) else None
    return told.lower() if isinstance(told, str) and _UUID.fullmatch(told) else None


def is_uuid(text: str) -> bool:
    """Whether it is one as it is written, in either case of letters."""
    return _UUID.fullmatch(text) is not None


def read_instant(text: str) -> datetime:
    """An RFC 3339 date-time; :class:`ValueError` for anything else."""
    if _RFC3339.fullmatch(text) is None:
        raise ValueError(f"{text[:60]!r} is no RFC 3339 date-time with its offset, such as 2026-04-01T08:30:00Z")
    head, fraction, offset = re.match(r"([^.Z+]*?\d\d:\d\d:\d\d)(?:\.(\d+))?(.*)", text).groups()  # type: ignore[union-attr]
    micro = f".{fraction[:6]:0<6}" if fraction else ""
    return datetime.fromisoformat(f"{head}{micro}{offset.replace('Z', '+00:00')}")


def read_duration(text: str) -> timedelta:
    """An ISO 8601 duration of weeks, days, hours, minutes and seconds; :class:`ValueError` for anything else."""
    found = _DURATION.fullmatch(text) if len(text) <= 60 else None
    if found is None:
        raise ValueError(f"{text[:60]!r} is no ISO 8601 duration such as PT30S; months and years have no fixed length")
    weeks, days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    if weeks * 7 + days > 36_600 or hours > 878_400 or minutes > 1e8 or seconds > 1e10:
        raise ValueError(f"{text[:60]!r} is longer than anything here lasts")
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


class _Reader:
    """Reads fields of a context; each refusal names the field."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self._found = found

    def text(self, name: str) -> str:
        if self._found.get(name) is None:
            raise Fault("CTX_MISSING_FIELD", f"context.{name} is missing", f"$.context.{name}")
        return self._text(name, self._found[name])

    def optional(self, name: str) -> str | None:
        return None if self._found.get(name) is None else self._text(name, self._found[name])

    def _text(self, name: str, value: Any) -> str:
        if not isinstance(value, str) or not value or len(value) > _LONGEST_URI:
            raise self._wrong(name, "it is not a short text")
        return value

    def uuid(self, name: str) -> str:
        text = self.text(name)
        if _UUID.fullmatch(text) is None:
            raise self._wrong(name, f"{text[:60]!r} is no UUID")
        return text.lower()

    def id(self, name: str, *, needed: bool) -> str | None:
        text = self.text(name) if needed else self.optional(name)
        if text is not None and _ID.fullmatch(text) is None:
            raise self._wrong(name, f"{text[:60]!r} is no subscriber id")
        return text

    def uri(self, name: str, *, needed: bool) -> str | None:
        text = self.text(name) if needed else self.optional(name)
        try:
            good = text is None or (urlsplit(text).scheme in {"http", "https"} and bool(urlsplit(text).hostname))
        except ValueError:
            good = False
        if not good:
            raise self._wrong(name, "it is no http or https address")
        return text

    def instant(self, name: str) -> datetime:
        try:
            return read_instant(self.text(name))
        except ValueError as error:
            raise self._wrong(name, str(error)) from error

    def duration(self, name: str) -> timedelta | None:
        text = self.optional(name)
        try:
            found = None if text is None else read_duration(text)
        except ValueError as error:
            raise self._wrong(name, str(error)) from error
        if found is not None and not timedelta() < found <= MOST_TTL:
            raise self._wrong(name, f"it is not above 0 and at most {MOST_TTL.days} days")
        return found

    def flag(self, name: str) -> bool:
        value = self._found.get(name, False)
        if not isinstance(value, bool):
            raise self._wrong(name, "it is neither true nor false")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._found.get(name, [])
        if not isinstance(value, list) or len(value) > 100 or not all(isinstance(each, str) for each in value):
            raise self._wrong(name, "it is not a list of at most 100 addresses")
        return tuple(value)

    @staticmethod
    def _wrong(name: str, why: str) -> Fault:
        return Fault("CTX_INVALID_FIELD", f"context.{name}: {why}", f"$.context.{name}")
