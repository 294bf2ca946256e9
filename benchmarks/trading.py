"""What benchmarks of the trade share: a peer in a process of its own, patience, and the report in the end."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol, TypeVar

SPAWN = multiprocessing.get_context("spawn")


class Outcome(Protocol):
    """What came of a benchmark."""

    @property
    def holds(self) -> bool:
        """Whether what is promised holds."""
        ...


T = TypeVar("T")
F = TypeVar("F", bound=Outcome)


@contextmanager
def peer_process(receive: Callable[..., None], *arguments: object) -> Iterator[tuple[int, Connection]]:
    """The process of a peer: its port, which it tells first, and the line to it; the word ``end`` ends it.

    :param receive: gets the arguments, and the other end of the line.
    """
    line, far = SPAWN.Pipe()
    process = SPAWN.Process(target=receive, args=(*arguments, far))
    process.start()
    try:
        yield int(line.recv()), line
    finally:
        line.send("end")
        process.join(timeout=10)
        process.kill()
        process.join()
        process.close()
        line.close()
        far.close()


def eventually(there: Callable[[], bool], within_s: float, every_s: float = 0.1) -> bool:
    """Whether something comes about in time, looked at every so often."""
    until = time.monotonic() + within_s
    while not (found := there()) and time.monotonic() < until:
        time.sleep(every_s)
    return found


def table(rows: Iterable[tuple[str, object]]) -> str:
    """Figures by name, a line each."""
    return "\n".join(f"{name:<17}{figure}" for name, figure in rows)


def report(measure: Callable[[T, Path], F], task: T, told: Callable[[F], str]) -> int:
    """Measure in a folder that is gone afterwards, and print; the status to exit with, 1 where it does not hold."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(task, Path(folder))
    print(told(found))
    return int(not found.holds)
