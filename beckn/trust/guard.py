"""Everything that is asked about the sender of a message, in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from beckn.protocol.faults import Fault
from beckn.signing import BadSignature, Signature
from beckn.trust.addresses import Addresses, require_same_endpoint
from beckn.trust.contexts import require_contexts
from beckn.trust.participants import Participant
from beckn.trust.verification import Verifier


class Guard:
    """Checks who sent a message, where it may be answered, and whose words it uses.

    :param hosts: whose ``@context`` is accepted besides those under ``own``, our base URL.
    """

    def __init__(self, verifier: Verifier, addresses: Addresses, hosts: tuple[str, ...], own: str) -> None:
        self._verifier = verifier
        self._addresses = addresses
        self._hosts = hosts
        self._own = own

    def require_signed(
        self, header: str | None, body: bytes, answers: Sequence[str] | None
    ) -> tuple[Signature, Participant]:
        """The signature of a message, which holds, and who made it.

        :param answers: signatures of ours, to one of which it must be bound; None where it answers nothing.
        :raises Fault: ``AUT_``.
        """
        if answers is None:
            return self._unbound(header, body)
        fault = Fault("AUT_SIGNATURE_INVALID", "it is not bound to the request that it answers")
        signature = self._parsed(header)
        if signature is None:
            return self._verifier.require(header, body)
        if not signature.answers:
            raise fault
        for answered in reversed(answers):
            try:
                return self._verifier.require(header, body, answered)
            except Fault as error:
                if error.code != "AUT_SIGNATURE_INVALID":
                    raise
                fault = error
        raise fault

    def _unbound(self, header: str | None, body: bytes) -> tuple[Signature, Participant]:
        signature = self._parsed(header)
        if signature is not None and signature.answers:
            raise Fault("AUT_SIGNATURE_INVALID", "it answers a request that is not known here")
        return self._verifier.require(header, body)

    @staticmethod
    def _parsed(header: str | None) -> Signature | None:
        """The header read; None where that fails, which the verifier tells."""
        try:
            return Signature.parse(header)
        except BadSignature:
            return None

    def require_caller(self, participant: Participant, callers: Sequence[str]) -> None:
        """Return if one of ``callers`` signed; :class:`Fault` ``AUT_UNAUTHORIZED_ACTION`` otherwise."""
        if participant.subscriber_id not in callers:
            named = ", ".join(callers)[:120] or "nobody"
            raise Fault("AUT_UNAUTHORIZED_ACTION", f"{participant.subscriber_id} signed what speaks for {named}")

    def require_address(self, participant: Participant, claimed: str | None, path: str) -> None:
        """Return if the peer may be called where it says it is; :class:`Fault` ``CTX_`` otherwise."""
        require_same_endpoint(claimed, participant.url, path)
        self._addresses.require(claimed, path)

    def require_contexts(self, body: Mapping[str, Any], participant: Participant, more: tuple[str, ...] = ()) -> None:
        """Return if every ``@context`` may be used; :class:`Fault` ``SCH_INVALID_JSONLD_CONTEXT`` otherwise.

        Below the address that the registry has of a participant stand its own words, which are never fetched.

        :param more: addresses below which contexts are accepted too.
        """
        bases = (self._own,) if participant.url is None else (self._own, participant.url)
        require_contexts(dict(body), self._hosts, (*bases, *more))

    def check_answer(self, header: str | None, body: bytes, request_signature: str, peer_id: str) -> str | None:
        """What is wrong with the signature of a peer's acknowledgement; None where nothing is."""
        try:
            _, participant = self._verifier.require(header, body, request_signature)
        except Fault as fault:
            return f"{fault.code}: {fault}"
        return None if participant.subscriber_id == peer_id else f"{participant.subscriber_id} signed it"
