"""How a row of a corpus file lies in the tables, there and back without loss."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    tuple_,
)

from evidence.rows import Row

#: A natural key, as text.
Key = tuple[str, ...]
#: Keys asked for at once; databases bound the number of parameters.
CHUNK = 200
#: Largest cell of a file; abstracts are far below.
CELL_CHARACTERS = 1_000_000


@dataclass(frozen=True)
class Codec:
    """A corpus file whose rows lie in one table, list cells in child tables.

    Parameters
    ----------
    file : str
        Name of the file.
    model : type of Row
        What a row of it may hold.
    table : sqlalchemy.Table
        Where the rows lie.
    names : mapping
        Column of the file -> column of the table, where the names differ.
    lists : mapping
        List column of the file -> child table with the columns parent, position, item.
    """

    file: str
    model: type[Row]
    table: Table
    names: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, Table] = field(default_factory=dict)

    @property
    def key_columns(self) -> tuple[Column[Any], ...]:
        """Columns of the table that hold the natural key."""
        return tuple(self.table.c[self.names.get(c, c)] for c in self.model.natural_key)

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table that the rows lie in, parents before children."""
        return (self.table, *self.lists.values())

    def problems(self, row: Row) -> Iterator[tuple[str, str]]:
        """Column and reason of what a database would refuse or cut."""
        for column, cell in row.cells().items():
            if "\0" in cell or not is_unicode(cell):
                yield column, "a text holds no NUL character, and no half of one"
            if len(cell) > CELL_CHARACTERS:
                yield column, f"at most {CELL_CHARACTERS} characters"
        for column, value in row.model_dump().items():
            target = self.names.get(column, column)
            if target in self.table.c and (reason := _too_big(self.table.c[target].type, value)):
                yield column, reason
        for column, child in self.lists.items():
            kind = self._shape(child).item.type
            yield from ((column, why) for i in getattr(row, column) if (why := _too_big(kind, i)))

    def links(self, row: Row) -> Iterator[tuple[str, Table, str]]:
        """Column, table and key of each row of another file that this one points to."""
        for column in type(row).model_fields:
            target = self.names.get(column, column)
            value = getattr(row, column)
            if value and target in self.table.c:
                for link in self.table.c[target].foreign_keys:
                    yield column, link.column.table, str(value)

    def cells(self, row: Row) -> dict[str, str]:
        """The row as it is read from the tables, however it was written."""
        return row.cells()

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Add rows that are not there yet."""
        for table, records in self.records(connection, rows).items():
            if records:
                connection.execute(insert(table), records)

    def release(self, connection: Connection, keys: Iterable[Key]) -> None:
        """Give up what only one row may have, so that another row of a change can take it."""
        unique = {column.name: None for column in self.table.c if column.unique}
        for some in chunks(keys):
            if unique:
                connection.execute(self.table.update().where(self._where(some)).values(unique))
            for child in self.lists.values():
                connection.execute(delete(child).where(_among(self._shape(child).parents, some)))

    def replace(self, connection: Connection, row: Row) -> None:
        """Change one row that was released, keeping what points to it."""
        records = self.records(connection, [row])
        where = self._where([row.key])
        (main,) = records.pop(self.table)
        connection.execute(self.table.update().where(where).values(main))
        for child, items in records.items():
            if items:
                connection.execute(insert(child), items)

    def remove(self, connection: Connection, key: Key) -> None:
        """Delete one row; child tables follow."""
        connection.execute(delete(self.table).where(self._where([key])))

    def records(
        self, _connection: Connection, rows: Sequence[Row]
    ) -> dict[Table, list[dict[str, Any]]]:
        """Records per table, the file's own table first."""
        found: dict[Table, list[dict[str, Any]]] = {self.table: []}
        found |= {child: [] for child in self.lists.values()}
        for row in rows:
            values = row.model_dump()
            for column, child in self.lists.items():
                shape = self._shape(child)
                own = dict(
                    zip(
                        (c.name for c in shape.parents), _typed(shape.parents, row.key), strict=True
                    )
                )
                found[child] += [
                    {**own, "position": position, shape.item.name: text}
                    for position, text in enumerate(values.pop(column), 1)
                ]
            record = {self.names.get(column, column): value for column, value in values.items()}
            # What points to nothing is null; an empty text would point to a row of no name.
            pointing = {c.name for c in self.table.c if c.nullable and c.foreign_keys}
            found[self.table].append(
                record | {name: record[name] or None for name in pointing & record.keys()}
            )
        return found

    def read(
        self, connection: Connection, keys: Sequence[Key] | None = None
    ) -> dict[Key, dict[str, str]]:
        """Cells of the rows with these keys, all rows for None; in stored order of the keys."""
        if keys is None:
            return self._read(connection, None)
        return {
            key: cells
            for chunk in chunks(dict.fromkeys(keys))
            for key, cells in self._read(connection, self._where(chunk)).items()
        }

    def _read(
        self, connection: Connection, where: ColumnElement[bool] | None
    ) -> dict[Key, dict[str, str]]:
        query = select(self.table).order_by(*self.key_columns)
        if where is not None:
            query = query.where(where)
        found = {}
        for stored in connection.execute(query).mappings():
            key = tuple(str(stored[column.name]) for column in self.key_columns)
            found[key] = {
                column: _text(stored[self.names.get(column, column)])
                for column in self.model.model_fields
                if column not in self.lists
            }
        return {
            key: {column: cells[column] for column in self.model.model_fields}
            for key, cells in self._with_lists(connection, found).items()
        }

    def _with_lists(
        self, connection: Connection, found: dict[Key, dict[str, str]]
    ) -> dict[Key, dict[str, str]]:
        for column, child in self.lists.items():
            shape = self._shape(child)
            query = select(*shape.parents, shape.item).order_by(child.c.position)
            if len(found) <= CHUNK:
                query = query.where(_among(shape.parents, found))
            items: dict[Key, list[str]] = {}
            for *parent, text in connection.execute(query):
                items.setdefault(tuple(map(str, parent)), []).append(text)
            separator = self.model.separators.get(column, ";")
            for key, cells in found.items():
                cells[column] = separator.join(items.get(key, ()))
        return found

    def _where(self, keys: Iterable[Key]) -> ColumnElement[bool]:
        return _among(self.key_columns, keys)

    def _shape(self, child: Table) -> "_Shape":
        (link,) = (c for c in child.foreign_key_constraints if c.referred_table is self.table)
        parents = tuple(link.columns)
        (item,) = (c for c in child.columns if c not in set(parents) and c.name != "position")
        return _Shape(parents, item)


