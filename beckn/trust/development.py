"""A registry for development: it believes whoever registers, so it answers this machine alone.

It serves the lookups that a registry of a real network serves, and two more routes to register and to revoke.
"""

from __future__ import annotations

import base64
import binascii
import threading
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from flask import Flask, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from werkzeug.exceptions import HTTPException

from audit.storage import make_folder, replace_durably
from beckn.signing import SUBSCRIBERS
from beckn.trust.addresses import target_of
from core.clock import Clock
from core.errors import Conflict, InputError, NotFound
from core.job import Instant
from core.slots import format_utc

FILE = "beckn-registry.json"
NOTICE = "A development registry: whoever reaches it may register as anybody. Trust nothing in it."
_MODE = 0o600
_MOST_BYTES = 64 * 1024
_KEY_BYTES = 32
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,252}$")]
_Network = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,252}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Registration(_Part):
    """What a participant registers."""

    subscriber_id: _Name
    url: Annotated[str, Field(max_length=2048)]
    unique_key_id: _Name
    signing_public_key: str = Field(description="Ed25519, 32 bytes, Base64")
    network_memberships: tuple[_Network, ...] = ()
    valid_until: Instant | None = None

    @field_validator("url")
    @classmethod
    def _callable(cls, value: str) -> str:
        target_of(value)
        return value

    @field_validator("signing_public_key")
    @classmethod
    def _a_key(cls, value: str) -> str:
        try:
            size = len(base64.b64decode(value, validate=True))
        except binascii.Error as error:
            raise ValueError("it is not Base64") from error
        if size != _KEY_BYTES:
            raise ValueError(f"an Ed25519 key has {_KEY_BYTES} bytes, not {size}")
        return value


class Entry(_Part):
    """A registration as it stands in the file."""

    registration: Registration
    created_at: Instant
    updated_at: Instant
    revoked_at: Instant | None = None

    def record(self) -> dict[str, Any]:
        """As a lookup tells it."""
        told = self.registration
        return {
            "record_id": told.unique_key_id,
            "record_name": told.unique_key_id,
            "details": {
                "subscriber_id": told.subscriber_id,
                "url": told.url,
                "signing_public_key": told.signing_public_key,
            },
            "network_memberships": list(told.network_memberships),
            "state": "live" if self.revoked_at is None else "revoked",
            "is_revoked": self.revoked_at is not None,
            "valid_till": None if told.valid_until is None else format_utc(told.valid_until),
            "created_at": format_utc(self.created_at),
            "updated_at": format_utc(self.updated_at),
        }


class _File(_Part):
    entries: tuple[Entry, ...] = ()


