"""Time-stamps of checkpoints by a third party (RFC 3161): that a checkpoint existed at a time, checked offline.

The authority sees the checkpoint's digest alone. Its answer is kept as ``decisions.jsonl.tsr-<size>`` beside the log,
in the form that ``openssl ts -verify`` reads.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import requests
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from audit.storage import beside, replace_durably
from audit.verifier.cli import stamps_beside
from audit.verifier.notes import BadEvidence, Checkpoint, note_of
from core.errors import InputError

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


class Attested(NamedTuple):
    """A time-stamp beside a log: its checkpoint of ``size`` records existed ``at`` a time, or why that is not shown."""

    size: int
    at: datetime | None
    fault: str


def read_authorities(file: Path) -> bytes:
    """The PEM of the root certificates to trust; :class:`InputError` where ``file`` holds none."""
    try:
        authorities = file.read_bytes()
        x509.load_pem_x509_certificates(authorities)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "there is no PEM certificate in it"
        raise InputError(
            f"{file} cannot be used as the roots of time-stamps: {why}",
            field="tsa-ca",
            value=str(file),
            remedy="Name the PEM file of the authority's root certificate, which you had from the authority itself.",
        ) from error
    return authorities


def check_stamps(path: Path, authorities: bytes) -> list[Attested]:
    """Check every time-stamp beside the log at ``path``, smallest checkpoint first; needs no network.

    :param authorities: PEM of the root certificates to trust.
    :raises BadEvidence: the checkpoints beside the log cannot be read.
    """
    return [_attested(*stamp, authorities) for stamp in stamps_beside(path)]


def _attested(size: int, file: Path, checkpoint: Checkpoint | None, authorities: bytes) -> Attested:
    if checkpoint is None:
        return Attested(size, None, f"{file.name} is of a checkpoint of {size} records, which is not beside the log")
    try:
        return Attested(size, check_stamp(file.read_bytes(), checkpoint, authorities), "")
    except BadEvidence as error:
        return Attested(size, None, str(error))


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
