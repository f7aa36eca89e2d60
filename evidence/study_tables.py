"""How a row of ``studies.csv`` lies in the tables: extraction, data set, arms, evaluations."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, func, select

from evidence import schema
from evidence.notation import ArmNotation, CountNotation, SizeNotation
from evidence.rows import Row, StudyRow
from evidence.tables import Codec, Key

#: Columns of the file that lie in `schema.dataset`, and their names there.
_DATASET = {
    "class_type": "class_type",
    "n_classes": "n_classes",
    "n_images": "n_images",
    "n_augmented": "n_augmented",
    "n_datasets": "n_sources",
}
_NAMES = {"study_key": "study", "table": "locator_table"}
#: List column of the file -> child table and the column that holds the item.
_WORDS = {
    "anatomy": (schema.extraction_anatomy, "anatomy"),
    "task": (schema.extraction_task, "task"),
    "software": (schema.extraction_software, "name"),
    "hardware": (schema.extraction_hardware, "device"),
}
_ARMS = {"backbone", "benchmarks", "approach", "initialisation", "head", "layers_unfrozen"}
_ELSEWHERE = {*_DATASET, *_WORDS, *_ARMS, "counts", "image_size_px", "evaluations"}


class _How(NamedTuple):
    """What a row says of its own arms; a part is unspecified where they differ."""

    approach: str = "unspecified"
    initialisation: str = "unspecified"
    head: str = "unspecified"


class StudyCodec(Codec):
    """Codec of ``studies.csv``; an extraction keeps its number when it changes."""

    @property
    def tables(self) -> tuple[Table, ...]:
        """Extraction, data set and what hangs on them."""
        return (self.table, schema.dataset, *_CHILDREN)

    def cells(self, row: Row) -> dict[str, str]:
        """As for every file, with what is the same of all arms said once, of the row."""
        return row.cells() | (_arm_cells(_arms(row)) if isinstance(row, StudyRow) else {})

    def replace(self, connection: Connection, row: Row) -> None:
        """Change one extraction that is there."""
        number = connection.execute(select(schema.extraction.c.id).where(self._where([row.key])))
        kept = number.scalar_one()
        self.remove(connection, row.key)
        self._insert_from(connection, [row], kept)

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Add extractions, numbered in the order in which they come."""
        last = connection.execute(select(func.max(schema.extraction.c.id))).scalar() or 0
        self._insert_from(connection, rows, last + 1)

    def _insert_from(self, connection: Connection, rows: Sequence[Row], first: int) -> None:
        tables: dict[Table, list[dict[str, Any]]] = defaultdict(list)
        for number, row in enumerate(rows, first):
            if isinstance(row, StudyRow):
                for table, records in _tables_of(number, row).items():
                    tables[table] += records
        for table, records in tables.items():
            if records:
                connection.execute(table.insert(), records)

    def links(self, row: Row) -> Iterator[tuple[str, Table, str]]:
        """As for every file, and the backbones of the arms."""
        yield from super().links(row)
        if isinstance(row, StudyRow):
            for column, arms in (("backbone", row.backbone), ("benchmarks", row.benchmarks)):
                yield from ((column, schema.backbone, arm.backbone) for arm in arms)

    def problems(self, row: Row) -> Iterator[tuple[str, str]]:
        """As for every file, and the columns that lie in the data set."""
        yield from super().problems(row)
        values = row.model_dump()
        for column in _DATASET:
            if isinstance(values[column], int) and values[column] >= 2**31:
                yield column, "below 2 to the power of 31"

    def _read(
        self, connection: Connection, where: ColumnElement[bool] | None
    ) -> dict[Key, dict[str, str]]:
        query = select(schema.extraction, *(schema.dataset.c[n] for n in _DATASET.values()))
        query = query.join_from(schema.extraction, schema.dataset).order_by(schema.extraction.c.id)
        if where is not None:
            query = query.where(where)
        stored = connection.execute(query).mappings().all()
        ids = None if where is None else [row["id"] for row in stored]
        children = {table: _children(connection, table, ids) for table in _CHILDREN}
        found: dict[Key, dict[str, str]] = {}
        for row in stored:
            own = {table: rows.get(row["id"], ()) for table, rows in children.items()}
            cells = _cells(row, own)
            found[row["review"], row["study"]] = {c: cells[c] for c in StudyRow.model_fields}
        return found


_CHILDREN = (
    *(table for table, _ in _WORDS.values()),
    schema.image_size,
    schema.sample_count,
    schema.arm,
    schema.evaluation,
)