class _Shape(NamedTuple):
    """Columns of a child table: those of its parent's key, and the item."""

    parents: tuple[Column[Any], ...]
    item: Column[Any]


def chunks(keys: Iterable[Any]) -> Iterator[list[Any]]:
    """The items in portions of at most `CHUNK`."""
    rest = iter(keys)
    while portion := list(islice(rest, CHUNK)):
        yield portion


def _among(columns: Sequence[Column[Any]], keys: Iterable[Key]) -> ColumnElement[bool]:
    typed = [_typed(columns, key) for key in keys]
    if len(columns) == 1:
        return columns[0].in_([part for (part,) in typed])
    return tuple_(*columns).in_(typed)


def _typed(columns: Sequence[Column[Any]], key: Key) -> tuple[Any, ...]:
    pairs = zip(columns, key, strict=True)
    return tuple(int(part) if isinstance(c.type, Integer) else part for c, part in pairs)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def is_unicode(text: str) -> bool:
    """Whether a text can be written at all: JSON can name halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _too_big(kind: Any, value: Any) -> str:
    """Why a database with bounded types could not keep a value; empty where it can."""
    if isinstance(kind, Text):
        return ""
    if isinstance(kind, String) and isinstance(value, str) and kind.length:
        return f"at most {kind.length} characters" if len(value) > kind.length else ""
    if isinstance(kind, Integer) and isinstance(value, int):
        bits = 63 if isinstance(kind, BigInteger) else 31
        return f"below 2 to the power of {bits}" if abs(value) >= 2**bits else ""
    return ""
