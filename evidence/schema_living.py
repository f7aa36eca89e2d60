"""Tables of a living review: what was found and decided, by whom, and every change of the store."""

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from evidence import vocabulary
from evidence.schema import metadata, one_of

identified = Table(
    "identified",
    metadata,
    Column("review", ForeignKey("review.key"), primary_key=True),
    Column("source", String(120), primary_key=True),
    Column("record", String(200), primary_key=True),
    Column("study", ForeignKey("study.key"), nullable=False, index=True),
    Column("matched_by", String(20), nullable=False),
    Column("note", Text, nullable=False),
)

screening = Table(
    "screening",
    metadata,
    Column("review", ForeignKey("review.key"), primary_key=True),
    Column("study", ForeignKey("study.key"), primary_key=True),
    Column("stage", String(20), primary_key=True),
    Column("reviewer", String(80), primary_key=True),
    Column("role", String(12), nullable=False),
    Column("decision", String(10), nullable=False),
    Column("reason", Text, nullable=False),
    one_of("stage", vocabulary.Stage),
    one_of("decision", vocabulary.Decision),
    CheckConstraint("role IN ('reviewer', 'adjudicator')", name="role"),
    CheckConstraint("decision = 'include' OR reason <> ''", name="reason"),
)

#: One field of a study as one person read it, for double extraction.
reading = Table(
    "reading",
    metadata,
    Column("review", ForeignKey("review.key"), primary_key=True),
    Column("study", ForeignKey("study.key"), primary_key=True),
    Column("field", String(40), primary_key=True),
    Column("reader", String(80), primary_key=True),
    Column("role", String(12), nullable=False),
    Column("value", Text, nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("role IN ('reader', 'adjudicator')", name="role"),
)

change_set = Table(
    "change_set",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("actor", String(80), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    Column("undoes", ForeignKey("change_set.id")),
    CheckConstraint("actor <> '' AND reason <> ''", name="said"),
)

#: One row of a corpus file before and after; null where it was not there. Never updated.
change = Table(
    "change",
    metadata,
    Column("change_set", ForeignKey("change_set.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("file", String(40), nullable=False),
    Column("row_key", Text, nullable=False, index=True),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
)

#: A named state of the corpus; `archive` holds its files as a zip.
release = Table(
    "release",
    metadata,
    Column("tag", String(80), primary_key=True),
    Column("at", String(32), nullable=False),
    Column("actor", String(80), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("change_set", ForeignKey("change_set.id")),
    Column("archive", LargeBinary, nullable=False),
)
