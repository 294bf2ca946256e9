"""Site profiles: read and check a TOML file of ``[[site]]`` tables with the fields of :class:`core.site.Site`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from core.errors import InputError
from core.site import Site

BUILT_IN = Path(__file__).with_name("sites.toml")


def _error(path: Path, field: str, problem: str, value: object, remedy: str, *, site: str = "") -> InputError:
    return InputError(f"{path}: {site}{field}: {problem}", field=field, value=value, remedy=remedy)


def _tables(path: Path) -> list[dict[str, Any]]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _error(
            path, "SITES_FILE", f"cannot be read ({error.strerror})", str(path), "Point SITES_FILE at a readable file."
        ) from error
    except ValueError as error:
        raise _error(path, "SITES_FILE", f"is not TOML in UTF-8: {error}", str(path), "Correct that line.") from error
    tables = document.pop("site", None)
    if document:
        name = next(iter(document))
        raise _error(path, name, "is not known here", document[name], "Write each site as a [[site]] table.")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise _error(path, "site", "no [[site]] table found", tables, "Write each site as a [[site]] table.")
    return tables


def _site(path: Path, number: int, table: dict[str, Any]) -> Site:
    try:
        return Site.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        name = table.get("site_id", f"number {number}")
        field = ".".join(str(part) for part in first["loc"]) or "site"
        remedy = f"Correct {field} of site {name} and start again."
        message, value = str(first["msg"]), first.get("input")
        raise _error(path, field, message, value, remedy, site=f"site {name}: ") from error


def load_sites(path: Path | None = None) -> tuple[Site, ...]:
    """The sites of a TOML file, in its order; without a path the 13 built in.

    :class:`InputError` names the file, the site, the field and the remedy.
    """
    source = path or BUILT_IN
    sites = tuple(_site(source, number, table) for number, table in enumerate(_tables(source), start=1))
    ids = [site.site_id for site in sites]
    if twice := next((site_id for site_id in ids if ids.count(site_id) > 1), None):
        raise _error(source, "site_id", f"{twice!r} is used twice", twice, "Give each site an id of its own.")
    return sites
