"""The history of the corpus as it is read: change sets newest first, and the rows of one."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, select

from evidence.errors import EvidenceError
from evidence.records import ChangeSet, Record, RowChange
from evidence.schema_living import change, change_set


class HistoryEntry(ChangeSet):
    """A change set, and the one that took it back and stands."""

    undone_by: int | None


class History(Record):
    """Some change sets, newest first, of `total`."""

    entries: tuple[HistoryEntry, ...]
    total: int


class ChangedRows(Record):
    """A change set and some of its rows, of `total`.

    The columns of a row are those that differ; of a row that came or went, those that say
    something.
    """

    entry: HistoryEntry
    rows: tuple[RowChange, ...]
    total: int


def history(connection: Connection, first: int, most: int) -> History:
    """Change sets, newest first.

    Parameters
    ----------
    first : int
        How many of the newest are passed over.
    """
    newest = select(change_set).order_by(change_set.c.id.desc()).offset(first).limit(most)
    total = connection.execute(select(func.count()).select_from(change_set)).scalar_one()
    return History(entries=_entries(connection, newest), total=total)


def changed_rows(connection: Connection, number: int, first: int, most: int) -> ChangedRows:
    """Rows of one change set before and after, in the order in which they were carried out.

    Raises
    ------
    EvidenceError
        There is no such change set.
    """
    entries = _entries(connection, select(change_set).where(change_set.c.id == number))
    if not entries:
        msg = f"there is no change set {number}; evtl changes lists them"
        raise EvidenceError(msg)
    own = change.c.change_set == number
    query = select(change).where(own).order_by(change.c.position).offset(first).limit(most)
    total = connection.execute(select(func.count()).where(own)).scalar_one()
    rows = tuple(_row(row) for row in connection.execute(query).mappings())
    return ChangedRows(entry=entries[0], rows=rows, total=total)


def _entries(connection: Connection, heads: Select[Any]) -> tuple[HistoryEntry, ...]:
    found = connection.execute(heads).mappings().all()
    counts = _counts(connection, [row["id"] for row in found])
    undoing = _undoing(connection)
    return tuple(
        HistoryEntry.model_validate(
            {**row, **counts[row["id"]], "undone_by": _standing(undoing, row["id"])}
        )
        for row in found
    )


def _counts(connection: Connection, numbers: Sequence[int]) -> dict[int, dict[str, int]]:
    """Rows that each change set added, removed and changed."""
    came, went = change.c.before.is_(None), change.c.after.is_(None)
    query = (
        select(
            change.c.change_set,
            func.count().filter(came).label("n_added"),
            func.count().filter(went).label("n_removed"),
            func.count().filter(~came, ~went).label("n_changed"),
        )
        .where(change.c.change_set.in_(numbers))
        .group_by(change.c.change_set)
    )
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return {row.pop("change_set"): row for row in rows}


def _undoing(connection: Connection) -> dict[int, list[int]]:
    """Change set -> those that took it back, oldest first."""
    found: dict[int, list[int]] = {}
    table = change_set.c
    query = select(table.undoes, table.id).where(table.undoes.is_not(None)).order_by(table.id)
    for undone, by in connection.execute(query):
        found.setdefault(undone, []).append(by)
    return found


def _standing(undoing: Mapping[int, Sequence[int]], number: int) -> int | None:
    """The change set that took one back and was not taken back itself."""
    return next((by for by in undoing.get(number, ()) if _standing(undoing, by) is None), None)


def _row(row: RowMapping) -> RowChange:
    before: dict[str, str] = row["before"] or {}
    after: dict[str, str] = row["after"] or {}
    columns = tuple(
        (column, before.get(column), after.get(column))
        for column in {**before, **after}
        if before.get(column, "") != after.get(column, "")
    )
    return RowChange(file=row["file"], key=tuple(json.loads(row["row_key"])), columns=columns)
