"""Rows -> records."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Select, delete, func, insert, select, true

from evidence import schema
from evidence.controlled import controlled, shipped_runs
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
from evidence.schema_living import change_set
from evidence.schema_runs import run, run_metric
from evidence.store import Store

#: Opens a connection for reading.
Connect = Callable[[], AbstractContextManager[Connection]]


def corpus(store: Store) -> Corpus:
    """Everything that a recommendation rests on, in one read."""
    with store.connect() as connection:
        return corpus_from(connection, store.connect)


class State(NamedTuple):
    """What differs between two states of a store on which a recommendation may differ.

    Attributes
    ----------
    digest : str
        Of the shipped corpus that was loaded.
    change_set, changed_at : int or None, str or None
        The last change; none is ever altered or taken away.
    n_runs, n_finished, seconds, started_at : int, int, float, str or None
        Of our own trainings; one that failed may be replaced by how it ended.
    """

    digest: str | None
    change_set: int | None
    changed_at: str | None
    n_runs: int
    n_finished: int
    seconds: float | None
    started_at: str | None


_STATE = select(
    select(schema.corpus.c.digest).scalar_subquery(),
    select(func.max(change_set.c.id)).scalar_subquery(),
    select(func.max(change_set.c.at)).scalar_subquery(),
    func.count(run.c.run_id),
    func.count(run.c.run_id).filter(run.c.status == "finished"),
    func.sum(run.c.seconds),
    func.max(run.c.started_at),
)


def state(connection: Connection) -> State:
    """The state of a store, in one small query."""
    return State(*connection.execute(_STATE).one())


def corpus_from(connection: Connection, connect: Connect) -> Corpus:
    """As `corpus`, over an open connection.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Read now.
    connect : callable
        Opens another one whenever records of arms are asked for.
    """
    from evidence.arm_columns import arm_table  # noqa: PLC0415  (numpy, which SQL does not need)

    def read(numbers: Sequence[int]) -> dict[tuple[int, int], ArmRecord]:
        with connect() as opened:
            return _arms(opened, schema.extraction.c.id.in_(numbers))

    trained = shipped_runs(connection)
    claims = connection.execute(select(schema.claim).order_by(schema.claim.c.key)).mappings()
    return Corpus(
        digest=connection.execute(select(schema.corpus.c.digest)).scalar() or "",
        arms=arm_table(connection, read),
        claims=tuple(Claim.model_validate(dict(row)) for row in claims),
        backbones=_backbones(connection),
        runs=_runs(connection),
        shipped=trained,
        controlled=controlled(connection, trained),
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
    """Keep one training; one that failed before is replaced by how it ended.

    Raises
    ------
    EvidenceError
        A finished run of this id is there already.
    """
    row = record.model_dump(exclude={"schema_version", "metrics"})
    metrics = [
        {"run_id": record.run_id, "split": split, "metric": metric, **interval}
        for split, values in record.metrics.items()
        for metric, interval in values.items()
    ]
    with store.begin() as connection:
        of_run = run.c.run_id == record.run_id
        status = connection.execute(select(run.c.status).where(of_run)).scalar()
        if status == "finished":
            msg = f"run {record.run_id} is recorded already"
            raise EvidenceError(msg)
        if status is not None:
            metrics_of_run = run_metric.c.run_id == record.run_id
            connection.execute(delete(run_metric).where(metrics_of_run))
            connection.execute(delete(run).where(of_run))
        connection.execute(insert(run), row)
        if metrics:
            connection.execute(insert(run_metric), metrics)


def _runs(connection: Connection) -> tuple[RunRecord, ...]:
    metrics: dict[str, dict[str, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for row in connection.execute(select(run_metric)).mappings():
        interval = {"value": row["value"], "low": row["low"], "high": row["high"]}
        metrics[row["run_id"]][row["split"]][row["metric"]] = interval
    order = select(run).order_by(run.c.started_at, run.c.run_id)
    return tuple(
        RunRecord.model_validate({**row, "metrics": metrics.get(row["run_id"], {})})
        for row in connection.execute(order).mappings()
    )


def arms(connection: Connection, study: str | None = None) -> tuple[ArmRecord, ...]:
    """Every arm, or those of one study, in the order of the extractions."""
    wanted = true() if study is None else schema.extraction.c.study == study
    return tuple(_arms(connection, wanted).values())


def _arms(connection: Connection, wanted: ColumnElement[bool]) -> dict[tuple[int, int], ArmRecord]:
    """Extraction and position -> arm, of the extractions that are wanted."""
    numbers = select(schema.extraction.c.id).where(wanted)
    anatomy, tasks = (
        _grouped(connection, column, numbers)
        for column in (schema.extraction_anatomy.c.anatomy, schema.extraction_task.c.task)
    )
    studies = _studies(connection, wanted)
    evaluations = _evaluations(connection, numbers)
    return {
        (row["extraction"], row["position"]): ArmRecord(
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
        for row in connection.execute(_joined().where(wanted)).mappings()
    }


def _joined() -> Select[Any]:
    return (
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


def _grouped(
    connection: Connection, column: Column[str], numbers: Select[tuple[int]]
) -> dict[int, tuple[Any, ...]]:
    table = column.table
    found: dict[int, list[Any]] = defaultdict(list)
    query = select(table.c.extraction, column).where(table.c.extraction.in_(numbers))
    for extraction, word in connection.execute(
        query.order_by(table.c.extraction, table.c.position)
    ):
        found[extraction].append(word)
    return {extraction: tuple(words) for extraction, words in found.items()}


def _evaluations(
    connection: Connection, numbers: Select[tuple[int]]
) -> dict[int, tuple[Evaluation, ...]]:
    table = schema.evaluation
    found: dict[int, list[Evaluation]] = defaultdict(list)
    columns = [table.c[name] for name in Evaluation.model_fields]
    query = select(table.c.extraction, *columns).where(table.c.extraction.in_(numbers))
    for extraction, *values in connection.execute(
        query.order_by(table.c.extraction, table.c.position)
    ):
        found[extraction].append(
            Evaluation(**dict(zip(Evaluation.model_fields, values, strict=True)))
        )
    return {extraction: tuple(values) for extraction, values in found.items()}


#: Fields of an arm that stand in its row under the same name.
_COPIED = (
    "review role backbone family approach initialisation head modality n_classes n_images "
    "n_augmented augmentation visualization"
).split()


def _studies(connection: Connection, wanted: ColumnElement[bool]) -> dict[str, Study]:
    columns = (schema.study.c[name] for name in Study.model_fields)
    keys = select(schema.extraction.c.study).where(wanted)
    rows = connection.execute(select(*columns).where(schema.study.c.key.in_(keys))).mappings()
    return {row["key"]: Study(**row) for row in rows}


def _locator(row: Any) -> str:
    table = row["locator_table"]
    where = f"Table {table}" if table[:1] in "S1" else table
    return f"{row['review']}, {where}, {row['row_label']} {row['ref_printed']}"
