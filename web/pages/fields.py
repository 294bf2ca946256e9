"""The fields of any record as a reader sees them: a label, the figure exactly as recorded, and its unit.

A field's name ends with its unit (``deviation_mwh``), so that kinds of record without a page of their own can be read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import url_for

from web.pages.formatting import MINUS, UNKNOWN, utc_full, words

Names = Mapping[str, str]
UNITS: Mapping[str, str] = {
    "gbp_per_kw_slot": "£ per kW and half-hour",
    "gbp_per_kwh": "£/kWh",
    "gbp_per_kg": "£/kg",
    "gbp_mwh": "£/MWh",
    "g_per_kwh": "g/kWh",
    "g_per_unit": "g per unit",
    "gbp": "£",
    "mwh": "MWh",
    "kwh": "kWh",
    "wh": "Wh",
    "kw": "kW",
    "kg": "kg",
    "g": "g",
    "percent": "%",
    "pct": "%",
    "ms": "ms",
    "s": "s",
    "bytes": "bytes",
    "days": "days",
}
"""The unit that a name ends with, longest first, as it is written."""
TITLES: Mapping[str, str] = {
    "carbon_gbp": "Carbon at its price",
    "config_sha256": "Settings (SHA-256)",
    "git_sha": "Commit of the program",
    "job_id": "Job",
    "output_sha256": "SHA-256 of the output",
    "priced_gbp": "Compared at",
    "gc_id": "Certificate",
    "round_seq_id": "Negotiation",
    "site_id": "Site",
    "tenant_commit": "Tenant (commitment)",
    "bmu": "BM Unit",
    "comp": "Compensation",
    "ida": "In-day adjustment",
    "ida_applied": "In-day adjustment applied",
    "gc_ids": "Certificates",
    "gsp_group": "GSP Group",
    "msid_pair_commit": "MSID Pair (commitment)",
    "pue": "PUE",
    "scrp": "Supplier compensation reference price",
    "sci": "Software Carbon Intensity",
    "scope2": "Scope 2",
    "sha256_raw": "SHA-256 of the readings",
    "sp": "Settlement period",
    "sp_count": "Periods of the day",
    "sp_start_utc": "Starts",
    "ub": "Unadjusted baseline",
    "u95": "Half of the 95 % interval",
    "it": "IT energy",
    "kw": "Power",
    "mwh": "Energy",
}
_THIN = "\N{NARROW NO-BREAK SPACE}"
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_HEX = re.compile(r"[0-9a-f]{32,}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@dataclass(frozen=True, slots=True)
class Field:
    """One field, in one of three forms: a text, fields of its own, or a table.

    :param mono: whether the text is a code; ``href`` leads to what it names.
    """

    label: str
    text: str = ""
    mono: bool = False
    href: str | None = None
    fields: tuple[Field, ...] = ()
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Several objects of one shape; numbers are to stand on the right."""

    heads: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Field, ...], ...]


def unit_of(name: str) -> str | None:
    """The unit that a field's name ends with; None for what has none."""
    return next((unit for suffix, unit in UNITS.items() if name == suffix or name.endswith(f"_{suffix}")), None)


def label_of(name: str) -> str:
    """The name without its unit, in words."""
    suffix = next((each for each in UNITS if name.endswith(f"_{each}")), None)
    stem = name.removesuffix(f"_{suffix}") if suffix else name
    return TITLES.get(name) or TITLES.get(stem) or _in_words(stem)


def _in_words(stem: str) -> str:
    """A name in words: ``corrected_seq`` as ``Corrected record``."""
    text = re.sub(r"_seq$", "_record", re.sub(r"_id$", "", stem))
    text = words(text).replace("sha256", "SHA-256")
    return text[:1].upper() + text[1:]


def exact(text: str) -> str:
    """A decimal with every digit that was recorded, thin spaces between thousands and a true minus."""
    whole, point, places = text.removeprefix("-").partition(".")
    sign = MINUS if text.startswith("-") else ""
    return f"{sign}{int(whole):,}".replace(",", _THIN) + point + places


def with_unit(text: str, unit: str | None) -> str:
    """A figure with its unit; a pound sign stands before it."""
    if unit is None:
        return text
    if unit.startswith("£"):
        amount = f"{MINUS}£{text[1:]}" if text.startswith(MINUS) else f"£{text}"
        return amount + unit[1:]
    return f"{text} {unit}"


def fields_of(body: Mapping[str, Any], names: Names) -> tuple[Field, ...]:
    """Every field of ``body``, nested ones too; ``names`` are those of sites."""
    return tuple(_field(name, value, names) for name, value in body.items())


def _field(name: str, value: Any, names: Names) -> Field:
    label = label_of(name)
    if isinstance(value, Mapping):
        return Field(label, fields=fields_of(value, names)) if value else Field(label, "none")
    if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
        return Field(label, table=_table(value, names))
    if isinstance(value, list):
        texts = [_scalar(name, each, names) for each in value]
        return Field(label, ", ".join(each.text for each in texts) or "none", mono=any(each.mono for each in texts))
    return _scalar(name, value, names)


def _table(items: Sequence[Mapping[str, Any]], names: Names) -> Table:
    keys = list(dict.fromkeys(key for item in items for key in item))
    units = {key: unit_of(key) for key in keys}
    heads = tuple(f"{label_of(key)}, {units[key]}" if units[key] else label_of(key) for key in keys)
    numeric = tuple(all(is_figure(item.get(key)) for item in items) for key in keys)
    rows = tuple(tuple(_cell(key, item.get(key), names) for key in keys) for item in items)
    return Table(heads, numeric, rows)


def _cell(name: str, value: Any, names: Names) -> Field:
    """A value whose unit stands at the head of its column; nested ones become one line."""
    if isinstance(value, Mapping):
        inner = fields_of(value, names)
        return Field(label_of(name), "; ".join(f"{each.label} {each.text}" for each in inner if each.text))
    if isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        return Field(label_of(name), f"{len(value)}")
    found = _field(name, value, names)
    return Field(found.label, exact(str(value)), href=found.href) if is_figure(value) else found


def is_figure(value: Any) -> bool:
    """Whether ``value`` is a whole number or spells a decimal."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, str) and _DECIMAL.fullmatch(value) is not None)


def _scalar(name: str, value: Any, names: Names) -> Field:
    label = label_of(name)
    if value is None:
        return Field(label, UNKNOWN)
    if isinstance(value, bool):
        return Field(label, "yes" if value else "no")
    if is_figure(value):
        return Field(label, with_unit(exact(str(value)), unit_of(name)), href=_href(name, value))
    text = str(value)
    if _INSTANT.fullmatch(text):
        return Field(label, utc_full(text))
    if name == "site_id" or name.endswith("_site_id"):
        return Field(label, names.get(text, text))
    href = _href(name, value)
    coded = bool(_HEX.search(text)) or name.endswith(("_id", "_path", "url", "vkey"))
    return Field(label, words(text) if _is_code_word(text) else text, mono=coded, href=href)


def _is_code_word(text: str) -> bool:
    return re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", text) is not None


def _href(name: str, value: Any) -> str | None:
    """Where a field leads: to another record, to the job, or to the stored answer."""
    if name.endswith("_seq") and isinstance(value, int):
        return url_for("audit.show", seq=value)
    if name == "job_id":
        return url_for("audit.index", job=value)
    if name == "fetch_id":
        return url_for("signals.fetch", fetch_id=value)
    return None
