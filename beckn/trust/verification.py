"""Who signed a message: the header is read, the key looked up, the bytes checked."""

from __future__ import annotations

from beckn.protocol.faults import Fault
from beckn.signing import THREE_LINES, BadSignature, Signature
from beckn.trust.participants import Participant
from beckn.trust.registry import Registry
from core.clock import Clock


class Verifier:
    """Checks signatures of messages and answers.

    :param network_id: network to which signers must belong; None: any participant of the registry.
    """

    def __init__(self, registry: Registry, clock: Clock, network_id: str | None = None) -> None:
        self._registry = registry
        self._clock = clock
        self._network_id = network_id

    def require(
        self, header: str | None, body: bytes, request_signature: str | None = None
    ) -> tuple[Signature, Participant]:
        """The signature in a header, and the participant who signed ``body`` with it.

        A key that does not fit is looked up once more: it may have been changed in the registry.

        :param header: value of ``Authorization``, or of ``Signature`` in an answer.
        :param request_signature: of the request that the message answers.
        :raises Fault: ``AUT_SIGNATURE_MISSING``, ``AUT_SIGNATURE_INVALID``, ``AUT_DOMAIN_NOT_ALLOWED``, and those of
            :meth:`Registry.participant`.
        """
        try:
            signature = Signature.parse(header)
            signature.require_current(self._clock.now())
            participant = self._looked_up(signature)
            try:
                signature.require(body, participant.public_key, self._clock.now(), request_signature)
            except BadSignature:
                former, participant = participant, self._looked_up(signature, anew=True)
                if participant.public_key == former.public_key:
                    raise
                signature.require(body, participant.public_key, self._clock.now(), request_signature)
        except BadSignature as error:
            raise Fault(error.code, str(error)) from error
        if self._network_id is not None:
            participant.require_member(self._network_id)
        return signature, participant

    def _looked_up(self, signature: Signature, *, anew: bool = False) -> Participant:
        key_id = signature.key_id
        return self._registry.participant(
            key_id.subscriber_id, key_id.unique_key_id, registry=key_id.registry, anew=anew
        )


def require_caller(participant: Participant, claimed_id: str | None) -> None:
    """Return if the signer is who the context says; :class:`Fault` ``AUT_UNAUTHORIZED_ACTION`` otherwise."""
    if participant.subscriber_id != claimed_id:
        raise Fault(
            "AUT_UNAUTHORIZED_ACTION", f"{participant.subscriber_id} signed what speaks for {str(claimed_id)[:80]!r}"
        )


def challenge(subscriber_id: str) -> str:
    """Value of ``WWW-Authenticate`` in a 401 of this participant."""
    return f'Signature realm="{subscriber_id}",headers="{THREE_LINES}"'
