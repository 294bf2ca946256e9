"""The vault: values that the log only commits to, and their salts, kept off the log so that they can be erased.

A commitment is HMAC-SHA256 under a salt of 32 random bytes of its own, over the canonical JSON of the value. One value
of one field has one commitment until it is erased; then nothing ties the commitment to the value any more, not even
trying all values, since the salt is gone. The file is SQLite, readable by its owner alone, beside the log.

Logs begun before there was a vault have one salt for all their commitments in ``decisions.jsonl.salt``. It is still
read, so that those can be recognised, and used for nothing new; who deletes it makes them unlinkable at once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

from audit.canonical import canonical
from audit.storage import beside, create_durably
from core.errors import InputError, LogUnavailable, NotFound

SALT_BYTES = 32
_SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (
    field TEXT NOT NULL, value TEXT NOT NULL, salt BLOB NOT NULL, commitment TEXT NOT NULL UNIQUE,
    PRIMARY KEY (field, value)
)
"""


def commitment(salt: bytes, value: str) -> str:
    """Hex HMAC-SHA256 of the canonical JSON of ``value``."""
    return hmac.new(salt, canonical(value), hashlib.sha256).hexdigest()


class Vault:
    """The vault of the log at ``path``; all methods are thread-safe. Made durable before a commitment is handed out."""

    def __init__(self, path: Path) -> None:
        self._file = beside(path, ".vault")
        self._former_salt = _former_salt(path)
        self._lock = threading.Lock()
        if not self._file.exists():
            create_durably(self._file, b"", 0o600)
        try:
            self._rows = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)
            self._rows.executescript(f"PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; {_SCHEMA}")
            found = self._rows.execute("SELECT field, value, commitment FROM kept")
            self._known: dict[tuple[str, str], str] = {(field, value): made for field, value, made in found}
        except sqlite3.Error as error:
            raise self._unavailable(error) from error

    def commit(self, field: str, value: str) -> str:
        """The commitment to a value of a field; a new one when there is none."""
        with self._lock:
            if (field, value) not in self._known:
                salt = secrets.token_bytes(SALT_BYTES)
                made = commitment(salt, value)
                self._execute("INSERT INTO kept VALUES (?, ?, ?, ?)", (field, value, salt, made))
                self._known[field, value] = made
            return self._known[field, value]

    def known_as(self, field: str, value: str) -> list[str]:
        """Every commitment by which a value of a field stands on the log, as far as it can still be told."""
        with self._lock:
            found = [self._known[field, value]] if (field, value) in self._known else []
        return found if self._former_salt is None else [*found, commitment(self._former_salt, value)]

    def values(self) -> list[tuple[str, str]]:
        """Field and value of all that is kept."""
        with self._lock:
            return sorted(self._known)

    def require_erasable(self, field: str, value: str, reason: str) -> None:
        """:class:`NotFound` where the value is not kept, :class:`InputError` where the reason for erasing names it."""
        if (field, value) not in self.values():
            raise NotFound(f"the vault holds no such value of {field}")
        if value.casefold() in reason.casefold():
            raise InputError("the reason names what is to be erased", field="why", remedy="Give a reason without it.")

    def erase(self, commitments: Iterable[str]) -> int:
        """Delete the values and salts of these commitments; how many were there."""
        with self._lock:
            gone = set(commitments)
            found = [key for key, made in self._known.items() if made in gone]
            for field, value in found:
                self._execute("DELETE FROM kept WHERE field = ? AND value = ?", (field, value))
                del self._known[field, value]
            return len(found)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._rows.close()

    def _execute(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            self._rows.execute(statement, values)
        except sqlite3.Error as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: sqlite3.Error) -> LogUnavailable:
        return LogUnavailable(f"the vault {self._file.name} cannot be used: {error}")


def _former_salt(path: Path) -> bytes | None:
    """The salt of commitments made before there was a vault, where the log has one."""
    file = beside(path, ".salt")
    if not file.exists():
        return None
    salt = file.read_bytes()
    if len(salt) != SALT_BYTES:
        raise LogUnavailable(
            f"{file.name} holds {len(salt)} bytes where {SALT_BYTES} belong",
            remedy="Restore it from a copy; or delete it, and commitments made with it cannot be recognised.",
        )
    return salt
