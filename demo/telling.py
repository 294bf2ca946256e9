"""What the story prints: acts, steps with who told whom what, and checks that decide how it ends."""

from __future__ import annotations

import time
from collections.abc import Sequence

from core.slots import format_utc
from demo.clock import StoryClock

WIDTH = 108


class Teller:
    """Prints the story and keeps what differed."""

    def __init__(self, clock: StoryClock, *, verbose: bool = False) -> None:
        self._clock = clock
        self._verbose = verbose
        self._act = 0
        self._step = 0
        self._began = time.monotonic()
        self.checked = 0
        self.differed: list[str] = []

    @property
    def seconds(self) -> float:
        """Real seconds since it began."""
        return time.monotonic() - self._began

    def act(self, title: str) -> None:
        """Begin a numbered act."""
        self._act, self._step = self._act + 1, 0
        head = f"{self._act}. {title} "
        stamp = f" {format_utc(self._clock.now())[:16]}Z, after {self.seconds:.0f} s"
        print(f"\n{head}{'-' * max(3, WIDTH - len(head) - len(stamp))}{stamp}", flush=True)

    def step(self, text: str) -> None:
        """A numbered step of the act."""
        self._step += 1
        print(f"  {self._act}.{self._step}  {text}", flush=True)

    def note(self, text: str) -> None:
        """A line below a step."""
        print(f"       {text}", flush=True)

    def detail(self, text: str) -> None:
        """A line for those who asked for more."""
        if self._verbose:
            print(f"       . {text}", flush=True)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Rows below a step, the first of them the head."""
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            self.note("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def check(self, what: str, holds: bool, found: object = "") -> bool:
        """Something that must be so; what is not makes the story fail."""
        self.checked += 1
        print(f"       {'[ok]' if holds else '[DIFFERS]'} {what}{f': {found}' if found != '' else ''}", flush=True)
        if not holds:
            self.differed.append(f"{self._act}.{self._step} {what}: {found}")
        return holds
