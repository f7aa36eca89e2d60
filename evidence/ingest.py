"""The corpus files -> validated rows -> one transaction, or every bad row and nothing stored."""

import csv
import difflib
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, delete, insert

from evidence import schema
from evidence.errors import IngestError, Problem
from evidence.notation import ArmNotation
from evidence.rows import (
    BackboneRow,
    CellRow,
    ClaimRow,
    PublicationRow,
    ReviewRow,
    Row,
    StudyRow,
)

#: File of the corpus -> model of its rows, in the order in which they are read.
FILES: dict[str, type[Row]] = {
    "reviews.csv": ReviewRow,
    "publications.csv": PublicationRow,
    "backbones.csv": BackboneRow,
    "studies.csv": StudyRow,
    "cells.csv": CellRow,
    "claims.csv": ClaimRow,
}


@dataclass(frozen=True)
class _Line:
    """A validated row with the line of the file that it came from."""

    file: str
    line: int
    row: Any


def corpus_digest(folder: Path) -> str:
    """SHA-256 over the corpus files, names and bytes (hex)."""
    digest = hashlib.sha256()
    for name in FILES:
        path = folder / name
        if not path.is_file():
            raise IngestError((Problem(name, 0, "-", "no such file", f"expected in {folder}"),))
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def load_corpus(connection: Connection, folder: Path) -> str:
    """Replace the corpus of the store by the files of `folder`, within the caller's transaction.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Inside a transaction; the caller commits.
    folder : pathlib.Path
        Holds the files of `FILES`.

    Returns
    -------
    str
        Digest of what was loaded.

    Raises
    ------
    IngestError
        Lists every bad row; nothing was written.
    """
    digest = corpus_digest(folder)
    tables = _as_tables(read_corpus(folder))
    tables[schema.corpus.name] = [
        {"digest": digest, "loaded_at": datetime.now(UTC).isoformat(timespec="seconds")}
    ]
    for table in reversed(schema.CORPUS_TABLES):
        connection.execute(delete(table))
    for table in schema.CORPUS_TABLES:
        if tables.get(table.name):
            connection.execute(insert(table), tables[table.name])
    return digest


def read_corpus(folder: Path) -> dict[str, list[_Line]]:
    """Validate every corpus file.

    Raises
    ------
    IngestError
        Lists every bad row of every file.
    """
    problems: list[Problem] = []
    lines = {name: _read(folder / name, model, problems) for name, model in FILES.items()}
    problems += _broken_links(lines)
    if problems:
        raise IngestError(tuple(problems))
    return lines


def _read(path: Path, model: type[Row], problems: list[Problem]) -> list[_Line]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        raw = list(_dict_rows(path.name, text, model, problems))
    except (UnicodeDecodeError, csv.Error) as error:
        problems.append(Problem(path.name, 0, "-", str(error), "write UTF-8 comma-separated text"))
        return []
    lines = [
        line for number, cells in raw if (line := _check(path.name, number, cells, model, problems))
    ]
    problems += _duplicates(lines, model)
    return lines


def _dict_rows(
    file: str, text: str, model: type[Row], problems: list[Problem]
) -> Iterable[tuple[int, dict[str, str]]]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    header = next(reader, [])
    expected = list(model.model_fields)
    if header != expected:
        problems.append(
            Problem(file, 1, "-", ",".join(header), f"header must be {','.join(expected)}")
        )
        return
    for cells in reader:
        if len(cells) != len(header):
            allowed = f"{len(header)} cells are expected"
            problems.append(Problem(file, reader.line_num, "-", f"{len(cells)} cells", allowed))
        else:
            yield reader.line_num, dict(zip(header, cells, strict=True))


def _check(
    file: str, number: int, cells: dict[str, str], model: type[Row], problems: list[Problem]
) -> _Line | None:
    try:
        return _Line(file, number, model.model_validate(cells))
    except ValidationError as error:
        for detail in error.errors():
            column = str(detail["loc"][0]) if detail["loc"] else "-"
            found = cells.get(column, ",".join(cells.values())[:80])
            allowed = detail["msg"].removeprefix("Value error, ") + _near(
                found, detail.get("ctx", {})
            )
            problems.append(Problem(file, number, column, found, allowed))
        return None


def _near(found: str, context: dict[str, Any]) -> str:
    words = re.findall(r"'(\w+)'", str(context.get("expected", "")))
    close = difflib.get_close_matches(found, words, n=1, cutoff=0.5)
    return f" (did you mean {close[0]}?)" if close else ""


def _duplicates(lines: Sequence[_Line], model: type[Row]) -> list[Problem]:
    seen: dict[tuple[str, ...], int] = {}
    problems = []
    for line in lines:
        key = tuple(getattr(line.row, column) for column in model.natural_key)
        if key in seen:
            column = ", ".join(model.natural_key)
            allowed = f"already given in row {seen[key]}"
            problems.append(Problem(line.file, line.line, column, " ".join(key), allowed))
        seen.setdefault(key, line.line)
    return problems


