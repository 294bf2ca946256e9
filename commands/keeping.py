"""How the settings want the decision log kept, for the server and for every command that writes to it."""

from __future__ import annotations

from audit.segments import Keeping
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
