"""The corpus as files: CSV as it is imported, JSON, RIS; written whole or not at all."""

import csv
import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection

from evidence.codecs import CODECS
from evidence.errors import EvidenceError
from evidence.notation import items
from evidence.reference import Reference
from evidence.ris import write as ris_text
from evidence.tables import CELL_CHARACTERS

__all__ = ("ris_text",)  # the third form of an export
#: File -> its rows, cells by column.
Tables = Mapping[str, list[dict[str, str]]]


def rows(connection: Connection) -> Tables:
    """Every row of every corpus file, in an order that depends on nothing but the rows.

    Studies stand in the order in which they came, other files by key.
    """
    found = {}
    for name, codec in CODECS.items():
        stored = codec.read(connection)
        keys = list(stored) if name == "studies.csv" else sorted(stored, key=_natural)
        found[name] = [stored[key] for key in keys]
    return found


def _natural(key: tuple[str, ...]) -> list[tuple[int, str]]:
    """Sorts numbers by size, and before words."""
    return [(int(part) if part.isdecimal() else -1, part) for part in key]


def as_csv(tables: Tables) -> dict[str, str]:
    """Text of each file; UTF-8 when written."""
    return {name: _csv(name, cells) for name, cells in tables.items()}


def _csv(name: str, cells: list[dict[str, str]]) -> str:
    columns = list(CODECS[name].model.model_fields)
    lines = [columns, *([row[column] for column in columns] for row in cells)]
    return "".join(",".join(map(_quoted, line)) + "\n" for line in lines)


def _quoted(cell: str) -> str:
    """A cell as RFC 4180 writes it; older writers of Python leave a lone carriage return bare."""
    return '"' + cell.replace('"', '""') + '"' if any(c in cell for c in ',"\r\n') else cell


def digest(tables: Tables) -> str:
    """SHA-256 over all files, names and text (hex); the order of the rows does not matter."""
    found = hashlib.sha256()
    for name, text in as_csv({name: _sorted(name, tables) for name in tables}).items():
        found.update(f"{name}\0{text}\0".encode())
    return found.hexdigest()


def _sorted(name: str, tables: Tables) -> list[dict[str, str]]:
    rows = keyed(name, tables)
    return [rows[key] for key in sorted(rows, key=_natural)]


def archive(tables: Tables) -> bytes:
    """The CSV files as a zip, the same bytes for the same rows."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as target:
        for name, text in as_csv(tables).items():
            target.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return data.getvalue()


def from_archive(data: bytes) -> Tables:
    """The rows that `archive` packed; columns that came later are empty."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        csv.field_size_limit(CELL_CHARACTERS)
        return {
            name: [
                dict.fromkeys(CODECS[name].model.model_fields, "") | row
                for row in csv.DictReader(io.StringIO(source.read(name).decode(), newline=""))
            ]
            for name in source.namelist()
        }


def keyed(name: str, tables: Tables) -> dict[tuple[str, ...], dict[str, str]]:
    """Rows of one file by their natural key."""
    columns = CODECS[name].model.natural_key
    return {tuple(row[c] for c in columns): row for row in tables.get(name, ())}


def write_csv(tables: Tables, folder: Path) -> None:
    """Write a folder of CSV files.

    Raises
    ------
    EvidenceError
        There is something of that name already, or it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"{folder} is there already and not an empty folder; name a new one"
        raise EvidenceError(msg)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".evtl-") as draft:
            whole = Path(draft) / "export"
            whole.mkdir()
            for name, text in as_csv(tables).items():
                (whole / name).write_text(text, encoding="utf-8", newline="")
            whole.replace(folder)
    except OSError as error:
        msg = f"cannot write {folder}: {error.strerror or error}"
        raise EvidenceError(msg) from error


def as_json(tables: Tables) -> str:
    """All files as one JSON object: file -> list of rows."""
    return json.dumps(tables, indent=1, ensure_ascii=False)


def references(tables: Tables) -> tuple[tuple[Reference, ...], tuple[str, ...]]:
    """Publications as bibliographic records, and the keys of those that cannot be one.

    A record is found again by title, DOI or PubMed number; some reviews cite without any.
    """
    found: list[Reference] = []
    left_out = []
    for cells in tables["publications.csv"]:
        if not (cells["title"] or cells["doi"] or cells["pmid"]):
            left_out.append(cells["study_key"])
            continue
        number = len(found) + 1
        found.append(
            Reference(
                title=cells["title"] or None,
                authors=items(cells["authors"]),
                year=int(cells["year"]) if cells["year"] else None,
                venue=cells["venue"],
                doi=cells["doi"],
                pmid=cells["pmid"],
                volume=cells["volume"],
                pages=cells["pages"],
                keywords=items(cells["keywords"]),
                abstract=cells["abstract"],
                source_format="ris",
                position=number,
                line=number,
            )
        )
    return tuple(found), tuple(left_out)


def write_text(text: str, path: Path) -> None:
    """Write a file whole or not at all.

    Raises
    ------
    EvidenceError
        It cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            draft.write_text(text, encoding="utf-8", newline="")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or error}"
        raise EvidenceError(msg) from error
