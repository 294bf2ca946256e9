"""Reading records from the files of an open log, beside its writer and beside the removal of expired segments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress

from audit.contents import Contents
from audit.index import Query
from audit.opening import cause, damaged, unavailable
from audit.record import Record, digest, read_record
from audit.storage import LogFile
from audit.verifier.spelling import parse_canonical
from core.errors import NotFound


class Reader:
    """Reads one log; ``still`` keeps names and places of its files as they are while a line is looked up and read."""

    def __init__(self, file: LogFile, contents: Contents, still: AbstractContextManager[object]) -> None:
        self._file, self._contents, self._still = file, contents, still

    def stored(self, seq: int) -> bytes:
        """The bytes of record ``seq`` as its file holds them, unchecked, its line end with them; errors as ``get``."""
        return self._stored(seq, 1)[0]

    def _stored(self, seq: int, beyond: int = 0) -> tuple[bytes, str, str, int]:
        """A line with so many bytes that follow it, the hash it should have, its file, and its number there from 1."""
        with self._still:
            base = self._contents.index.base
            if seq < base:
                raise NotFound(f"record {seq} was removed with its segment; the log begins with {base} now")
            (offset, size, expected), (first, part) = self._contents.index.where(seq), self._contents.part(seq)
            try:
                return self._file.read(part, offset, size + beyond), expected, part.name, seq - first + 1
            except OSError as error:
                raise unavailable(self._contents.path, cause(error)) from error

    def _line(self, seq: int) -> bytes:
        line, expected, part, number = self._stored(seq)
        if digest(line) != expected:
            raise damaged(self._contents.path, part, number)
        return line

    def get(self, seq: int) -> Record:
        """Record ``seq``: see :meth:`audit.log.AuditLog.get`."""
        records = self._contents.head.records
        if not 0 <= seq < records:
            raise NotFound(f"no record {seq} in the decision log; it holds {records}")
        line = self._line(seq)
        return read_record(line, parse_canonical(line))

    def still_here(self, seqs: Iterable[int]) -> Iterator[Record]:
        """The records ``seqs`` but those that were removed with their segment since they were found."""
        for seq in seqs:
            with suppress(NotFound):
                yield self.get(seq)

    def matching(self, query: Query, text: str | None) -> list[int]:
        """Numbers of the records that match, newest first; ``text`` occurs in the line, whatever the case."""
        seqs: list[int] = self._contents.index.find(query).tolist()
        needle = (text or "").casefold()
        return [seq for seq in seqs if self._says(seq, needle)] if needle else seqs

    def _says(self, seq: int, needle: str) -> bool:
        try:
            return needle in self._line(seq).decode().casefold()
        except NotFound:
            return False
