"""Verifying the decision log from a page: one run at a time, in the background, with its progress."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, cast

from flask import current_app
from loguru import logger

from audit.verifier.files import Progress, Verification
from core.errors import SlackwaterError

PATIENCE_S = 1.5


@dataclass(frozen=True, slots=True)
class VerificationState:
    """How the last run stands.

    :param share: 0 to 1 of the bytes checked.
    :param result: once it is finished; ``error`` instead where it could not be.
    """

    running: bool = False
    share: float = 0.0
    result: Verification | None = None
    error: str | None = None


class VerificationRun:
    """Runs ``verify`` in a thread; asked again while it runs, it goes on with the run it has."""

    KEY: ClassVar[str] = "slackwater.verification"

    def __init__(self, verify: Callable[[Progress], Verification]) -> None:
        self._verify = verify
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._state = VerificationState()

    def state(self) -> VerificationState:
        """How it stands now."""
        return self._state

    def start(self) -> VerificationState:
        """Begin a run unless one is under way; a short run is finished on return."""
        with self._lock:
            if not self._state.running:
                self._state = VerificationState(running=True)
                self._thread = threading.Thread(target=self._run, name="verify", daemon=True)
                self._thread.start()
            thread = self._thread
        if thread is not None:
            thread.join(PATIENCE_S)
        return self._state

    def _run(self) -> None:
        try:
            self._state = VerificationState(result=self._verify(self._note), share=1.0)
        except (SlackwaterError, OSError) as error:
            logger.error("verification of the decision log did not finish: {}", error)
            self._state = VerificationState(error=str(error))

    def _note(self, done: int, total: int) -> None:
        self._state = VerificationState(running=True, share=done / total if total else 1.0)


def verification_of_request() -> VerificationRun:
    """The run of the application that is handling the present request."""
    return cast(VerificationRun, current_app.extensions[VerificationRun.KEY])
