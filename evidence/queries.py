"""Rows -> records."""

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, insert, select

from evidence import schema
from evidence.controlled import controlled
from evidence.errors import EvidenceError
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


def corpus(store: Store) -> Corpus:
    """Everything that a recommendation rests on, in one read."""
    with store.connect() as connection:
        return corpus_from(connection)


def corpus_from(connection: Connection) -> Corpus:
    """As `corpus`, over an open connection."""
    claims = connection.execute(select(schema.claim).order_by(schema.claim.c.key)).mappings()
    return Corpus(
        digest=connection.execute(select(schema.corpus.c.digest)).scalar() or "",
        arms=arms(connection),
        claims=tuple(Claim.model_validate(dict(row)) for row in claims),
        backbones=_backbones(connection),
        runs=_runs(connection),
        controlled=controlled(connection),
    )


def _backbones(connection: Connection) -> tuple[Backbone, ...]:
    alias = schema.backbone_alias.c
    aliases: dict[str, list[str]] = defaultdict(list)
    for name, text in connection.execute(
        select(alias.backbone, alias.alias).order_by(alias.backbone, alias.position)
    ):
        aliases[name].append(text)
    rows = connection.execute(select(schema.backbone).order_by(schema.backbone.c.name)).mappings()
    return tuple(
        Backbone.model_validate({**row, "aliases": aliases.get(row["name"], ())}) for row in rows
    )


def search_ends(connection: Connection) -> dict[str, str]:
    """Review -> ISO date at which its search ended, where it says so."""
    ends = select(schema.review.c.key, schema.review.c.window_end)
    rows = connection.execute(ends.order_by(schema.review.c.key))
    return {key: end for key, end in rows if end}


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


def arms(connection: Connection, study: str | None = None) -> tuple[ArmRecord, ...]:
    """Every arm, or those of one study, in the order of the extractions."""
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
    if study is not None:
        joined = joined.where(schema.extraction.c.study == study)
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
