"""Where the settings want the decision log and how kept, for the server and for every command that uses it."""

from __future__ import annotations

from pathlib import Path

from audit.segments import Keeping
from audit.verifier.files import parts_of
from core.errors import InputError
from core.settings import Settings


def keeping_of(settings: Settings) -> Keeping:
    """When the decision log is sealed, signed and let go of."""
    return Keeping(
        segment_bytes=round(settings.log_segment_mb * 1_000_000),
        segment_days=settings.log_segment_days,
        retention_days=settings.log_retention_days,
        checkpoint_records=settings.checkpoint_records,
        checkpoint_seconds=settings.checkpoint_seconds,
    )


def log_path(settings: Settings, given: Path | None = None) -> Path:
    """The decision log that is meant: ``given``, else that of the data folder.

    A log whose live file is gone counts as there while sealed segments of it are.

    :raises InputError: it is not there.
    """
    path = given or settings.data_dir / "decisions.jsonl"
    if not path.exists() and not (path.parent.is_dir() and parts_of(path)):
        raise InputError(
            f"there is no decision log at {path}",
            field="log",
            value=str(path),
            remedy="Name the file, or set DATA_DIR to the folder that holds it.",
        )
    return path
