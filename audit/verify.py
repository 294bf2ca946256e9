"""The offline check of a log by its path, with what stands beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from audit.record import Record, read_record
from audit.verifier.cli import evidence_of
from audit.verifier.files import Progress, Verification, check_log, parts_of
from audit.verifier.lines import FIRST, NO_HASH, LineFault, Place, TornTail, scan
from audit.verifier.notes import BadEvidence, Checkpoint, Key
from core.errors import LogDamaged, LogUnavailable, NotFound


def verify(
    path: Path,
    progress: Progress | None = None,
    *,
    held: Sequence[Checkpoint] = (),
    keys: Sequence[Key] = (),
    keys_given: bool = True,
) -> Verification:
    """Check every line of the log at ``path`` and its segments; no file is changed.

    :param progress: called now and then and at the end with (bytes checked, bytes in all).
    :param held: checkpoints kept elsewhere, besides those beside the log. :param keys: verifier keys to check by.
    :param keys_given: whether an auditor gave them; False where they were read beside the log.
    :raises NotFound: no such file.
    :raises LogUnavailable: it cannot be read.
    """
    try:
        parts = parts_of(path) if path.parent.is_dir() else []
        if not parts:
            raise NotFound(f"no decision log at {path}", remedy="Give the path of a decisions.jsonl.")
        return check_log(parts, evidence_of(path, parts, held, keys, keys_given=keys_given), progress=progress)
    except BadEvidence as error:
        return Verification(False, 0, None, str(error), NO_HASH, False)
    except OSError as error:
        raise LogUnavailable(
            f"{path} cannot be read: {error.strerror}", remedy="Check that it is a file you may read."
        ) from error


def records_in(path: Path) -> Iterator[Record]:
    """Every record of the log at ``path`` and its segments in order, checked on the way; what follows is not read.

    An unfinished last line is left out: it was never acknowledged, and may just be being written.

    :raises LogDamaged: at the first line that is bad.
    """
    at = FIRST
    for part in parts_of(path):
        if part.suffix == ".leaves":
            at = Place(int(part.stem[-12:]) + part.stat().st_size // 32, None, None)
            continue
        with part.open("rb") as stream:
            try:
                for line in scan(stream, at):
                    at = line.next
                    yield read_record(line.raw, line.envelope)
            except TornTail:
                return
            except LineFault as fault:
                raise LogDamaged(f"record {fault.seq} in {part} is bad: {fault.reason}", line=fault.seq + 1) from fault
