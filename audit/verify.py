"""The offline verifier: reads a log once, in constant memory, and names the first bad line.

What it can prove from the files alone: each line is canonical, follows from the one before it, and the last one
acknowledged (kept in ``<log>.head``, when that file came along) is there unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from audit.chain import Head, LineFault, scan
from audit.record import NO_HASH
from audit.storage import read_head
from core.errors import LogDamaged, LogUnavailable, NotFound

PROGRESS_LINES = 1000

Progress = Callable[[int, int], None]
"""called with bytes checked and bytes in all"""


@dataclass(frozen=True, slots=True)
class Verification:
    """Outcome of a verification.

    :param records: good records read before a fault was met, or all of them.
    :param first_bad_line: 1-based; None when ``ok``, and when it is the ``.head`` file that is unreadable.
    :param reason: what is wrong with that line, empty when ``ok``.
    :param head_hash: hash of the last good record, 64 zeros when there is none.
    :param anchored: whether the last acknowledged record was known, so that a cut or changed end would have shown.
    """

    ok: bool
    records: int
    first_bad_line: int | None
    reason: str
    head_hash: str
    anchored: bool


def verify_up_to(path: Path, head: Head | None, end: int, progress: Progress | None = None) -> Verification:
    """Check the first ``end`` bytes of the log at ``path`` against ``head``; raises :class:`OSError` only."""
    records, last = 0, NO_HASH
    try:
        with path.open("rb") as stream:
            for line in scan(stream, head=head, end=end):
                records, last = line.number, line.hash
                if progress is not None and records % PROGRESS_LINES == 0:
                    progress(line.offset, end)
    except LineFault as fault:
        return Verification(False, fault.number - 1, fault.number, fault.reason, last, head is not None)
    if progress is not None:
        progress(end, end)
    return Verification(True, records, None, "", last, head is not None)


def verify(path: Path, progress: Progress | None = None) -> Verification:
    """Check every line of the log at ``path``; no file is changed.

    :param progress: called every 1,000 lines and at the end with (bytes checked, bytes in all).
    :raises NotFound: no such file.
    :raises LogUnavailable: it cannot be read.
    """
    try:
        return verify_up_to(path, read_head(path), path.stat().st_size, progress)
    except LogDamaged as error:
        return Verification(False, 0, None, str(error), NO_HASH, False)
    except FileNotFoundError as error:
        raise NotFound(f"no decision log at {path}", remedy="Give the path of a decisions.jsonl.") from error
    except OSError as error:
        raise LogUnavailable(
            f"{path} cannot be read: {error.strerror}", remedy="Check that it is a file you may read."
        ) from error
