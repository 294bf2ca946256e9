"""A bundle for somebody who has neither the log nor this program: records, the proof of each, and what checks them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from typing import BinaryIO

from audit.bundle import verifier_source
from audit.log import AuditLog
from audit.proofs import inclusion_proof
from audit.record import Record
from audit.verifier.notes import note_of
from core.errors import InputError

MOST_RECORDS = 10_000
_READ_ME = """Records of the Slackwater decision log {origin}, each with the proof that it is in the log.

    records.jsonl     the records' lines as they were hashed, one a line: those that were asked for, not the whole log
    proofs/SEQ        the proof of each (C2SP tlog-proof), its record within it
    checkpoint        the signed state of the log by which they are proven: {size} records
    key               the verifier key; compare it with the one that you were given some other way
    verifier.py       the offline verifier; needs Python 3.11 and nothing else

Check a proof:

    python verifier.py --key "$(cat key)" --proof proofs/SEQ

records.jsonl is a selection: its numbers have gaps and its lines do not link to each other, so do not check it as a
log. What was left out, and whether all that matches is here, the proofs do not say; the whole log does.
"""


def write_bundle(log: AuditLog, records: Iterable[Record], out: BinaryIO) -> None:
    """Write ``records`` with their proofs as a zip file, all by one checkpoint that is signed now.

    :raises InputError: there are more than :data:`MOST_RECORDS`.
    """
    signed = log.checkpoint()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        lines: list[bytes] = []
        for record in records:
            if record.seq >= signed.size:
                break
            if len(lines) == MOST_RECORDS:
                raise InputError(
                    f"a bundle of proofs holds at most {MOST_RECORDS:,} records",
                    field="format",
                    value="proof",
                    remedy="Narrow the filters, or export JSON lines and check them with the whole log.",
                )
            lines.append(record.line + b"\n")
            bundle.writestr(f"proofs/{record.seq}", inclusion_proof(log, record.seq))
        bundle.writestr("records.jsonl", b"".join(lines))
        bundle.writestr("checkpoint", note_of(signed))
        bundle.writestr("key", f"{log.vkey()}\n")
        bundle.writestr("verifier.py", verifier_source())
        bundle.writestr("README.txt", _READ_ME.format(origin=signed.origin, size=signed.size))