class Book:
    """The registrations in a file; for all threads of one process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._entries = {_key(entry): entry for entry in self._read()}

    def all(self) -> list[Entry]:
        """Every entry, in the order of registration."""
        with self._lock:
            return list(self._entries.values())

    def register(self, told: Registration, now: datetime) -> Entry:
        """Add a key of a subscriber, or renew what is told of it; :class:`Conflict` where the id has another key."""
        with self._lock:
            former = self._entries.get((told.subscriber_id, told.unique_key_id))
            if former is not None and former.registration.signing_public_key != told.signing_public_key:
                raise Conflict(
                    f"key id {told.unique_key_id} of {told.subscriber_id} has another key",
                    remedy="Register a new key under an id of its own.",
                )
            if former is not None and former.revoked_at is not None:
                raise Conflict(
                    f"key {told.unique_key_id} of {told.subscriber_id} is revoked", remedy="Register another key."
                )
            entry = Entry(registration=told, created_at=former.created_at if former else now, updated_at=now)
            self._put(entry)
            return entry

    def revoke(self, subscriber_id: str, unique_key_id: str, now: datetime) -> Entry:
        """Revoke a key for ever; :class:`NotFound` where there is none."""
        with self._lock:
            entry = self._entries.get((subscriber_id, unique_key_id))
            if entry is None:
                raise NotFound(f"there is no key {unique_key_id} of {subscriber_id}", remedy="List them: GET /")
            if entry.revoked_at is None:
                entry = entry.model_copy(update={"revoked_at": now, "updated_at": now})
                self._put(entry)
            return entry

    def _put(self, entry: Entry) -> None:
        entries = {**self._entries, _key(entry): entry}
        make_folder(self._path.parent)
        held = _File(entries=tuple(entries.values()))
        replace_durably(self._path, held.model_dump_json(indent=1).encode() + b"\n", _MODE)
        self._entries = entries

    def _read(self) -> tuple[Entry, ...]:
        if not self._path.exists():
            return ()
        try:
            return _File.model_validate_json(self._path.read_bytes()).entries
        except ValidationError as error:
            raise InputError(
                f"{self._path} holds no registrations",
                field="--file",
                value=str(self._path),
                remedy="Name another file, or move this one away and register anew.",
            ) from error


def development_registry(file: Path, clock: Clock) -> Flask:
    """The application, with its registrations in ``file``.

    :raises InputError: the file is there and is something else.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _MOST_BYTES
    app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost", "[::1]"]  # a page must not reach it by a name of its own
    book = Book(file)
    _add_lookups(app, book)

    @app.get("/")
    def overview() -> Response:
        return jsonify(note=NOTICE, subscribers=[entry.record() for entry in book.all()])

    @app.post("/subscribers")
    def register() -> tuple[Response, int]:
        if request.mimetype != "application/json":
            return _problem(415, "The body must be application/json.")
        try:
            told = Registration.model_validate_json(request.get_data())
        except ValidationError as error:
            found = [{"field": ".".join(map(str, each["loc"])), "message": each["msg"]} for each in error.errors()]
            return _problem(422, "The registration cannot be used.", found)
        try:
            return jsonify(data=book.register(told, clock.now()).record()), 201
        except Conflict as error:
            return _problem(409, error.diagnostics())

    @app.post("/subscribers/<subscriber_id>/<unique_key_id>/revoke")
    def revoke(subscriber_id: str, unique_key_id: str) -> tuple[Response, int]:
        if request.mimetype != "application/json":  # what a page of another origin cannot send unasked
            return _problem(415, "The body must be application/json.")
        try:
            return jsonify(data=book.revoke(subscriber_id, unique_key_id, clock.now()).record()), 200
        except NotFound as error:
            return _problem(404, error.diagnostics())

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> tuple[Response, int]:
        return _problem(error.code or 500, error.description or error.name)

    @app.after_request
    def warn(response: Response) -> Response:
        response.headers["Warning"] = f'299 - "{NOTICE}"'
        return response

    return app


def _add_lookups(app: Flask, book: Book) -> None:
    """The routes of a Decentralized Directory, in the registry of all subscribers and in that of a network."""

    def standing(namespace: str, registry: str) -> list[Entry]:
        network = f"{namespace}/{registry}"
        return [
            entry
            for entry in book.all()
            if (registry == SUBSCRIBERS and entry.registration.subscriber_id == namespace)
            or network in entry.registration.network_memberships
        ]

    @app.get("/lookup/<namespace>/<registry>/<record>")
    def lookup(namespace: str, registry: str, record: str) -> tuple[Response, int]:
        for entry in standing(namespace, registry):
            if entry.registration.unique_key_id == record:
                return jsonify(message="the record", data=entry.record()), 200
        return _problem(404, f"There is no record {record} in {namespace}/{registry}.")

    @app.get("/query/<namespace>/<registry>")
    @app.get("/lookup/<namespace>/<registry>")
    def query(namespace: str, registry: str) -> tuple[Response, int]:
        found = standing(namespace, registry)
        if not found:
            return _problem(404, f"There are no records in {namespace}/{registry}.")
        records = [entry.record() for entry in found]
        return jsonify(message="the records", data={"records": records, "total_records": len(records)}), 200


def _key(entry: Entry) -> tuple[str, str]:
    return entry.registration.subscriber_id, entry.registration.unique_key_id


def _problem(status: int, detail: str, errors: list[dict[str, str]] | None = None) -> tuple[Response, int]:
    """Problem details, with the fields at fault where there are some."""
    response = jsonify(status=status, detail=detail, **({"errors": errors} if errors else {}))
    response.mimetype = "application/problem+json"
    return response, status
