"""docs/signals.md lists every feed as it declares itself."""

from __future__ import annotations

import re

from agents.energy.build import live_feeds
from agents.energy.feed import Declaration
from core.settings import Settings
from tests.conformance.project import document

TABLE = re.compile(r"<!-- feeds -->\n(.*?)<!-- /feeds -->", re.DOTALL)
HEADER = "| feed | gives | licence | key |\n|---|---|---|---|\n"


def given(declaration: Declaration) -> str:
    """The quantities in words; the shares of a mix as one."""
    names = [name.replace("_", " ") for name in declaration.quantities if not name.startswith("share_")]
    return ", ".join([*names, *(["generation mix"] if len(names) < len(declaration.quantities) else [])])


def row(declaration: Declaration) -> str:
    key = f"`{declaration.key_setting}`" if declaration.key_setting else "none"
    return f"| [{declaration.name}]({declaration.home}) | {given(declaration)} | {declaration.licence} | {key} |\n"


def test_every_feed_stands_in_the_guide_as_it_declares_itself() -> None:
    table = HEADER + "".join(row(feed.declaration) for feed in live_feeds(Settings(_env_file=None)))
    assert TABLE.search(document("docs/signals.md")).group(1) == table
