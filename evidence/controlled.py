"""Controlled comparisons as records."""

from sqlalchemy import Connection, select

from evidence import schema
from evidence.records import ControlledResult
from evidence.schema_benchmarks import benchmark_dataset, benchmark_result


def controlled(connection: Connection) -> tuple[ControlledResult, ...]:
    """Every result of the controlled tables, in the order of their keys.

    Keys are ordered here: databases sort texts each in their own way.
    """
    dataset = [
        benchmark_dataset.c[name]
        for name in ("origin", "modality", "anatomy", "n_images", "n_classes", "task")
    ]
    result = [column for column in benchmark_result.c if column.name not in {"benchmark", "cpu_s"}]
    query = (
        select(
            benchmark_result.c.benchmark.label("table"),
            *result,
            *dataset,
            schema.backbone.c.family,
            benchmark_result.c.cpu_s.label("seconds"),
        )
        .join_from(benchmark_result, benchmark_dataset)
        .join(schema.backbone, schema.backbone.c.name == benchmark_result.c.backbone)
    )
    rows = connection.execute(query).mappings()
    return tuple(sorted((ControlledResult.model_validate(dict(row)) for row in rows), key=_key))


def _key(result: ControlledResult) -> tuple[str, ...]:
    return (
        result.table, result.dataset, result.backbone, result.approach, result.initialisation,
        result.pretraining, result.head, result.metric,
    )  # fmt: skip
