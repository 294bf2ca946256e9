"""Exports: every form gives back the very lines, decimals stay decimals, and a changed row is named."""

from __future__ import annotations

import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.exports import DECIMALS, FORMATS, Format, columns_of, read, write
from audit.log import AuditLog
from audit.record import BODIES, Record
from audit.verifier.tree import leaf_hash
from core.errors import InputError
from tests.unit.audit.samples import decision, delivery, open_log


@pytest.fixture
def records(tmp_path: Path) -> Iterator[list[Record]]:
    log: AuditLog = open_log(tmp_path / "decisions.jsonl")
    texts = ['commas, "quotes"', "two\nlines", "=1+1", "café ☕ 𝄞", " spaces "]
    for number, text in enumerate(texts):
        log.append("decision", decision(f"job-{number}", reason=text))
        log.append("delivery", delivery(f"job-{number}", method=text))
    yield [log.get(seq) for seq in range(2 * len(texts))]
    log.close()


def exported(records: list[Record], form: Format, kind: str | None = None) -> io.BytesIO:
    out = io.BytesIO()
    write(records, form, kind, out)
    out.seek(0)
    return out


@pytest.mark.parametrize("form", FORMATS)
def test_point_26_an_export_read_back_has_the_same_leaf_hashes(records: list[Record], form: Format) -> None:
    lines = list(read(form, exported(records, form)))
    assert [leaf_hash(line).hex() for line in lines] == [record.leaf for record in records]
    assert lines == [record.line for record in records]


def test_point_26_decimals_stay_decimals_in_parquet(records: list[Record]) -> None:
    given = [record for record in records if record.kind == "delivery"]
    table = pq.read_table(exported(given, "parquet", "delivery"))
    assert table.schema.field("delivered_kwh").type == DECIMALS
    assert table["delivered_kwh"].to_pylist() == [Decimal("12.500")] * len(given)
    assert table["job_id"].to_pylist() == [record.body["job_id"] for record in given]
    assert table.schema.field("exit_status").type == pa.int64()


@pytest.mark.parametrize("kind", [None, *BODIES])
def test_no_column_of_an_export_is_a_float_and_none_is_there_twice(kind: str | None) -> None:
    columns = columns_of(kind)
    assert not any(pa.types.is_floating(column.type) for column in columns)
    names = [column.name for column in columns]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_row_that_was_changed_after_the_export_is_named(records: list[Record], form: Format) -> None:
    raw = exported(records, form).getvalue()
    if form == "csv":
        raw = raw.replace(b"job-1", b"job-9")
    else:
        table = pq.read_table(io.BytesIO(raw))
        lines = table["line"].to_pylist()
        lines[2] = lines[2].replace(b"job-1", b"job-9")
        table = table.set_column(table.schema.get_field_index("line"), "line", pa.array(lines, pa.binary()))
        out = io.BytesIO()
        pq.write_table(table, out)
        raw = out.getvalue()
    with pytest.raises(InputError, match="row 3 "):
        list(read(form, io.BytesIO(raw)))


def test_a_text_is_no_formula_in_a_spreadsheet(records: list[Record]) -> None:
    rows = exported([record for record in records if record.kind == "delivery"], "csv", "delivery").getvalue().decode()
    assert ",'=1+1," in rows
    assert ",=1+1," not in rows


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_of_nothing_can_be_read(form: Format) -> None:
    assert list(read(form, exported([], form))) == []


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12))
def test_a_decimal_keeps_every_digit(figure: Decimal) -> None:
    (column,) = [column for column in columns_of("delivery") if column.name == "cost_gbp"]
    typed = column.typed({"cost_gbp": f"{figure:f}"})
    assert pa.array([typed], DECIMALS).to_pylist() == [figure]


def test_a_decimal_that_would_be_rounded_is_refused() -> None:
    (column,) = [column for column in columns_of("delivery") if column.name == "cost_gbp"]
    with pytest.raises(ValueError, match="more than 12 decimals"):
        column.typed({"cost_gbp": "0.0000000000001"})
