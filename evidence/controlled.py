"""Controlled comparisons as records: published tables, and the means of the runs that ship."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

from sqlalchemy import Connection, select

from evidence import schema
from evidence.records import ControlledResult, ShippedRun
from evidence.schema_benchmarks import benchmark_dataset, benchmark_result
from evidence.schema_runs import shipped_run

#: The table that the runs that ship make up, and what their weights were trained on.
SHIPPED_TABLE, SHIPPED_WEIGHTS = "evtl2026", "imagenet"
#: Columns of a data set that a result repeats.
_DATASET = ("origin", "modality", "anatomy", "n_images", "n_classes", "task")


def controlled(
    connection: Connection, runs: Sequence[ShippedRun] = ()
) -> tuple[ControlledResult, ...]:
    """Every result of the controlled tables, in the order of their keys.

    Keys are ordered here: databases sort texts each in their own way. What stands in a table of
    its own wins over the mean of `runs`, so that nothing is counted twice.
    """
    found = {_key(one): one for one in (*_means(connection, runs), *_tables(connection))}
    return tuple(found[key] for key in sorted(found))


def shipped_runs(connection: Connection) -> tuple[ShippedRun, ...]:
    """Every training that ships with evtl, those of one configuration side by side."""
    rows = connection.execute(select(shipped_run)).mappings()
    return tuple(sorted((ShippedRun.model_validate(dict(row)) for row in rows), key=_place))


def _place(run: ShippedRun) -> tuple[Any, ...]:
    return *_configuration(run), run.seed, run.run_id


def _configuration(run: ShippedRun) -> tuple[str, ...]:
    return run.dataset, run.backbone, run.approach, run.initialisation, run.head


def _tables(connection: Connection) -> Iterator[ControlledResult]:
    result = [column for column in benchmark_result.c if column.name not in {"benchmark", "cpu_s"}]
    query = (
        select(
            benchmark_result.c.benchmark.label("table"),
            *result,
            *(benchmark_dataset.c[name] for name in _DATASET),
            schema.backbone.c.family,
            benchmark_result.c.cpu_s.label("seconds"),
        )
        .join_from(benchmark_result, benchmark_dataset)
        .join(schema.backbone, schema.backbone.c.name == benchmark_result.c.backbone)
    )
    for row in connection.execute(query).mappings():
        yield ControlledResult.model_validate(dict(row))


def _means(connection: Connection, runs: Sequence[ShippedRun]) -> Iterator[ControlledResult]:
    """Mean AUC and CPU seconds over the seeds, of what was run on every seed of its data set.

    Each seed has a split of its own, and means over different splits cannot be compared.
    """
    seeds, alike = defaultdict(set), defaultdict(list)
    for run in runs:
        seeds[run.dataset].add(run.seed)
        alike[_configuration(run)].append(run)
    datasets, families = _datasets(connection, set(seeds)), _families(connection)
    for same in alike.values():
        one = same[0]
        if {run.seed for run in same} == seeds[one.dataset]:
            pretrained = one.initialisation == "pretrained"
            yield ControlledResult(
                table=SHIPPED_TABLE, dataset=one.dataset, backbone=one.backbone,
                family=families[one.backbone], approach=one.approach,
                initialisation=one.initialisation, head=one.head,
                pretraining=SHIPPED_WEIGHTS if pretrained else "", metric="auc",
                value=fmean(run.auc for run in same), seconds=fmean(run.cpu_s for run in same),
                **datasets[one.dataset],
            )  # fmt: skip


def _datasets(connection: Connection, names: set[str]) -> dict[str, dict[str, Any]]:
    columns = (benchmark_dataset.c[name] for name in _DATASET)
    query = select(benchmark_dataset.c.key, *columns).where(benchmark_dataset.c.key.in_(names))
    return {
        key: dict(zip(_DATASET, about, strict=True)) for key, *about in connection.execute(query)
    }


def _families(connection: Connection) -> dict[str, str]:
    query = select(schema.backbone.c.name, schema.backbone.c.family)
    return {row.name: row.family for row in connection.execute(query)}


def _key(result: ControlledResult) -> tuple[str, ...]:
    return (
        result.table, result.dataset, result.backbone, result.approach, result.initialisation,
        result.pretraining, result.head, result.metric,
    )  # fmt: skip
