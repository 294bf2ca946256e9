"""A composed system on the disk of one test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import SITES, Bench, small_site

OWN = (small_site("london", own_load_kw=40.0), *SITES[1:])
"""London draws something of its own"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    register = tmp_path / "settlement.toml"
    register.write_text("")
    made = Bench.build(tmp_path / "var", sites=OWN, settlement_file=register)
    yield made
    made.house.close()
