"""Rows -> records, and read-only questions in SQL."""

import re
import sqlite3
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from evidence import schema
from evidence.errors import EvidenceError, QueryRefusedError
from evidence.records import (
    ArmRecord,
    Backbone,
    Claim,
    Corpus,
    Evaluation,
    RunRecord,
    Study,
)
from evidence.store import Store

#: Limits of one question: seconds, rows, bytes of all values, and bytes of one value.
QUERY_TIMEOUT_S = 10.0
QUERY_ROWS = 10_000
QUERY_BYTES = 32_000_000
QUERY_VALUE_BYTES = 1_000_000
#: SQL functions that only compute; everything else is refused.
SAFE_FUNCTIONS = frozenset(
    "abs avg coalesce count date datetime format group_concat ifnull iif instr julianday length "
    "like lower ltrim max min nullif printf replace round rtrim sign strftime string_agg substr "
    "substring sum total trim typeof upper first_value last_value lag lead rank dense_rank "
    "row_number ntile percent_rank cume_dist nth_value unicode char glob hex floor ceil ceiling "
    "sqrt power pow exp ln log log10 log2 mod trunc".split()
)
#: How a SELECT begins, after blanks and comments. The authorizer refuses what lies behind.
_SELECT = re.compile(r"(\s|--[^\n]*\n|/\*.*?\*/)*(select|with|values)\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """Result of a question: column names, rows, and whether rows were left out."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool


def corpus(store: Store) -> Corpus:
    """Everything that a recommendation rests on, in one read."""
    with store.connect() as connection:
        return Corpus(
            digest=connection.execute(select(schema.corpus.c.digest)).scalar_one(),
            arms=_arms(connection),
            claims=tuple(
                Claim.model_validate(dict(row))
                for row in connection.execute(
                    select(schema.claim).order_by(schema.claim.c.key)
                ).mappings()
            ),
            backbones=tuple(
                Backbone.model_validate(dict(row))
                for row in connection.execute(
                    select(schema.backbone).order_by(schema.backbone.c.name)
                ).mappings()
            ),
            runs=_runs(connection),
        )


def runs(store: Store) -> tuple[RunRecord, ...]:
    """Our own trainings, oldest first."""
    with store.connect() as connection:
        return _runs(connection)


def record_run(store: Store, record: RunRecord) -> None:
    """Keep one training.

    Raises
    ------
    EvidenceError
        A run of this id is there already.
    """
    row = record.model_dump(exclude={"schema_version", "metrics"})
    metrics = [
        {"run_id": record.run_id, "split": split, "metric": metric, **interval}
        for split, values in record.metrics.items()
        for metric, interval in values.items()
    ]
    with store.begin() as connection:
        known = select(schema.run.c.run_id).where(schema.run.c.run_id == record.run_id)
        if connection.execute(known).first() is not None:
            msg = f"run {record.run_id} is recorded already"
            raise EvidenceError(msg)
        connection.execute(insert(schema.run), row)
        if metrics:
            connection.execute(insert(schema.run_metric), metrics)


def _runs(connection: Connection) -> tuple[RunRecord, ...]:
    metrics: dict[str, dict[str, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for row in connection.execute(select(schema.run_metric)).mappings():
        interval = {"value": row["value"], "low": row["low"], "high": row["high"]}
        metrics[row["run_id"]][row["split"]][row["metric"]] = interval
    order = select(schema.run).order_by(schema.run.c.started_at, schema.run.c.run_id)
    return tuple(
        RunRecord.model_validate({**row, "metrics": metrics.get(row["run_id"], {})})
        for row in connection.execute(order).mappings()
    )


def _grouped(connection: Connection, table: Any, column: Any) -> dict[int, tuple[Any, ...]]:
    found: dict[int, list[Any]] = defaultdict(list)
    order = select(table.c.extraction, column).order_by(table.c.extraction, table.c.position)
    for extraction, word in connection.execute(order):
        found[extraction].append(word)
    return {extraction: tuple(words) for extraction, words in found.items()}


def _evaluations(connection: Connection) -> dict[int, tuple[Evaluation, ...]]:
    table = schema.evaluation
    found: dict[int, list[Evaluation]] = defaultdict(list)
    columns = (
        table.c.extraction,
        table.c.metric,
        table.c.operator,
        table.c.value,
        table.c.value_high,
    )
    for extraction, *values in connection.execute(
        select(*columns).order_by(table.c.extraction, table.c.position)
    ):
        found[extraction].append(
            Evaluation(**dict(zip(Evaluation.model_fields, values, strict=True)))
        )
    return {extraction: tuple(values) for extraction, values in found.items()}


def _arms(connection: Connection) -> tuple[ArmRecord, ...]:
    studies = _studies(connection)
    anatomy = _grouped(connection, schema.extraction_anatomy, schema.extraction_anatomy.c.anatomy)
    tasks = _grouped(connection, schema.extraction_task, schema.extraction_task.c.task)
    evaluations = _evaluations(connection)
    joined = (
        select(
            schema.arm,
            *(column for column in schema.extraction.c if column.name != "position"),
            *(schema.dataset.c[name] for name in ("n_classes", "n_images", "n_augmented")),
            schema.backbone.c.family,
        )
        .join_from(schema.arm, schema.extraction, schema.arm.c.extraction == schema.extraction.c.id)
        .join(schema.dataset, schema.dataset.c.extraction == schema.arm.c.extraction)
        .join(schema.backbone, schema.backbone.c.name == schema.arm.c.backbone)
        .order_by(schema.arm.c.extraction, schema.arm.c.position)
    )
    return tuple(
        ArmRecord(
            study=studies[row["study"]],
            locator=_locator(row),
            anatomy=anatomy.get(row["extraction"], ()),
            tasks=tasks.get(row["extraction"], ()),
            # A study's value is its winner's; it says nothing of a benchmark.
            evaluations=()
            if row["role"] == "benchmark"
            else evaluations.get(row["extraction"], ()),
            **{name: row[name] for name in _COPIED},
        )
        for row in connection.execute(joined).mappings()
    )


#: Fields of an arm that stand in its row under the same name.
_COPIED = (
    "review role backbone family approach initialisation head modality n_classes n_images "
    "n_augmented augmentation visualization"
).split()


def _studies(connection: Connection) -> dict[str, Study]:
    columns = (schema.study.c[name] for name in Study.model_fields)
    rows = connection.execute(select(*columns)).mappings()
    return {row["key"]: Study(**row) for row in rows}


def _locator(row: Any) -> str:
    table = row["locator_table"]
    where = f"Table {table}" if table[:1] in "S1" else table
    return f"{row['review']}, {where}, {row['row_label']} {row['ref_printed']}"


def question(store: Store, sql: str) -> Answer:
    """Answer one SELECT.

    The connection is read-only, an authorizer allows reading and computing only, and time, rows
    and the size of a value are bounded.

    Raises
    ------
    QueryRefusedError
        The statement is something else than one SELECT, is wrong, or exceeds a limit.
    """
    if not _SELECT.match(sql):
        msg = f"only one SELECT is answered here, found {sql[:40]!r}; the store is read-only"
        raise QueryRefusedError(msg)
    connection = store.read_only()
    try:
        _lock_down(connection)
        return _bounded(connection.execute(sql))
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        raise QueryRefusedError(_refusal(error)) from error
    finally:
        connection.close()


def _bounded(cursor: sqlite3.Cursor) -> Answer:
    """Rows up to `QUERY_ROWS` and about `QUERY_BYTES`."""
    columns = tuple(column[0] for column in cursor.description)
    rows: list[tuple[Any, ...]] = []
    size = 0
    for row in cursor:
        size += sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)
        if len(rows) == QUERY_ROWS or size > QUERY_BYTES:
            return Answer(columns, tuple(rows), truncated=True)
        rows.append(row)
    return Answer(columns, tuple(rows), truncated=False)


def _lock_down(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = 1")
    connection.execute("PRAGMA trusted_schema = 0")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, QUERY_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    deadline = time.monotonic() + QUERY_TIMEOUT_S
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    connection.set_authorizer(_authorize)


def _authorize(action: int, _first: str | None, second: str | None, *_rest: str | None) -> int:
    allowed = action in {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
    if action == sqlite3.SQLITE_FUNCTION:
        allowed = (second or "").lower() in SAFE_FUNCTIONS
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _refusal(error: Exception) -> str:
    text = str(error)
    if "use function" in text:
        known = " ".join(sorted(SAFE_FUNCTIONS))
        return f"this function is not allowed here ({text}); allowed: {known}"
    if "not authorized" in text or "prohibited" in text or "readonly" in text:
        return f"only one SELECT is answered here; the store is read-only ({text})"
    if "interrupted" in text:
        return f"the query took longer than {QUERY_TIMEOUT_S:g} s and was stopped"
    if "one statement" in text:
        return "only one SELECT is answered at a time"
    return f"the query cannot be answered: {text}"
