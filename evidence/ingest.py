"""Corpus files -> validated rows -> one transaction, or every bad row and nothing stored."""

import csv
import difflib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Table, delete, insert

from evidence import schema
from evidence.codecs import CODECS
from evidence.errors import IngestError, Problem
from evidence.rows import Row
from evidence.shipped import FILES, corpus_digest
from evidence.tables import CELL_CHARACTERS, Codec, Key
from evidence.vocabulary import ANATOMY, MODALITY


@dataclass(frozen=True)
class Line:
    """A validated row with the line of the file that it came from."""

    file: str
    line: int
    row: Row


#: Validated rows of several corpus files.
Lines = Mapping[str, Sequence[Line]]
#: What changes of the store lay over a corpus: file -> key -> cells, None where taken away.
Overlay = Mapping[str, Mapping[Key, Mapping[str, str] | None]]


def load_corpus(connection: Connection, folder: Path, overlay: Overlay | None = None) -> str:
    """Replace the corpus of the store by the files of `folder`, within the caller's transaction.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Inside a transaction; the caller commits.
    folder : pathlib.Path
        Holds the files of `FILES`.
    overlay : mapping
        Rows changed in the store itself, which win over the files.

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
    lines = _overlaid(read_corpus(folder), overlay or {})
    problems = [*duplicates(lines), *broken_links(lines, {})]
    if problems:
        raise IngestError(tuple(problems))
    for codec in reversed(CODECS.values()):
        for table in reversed(codec.tables):
            connection.execute(delete(table))
    load(connection, lines)
    connection.execute(delete(schema.corpus))
    loaded_at = datetime.now(UTC).isoformat(timespec="seconds")
    connection.execute(insert(schema.corpus), {"digest": digest, "loaded_at": loaded_at})
    return digest


def load(connection: Connection, lines: Lines) -> None:
    """Write validated rows, and the vocabularies, into tables that hold none."""
    _load_vocabularies(connection)
    for name, codec in CODECS.items():
        codec.insert(connection, [line.row for line in lines.get(name, ())])


def validated(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[Line]]:
    """Rows of corpus files given as cells, each checked; lines are counted from 1.

    Raises
    ------
    IngestError
        Lists every bad row, file and column.
    """
    problems = [
        Problem(name, 0, "-", name, f"a file of {', '.join(CODECS)}")
        for name in tables
        if name not in CODECS
    ]
    lines: dict[str, list[Line]] = {}
    for name, rows in tables.items():
        checked = (
            _check(name, number, cells, CODECS[name], problems)
            for number, cells in enumerate(rows, 1)
            if name in CODECS
        )
        lines[name] = [line for line in checked if line]
    if problems:
        raise IngestError(tuple(problems))
    return lines


def _load_vocabularies(connection: Connection) -> None:
    for table in (schema.synonym, schema.anatomy, schema.modality):
        connection.execute(delete(table))
    for table, vocabulary in ((schema.modality, MODALITY), (schema.anatomy, ANATOMY)):
        terms = vocabulary.terms
        columns = ("key", "label", "parent", "code")
        connection.execute(
            insert(table), [{name: getattr(term, name) for name in columns} for term in terms]
        )
        words = {word.lower(): term.key for term in terms for word in (term.label, *term.synonyms)}
        connection.execute(
            insert(schema.synonym),
            [{"vocabulary": table.name, "word": w, "key": k} for w, k in words.items()],
        )


def _overlaid(lines: Lines, overlay: Overlay) -> dict[str, list[Line]]:
    merged = {}
    for name, codec in CODECS.items():
        rows = {line.row.key: line for line in lines.get(name, ())}
        for key, cells in overlay.get(name, {}).items():
            if cells is None:
                rows.pop(key, None)
            else:
                rows[key] = Line("change set", 0, codec.model.model_validate(cells))
        merged[name] = list(rows.values())
    return merged


def read_corpus(folder: Path) -> dict[str, list[Line]]:
    """Validate every corpus file of a folder.

    Raises
    ------
    IngestError
        Lists every bad row of every file.
    """
    problems: list[Problem] = []
    lines = {}
    for name in CODECS:
        path = folder / name
        if name in FILES or path.exists():
            lines[name] = read_file(name, path.read_bytes(), CODECS[name], problems)
    problems += [*duplicates(lines), *broken_links(lines, {})]
    if problems:
        raise IngestError(tuple(problems))
    return lines


def read_file(name: str, data: bytes, codec: Codec, problems: list[Problem]) -> list[Line]:
    """Validated rows of one file; what is wrong is added to `problems`."""
    csv.field_size_limit(CELL_CHARACTERS)
    try:
        raw = list(_dict_rows(name, decoded(data), codec.model, problems))
    except (UnicodeDecodeError, csv.Error) as error:
        problems.append(Problem(name, 0, "-", str(error), "write UTF-8 comma-separated text"))
        return []
    return [line for at, cells in raw if (line := _check(name, at, cells, codec, problems))]


def decoded(data: bytes) -> str:
    """Text of a file in UTF-8, with or without a byte order mark."""
    return data.decode("utf-8-sig")


def _dict_rows(
    file: str, text: str, model: type[Row], problems: list[Problem]
) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = next(reader, [])
    expected = list(model.model_fields)
    if header != expected:
        allowed = f"header must be {','.join(expected)}"
        problems.append(Problem(file, 1, "-", ",".join(header)[:200], allowed))
        return
    for cells in reader:
        if len(cells) != len(header):
            allowed = f"{len(header)} cells are expected"
            problems.append(Problem(file, reader.line_num, "-", f"{len(cells)} cells", allowed))
        else:
            yield reader.line_num, dict(zip(header, cells, strict=True))


def _check(
    file: str, number: int, cells: Mapping[str, str], codec: Codec, problems: list[Problem]
) -> Line | None:
    try:
        row = codec.model.model_validate(cells)
    except ValidationError as error:
        for detail in error.errors():
            column = str(detail["loc"][0]) if detail["loc"] else "-"
            found = str(cells.get(column, ",".join(map(str, cells.values()))))[:80]
            allowed = detail["msg"].removeprefix("Value error, ") + _near(
                found, detail.get("ctx", {})
            )
            problems.append(Problem(file, number, column, found, allowed))
        return None
    refused = list(codec.problems(row))
    problems += [Problem(file, number, column, cells[column][:80], why) for column, why in refused]
    return None if refused else Line(file, number, row)


def _near(found: str, context: dict[str, Any]) -> str:
    words = re.findall(r"'(\w+)'", str(context.get("expected", "")))
    close = difflib.get_close_matches(found, words, n=1, cutoff=0.5)
    return f" (did you mean {close[0]}?)" if close else ""


def duplicates(lines: Lines) -> Iterator[Problem]:
    """Rows that stand twice, and values that only one row of a file may have."""
    for name, rows in lines.items():
        codec = CODECS[name]
        unique = [codec.model.natural_key, *((column,) for column in _unique_columns(codec))]
        for columns in unique:
            seen: dict[tuple[Any, ...], int] = {}
            for line in rows:
                key = tuple(getattr(line.row, column) for column in columns)
                if key in seen and None not in key:
                    found = " ".join(map(str, key))
                    allowed = f"already given in row {seen[key]}"
                    yield Problem(line.file, line.line, ", ".join(columns), found, allowed)
                seen.setdefault(key, line.line)


def _unique_columns(codec: Codec) -> Iterator[str]:
    for column in codec.model.model_fields:
        target = codec.names.get(column, column)
        if target in codec.table.c and codec.table.c[target].unique:
            yield column


def broken_links(lines: Lines, stored: Mapping[Table, set[str]]) -> Iterator[Problem]:
    """Rows that point to a row that is neither among `lines` nor stored.

    Parameters
    ----------
    lines : mapping
        Rows to be stored.
    stored : mapping
        Table -> keys that are there already.
    """
    files = {codec.table: name for name, codec in CODECS.items()}
    known = {
        table: {line.row.key[0] for line in lines.get(name, ())} | stored.get(table, set())
        for table, name in files.items()
    }
    for name, rows in lines.items():
        for line in rows:
            for column, table, key in CODECS[name].links(line.row):
                if table in known and key not in known[table]:
                    allowed = f"must be in {files[table]}{_nearest(key, known[table])}"
                    yield Problem(line.file, line.line, column, key, allowed)


def _nearest(key: str, known: set[str]) -> str:
    """The nearest known key as a hint; comparing with very many would take long."""
    close = difflib.get_close_matches(key, known, n=1) if len(known) < 20_000 else []
    return f" (did you mean {close[0]}?)" if close else ""
