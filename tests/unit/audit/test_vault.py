from __future__ import annotations

import hmac
import shutil
import stat

import pytest

from audit.vault import Vault
from core.errors import LogUnavailable

FORMER_SALT = bytes.fromhex("32db5e8b86b36dde6c121f1b82ecbe818a8bf62a1a8c2f8683c23a18ebbf1bd0")
FORMER = "cf95d20c3cab74cc25ff08b439dc2dc0c327840a934fc36821766b9de8695bb7"
"""what a log of the first schema said for the tenant acme under that salt"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "decisions.jsonl"


@pytest.fixture
def vault(path):
    vault = Vault(path)
    yield vault
    vault.close()


def test_one_value_of_one_field_has_one_commitment_also_after_a_restart(vault, path):
    made = vault.commit("tenant", "acme")
    assert vault.commit("tenant", "acme") == made
    assert len({made, vault.commit("tenant", "acme2"), vault.commit("msid", "acme")}) == 3
    vault.close()
    again = Vault(path)
    assert again.commit("tenant", "acme") == made
    again.close()


def test_two_logs_commit_differently(vault, tmp_path):
    other = Vault(tmp_path / "other.jsonl")
    assert other.commit("tenant", "acme") != vault.commit("tenant", "acme")
    other.close()


def test_only_the_owner_may_read_the_vault(vault, path):
    assert stat.S_IMODE(path.with_name("decisions.jsonl.vault").stat().st_mode) == 0o600


def test_a_commitment_is_durable_before_it_is_handed_out(vault, path, tmp_path):
    made = vault.commit("tenant", "acme")
    copy = tmp_path / "copy" / path.name
    copy.parent.mkdir()
    shutil.copy(path.with_name("decisions.jsonl.vault"), copy.with_name("decisions.jsonl.vault"))
    survivor = Vault(copy)
    assert survivor.commit("tenant", "acme") == made
    survivor.close()


def test_an_erased_value_leaves_neither_itself_nor_its_salt_in_the_file(vault, path):
    made = vault.commit("tenant", "unmistakable-tenant")
    file = path.with_name("decisions.jsonl.vault")
    (salt,) = vault._rows.execute("SELECT salt FROM kept").fetchone()
    assert b"unmistakable-tenant" in file.read_bytes()
    assert vault.erase([made, "0" * 64]) == 1
    assert b"unmistakable-tenant" not in file.read_bytes()
    assert salt not in file.read_bytes()
    assert vault.values() == []
    assert vault.commit("tenant", "unmistakable-tenant") != made


def test_commitments_from_before_the_vault_are_recognised_and_none_is_made_like_them(path):
    path.with_name("decisions.jsonl.salt").write_bytes(FORMER_SALT)
    vault = Vault(path)
    assert vault.known_as("tenant", "acme") == [FORMER]
    assert vault.commit("tenant", "acme") != FORMER
    assert vault.known_as("tenant", "acme") == [vault.commit("tenant", "acme"), FORMER]
    vault.close()


def test_a_commitment_is_the_hmac_of_the_canonical_value(vault):
    made = vault.commit("tenant", "acmé")
    (salt,) = vault._rows.execute("SELECT salt FROM kept").fetchone()
    assert len(salt) == 32
    assert made == hmac.new(salt, '"acmé"'.encode(), "sha256").hexdigest()


def test_a_salt_of_another_length_is_refused_with_the_remedy(path):
    path.with_name("decisions.jsonl.salt").write_bytes(b"short")
    with pytest.raises(LogUnavailable, match="holds 5 bytes where 32 belong"):
        Vault(path)


def test_a_file_that_is_no_vault_is_refused(path):
    path.with_name("decisions.jsonl.vault").write_bytes(b"x" * 2000)
    with pytest.raises(LogUnavailable, match="not a database"):
        Vault(path)
