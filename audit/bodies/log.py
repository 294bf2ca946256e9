"""What the log says about itself: recovery, segments, deletions, redactions, corrections, exports and keys."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from audit.bodies.carbon import CarbonClaimBody
from audit.fields import Body, Hex64, Time


class RecoveryBody(Body):
    """Bytes of an unfinished line, moved out of the log into ``quarantine_path`` (a name beside the log).

    ``acknowledged`` is true when that line had been synced once: the storage lost what it had promised to keep.
    """

    torn_bytes: int
    torn_sha256: Hex64
    quarantine_path: str
    acknowledged: bool


class SegmentBody(Body):
    """The first record of a file that follows a sealed one: what was sealed, and the tree over all records until then.

    :param name: the sealed file's name. :param first_seq: its first record's. :param size_bytes: of the whole file.
    :param tree_size: records of the log before this one. :param root: of the Merkle tree over them (RFC 9162).
    """

    name: str
    first_seq: int
    records: int
    size_bytes: int
    sha256: Hex64
    tree_size: int
    root: Hex64


class DeletionBody(Body):
    """A sealed segment that was removed whole because its last record is older than the retention.

    :param leaves_name: the file of its leaf hashes, 32 bytes each, which stays for proofs.
    """

    name: str
    first_seq: int
    records: int
    size_bytes: int
    sha256: Hex64
    last_recorded_at: Time
    retention_days: int
    leaves_name: str
    leaves_sha256: Hex64


class RedactionBody(Body):
    """Values whose commitments can no longer be opened: value and salt were erased from the vault."""

    field: str
    commitments: list[Hex64]
    reason: str


class ChangeBody(Body):
    """One field of a record, named by its path such as ``options/0/cost_gbp``, as it was and as it should read."""

    path: str
    was: str | None
    now: str | None


class CorrectionBody(Body):
    """What is wrong in an earlier record, which stays as it is.

    Where a delivery's claim about carbon is restated, ``carbon`` is the whole claim in force from now on, and
    ``changes`` are those of its fields against the claim of record ``supersedes_seq``: the delivery itself at
    ``revision`` 1, the restatement before at a later one. All three are null where no claim is restated.

    :param job_id: of the corrected record, and ``site_id`` too; null where it has none.
    """

    corrected_seq: int
    corrected_leaf: Hex64
    changes: list[ChangeBody]
    reason: str
    job_id: str | None = None
    site_id: str | None = None
    carbon: CarbonClaimBody | None = None
    revision: int | None = Field(None, ge=1)
    supersedes_seq: int | None = None


class ExportBody(Body):
    """Records that were handed out: to whom (a commitment), which, and the digest of the bytes given."""

    recipient_commit: Hex64
    format: Literal["csv", "parquet", "jsonl", "proof"]
    filters: dict[str, str] = Field(default_factory=dict)
    records: int
    first_seq: int | None
    last_seq: int | None
    tree_size: int
    sha256: Hex64


class KeyBody(Body):
    """A new key that signs checkpoints from now on, as a verifier key; the one before signs this record."""

    vkey: str
    supersedes: str
