"""The built assets: names with content hashes, served for a year because a new build has a new name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from flask import Blueprint, url_for

STATIC = Path(__file__).resolve().parents[1] / "static"
YEAR_S = 365 * 24 * 3600
blueprint = Blueprint("static_files", __name__, static_folder=str(STATIC), static_url_path="/static")


class Bundle:
    """Looks built names up in ``manifest.json``, which ``make assets`` writes.

    A page without assets is still complete: an unbuilt or unknown asset has no address.
    """

    def __init__(self, folder: Path = STATIC) -> None:
        self._manifest = folder / "manifest.json"
        self._read_at: int | None = None
        self._names: Mapping[str, str] = {}

    def names(self) -> Mapping[str, str]:
        """Source name to built name, read again after each build; empty where nothing was built."""
        written = self._manifest.stat().st_mtime_ns if self._manifest.is_file() else None
        if written != self._read_at:
            self._names = json.loads(self._manifest.read_text()) if written else {}
            self._read_at = written
        return self._names

    def asset(self, name: str) -> str | None:
        """The address of a built asset, or None where nothing was built."""
        built = self.names().get(name)
        return url_for("static_files.static", filename=built) if built else None
