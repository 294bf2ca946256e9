"""The registry of participants and their keys, by the lookups of the Decentralized Directory (DeDi).

A record is looked up by ``GET {url}/lookup/{namespace}/{registry}/{record}``, the records of a subscriber by
``GET {url}/query/{namespace}/{registry}``.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from agents.energy.transport.bounds import Bounds
from agents.energy.transport.wire import Wire
from beckn.protocol.faults import Fault
from beckn.signing import SUBSCRIBERS, KeyId
from beckn.trust.lookups import Lookups
from beckn.trust.participants import Participant, participant_of, seconds_kept, url_of
from core.clock import Clock
from core.errors import FeedInvalid, FeedUnreachable

TIMEOUT_S = 5.0
MOST_BYTES = 64 * 1024
_UNKNOWN = frozenset({400, 404, 410, 422})
"""statuses of an answer about what is not there"""
_HEADERS = {"Accept": "application/json"}


class Registry:
    """Looks participants up and keeps them for at most ``seconds``; for all threads.

    :param base_url: such as https://fabric.nfh.global/registry/dedi.
    :param network_id: ``namespace/registry`` of our network: its records are believed about all its members.
    :param monotonic: seconds of a clock that never goes back.
    :param trusted: whom TLS trusts; by default the usual public authorities.
    """

    def __init__(
        self,
        base_url: str,
        seconds: float,
        clock: Clock,
        monotonic: Callable[[], float],
        network_id: str | None = None,
        trusted: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._keep = timedelta(seconds=seconds)
        self._clock = clock
        self._network_id = network_id
        bounds = Bounds(connect_s=timeout_s, silence_s=timeout_s, whole_s=timeout_s, body_bytes=MOST_BYTES)
        self._wire = Wire(bounds, monotonic, trusted)
        self._participants = Lookups[KeyId, Participant](self._record, Participant.current, clock)
        self._addresses = Lookups[str, str](self._listed, lambda _url, _now: True, clock)

    def participant(
        self, subscriber_id: str, unique_key_id: str, *, registry: str | None = None, anew: bool = False
    ) -> Participant:
        """The participant with this key, which may be used now.

        :param registry: where the keyId is the path of a record; ``subscriber_id`` is then its namespace.
        :param anew: looked up again even if it is known, though at most once in a few seconds.
        :raises Fault: ``AUT_SUBSCRIBER_NOT_FOUND``, ``AUT_KEY_NOT_FOUND``, ``AUT_KEY_EXPIRED_OR_REVOKED``, and
            ``NET_DOWNSTREAM_UNAVAILABLE`` or ``NET_OVERLOADED`` where the registry gives no usable answer and nothing
            is known from before.
        """
        try:
            key_id = KeyId(subscriber_id, unique_key_id, registry)
        except ValueError as error:
            raise Fault("AUT_KEY_NOT_FOUND", str(error)) from error
        found = self._participants.get(key_id, anew=anew)
        found.require_current(self._clock.now())
        return found

    def address(self, subscriber_id: str) -> str:
        """The base URL at which a subscriber is called, by the newest of its records in force.

        :raises Fault: ``AUT_SUBSCRIBER_NOT_FOUND``, or as :meth:`participant` where no usable answer comes.
        """
        try:
            KeyId(subscriber_id, "any")
        except ValueError as error:
            raise Fault("AUT_SUBSCRIBER_NOT_FOUND", str(error)) from error
        return self._addresses.get(subscriber_id)

    def require_member(self, participant: Participant, network_id: str) -> None:
        """Return if a participant is a member; :class:`Fault` ``AUT_DOMAIN_NOT_ALLOWED`` otherwise."""
        participant.require_member(network_id)

    def close(self) -> None:
        """Close idle connections."""
        self._wire.close()

    def _record(self, key_id: KeyId) -> tuple[Participant, timedelta]:
        """What the registry says of a key, and for how long that may be kept."""
        data = self._data("lookup", key_id.subscriber_id, key_id.registry or SUBSCRIBERS, key_id.unique_key_id)
        if data is None:
            if key_id.registry is None and self._data("query", key_id.subscriber_id, SUBSCRIBERS) is None:
                raise Fault("AUT_SUBSCRIBER_NOT_FOUND", f"the registry knows no subscriber {key_id.subscriber_id}")
            raise Fault("AUT_KEY_NOT_FOUND", f"the registry knows no key {key_id}")
        told_s = seconds_kept(data)
        keep = self._keep if told_s is None else min(self._keep, timedelta(seconds=told_s))
        return participant_of(data, key_id, self._network_id), keep

    def _listed(self, subscriber_id: str) -> tuple[str, timedelta]:
        """The address in the records of a subscriber."""
        data = self._data("query", subscriber_id, SUBSCRIBERS)
        records = [] if data is None else data.get("records")
        if not isinstance(records, list):
            raise _unusable("its list of records is none")
        now = self._clock.now()
        found = [
            (str(each.get("updated_at", "")), url)
            for each in records
            if isinstance(each, Mapping) and (url := _url_in_force(each, subscriber_id, now)) is not None
        ]
        if not found:
            raise Fault("AUT_SUBSCRIBER_NOT_FOUND", f"the registry has no address of {subscriber_id} in force")
        return max(found)[1], self._keep

    def _data(self, *path: str) -> Mapping[str, Any] | None:
        """The ``data`` of an answer; None where the registry knows nothing of that name."""
        url = "/".join([self._base, *(quote(part, safe=":") for part in path)])
        try:
            reply = self._wire.get(url, _HEADERS)
        except (FeedUnreachable, FeedInvalid) as error:
            raise Fault("NET_DOWNSTREAM_UNAVAILABLE", f"the registry gives no answer: {error}") from error
        if reply.status in _UNKNOWN:
            return None
        if reply.status != 200:
            raise _unusable(f"status {reply.status}")
        try:
            told = json.loads(reply.body)
        except (ValueError, RecursionError) as error:
            raise _unusable("it is no JSON") from error
        if not isinstance(told, Mapping) or "data" not in told:
            raise _unusable("it holds no data")
        data = told["data"]
        if data is None:
            return None
        if not isinstance(data, Mapping):
            raise _unusable("it holds no record")
        return data


def _url_in_force(record: Mapping[str, Any], subscriber_id: str, now: datetime) -> str | None:
    """The address in a record that may be used; None where it may not, or is another's."""
    try:
        current = participant_of(record, KeyId(subscriber_id, "listed"), None).current(now)
    except Fault:
        return None
    return url_of(record) if current else None


def _unusable(why: str) -> Fault:
    return Fault("NET_DOWNSTREAM_UNAVAILABLE", f"the registry's answer cannot be used: {why}")
