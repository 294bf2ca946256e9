"""Rows as columns: a dataclass's own fields by name."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def columns_of(record: DataclassInstance, *without: str) -> dict[str, Any]:
    """The fields of a record by name, but those named; nothing is copied, since a driver only reads them."""
    return {field.name: getattr(record, field.name) for field in fields(record) if field.name not in without}
