"""The story from its beginning to its end."""

from __future__ import annotations

from pathlib import Path

from demo import opening, selling
from demo.stage import Stage


def play(folder: Path, schemas: Path | None, *, verbose: bool = False) -> int:
    """Play it in ``folder``: 0 where all was as it must be, else 1.

    :param schemas: folder of the published schemas, by which every message is judged; None: none is.
    """
    with Stage.set_up(folder, verbose=verbose) as stage:
        for act in (opening.register, opening.plan, opening.discover, selling.turn_down, selling.second_thoughts, selling.bad_guys):
            act(stage)
        return 1 if stage.tell.differed else 0
