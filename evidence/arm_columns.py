"""The arms of a store -> columns, in portions; records are read again where they are shown."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Column, Connection, Select, Table, select

from evidence import schema
from evidence.arm_table import NUMBERS, WORDS, ArmTable, Fetch, TableBuilder
from evidence.records import ArmRecord

#: Rows that are in memory as such at a time, and extractions that are asked for at once.
PORTION = 20_000
ASKED = 1_000
#: Extractions whose records a table remembers: questions that are alike cite the same studies.
REMEMBERED = 5_000
#: Numbers of extractions -> the arms in them, by extraction and position.
Read = Callable[[Sequence[int]], Mapping[tuple[int, int], ArmRecord]]

_FOUND_IN: tuple[Table, ...] = (schema.arm, schema.extraction, schema.dataset, schema.backbone)
_COLUMNS = ("extraction", "position", *(name for name in WORDS if name != "anatomy"), *NUMBERS)


def arm_table(connection: Connection, read: Read) -> ArmTable:
    """Columns of every arm.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Open now; it is not kept.
    read : callable
        What reads records once they are asked for.
    """
    anatomy = dict(_lists(connection, schema.extraction_anatomy.c.anatomy))
    tasks = _lists(connection, schema.extraction_task.c.task)
    regressions = {number for number, words in tasks if "regression" in words}
    builder, places = TableBuilder(), [np.empty((0, 2), np.int64)]
    for rows in connection.execute(_arms().execution_options(yield_per=PORTION)).partitions():
        columns = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True))
        numbers = columns["extraction"]
        columns["anatomy"] = tuple(anatomy.get(number, ()) for number in numbers)
        builder.add(columns, [number in regressions for number in numbers])
        places.append(np.column_stack([numbers, columns["position"]]))
    return builder.table(_fetching(np.concatenate(places), read))


def _lists(connection: Connection, column: Column[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Extraction and its words in order."""
    table = column.table
    query = select(table.c.extraction, column).order_by(table.c.extraction, table.c.position)
    rows = connection.execute(query.execution_options(yield_per=PORTION))
    for number, found in groupby(rows, key=itemgetter(0)):
        yield number, tuple(word for _, word in found)


def _arms() -> Select[Any]:
    columns = [next(t.c[name] for t in _FOUND_IN if name in t.c) for name in _COLUMNS]
    arm, extraction, dataset, backbone = _FOUND_IN
    return (
        select(*columns)
        .join_from(arm, extraction, arm.c.extraction == extraction.c.id)
        .join(dataset, dataset.c.extraction == arm.c.extraction)
        .join(backbone, backbone.c.name == arm.c.backbone)
        .order_by(arm.c.extraction, arm.c.position)
    )


def _fetching(places: NDArray[np.int64], read: Read) -> Fetch:
    known: dict[int, dict[tuple[int, int], ArmRecord]] = {}

    def fetch(rows: NDArray[np.intp]) -> list[ArmRecord | None]:
        asked = places[rows].tolist()
        numbers = {number for number, _ in asked}
        found = {number: arms for number in numbers if (arms := known.get(number))}
        new = _read(sorted(numbers - found.keys()), read)
        if len(known) + len(new) > REMEMBERED:
            known.clear()
        known.update(new)
        found |= new
        return [found[number].get((number, position)) for number, position in asked]

    return fetch


def _read(numbers: Sequence[int], read: Read) -> dict[int, dict[tuple[int, int], ArmRecord]]:
    """The arms of each extraction by their places, in portions."""
    found: dict[int, dict[tuple[int, int], ArmRecord]] = {number: {} for number in numbers}
    for start in range(0, len(numbers), ASKED):
        for place, arm in read(numbers[start : start + ASKED]).items():
            found[place[0]][place] = arm
    return found
