"""Records to take away, as JSON lines, CSV or Parquet, and back: each holds the canonical lines, so nothing is lost.

The columns beside the line are for reading: what the envelope says, and the plain fields of the bodies; in Parquet
decimals are decimals, never floats. Reading back trusts the line alone and checks the leaf hash beside it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any, BinaryIO, Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from audit.fields import DECIMAL
from audit.record import BODIES, Record
from audit.verifier.tree import leaf_hash
from core.errors import InputError
from core.slots import format_utc

Format = Literal["jsonl", "csv", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
MEDIA_TYPES: dict[Format, str] = {
    "jsonl": "application/jsonl",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}
ENVELOPE = ("seq", "recorded_at", "kind", "schema", "agent", "prev", "hash", "leaf")
DECIMALS = pa.decimal128(38, 12)
ROWS_A_GROUP = 5_000
_TYPES: dict[str, tuple[pa.DataType, tuple[type, ...]]] = {
    "integer": (pa.int64(), (int,)),
    "boolean": (pa.bool_(), (bool,)),
    "string": (pa.string(), (str,)),
}
_PLACES = Decimal(1).scaleb(-DECIMALS.scale)


@dataclass(frozen=True, slots=True)
class Column:
    """A plain field of bodies; ``python`` is what its values are, and others are left out."""

    name: str
    type: pa.DataType
    python: tuple[type, ...]

    def value(self, body: dict[str, Any]) -> Any:
        """What ``body`` holds, as JSON has it; None where it holds nothing plain."""
        found = body.get(self.name)
        return found if isinstance(found, self.python) else None

    def shown(self, body: dict[str, Any]) -> Any:
        """The same for a spreadsheet, which must not take a text for a formula."""
        found = self.value(body)
        formula = self.type == pa.string() and found is not None and found.startswith(("=", "+", "-", "@", "\t", "\r"))
        return f"'{found}" if formula else found

    def typed(self, body: dict[str, Any]) -> Any:
        """The same with decimals as :class:`decimal.Decimal`; :class:`ValueError` for one that would be rounded."""
        found = self.value(body)
        if found is None or self.type != DECIMALS:
            return found
        figure = Decimal(found)
        if figure != figure.quantize(_PLACES):
            raise ValueError(f"{self.name} {found} has more than {DECIMALS.scale} decimals")
        return figure


def columns_of(kind: str | None) -> tuple[Column, ...]:
    """The plain fields of one kind of record; of all kinds together those that several have."""
    if kind is not None:
        return _plain(kind)
    counts: dict[Column, int] = {}
    for one in BODIES:
        for column in _plain(one):
            counts[column] = counts.get(column, 0) + 1
    names = [column.name for column in counts]
    return tuple(column for column, count in counts.items() if count > 1 and names.count(column.name) == 1)


@cache
def _plain(kind: str) -> tuple[Column, ...]:
    """Fields of a kind's body that hold one text, number, truth or decimal."""
    found = []
    for name, schema in BODIES[kind].model_json_schema()["properties"].items():
        shapes = [shape for shape in schema.get("anyOf", [schema]) if shape.get("type") != "null"]
        if len(shapes) == 1 and shapes[0].get("type") in _TYPES:
            decimal = shapes[0].get("pattern") == DECIMAL
            type_, python = _TYPES[shapes[0]["type"]]
            found.append(Column(name, DECIMALS if decimal else type_, python))
    return tuple(found)


def write(records: Iterable[Record], form: Format, kind: str | None, out: BinaryIO) -> None:
    """Write ``records`` as ``form``.

    :param kind: the kind of all of them where they are of one: its fields become columns.
    """
    if form == "jsonl":
        out.writelines(record.line + b"\n" for record in records)
    elif form == "csv":
        _write_csv(records, columns_of(kind), out)
    else:
        _write_parquet(records, columns_of(kind), out)


def _envelope(record: Record) -> tuple[Any, ...]:
    return (
        record.seq,
        format_utc(record.recorded_at),
        record.kind,
        record.schema,
        record.actor.get("agent", ""),
        record.prev,
        record.hash,
        record.leaf,
    )


def _write_csv(records: Iterable[Record], columns: Sequence[Column], out: BinaryIO) -> None:
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    rows = csv.writer(text)
    rows.writerow([*ENVELOPE, *(column.name for column in columns), "line"])
    for record in records:
        rows.writerow([*_envelope(record), *(column.shown(record.body) for column in columns), record.line.decode()])
    text.detach()


def _write_parquet(records: Iterable[Record], columns: Sequence[Column], out: BinaryIO) -> None:
    kinds, rows = {"seq": pa.int64()}, iter(records)
    schema = pa.schema(
        [
            *(pa.field(name, kinds.get(name, pa.string()), nullable=False) for name in ENVELOPE),
            *(pa.field(column.name, column.type) for column in columns),
            pa.field("line", pa.binary(), nullable=False),
        ]
    )
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        while group := list(islice(rows, ROWS_A_GROUP)):
            cells = zip(
                *(
                    (*_envelope(record), *(column.typed(record.body) for column in columns), record.line)
                    for record in group
                ),
                strict=True,
            )
            arrays = [pa.array(cell, field.type) for cell, field in zip(cells, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def read(form: Format, source: BinaryIO) -> Iterator[bytes]:
    """The lines of an export, in its order.

    :raises InputError: a line whose leaf hash is not the one that stands beside it.
    """
    if form == "jsonl":
        yield from (line.removesuffix(b"\n") for line in source)
        return
    for number, (leaf, line) in enumerate(_csv_rows(source) if form == "csv" else _parquet_rows(source), start=1):
        if leaf_hash(line).hex() != leaf:
            raise InputError(
                f"row {number} is not the record that was exported: its leaf hash differs",
                field="line",
                value=leaf,
                remedy="Export it again, and compare with the log itself.",
            )
        yield line


def _csv_rows(source: BinaryIO) -> Iterator[tuple[str, bytes]]:
    csv.field_size_limit(16 * 1024 * 1024)
    text = io.TextIOWrapper(source, encoding="utf-8", newline="")
    yield from ((row["leaf"], row["line"].encode()) for row in csv.DictReader(text))
    text.detach()


def _parquet_rows(source: BinaryIO) -> Iterator[tuple[str, bytes]]:
    for batch in pq.ParquetFile(source).iter_batches(columns=["leaf", "line"]):
        yield from zip(batch["leaf"].to_pylist(), batch["line"].to_pylist(), strict=True)