def _tables_of(number: int, row: StudyRow) -> dict[Table, list[dict[str, Any]]]:
    values = row.model_dump()
    own = {_NAMES.get(c, c): v for c, v in values.items() if c not in _ELSEWHERE}
    dataset = {name: values[column] for column, name in _DATASET.items()}
    arms = _arms(row)
    winners = [arm["position"] for arm in arms if arm["role"] != "benchmark"]
    # A value belongs to an arm only where the review leaves no doubt which.
    evaluated = winners[0] if len(winners) == 1 else None
    lists: dict[Table, list[dict[str, Any]]] = {
        table: [{item: word} for word in values[column]] for column, (table, item) in _WORDS.items()
    }
    lists[schema.image_size] = [size._asdict() for size in row.image_size_px]
    lists[schema.sample_count] = [count._asdict() for count in row.counts]
    lists[schema.arm] = arms
    lists[schema.evaluation] = [
        value._asdict() | {"arm": evaluated, "split": "unspecified"} for value in row.evaluations
    ]
    for records in lists.values():
        for position, record in enumerate(records, 1):
            record |= {"extraction": number, "position": position}
    return {
        schema.extraction: [{"id": number, **own}],
        schema.dataset: [{"extraction": number, **dataset}],
        **lists,
    }


def _arms(row: StudyRow) -> list[dict[str, Any]]:
    role = "winner" if row.benchmarks or len(row.backbone) == 1 else "used"
    # What a review says of the winner's approach it does not say of the benchmarks'.
    pairs = [(arm, _How(row.approach, row.initialisation, row.head), role) for arm in row.backbone]
    pairs += [(arm, _How(), "benchmark") for arm in row.benchmarks]
    return [
        {
            "position": position,
            "role": arm_role,
            "backbone": arm.backbone,
            "approach": arm.approach or how.approach,
            "initialisation": arm.initialisation or how.initialisation,
            "head": arm.head or how.head,
            "layers_unfrozen": row.layers_unfrozen if arm_role != "benchmark" else "",
        }
        for position, (arm, how, arm_role) in enumerate(pairs, 1)
    ]


def _children(
    connection: Connection, table: Table, ids: list[int] | None
) -> dict[int, list[Mapping[str, Any]]]:
    query = select(table).order_by(table.c.extraction, table.c.position)
    if ids is not None:
        query = query.where(table.c.extraction.in_(ids))
    found: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in connection.execute(query).mappings():
        found[row["extraction"]].append(dict(row))
    return found


def _cells(row: Any, children: Mapping[Table, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    names = {column: _NAMES.get(column, column) for column in StudyRow.model_fields}
    plain = {c: row[n] for c, n in names.items() if c not in _ELSEWHERE}
    plain |= {column: row[name] for column, name in _DATASET.items()}
    cells = {column: "" if value is None else str(value) for column, value in plain.items()}
    for column, (table, item) in _WORDS.items():
        cells[column] = ";".join(record[item] for record in children[table])
    cells["image_size_px"] = _joined(SizeNotation, children[schema.image_size])
    cells["counts"] = _joined(CountNotation, children[schema.sample_count])
    cells["evaluations"] = ";".join(v["notation"] for v in children[schema.evaluation])
    return cells | _arm_cells(children[schema.arm])


def _joined(notation: Any, records: Sequence[Mapping[str, Any]]) -> str:
    return ";".join(str(notation(*(r[name] for name in notation._fields))) for r in records)


def _arm_cells(arms: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    own = [arm for arm in arms if arm["role"] != "benchmark"]
    common = {name: {arm[name] for arm in own} for name in _How._fields}
    how = _How(**{n: words.pop() for n, words in common.items() if len(words) == 1})
    benchmarks = [arm for arm in arms if arm["role"] == "benchmark"]
    return {
        "backbone": ";".join(_arm_cell(arm, how) for arm in own),
        "benchmarks": ";".join(_arm_cell(arm, _How()) for arm in benchmarks),
        **how._asdict(),
        "layers_unfrozen": own[0]["layers_unfrozen"] if own else "",
    }


def _arm_cell(arm: Mapping[str, Any], how: _How) -> str:
    """The backbone alone where the arm is as the row says; else parts up to the last difference."""
    parts = [arm[name] for name in _How._fields]
    differing = [i for i, part in enumerate(parts, 1) if part != how[i - 1]]
    written = parts[: max(differing, default=0)]
    return str(ArmNotation(arm["backbone"], *written, *[""] * (3 - len(written))))
