"""A witness: somebody else who checks that each checkpoint continues the last, and signs it too (C2SP tlog-witness)."""

from __future__ import annotations

import base64
from collections.abc import Callable

import requests

from audit.verifier.notes import BadEvidence, Checkpoint, Key, note_of

TIMEOUT_S = 10.0
Consistency = Callable[[int, int], list[bytes]]
"""the proof that the tree of the second size continues that of the first"""


class Witness:
    """One witness at a URL, known by its key. It is asked for what it saw last only where that is not known."""

    def __init__(self, url: str, key: Key) -> None:
        self._url = f"{url.rstrip('/')}/add-checkpoint"
        self._key = key
        self._seen = 0

    def cosign(self, checkpoint: Checkpoint, consistency: Consistency) -> Checkpoint:
        """The checkpoint with the witness's signature added.

        :raises BadEvidence: the witness did not answer, refused, or signed something else.
        """
        answer = self._post(checkpoint, consistency)
        if answer.status_code == 409 and answer.text.strip().isdecimal() and int(answer.text) <= checkpoint.size:
            self._seen = int(answer.text)
            answer = self._post(checkpoint, consistency)
        if answer.status_code != 200:
            raise BadEvidence(f"the witness {self._key.name} refused with status {answer.status_code}")
        cosigned = Checkpoint.parse(note_of(checkpoint) + answer.content.decode("utf-8", "replace"))
        if self._key.name not in cosigned.signers([self._key]):
            raise BadEvidence(f"the witness {self._key.name} did not sign")
        self._seen = checkpoint.size
        return cosigned

    def _post(self, checkpoint: Checkpoint, consistency: Consistency) -> requests.Response:
        proof = consistency(self._seen, checkpoint.size) if self._seen else []
        steps = "".join(f"{base64.b64encode(step).decode()}\n" for step in proof)
        body = f"old {self._seen}\n{steps}\n{note_of(checkpoint)}"
        try:
            return requests.post(self._url, data=body.encode(), timeout=TIMEOUT_S)
        except requests.RequestException as error:
            raise BadEvidence(f"the witness {self._key.name} did not answer: {error}") from error
