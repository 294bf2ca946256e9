"""Spelling a record's line from parts that are canonical already, and the published schemas of what is written.

RFC 8785 spells a value the same wherever it stands, so a line is put together from spelled parts: the body is spelled
by the caller's thread, and what does not change from record to record once for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from audit.canonical import canonical
from audit.fields import Hex64, Time
from audit.record import BODIES, SCHEMA, Build, Entry, Record, Ref, Trace, body_of, digest, trace_fields
from audit.verifier.lines import Head


@dataclass(frozen=True, slots=True)
class Spelled:
    """An entry whose parts are spelled; its references are spelled when it is written: some are of its own batch."""

    entry: Entry
    body: dict[str, Any]
    head: bytes
    middle: bytes
    tail: bytes

    def resolved(self, own: Sequence[Record]) -> list[Ref]:
        """Its references, those to earlier records of its own batch too."""
        return [own[ref].ref if isinstance(ref, int) else ref for ref in self.entry.refs]

    def line(self, prev: str, recorded_at: bytes, refs: bytes, seq: int) -> bytes:
        """The canonical line; ``recorded_at`` and ``refs`` are spelled already."""
        return b'%b%b,"prev":"%b","recorded_at":%b,"refs":%b,"schema":"%b","seq":%d%b' % (
            self.head,
            self.middle,
            prev.encode(),
            recorded_at,
            refs,
            SCHEMA.encode(),
            seq,
            self.tail,
        )

    def record(self, raw: bytes, at: Head, now: datetime, actor: Mapping[str, str], refs: Sequence[Ref]) -> Record:
        """The record that ``raw`` is, without reading it again."""
        return Record(
            seq=at.records,
            hash=digest(raw),
            prev=at.hash,
            kind=self.entry.kind,
            recorded_at=now,
            body=self.body,
            line=raw,
            actor=actor,
            refs=tuple(refs),
            trace=self.entry.trace or Trace(),
            commit=self.entry.commit,
        )


@dataclass(slots=True)
class Speller:
    """Spells entries for one log."""

    log_id: str
    build: Build
    _heads: dict[str, bytes] = field(default_factory=dict)

    def spell(self, entry: Entry) -> Spelled:
        """All of an entry that does not depend on its place; errors as :func:`audit.record.body_of`."""
        body = body_of(entry.kind, entry.body)
        commit = canonical(dict(entry.commit)) if entry.commit else b"{}"
        middle = b',"commit":%b,"kind":%b,"log_id":%b' % (commit, _word(entry.kind), _word(self.log_id))
        trace = canonical(trace_fields(entry.trace)) if entry.trace else b"{}"
        return Spelled(entry, body, self._head(entry.agent) + canonical(body), middle, b',"trace":%b}' % trace)

    def _head(self, agent: str) -> bytes:
        if agent not in self._heads:
            self._heads[agent] = b'{"actor":%b,"body":' % canonical(self.build.actor(agent))
        return self._heads[agent]


@cache
def _word(text: str) -> bytes:
    return canonical(text)


def spelled_refs(refs: Sequence[Ref]) -> bytes:
    """The canonical bytes of an envelope's ``refs``."""
    return b"[]" if not refs else canonical([{"seq": ref.seq, "leaf": ref.leaf} for ref in refs])


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ActorPart(_Part):
    """Who wrote the record."""

    agent: str
    version: str
    git_sha: str = Field(description="commit of the program, or unknown")
    config_sha256: Hex64 = Field(description="digest of the settings without secrets")


class RefPart(_Part):
    """An earlier record that this one rests on."""

    seq: int = Field(ge=0)
    leaf: Hex64


class TracePart(_Part):
    """The Beckn message answered; a field that is absent does not apply."""

    beckn_transaction_id: str = ""
    beckn_message_id: str = ""


class EnvelopePart(_Part):
    """One line of the log."""

    actor: ActorPart
    commit: dict[str, Hex64] = Field(description="commitments to values kept off the log, by field")
    log_id: str
    prev: Hex64 = Field(description="SHA-256 of the line before; 64 zeros before the first")
    recorded_at: Time
    refs: list[RefPart]
    schema_: Literal["slackwater.audit/2"] = Field(alias="schema")
    seq: int = Field(ge=0, description="from 0, without a gap, through all segments")
    trace: TracePart


def json_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema (2020-12) of a whole line of each kind, by kind."""
    return {kind: _json_schema(kind) for kind in BODIES}


def _json_schema(kind: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"kind": (Literal[kind], ...), "body": (BODIES[kind], ...)}
    model = create_model(f"{kind}_record", __base__=EnvelopePart, **fields)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(mode="serialization", by_alias=True),
        "title": f"{SCHEMA} {kind}",
        "description": (BODIES[kind].__doc__ or "").split("\n", maxsplit=1)[0],
    }
