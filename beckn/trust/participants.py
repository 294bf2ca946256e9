"""Participants as a registry's records tell them; nothing is believed that is not of the expected kind."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from beckn.protocol.context import read_instant
from beckn.protocol.faults import Fault
from beckn.signing import KeyId
from core.slots import format_utc

_IN_FORCE = frozenset({"live", "active", "subscribed", "approved", "published", "valid"})
"""states of a record in which it may be used; any other word is taken for a revocation"""
_KEY_BYTES = 32
_SPKI = bytes.fromhex("302a300506032b6570032100")
"""what stands before an Ed25519 key where it is written as SubjectPublicKeyInfo"""


@dataclass(frozen=True, slots=True)
class Participant:
    """A subscriber with one of its keys.

    :param url: base URL at which it is called; None where its record names none.
    :param public_key: Ed25519, 32 bytes.
    :param networks: it is a member of.
    """

    subscriber_id: str
    unique_key_id: str
    url: str | None
    public_key: bytes
    networks: tuple[str, ...] = ()
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    revoked: bool = False

    def current(self, now: datetime) -> bool:
        """Whether the key may be used at ``now``."""
        begun = self.valid_from is None or self.valid_from <= now
        return begun and not self.revoked and (self.valid_until is None or now < self.valid_until)

    def require_current(self, now: datetime) -> None:
        """Return if the key may be used at ``now``; :class:`Fault` ``AUT_KEY_EXPIRED_OR_REVOKED`` otherwise."""
        if self.current(now):
            return
        if self.revoked:
            why = "is revoked in the registry"
        elif self.valid_from is not None and now < self.valid_from:
            why = f"is valid from {format_utc(self.valid_from)} on"
        else:
            why = "has expired"
        raise Fault("AUT_KEY_EXPIRED_OR_REVOKED", f"key {self.unique_key_id} of {self.subscriber_id} {why}")

    def require_member(self, network_id: str) -> None:
        """Return if it is a member of a network; :class:`Fault` ``AUT_DOMAIN_NOT_ALLOWED`` otherwise."""
        if network_id not in self.networks:
            raise Fault("AUT_DOMAIN_NOT_ALLOWED", f"{self.subscriber_id} is not a member of {network_id}")


def participant_of(data: Mapping[str, Any], key_id: KeyId, network_id: str | None) -> Participant:
    """The participant that a record tells.

    A record is believed about the namespace in which it stands, and about any subscriber where it stands in the
    registry of our own network. Memberships are the registry's word alone; of two validities the narrower one holds.

    :raises Fault: ``AUT_KEY_NOT_FOUND``, where it is another's or holds no key;
        ``AUT_KEY_EXPIRED_OR_REVOKED``, where its validity cannot be read.
    """
    details = _details(data)
    network = f"{key_id.subscriber_id}/{key_id.registry}"
    vouched = key_id.registry is not None and network == network_id
    told = details.get("subscriber_id", None if vouched else key_id.subscriber_id)
    if not isinstance(told, str) or not (vouched or told == key_id.subscriber_id):
        raise Fault("AUT_KEY_NOT_FOUND", f"the registry's record of {key_id} does not speak for its subscriber")
    try:
        begins = [each for part in (data, details) if (each := _instant(part, "valid_from")) is not None]
        ends = [each for part in (data, details) if (each := _instant(part, "valid_until", "valid_till")) is not None]
    except ValueError as error:
        raise Fault("AUT_KEY_EXPIRED_OR_REVOKED", f"the validity of {key_id} cannot be read: {error}") from error
    memberships = data.get("network_memberships")
    networks = [each for each in memberships if isinstance(each, str)] if isinstance(memberships, list) else []
    return Participant(
        subscriber_id=told,
        unique_key_id=key_id.unique_key_id,
        url=url_of(data),
        public_key=_key(details.get("signing_public_key"), key_id),
        networks=tuple([*networks, network] if vouched else networks),
        valid_from=max(begins, default=None),
        valid_until=min(ends, default=None),
        revoked=revoked(data),
    )


def url_of(data: Mapping[str, Any]) -> str | None:
    """The address in a record."""
    details = _details(data)
    return next((url for name in ("url", "subscriber_url") if isinstance(url := details.get(name), str) and url), None)


def revoked(data: Mapping[str, Any]) -> bool:
    """Whether a record says that it is not in force."""
    for part in (data, _details(data)):
        if any(part.get(name) not in (None, False, 0, "false") for name in ("is_revoked", "revoked", "revoked_at")):
            return True
        for name in ("state", "status"):
            if (state := part.get(name)) is not None and str(state).strip().lower() not in _IN_FORCE:
                return True
    return False


def seconds_kept(data: Mapping[str, Any]) -> float | None:
    """For how long a record asks to be kept."""
    ttl = data.get("ttl")
    return float(ttl) if isinstance(ttl, int | float) and not isinstance(ttl, bool) and 0 < ttl < 1e9 else None


def _details(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the subscriber itself wrote into its record."""
    details = data.get("details")
    return details if isinstance(details, Mapping) else {}


def _instant(found: Mapping[str, Any], *names: str) -> datetime | None:
    """The first instant there is under ``names``; a day begins at midnight, UTC."""
    value = next((found[name] for name in names if found.get(name)), None)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("it is no text")
    try:
        return datetime.combine(date.fromisoformat(value), time(), UTC)
    except ValueError:
        return read_instant(value)


def _key(value: Any, key_id: KeyId) -> bytes:
    try:
        raw = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        raw = b""
    raw = raw.removeprefix(_SPKI) if len(raw) == _KEY_BYTES + len(_SPKI) else raw
    if len(raw) != _KEY_BYTES:
        raise Fault("AUT_KEY_NOT_FOUND", f"the registry's record of {key_id} holds no Ed25519 key")
    return raw
