"""Everything that is stored of one study, with where it stands and who changed it."""

import difflib
import json
from collections import defaultdict

from sqlalchemy import Connection, select, text

from evidence import schema
from evidence.errors import StudyNotFoundError
from evidence.records import Record
from evidence.schema_living import change, change_set
from evidence.vocabulary import Metric, Operator, Split


class Fact(Record):
    """One value read from a review, beside the printed cell."""

    field: str
    value: str
    printed: str | None
    column: str | None
    table: str


class Result(Record):
    """One metric value: a bound where `operator` is ``>``, up to `value_high` for a range."""

    split: Split
    metric: Metric
    operator: Operator
    value: float
    value_high: float | None


class ArmShown(Record):
    """A network as one review says it was used, and what it reached."""

    role: str
    backbone: str
    family: str
    approach: str
    initialisation: str
    head: str
    layers_unfrozen: str
    results: tuple[Result, ...]


class ExtractionPage(Record):
    """One review's reading of a study.

    `results` are those that no single arm is said to have reached.
    """

    review: str
    status: str
    locator: str
    reference: str
    reading: str
    note: str
    facts: tuple[Fact, ...]
    arms: tuple[ArmShown, ...]
    results: tuple[Result, ...]


class Touched(Record):
    """A change set that changed something of a study."""

    change_set: int
    at: str
    actor: str
    reason: str


class StudyPage(Record):
    """Everything that is stored of one study; its history newest first."""

    key: str
    title: str | None
    authors: tuple[str, ...]
    year: int | None
    venue: str
    doi: str | None
    pmid: str | None
    abstract: str
    keywords: tuple[str, ...]
    extractions: tuple[ExtractionPage, ...]
    history: tuple[Touched, ...]

    def by_field(self) -> dict[str, tuple[tuple[Fact, ...], ...]]:
        """Field -> what each extraction says of it, side by side in their order."""
        fields = dict.fromkeys(fact.field for page in self.extractions for fact in page.facts)
        return {
            field: tuple(
                tuple(fact for fact in page.facts if fact.field == field)
                for page in self.extractions
            )
            for field in fields
        }


def show(connection: Connection, key: str) -> StudyPage:
    """Everything that is stored of one study.

    Raises
    ------
    StudyNotFoundError
        No study has this key.
    """
    # No key holds a control character, and not every database takes one in a question.
    asked = select(schema.study).where(schema.study.c.key == key)
    row = connection.execute(asked).mappings().first() if key.isprintable() else None
    if row is None:
        raise StudyNotFoundError(_not_found(connection, key))
    author, word = schema.study_author.c, schema.study_keyword.c
    authors = select(author.name).where(author.study == key).order_by(author.position)
    keywords = select(word.word).where(word.study == key).order_by(word.position)
    names = ("key", "title", "year", "venue", "doi", "pmid", "abstract")
    return StudyPage(
        **{name: row[name] for name in names},
        authors=tuple(connection.scalars(authors)),
        keywords=tuple(connection.scalars(keywords)),
        extractions=_extractions(connection, key),
        history=_history(connection, key),
    )


def _not_found(connection: Connection, key: str) -> str:
    stem = "".join(filter(str.isalnum, key.partition("-")[0][:3].lower()))
    near = select(schema.study.c.key).where(schema.study.c.key.startswith(stem)).limit(2000)
    close = difflib.get_close_matches(
        key[:80].lower(), list(connection.scalars(near)), n=4, cutoff=0.4
    )
    hint = f"did you mean {', '.join(close)}? " if close else ""
    return (
        f"there is no study {key[:80]!r}: {hint}"
        "evtl studies --words TEXT looks for titles and authors"
    )


def _extractions(connection: Connection, key: str) -> tuple[ExtractionPage, ...]:
    facts: dict[str, list[Fact]] = defaultdict(list)
    query = text(
        "SELECT review, field, value, printed, column_name, locator_table FROM fact "
        "WHERE study = :key ORDER BY review, field, position"
    )
    for review, field, value, printed, column, table in connection.execute(query, {"key": key}):
        fact = Fact(field=field, value=value, printed=printed, column=column, table=table)
        facts[review].append(fact)
    results = _results(connection, key)
    arms = _arms(connection, key, results)
    table = schema.extraction
    rows = connection.execute(select(table).where(table.c.study == key).order_by(table.c.id))
    return tuple(
        ExtractionPage(
            review=row["review"],
            status=row["status"],
            locator=f"{row['locator_table']}, row {row['position']}: {row['row_label']}",
            reference=f"printed {row['ref_printed'] or '-'}, resolved {row['ref'] or '-'}",
            reading=row["reading"],
            note=row["note"],
            facts=tuple(facts[row["review"]]),
            arms=tuple(arms[row["id"]]),
            results=tuple(results[row["id"], None]),
        )
        for row in rows.mappings()
    )


def _results(connection: Connection, key: str) -> defaultdict[tuple[int, int | None], list[Result]]:
    """Extraction and arm -> what it reached; no arm where none is named."""
    table = schema.evaluation
    query = (
        select(table)
        .join_from(table, schema.extraction, table.c.extraction == schema.extraction.c.id)
        .where(schema.extraction.c.study == key)
        .order_by(table.c.extraction, table.c.position)
    )
    found: defaultdict[tuple[int, int | None], list[Result]] = defaultdict(list)
    for row in connection.execute(query).mappings():
        result = Result(**{name: row[name] for name in Result.model_fields})
        found[row["extraction"], row["arm"]].append(result)
    return found


def _arms(
    connection: Connection,
    key: str,
    results: defaultdict[tuple[int, int | None], list[Result]],
) -> defaultdict[int, list[ArmShown]]:
    arm, extraction, backbone = schema.arm, schema.extraction.c, schema.backbone.c
    query = (
        select(arm, backbone.family)
        .join_from(arm, schema.extraction, arm.c.extraction == extraction.id)
        .join(schema.backbone, backbone.name == arm.c.backbone)
        .where(extraction.study == key)
        .order_by(arm.c.extraction, arm.c.position)
    )
    found: defaultdict[int, list[ArmShown]] = defaultdict(list)
    names = [name for name in ArmShown.model_fields if name != "results"]
    for row in connection.execute(query).mappings():
        reached = tuple(results[row["extraction"], row["position"]])
        shown = ArmShown(**{name: row[name] for name in names}, results=reached)
        found[row["extraction"]].append(shown)
    return found


def _history(connection: Connection, key: str) -> tuple[Touched, ...]:
    named = change.c.row_key.contains(json.dumps(key, ensure_ascii=False), autoescape=True)
    numbers = select(change.c.change_set).where(named)
    query = select(change_set).where(change_set.c.id.in_(numbers)).order_by(change_set.c.id.desc())
    return tuple(
        Touched(change_set=row["id"], at=row["at"], actor=row["actor"], reason=row["reason"])
        for row in connection.execute(query).mappings()
    )
