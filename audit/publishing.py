"""Checkpoints handed to others: a witness, a time-stamping authority. In the background, and never in the log's way."""

from __future__ import annotations

import threading
from pathlib import Path

from loguru import logger

from audit.log import AuditLog
from audit.timestamp import keep_stamp, request_stamp
from audit.verifier.notes import BadEvidence, Checkpoint, Key
from audit.witness import Witness


class Publisher:
    """Hands on the newest checkpoint of a log; one that is overtaken while another is under way is left out."""

    def __init__(self, log: AuditLog, witness: Witness | None, timestamp: tuple[str, bytes] | None) -> None:
        self._log, self._witness, self._timestamp = log, witness, timestamp
        self._newest: Checkpoint | None = None
        self._more = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    @classmethod
    def start(
        cls,
        log: AuditLog,
        *,
        witness_url: str | None,
        witness_key: str | None,
        timestamp_url: str | None,
        timestamp_ca: Path | None,
    ) -> Publisher | None:
        """A running publisher for what is set; None when nothing is. :class:`BadEvidence`: the key is none."""
        witness = Witness(witness_url, Key.parse(witness_key)) if witness_url and witness_key else None
        timestamp = (timestamp_url, timestamp_ca.read_bytes()) if timestamp_url and timestamp_ca else None
        if witness is None and timestamp is None:
            return None
        made = cls(log, witness, timestamp)
        log.on_checkpoint = made.offer
        made._thread.start()
        return made

    def offer(self, checkpoint: Checkpoint) -> None:
        """Hand this one on, soon."""
        with self._more:
            self._newest = checkpoint
            self._more.notify()

    def close(self) -> None:
        """Hand on what is waiting, then end."""
        with self._more:
            self._closed = True
            self._more.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._more:
                self._more.wait_for(lambda: self._newest is not None or self._closed)
                checkpoint, self._newest = self._newest, None
            if checkpoint is None:
                return
            self.publish(checkpoint)

    def publish(self, checkpoint: Checkpoint) -> None:
        """Hand one on now; what fails is reported and tried again with the next checkpoint."""
        try:
            if self._witness is not None:
                self._log.keep_cosigned(self._witness.cosign(checkpoint, self._log.consistency))
        except (BadEvidence, OSError) as error:
            logger.error("a checkpoint of {} records was not witnessed: {}", checkpoint.size, error)
        try:
            if self._timestamp is not None:
                keep_stamp(
                    self._log.path, checkpoint, request_stamp(self._timestamp[0], checkpoint, self._timestamp[1])
                )
        except (BadEvidence, OSError) as error:
            logger.error("a checkpoint of {} records was not time-stamped: {}", checkpoint.size, error)
