"""Exports of the decision log: written to a file, recorded with its digest, and only then handed out."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Literal

from flask import Response

from audit.bodies.log import ExportBody
from audit.exports import FORMATS, MEDIA_TYPES, Format, write
from audit.proof_bundle import write_bundle
from audit.record import BODIES, FORMER_KINDS, Record
from core.errors import InputError
from core.slots import format_utc
from web.access import Visitor
from web.services import Services

CHUNK_BYTES = 256 * 1024
Form = Literal[Format, "proof"]
"""a form of the records alone, or with the proof of each"""
FORMS: tuple[Form, ...] = (*FORMATS, "proof")
FORM_TYPES: dict[Form, str] = {"proof": "application/zip"}
FORM_TYPES.update((form, media_type) for form, media_type in MEDIA_TYPES.items())


@dataclass(slots=True)
class _Seen:
    """Passes records on and remembers how many there were, and the first and last."""

    count: int = 0
    ends: list[int] = field(default_factory=list)

    def of(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            self.count += 1
            self.ends = [*self.ends[:1], record.seq]
            yield record


def export(services: Services, visitor: Visitor, form: Form, filters: dict[str, Any]) -> Response:
    """The records that match ``filters`` (of :meth:`audit.log.AuditLog.matching`), oldest first, as a download.

    :raises LogUnavailable: the export cannot be recorded; nothing is handed out.
    """
    wanted = {name: value for name, value in filters.items() if value is not None}
    kind = FORMER_KINDS.get(wanted.get("kind", ""), wanted.get("kind"))
    if kind is not None and kind not in BODIES:
        raise InputError(
            f"there is no kind of record {kind[:40]!r}", field="kind", remedy=f"Ask for one of {', '.join(BODIES)}."
        )
    seen, (tree_size, _) = _Seen(), services.log.head()
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it has been read
    try:
        _write(services, seen.of(services.log.matching(**wanted)), form, kind, file)
        body = ExportBody(
            recipient_commit=services.log.commit("recipient", visitor.name),
            format=form,
            filters={name: _told(services, name, value, seen.count > 0) for name, value in wanted.items()},
            records=seen.count,
            first_seq=seen.ends[0] if seen.ends else None,
            last_seq=seen.ends[-1] if seen.ends else None,
            tree_size=tree_size,
            sha256=_sha256(file),
        )
        recorded = services.log.append("export", body, agent="audit")
    except BaseException:
        file.close()
        raise
    size = file.seek(0, 2)
    file.seek(0)
    response = Response(_read(file), content_type=FORM_TYPES[form])
    response.call_on_close(file.close)
    response.content_length = size
    ending = "zip" if form == "proof" else form
    response.headers["Content-Disposition"] = f'attachment; filename="slackwater-records-{recorded.seq}.{ending}"'
    response.headers["X-Export-Record"] = str(recorded.seq)
    return response


def _read(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _write(services: Services, records: Iterable[Record], form: Form, kind: str | None, file: BinaryIO) -> None:
    if form == "proof":
        write_bundle(services.log, records, file)
    else:
        write(records, form, kind, file)


def _told(services: Services, name: str, value: Any, found: bool) -> str:
    """A filter as it stands on the log: a commitment where it might be anything, even somebody's name.

    An identifier by which records were ``found`` is on the log as it is.
    """
    if isinstance(value, str) and (name == "text" or not found):
        return services.log.commit("export_filter", value)
    if isinstance(value, datetime):
        return format_utc(value)
    return ",".join(sorted(value)) if isinstance(value, Collection) and not isinstance(value, str) else str(value)


def _sha256(file: BinaryIO) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
