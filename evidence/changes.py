"""Change sets: every change of the corpus, by whom and why; nothing of them is ever altered.

A store is the shipped corpus with its change sets laid over it, so that a newer corpus can be
taken up without losing what a team added.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError

from evidence.codecs import CODECS
from evidence.errors import EvidenceError, IngestError, Problem
from evidence.ingest import Line, Lines, Overlay, broken_links, duplicates
from evidence.records import ChangeSet
from evidence.rows import Row
from evidence.schema_living import change, change_set
from evidence.tables import Key, chunks, is_unicode

#: Longest reason of a change set; an import names its file, an extraction its readers.
REASON_CHARACTERS = 10_000


@dataclass(frozen=True)
class Reason:
    """Who changes the store and why.

    Attributes
    ----------
    actor, text : str
        Neither is empty, neither holds what a database cannot keep.
    kind : str
        What was done: ``import``, ``screening``, ``reading``, ``undo``, ...
    undoes : int or None
        Change set that this one takes back.
    """

    actor: str
    text: str
    kind: str
    undoes: int | None = None

    def __post_init__(self) -> None:
        """Refuse what says nothing.

        Raises
        ------
        EvidenceError
            Who or why is missing, too long, or no text.
        """
        for what, said, most in (("who", self.actor, 80), ("why", self.text, REASON_CHARACTERS)):
            if not said.strip() or len(said) > most or "\0" in said or not is_unicode(said):
                msg = f"{what} does this? Found {said[:80]!r}; allowed: 1 to {most} characters"
                raise EvidenceError(msg)


@dataclass(frozen=True)
class Changes:
    """Rows to be there and rows to be gone, per corpus file."""

    puts: Lines = field(default_factory=dict)
    removes: Mapping[str, Sequence[Key]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Step:
    """One row before and after."""

    file: str
    key: Key
    before: dict[str, str] | None
    after: dict[str, str] | None
    row: Row | None


def apply(connection: Connection, changes: Changes, reason: Reason) -> ChangeSet | None:
    """Carry changes out and keep a change set of them, within the caller's transaction.

    Returns
    -------
    ChangeSet or None
        None where everything was so already.

    Raises
    ------
    IngestError
        Lists rows that contradict each other or what is stored; nothing was written.
    """
    problems = [
        *duplicates(changes.puts),
        *broken_links(changes.puts, _stored(connection, changes)),
        *_unstorable(changes),
    ]
    if problems:
        raise IngestError(tuple(problems))
    steps = _steps(connection, changes)
    if not steps:
        return None
    try:
        _carry_out(connection, steps)
    except IntegrityError as error:
        msg = (
            f"the rows contradict what is stored ({str(error.orig).partition(chr(10))[0]}): "
            "a row that would go is still pointed to, or one stands there already; where a later "
            "change set added it, undo that one first. Nothing was stored"
        )
        raise EvidenceError(msg) from error
    return _record(connection, steps, reason)


def _unstorable(changes: Changes) -> Iterator[Problem]:
    for name, lines in changes.puts.items():
        for line in lines:
            for column, why in CODECS[name].problems(line.row):
                found = str(getattr(line.row, column))[:80]
                yield Problem(line.file, line.line, column, found, why)


def _stored(connection: Connection, changes: Changes) -> dict[Any, set[str]]:
    """Keys that are there, of the rows that are pointed to."""
    asked: dict[Any, set[str]] = {}
    for name, lines in changes.puts.items():
        for line in lines:
            for _, table, key in CODECS[name].links(line.row):
                asked.setdefault(table, set()).add(key)
    files = {codec.table: codec for codec in CODECS.values()}
    return {
        table: {
            str(key)
            for portion in chunks(keys)
            for (key,) in connection.execute(
                select(files[table].key_columns[0]).where(files[table].key_columns[0].in_(portion))
            )
        }
        for table, keys in asked.items()
        if table in files
    }


def _steps(connection: Connection, changes: Changes) -> list[_Step]:
    steps = []
    for name, codec in CODECS.items():
        rows = {line.row.key: line.row for line in changes.puts.get(name, ())}
        gone = changes.removes.get(name, ())
        before = codec.read(connection, [*rows, *gone]) if rows or gone else {}
        steps += [_Step(name, k, before.get(k), codec.cells(row), row) for k, row in rows.items()]
        steps += [_Step(name, key, before.get(key), None, None) for key in gone]
    return [step for step in steps if step.before != step.after]


def _carry_out(connection: Connection, steps: Sequence[_Step]) -> None:
    """Add and change parents first, take children away first, and nothing before it is free."""
    own = {name: [step for step in steps if step.file == name] for name in CODECS}
    for name, codec in CODECS.items():
        codec.release(connection, [step.key for step in own[name] if step.before is not None])
    for name, codec in CODECS.items():
        rows = [(step.row, step.before) for step in own[name] if step.row is not None]
        for row in (row for row, before in rows if before is not None):
            codec.replace(connection, row)
        codec.insert(connection, [row for row, before in rows if before is None])
    for name in reversed(CODECS):
        for step in own[name]:
            if step.row is None:
                CODECS[name].remove(connection, step.key)


def _record(connection: Connection, steps: Sequence[_Step], reason: Reason) -> ChangeSet:
    number = (connection.execute(select(func.max(change_set.c.id))).scalar() or 0) + 1
    head = {
        "id": number,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "actor": reason.actor,
        "kind": reason.kind,
        "reason": reason.text,
        "undoes": reason.undoes,
    }
    connection.execute(insert(change_set), head)
    connection.execute(
        insert(change),
        [
            {
                "change_set": number,
                "position": position,
                "file": step.file,
                "row_key": json.dumps(step.key, ensure_ascii=False),
                "before": step.before,
                "after": step.after,
            }
            for position, step in enumerate(steps, 1)
        ],
    )
    return ChangeSet(
        **head,
        n_added=sum(step.before is None for step in steps),
        n_removed=sum(step.after is None for step in steps),
        n_changed=sum(None not in (step.before, step.after) for step in steps),
    )


def change_sets(connection: Connection) -> tuple[ChangeSet, ...]:
    """Every change set, oldest first."""
    is_null = (change.c.before.is_(None), change.c.after.is_(None))
    counts = select(
        change.c.change_set,
        func.count().filter(is_null[0]).label("n_added"),
        func.count().filter(is_null[1]).label("n_removed"),
        func.count().filter(~is_null[0], ~is_null[1]).label("n_changed"),
    ).group_by(change.c.change_set)
    per_set = counts.subquery()
    query = (
        select(change_set, per_set.c.n_added, per_set.c.n_removed, per_set.c.n_changed)
        .join(per_set, per_set.c.change_set == change_set.c.id)
        .order_by(change_set.c.id)
    )
    return tuple(ChangeSet.model_validate(dict(r)) for r in connection.execute(query).mappings())


def undo(connection: Connection, number: int, actor: str, text: str) -> ChangeSet:
    """Take one change set back by a further one, within the caller's transaction.

    Raises
    ------
    EvidenceError
        There is no such change set, it was undone already, or a later one changed one of its rows
        or added a row that points to one.
    """
    query = select(change).where(change.c.change_set == number).order_by(change.c.position)
    rows = connection.execute(query).mappings().all()
    if not rows:
        msg = f"there is no change set {number}; evtl changes lists them"
        raise EvidenceError(msg)
    if (already := _undone_by(connection, number)) is not None:
        msg = f"change set {number} was undone by change set {already}; undo that one to redo it"
        raise EvidenceError(msg)
    _refuse_later(connection, number, rows)
    puts: dict[str, list[Line]] = {}
    removes: dict[str, list[Key]] = {}
    for row in rows:
        if row["before"] is None:
            removes.setdefault(row["file"], []).append(tuple(json.loads(row["row_key"])))
        else:
            restored = CODECS[row["file"]].model.model_validate(row["before"])
            puts.setdefault(row["file"], []).append(Line(row["file"], 0, restored))
    reason = Reason(actor, text, "undo", undoes=number)
    done = apply(connection, Changes(puts, removes), reason)
    if done is None:
        msg = f"change set {number} leaves nothing to undo"
        raise EvidenceError(msg)
    return done


def _undone_by(connection: Connection, number: int) -> int | None:
    """The change set that took one back and was not taken back itself."""
    query = select(change_set.c.id).where(change_set.c.undoes == number).order_by(change_set.c.id)
    found = (int(by) for by in connection.scalars(query).all())
    return next((by for by in found if _undone_by(connection, by) is None), None)


def _refuse_later(connection: Connection, number: int, rows: Sequence[Any]) -> None:
    for row in rows:
        same = (change.c.file == row["file"]) & (change.c.row_key == row["row_key"])
        later = select(func.max(change.c.change_set)).where(same & (change.c.change_set > number))
        if (last := connection.execute(later).scalar()) is not None:
            last_state = select(change.c.after).where(same & (change.c.change_set == last))
            if connection.execute(last_state).scalar() != row["after"]:
                key = ", ".join(json.loads(row["row_key"]))
                msg = (
                    f"change set {number} cannot be undone: {row['file']} ({key}) was changed "
                    f"again by change set {last}; undo that first"
                )
                raise EvidenceError(msg)


def overlay(connection: Connection) -> Overlay:
    """What all change sets together lay over the corpus: the last state of each row.

    A row that was put back as it was is left out, so that what was undone holds nothing over a
    newer corpus.
    """
    first: dict[tuple[str, Key], Any] = {}
    last: dict[str, dict[Key, Any]] = {}
    query = select(change).order_by(change.c.change_set, change.c.position)
    for row in connection.execute(query).mappings():
        key = tuple(json.loads(row["row_key"]))
        first.setdefault((row["file"], key), row["before"])
        last.setdefault(row["file"], {})[key] = row["after"]
    return {
        file: {key: cells for key, cells in rows.items() if cells != first[file, key]}
        for file, rows in last.items()
    }
