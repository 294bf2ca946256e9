"""Opening a log: all that it holds is checked as an auditor would, and an unfinished last line is moved out."""

from __future__ import annotations

import hashlib
from pathlib import Path

from audit.bodies.log import RecoveryBody
from audit.contents import Contents
from audit.storage import LogFile
from audit.verifier.cli import checkpoints_beside, read_head
from audit.verifier.files import Evidence, Verification, check_log, parts_of
from audit.verifier.lines import Head
from audit.verifier.notes import BadEvidence
from core.errors import LogDamaged, LogUnavailable


def load(file: LogFile) -> tuple[Contents, RecoveryBody | None]:
    """What an open file and its segments hold, and what was moved out of it.

    :raises LogDamaged: something finished does not verify, or something acknowledged is missing.
    """
    path, torn = file.path, file.torn_tail()
    parts, end = parts_of(path), file.size - torn
    if len(parts) > 1 and not end:
        raise damaged(path, path.name, 1, "missing: it is empty although segments before it were sealed")
    try:
        head = read_head(path)
        found = check_log(parts, Evidence(head, checkpoints_beside(path)), end=end)
    except BadEvidence as error:
        raise LogDamaged(str(error), line=0) from error
    if not (found.ok or (torn and _lost_the_torn_one(found, head))):
        raise damaged(path, found.file, found.first_bad_line, found.reason)
    contents = Contents.load(path, parts, end)
    return contents, _moved_out(file, end, head, contents.head.records) if torn else None


def _lost_the_torn_one(found: Verification, head: Head | None) -> bool:
    """Whether all that is missing is one acknowledged record: the line whose beginning is there."""
    return head is not None and found.first_bad_seq == found.records == head.records - 1


def _moved_out(file: LogFile, end: int, head: Head | None, records: int) -> RecoveryBody:
    name, tail = file.quarantine(end)
    return RecoveryBody(
        torn_bytes=len(tail),
        torn_sha256=hashlib.sha256(tail).hexdigest(),
        quarantine_path=name,
        acknowledged=head is not None and head.records == records + 1,
    )


def cause(error: BaseException) -> str:
    """Why something failed, as the system says it."""
    return (error.strerror if isinstance(error, OSError) else None) or f"{type(error).__name__}: {error}"


def unavailable(path: Path, why: str) -> LogUnavailable:
    """The error of a log that cannot be written, synced or read."""
    return LogUnavailable(f"the decision log {path.name} cannot be used: {why}")


def damaged(path: Path, file: str, line: int | None, reason: str = "changed since it was written") -> LogDamaged:
    """The error of a log that does not verify."""
    where = f"{file or path.name}, line {line}" if line else path.name
    return LogDamaged(f"{where}: {reason}", line=line or 0)
