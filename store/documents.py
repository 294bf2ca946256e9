"""Sites and assets alike: documents by id, kept in the order in which they were added."""

from __future__ import annotations

from typing import Generic, TypeVar

import sqlalchemy as sa
from pydantic import BaseModel

from core.errors import Conflict, NotFound
from store.database import Database

Model = TypeVar("Model", bound=BaseModel)


class Documents(Generic[Model]):
    """One table of documents of type ``model``, known by the field ``key``."""

    def __init__(self, database: Database, table: sa.Table, model: type[Model], key: str) -> None:
        self._database = database
        self._table = table
        self._model = model
        self._key = key

    def all(self) -> list[Model]:
        """Every document, in order of adding."""
        with self._database.reading(snapshot=False) as connection:
            rows = connection.execute(sa.select(self._table.c.document).order_by(self._table.c.position))
            return [self._model.model_validate(row.document) for row in rows]

    def get(self, key: str) -> Model:
        """One document; :class:`NotFound`."""
        with self._database.reading(snapshot=False) as connection:
            found = connection.execute(sa.select(self._table.c.document).where(self._table.c[self._key] == key)).first()
        if found is None:
            raise NotFound(f"there is no {self._table.name} {key!r}")
        return self._model.model_validate(found.document)

    def add(self, document: Model) -> None:
        """Store a new document; :class:`Conflict` when its id is taken."""
        key = getattr(document, self._key)
        try:
            with self._database.writing() as connection:
                connection.execute(sa.insert(self._table).values(self._row(document)))
        except Conflict as error:
            raise Conflict(f"{self._table.name} {key!r} is registered already") from error

    def add_missing(self, documents: tuple[Model, ...]) -> None:
        """Store those whose id is not known yet."""
        with self._database.writing() as connection:
            known = set(connection.execute(sa.select(self._table.c[self._key])).scalars())
            new = [self._row(document) for document in documents if getattr(document, self._key) not in known]
            if new:
                connection.execute(sa.insert(self._table), new)

    def replace(self, document: Model) -> None:
        """Store a document in the place of the one with its id; :class:`NotFound`."""
        key = getattr(document, self._key)
        with self._database.writing() as connection:
            changed = connection.execute(
                sa.update(self._table).where(self._table.c[self._key] == key).values(self._row(document))
            )
        if not changed.rowcount:
            raise NotFound(f"there is no {self._table.name} {key!r}")

    def _row(self, document: Model) -> dict[str, object]:
        return {self._key: getattr(document, self._key), "document": document.model_dump(mode="json")}