def _broken_links(lines: dict[str, list[_Line]]) -> list[Problem]:
    reviews = {line.row.review for line in lines["reviews.csv"]}
    studies = {line.row.study_key for line in lines["publications.csv"]}
    backbones = {line.row.backbone for line in lines["backbones.csv"]}
    problems = []
    for line in [*lines["studies.csv"], *lines["cells.csv"], *lines["claims.csv"]]:
        links = [("review", line.row.review, reviews, "reviews.csv")]
        if not isinstance(line.row, ClaimRow):
            links.append(("study_key", line.row.study_key, studies, "publications.csv"))
        if isinstance(line.row, StudyRow):
            arms = (*line.row.backbone, *line.row.benchmarks)
            links += [("backbone", arm.backbone, backbones, "backbones.csv") for arm in arms]
        for column, found, known, where in links:
            if found not in known:
                close = difflib.get_close_matches(found, known, n=1)
                hint = f" (did you mean {close[0]}?)" if close else ""
                allowed = f"must be in {where}{hint}"
                problems.append(Problem(line.file, line.line, column, found, allowed))
    return problems


def _as_tables(lines: dict[str, list[_Line]]) -> dict[str, list[dict[str, Any]]]:
    """Rows per table, ids given in file order so that the same files give the same store."""
    plain = {name: [line.row.model_dump() for line in rows] for name, rows in lines.items()}
    tables: dict[str, list[dict[str, Any]]] = {
        "review": [_renamed(row, review="key") for row in plain["reviews.csv"]],
        "study": [_renamed(row, study_key="key") for row in plain["publications.csv"]],
        "backbone": [
            {k: v for k, v in _renamed(row, backbone="name").items() if k != "aliases"}
            for row in plain["backbones.csv"]
        ],
        "backbone_alias": [
            {"alias": alias, "backbone": row["backbone"]}
            for row in plain["backbones.csv"]
            for alias in row["aliases"]
        ],
        "printed_cell": [
            {
                "id": number,
                **_renamed(
                    row,
                    study_key="study",
                    table="locator_table",
                    row="row_label",
                    column="column_name",
                ),
            }
            for number, row in enumerate(plain["cells.csv"], 1)
        ],
        "claim": [_renamed(row, claim="key") for row in plain["claims.csv"]],
    }
    for number, line in enumerate(lines["studies.csv"], 1):
        for table, rows in _extraction_tables(number, line.row).items():
            tables.setdefault(table, []).extend(rows)
    return tables


def _renamed(cells: dict[str, Any], /, **names: str) -> dict[str, Any]:
    return {names.get(column, column): value for column, value in cells.items()}


_LIST_COLUMNS = {
    "anatomy", "task", "backbone", "benchmarks", "approach", "initialisation", "head",
    "layers_unfrozen", "counts", "evaluations",
}  # fmt: skip


def _extraction_tables(number: int, row: StudyRow) -> dict[str, list[dict[str, Any]]]:
    own = _renamed(row.model_dump(exclude=_LIST_COLUMNS), study_key="study", table="locator_table")
    arms = _arms(number, row)
    winners = [arm["id"] for arm in arms if arm["role"] != "benchmark"]
    # A value belongs to an arm only where the review leaves no doubt which.
    arm_id = winners[0] if len(winners) == 1 else None
    tables: dict[str, list[dict[str, Any]]] = {
        "extraction": [{"id": number, **own}],
        "arm": arms,
        "extraction_anatomy": [{"anatomy": word} for word in row.anatomy],
        "extraction_task": [{"task": word} for word in row.task],
        "sample_count": [count._asdict() for count in row.counts],
        "evaluation": [value._asdict() | {"arm": arm_id} for value in row.evaluations],
    }
    for table, rows in tables.items():
        if table not in {"extraction", "arm"}:
            for position, item in enumerate(rows, 1):
                item |= {"extraction": number, "position": position}
    return tables


def _arms(number: int, row: StudyRow) -> list[dict[str, Any]]:
    role = "winner" if row.benchmarks or len(row.backbone) == 1 else "used"
    own = ArmNotation("", row.approach, row.initialisation, row.head)
    # What a review says of the winner's approach it does not say of the benchmarks'.
    silent = ArmNotation("", "unspecified", "unspecified", "unspecified")
    pairs = [(arm, own, role) for arm in row.backbone]
    pairs += [(arm, silent, "benchmark") for arm in row.benchmarks]
    return [
        {
            "id": number * 100 + position,
            "extraction": number,
            "position": position,
            "role": arm_role,
            "backbone": arm.backbone,
            "approach": arm.approach or default.approach,
            "initialisation": arm.initialisation or default.initialisation,
            "head": arm.head or default.head,
            "layers_unfrozen": row.layers_unfrozen if arm_role != "benchmark" else "",
        }
        for position, (arm, default, arm_role) in enumerate(pairs, 1)
    ]
