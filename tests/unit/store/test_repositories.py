"""All repositories work on one database."""

from __future__ import annotations

from pathlib import Path

from store.repositories import Repositories
from tests.unit.store.samples import a_site


def test_what_was_stored_is_there_when_the_database_is_opened_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'slackwater.db'}"
    first = Repositories.at(url)
    first.sites.seed((a_site("a"),))
    first.database.close()
    again = Repositories.at(url)
    assert again.sites.all() == [a_site("a")]
    assert (again.jobs.counts(), again.ledger.entries(), again.sites.assets()) == ({}, [], [])
    again.database.close()
