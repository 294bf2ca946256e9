"""Time-stamps of checkpoints by a third party (RFC 3161): that a checkpoint existed at a time, checked offline.

The authority sees the checkpoint's digest alone. Its answer is kept as ``decisions.jsonl.tsr-<size>`` beside the log,
in the form that ``openssl ts -verify`` reads.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import requests
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from audit.checkpoint import note_of
from audit.storage import beside, replace_durably
from audit.verifier.notes import BadEvidence, Checkpoint

TIMEOUT_S = 10.0
REQUEST = "application/timestamp-query"


def stamp_path(path: Path, checkpoint: Checkpoint) -> Path:
    """Where the time-stamp of a checkpoint of the log at ``path`` is kept."""
    return beside(path, f".tsr-{checkpoint.size:012d}")


def request_stamp(url: str, checkpoint: Checkpoint, authorities: bytes) -> bytes:
    """Ask the authority at ``url`` for a time-stamp, and check it.

    :param authorities: PEM of the root certificates to trust. :returns: the answer, DER.
    :raises BadEvidence: no answer, or one that does not hold.
    """
    note = note_of(checkpoint).encode()
    asked = TimestampRequestBuilder().data(note).hash_algorithm(HashAlgorithm.SHA256).build()
    try:
        answer = requests.post(url, data=asked.as_bytes(), headers={"Content-Type": REQUEST}, timeout=TIMEOUT_S)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise BadEvidence(f"the time-stamping authority did not answer: {error}") from error
    check_stamp(answer.content, checkpoint, authorities, nonce=asked.nonce)
    return answer.content


def check_stamp(stamp: bytes, checkpoint: Checkpoint, authorities: bytes, *, nonce: int | None = None) -> datetime:
    """When a checkpoint existed, as its time-stamp says; needs no network.

    :param nonce: of the request, where it is known. :raises BadEvidence: the time-stamp does not hold.
    """
    builder = VerifierBuilder(roots=x509.load_pem_x509_certificates(authorities), nonce=nonce)
    try:
        answer = decode_timestamp_response(stamp)
        builder.build().verify_message(answer, note_of(checkpoint).encode())
    except (VerificationError, ValueError) as error:
        raise BadEvidence(f"the time-stamp of {checkpoint.size} records does not hold: {error}") from error
    return answer.tst_info.gen_time


def keep_stamp(path: Path, checkpoint: Checkpoint, stamp: bytes) -> None:
    """Keep a time-stamp beside the log at ``path``."""
    replace_durably(stamp_path(path, checkpoint), stamp, 0o644)
