"""Named states of the corpus: a digest to cite, and what changed between two of them."""

from datetime import UTC, datetime

from sqlalchemy import Connection, StaticPool, create_engine, func, insert, select

from evidence import export, queries, schema_living
from evidence.codecs import CODECS
from evidence.errors import EvidenceError
from evidence.ingest import load, validated
from evidence.records import Corpus, Release, RowChange
from evidence.schema import metadata
from evidence.store import Store

#: Name of the state as it is now, where a tag is expected.
NOW = "now"


def release(store: Store, tag: str, actor: str) -> Release:
    """Keep the corpus as it is under a name.

    Raises
    ------
    EvidenceError
        The tag is taken, or no name for a file.
    """
    if not tag.replace(".", "").replace("-", "").replace("_", "").isalnum() or tag == NOW:
        msg = f"tag {tag!r}: write letters, digits, '.', '-' and '_', and not {NOW!r}"
        raise EvidenceError(msg)
    with store.begin() as connection:
        if any(found.tag == tag for found in releases(connection)):
            msg = f"release {tag} is there already and is never altered; choose another tag"
            raise EvidenceError(msg)
        tables = export.rows(connection)
        last = select(func.max(schema_living.change_set.c.id))
        row = {
            "tag": tag,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "actor": actor,
            "digest": export.digest(tables),
            "change_set": connection.execute(last).scalar(),
        }
        stored = {**row, "archive": export.archive(tables)}
        connection.execute(insert(schema_living.release), stored)
    return Release.model_validate(row)


def releases(connection: Connection) -> tuple[Release, ...]:
    """Every release, oldest first."""
    table = schema_living.release
    columns = [table.c[name] for name in Release.model_fields]
    rows = connection.execute(select(*columns).order_by(table.c.at, table.c.tag)).mappings()
    return tuple(Release.model_validate(dict(row)) for row in rows)


def tables_of(store: Store, tag: str) -> export.Tables:
    """Rows of a release, or of the store as it is for `NOW`.

    Raises
    ------
    EvidenceError
        There is no such release; the message lists those that are.
    """
    with store.connect() as connection:
        if tag == NOW:
            return export.rows(connection)
        table = schema_living.release
        data = connection.execute(select(table.c.archive).where(table.c.tag == tag)).scalar()
        if data is None:
            known = ", ".join(found.tag for found in releases(connection)) or "none yet"
            msg = f"there is no release {tag!r}; there are: {known} (and {NOW!r} for the store)"
            raise EvidenceError(msg)
    return export.from_archive(data)


def changed_rows(before: export.Tables, after: export.Tables) -> tuple[RowChange, ...]:
    """Rows added, changed and removed, by file and key."""
    found = []
    for name in CODECS:
        old, new = export.keyed(name, before), export.keyed(name, after)
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                columns = _columns(old.get(key), new.get(key))
                found.append(RowChange(file=name, key=key, columns=columns))
    return tuple(found)


def _columns(
    old: dict[str, str] | None, new: dict[str, str] | None
) -> tuple[tuple[str, str | None, str | None], ...]:
    """Column, before and after; one line for a row that came or went."""
    if old is None or new is None:
        what = ("row", None if old is None else "there", None if new is None else "there")
        return (what,)
    return tuple((c, old[c], new[c]) for c in new if old.get(c) != new[c])


def corpus_of(tables: export.Tables) -> Corpus:
    """What a recommendation would have rested on, with the corpus as it was.

    Raises
    ------
    IngestError
        The rows do not fit this version of evtl.
    """
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        metadata.create_all(connection)
        load(connection, validated(tables))
        return queries.corpus_from(connection, engine.connect)
