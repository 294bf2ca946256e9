"""What a round rests on: the instance file with its digest, and stored answers from before the round."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agents.energy.reread import Mismatch, Reread, Rereader
from agents.replaying.cases import Told
from agents.replaying.findings import Finding, differs, lacking
from audit.record import Record
from core.errors import NotFound, StoreUnavailable
from core.instance import Instance
from core.slots import format_utc
from core.vintage import Fetch
from store.vintages import VintageRepository


def kept_instance(folder: Path, body: Mapping[str, Any]) -> tuple[Instance | None, list[Finding]]:
    """The instance file that a round's record names, as far as it can be read, and what is wrong with it."""
    path = folder / body["instance_path"]
    try:
        text = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        return None, [differs("instance", f"{body['instance_path']} is not there")]
    except (OSError, EOFError, zlib.error) as error:
        return None, [differs("instance", f"{body['instance_path']} cannot be read: {error}")]
    found, digest = [], hashlib.sha256(text).hexdigest()
    if digest != body["instance_sha256"]:
        found.append(differs("instance", f"recorded with SHA-256 {body['instance_sha256']}, its file has {digest}"))
    try:
        return Instance.model_validate_json(text), found
    except ValidationError as error:
        told = error.errors()[0]["msg"]
        return None, [*found, differs("instance", f"{body['instance_path']} is no instance: {told}")]


class Answers:
    """The stored answers behind rounds.

    :param pruned_before: answers from before this instant may have been deleted because their time was over.
    """

    def __init__(self, vintages: VintageRepository, pruned_before: datetime) -> None:
        self._vintages = vintages
        self._rereader = Rereader(vintages)
        self._pruned_before = pruned_before

    def check(self, record: Record, answers: Mapping[str, Told]) -> list[Finding]:
        """What is wrong with the answers that a round's record names: later than the round, changed, or gone."""
        named = {origin["fetch_id"] for use in record.body["feeds"] for origin in use["origins"]} - {None}
        found = [finding for name in sorted(named) for finding in self._answer(name, record, answers.get(name))]
        for use in record.body["feeds"]:
            if datetime.fromisoformat(use["issued_at"]) > record.recorded_at:
                found.append(_look_ahead(f"{use['zone']} {use['quantity']}", use["issued_at"], record))
        return found

    def reread(self, body: Mapping[str, Any], instance: Instance, wrong: list[Finding]) -> tuple[Reread, list[Finding]]:
        """The figures of an instance against those in the stored bytes, but of answers that are ``wrong`` already."""
        result = self._rereader.round(body, instance)
        known = {finding.what for finding in wrong}
        return result, list(_told(odd for odd in result.mismatches if odd.fetch_id not in known))

    def _answer(self, fetch_id: str, record: Record, told: Told | None) -> Iterator[Finding]:
        if told is None or told.seq >= record.seq:
            yield differs(fetch_id, "the log does not tell of this answer before the round that uses it")
            return
        if datetime.fromisoformat(told.fetched_at) > record.recorded_at:
            yield _look_ahead(fetch_id, told.fetched_at, record)
        try:
            fetch = self._vintages.get(fetch_id)
        except NotFound:
            yield self._gone(told)
        except StoreUnavailable as error:
            yield differs(fetch_id, str(error))
        else:
            yield from _compared(fetch, told, record)

    def _gone(self, told: Told) -> Finding:
        if datetime.fromisoformat(told.fetched_at) < self._pruned_before:
            return lacking(told.fetch_id, f"fetched at {told.fetched_at}, it was deleted when its time was over")
        return differs(told.fetch_id, f"fetched at {told.fetched_at}, it should still be in the store and is not")


def _compared(fetch: Fetch, told: Told, record: Record) -> Iterator[Finding]:
    """A stored answer against what the log told of it and against the instant of the round."""
    at, fetch_id = format_utc(fetch.fetched_at), told.fetch_id
    if at != told.fetched_at:
        yield differs(fetch_id, f"recorded as fetched at {told.fetched_at}, stored as fetched at {at}")
        if datetime.fromisoformat(at) > record.recorded_at:
            yield _look_ahead(fetch_id, at, record)
    stored = {answer.sha256 for answer in fetch.answers}
    for sha256, url in told.bodies.items():
        if sha256 not in stored:
            yield differs(fetch_id, f"the body of {url} with SHA-256 {sha256} is not in the store")
    if stored - told.bodies.keys():
        yield differs(fetch_id, "the store has a body that the log does not tell of")


def _look_ahead(what: str, at: str, record: Record) -> Finding:
    told = format_utc(record.recorded_at)
    return differs(what, f"look-ahead: it is from {at}, and the round was recorded at {told}")


def _told(mismatches: Iterator[Mismatch]) -> Iterator[Finding]:
    """One finding for each series and answer, naming the first slot."""
    for (zone, quantity, fetch_id), some in groupby(mismatches, lambda odd: (odd.zone, odd.quantity, odd.fetch_id)):
        first, *others = some
        where = f"{zone} {quantity} at {format_utc(first.slot)}"
        more = f", and {len(others)} more" if others else ""
        source = f"{fetch_id or 'no answer'} gives {first.read}"
        yield differs(where, f"planned with {first.planned:.9g}, {source}: {first.why}{more}")
