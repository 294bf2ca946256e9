"""Writes the sample log of docs/audit.md: the same bytes every time.

    python -m benchmarks.sample_log [--out docs/audit]

A log as a server writes it, over two days, with a fixed identity and a fixed key: that key signs samples and nothing
else, and is not kept.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.canonical import canonical
from audit.keys import SigningKey
from audit.log import AuditLog
from audit.record import Build
from audit.storage import beside
from audit.verifier.notes import note_of
from benchmarks.evidence import delivery
from core.clock import ManualClock

START = datetime(2026, 3, 1, tzinfo=UTC)
RECORDS = 200
LOG_ID = "5a3b1e00000000000000000000000001"
NAME = f"slackwater/{LOG_ID}"


def write_sample(folder: Path) -> None:
    """The log, its head, its checkpoint and its public key, in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    seed = hashlib.sha256(b"slackwater sample log").digest()
    key = SigningKey(NAME, Ed25519PrivateKey.from_private_bytes(seed))
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "decisions.jsonl"
        beside(path, ".key").write_text(key.text(), encoding="utf-8")
        clock = ManualClock(START)
        log = AuditLog.open(path, clock=clock, build=_build(), log_id=LOG_ID)
        for number in range(RECORDS):
            log.append("delivery", delivery(number), agent="site")
            clock.advance(timedelta(minutes=15))
        note = note_of(log.checkpoint())
        log.close()
        for file in (path, beside(path, ".head")):
            shutil.copyfile(file, folder / file.name)
    (folder / "checkpoint").write_text(note, encoding="utf-8")
    (folder / "key").write_text(key.vkey + "\n", encoding="utf-8")


def _build() -> Build:
    return Build("sample", "unknown", hashlib.sha256(canonical({})).hexdigest())


def main(argv: Sequence[str] | None = None) -> None:
    """Write it."""
    parser = argparse.ArgumentParser(description="Write the sample log of docs/audit.md.")
    parser.add_argument("--out", type=Path, default=Path("docs/audit"), help="folder (default docs/audit)")
    write_sample(parser.parse_args(argv).out)


if __name__ == "__main__":
    main()
