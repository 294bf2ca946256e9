"""The story from its beginning to its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from demo import buying, ending, opening, passing, selling
from demo.stage import Stage

Act = Callable[[Stage], None]


def play(folder: Path, schemas: Path | None, *, verbose: bool = False) -> int:
    """Play it in ``folder``: 0 where all was as it must be, else 1.

    :param schemas: folder of the published schemas, by which every message is judged; None: none is.
    """
    with Stage.set_up(folder, verbose=verbose) as stage:
        try:
            _whole(stage, schemas)
        except (RuntimeError, TimeoutError) as error:
            stage.tell.check(f"the story breaks off: {error}", holds=False)
        return 1 if stage.tell.differed else 0


def _whole(stage: Stage, schemas: Path | None) -> None:
    """All acts."""
    _play(stage, (opening.register, opening.plan, opening.discover))
    trades = buying.offers_it(stage)
    if not trades:
        stage.tell.step("this Slackwater does not buy yet: the acts of its buying are left out")
    _play(stage, (buying.windows,) if trades else ())
    _play(stage, (selling.turn_down, selling.second_thoughts))
    _play(stage, (buying.need,) if trades else ())
    _play(stage, (selling.bad_guys, passing.power_cut, passing.alert, passing.delivery))
    _play(stage, (buying.settle,) if trades else ())
    _play(stage, (passing.finished_jobs, ending.accounts, ending.verify_logs))
    ending.judge(stage, schemas)
    ending.summary(stage)


def _play(stage: Stage, acts: tuple[Act, ...]) -> None:
    for act in acts:
        act(stage)
