"""``beckn outbox`` and ``beckn replay``: what is owed to peers, what was given up, and owing it again.

Both read and write the database of the settings, whether or not a server is running on it; a running server finds what
was replayed within seconds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from beckn.outbox import renewed
from core.clock import Clock
from core.errors import Conflict, InputError, NotFound
from core.settings import Settings
from core.slots import format_utc
from core.trade import Delivery
from store.database import Database
from store.outbox import DeliveryState, OutboxRepository, Owed

MOST = 200
"""deliveries listed, the newest"""
_HEAD = ("NUMBER", "ACTION", "PEER", "TRIES", "STORED", "UNTIL", "NEXT", "REASON")
_REASON = 100


def outbox(arguments: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    """List what is owed, or the dead letters."""
    state = DeliveryState.DEAD if arguments.dead else DeliveryState.PENDING
    with _outbox(settings) as kept:
        found, owed = kept.listed(state, MOST), kept.owed()
    if arguments.json:
        print(json.dumps(_told(found, owed, clock.now())))
    else:
        print(_in_words(found, owed, state, clock.now()))
    return 0


def replay(arguments: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    """Owe dead letters again, with a new time in their context; 0 also where there are none."""
    if bool(arguments.numbers) == arguments.all:
        raise InputError(
            "either numbers or --all, not both" if arguments.all else "nothing is named",
            field="NUMBER",
            remedy="Name numbers of `python app.py beckn outbox --dead`, or say --all.",
        )
    now, ttl = clock.now(), timedelta(seconds=settings.beckn_delivery_seconds)
    numbers = None if arguments.all else arguments.numbers
    with _outbox(settings) as kept:
        try:
            again = kept.replay(numbers, now, now + ttl, lambda body: renewed(body, now, ttl))
        except (NotFound, Conflict) as error:
            remedy = "Nothing was changed. `python app.py beckn outbox --dead` lists the dead letters."
            raise type(error)(str(error), remedy=remedy) from error
    if not again:
        print("There are no dead letters.")
    else:
        print(f"{len(again)} owed again until {format_utc(now + ttl)}: {', '.join(map(str, again))}")
    return 0


@contextmanager
def _outbox(settings: Settings) -> Iterator[OutboxRepository]:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.resolved_database_url)
    try:
        database.migrate()
        yield OutboxRepository(database)
    finally:
        database.close()


def _told(found: Sequence[Delivery], owed: Owed, now: datetime) -> dict[str, object]:
    return {
        "counts": {state.value: count for state, count in owed.counts.items()},
        "oldest_pending_seconds": owed.seconds(now),
        "deliveries": [
            {
                "number": each.number,
                "state": each.state,
                "action": each.action,
                "message_id": each.message_id,
                "transaction_id": each.transaction_id,
                "peer_id": each.peer_id,
                "url": each.url,
                "attempts": each.attempts,
                "created_at": format_utc(each.created_at),
                "expires_at": format_utc(each.expires_at),
                "next_at": None if each.next_at is None else format_utc(each.next_at),
                "ended_at": None if each.ended_at is None else format_utc(each.ended_at),
                "reason": each.reason,
            }
            for each in found
        ],
    }


def _in_words(found: Sequence[Delivery], owed: Owed, state: DeliveryState, now: datetime) -> str:
    """A table, or what its being empty means, and how much there is in all."""
    counts = owed.counts
    if not found:
        note = "Nothing is owed." if state is DeliveryState.PENDING else "There are no dead letters."
    elif len(found) < counts[state]:
        note = f"The newest {len(found)} of {counts[state]}."
    else:
        note = ""
    age = f", the oldest for {owed.seconds(now):.0f} s" if counts[DeliveryState.PENDING] else ""
    dead = counts[DeliveryState.DEAD]
    lines = [
        *_table([_HEAD, *map(_row, found)] if found else []),
        note,
        f"{counts[DeliveryState.PENDING]} pending{age}; {counts[DeliveryState.DELIVERED]} delivered; {dead} dead",
        "Owe dead letters again: python app.py beckn replay NUMBER, or --all" if dead else "",
    ]
    return "\n".join(line for line in lines if line)


def _row(each: Delivery) -> tuple[str, ...]:
    if each.next_at is not None:
        following = f"{each.next_at:%H:%M:%S}Z"
    else:
        following = "after others" if each.state == DeliveryState.PENDING.value else "-"
    return (
        str(each.number),
        each.action,
        each.peer_id,
        str(each.attempts),
        f"{each.created_at:%Y-%m-%d %H:%M:%S}Z",
        f"{each.expires_at:%H:%M:%S}Z",
        following,
        (each.reason or "")[:_REASON],
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
