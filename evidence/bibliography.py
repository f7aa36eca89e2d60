"""Bibliographic files -> references, or everything that is wrong with them; references -> RIS."""

import codecs
import re
from collections.abc import Callable

from evidence import bibtex, nbib, ris
from evidence.errors import IngestError, Problem
from evidence.reference import Citation, Entry, Reference, SourceFormat, build, shortened

__all__ = ["Citation", "Reference", "examine_references", "read_references", "write_ris"]

_READERS: dict[SourceFormat, Callable[[str, str], tuple[list[Entry], list[Problem]]]] = {
    "ris": ris.read,
    "bibtex": bibtex.read,
    "nbib": nbib.read,
}
#: How the text of each format starts.
_STARTS: dict[SourceFormat, re.Pattern[str]] = {
    "ris": re.compile(r"\s*TY  -"),
    "bibtex": re.compile(r"\s*(?:%.*\n\s*)*@\s*\w+\s*[{(]"),
    "nbib": re.compile(r"\s*PMID-"),
}
_EXTENSIONS: dict[str, SourceFormat] = {".ris": "ris", ".bib": "bibtex", ".nbib": "nbib"}
_ENCODINGS = "UTF-8, or UTF-16 with a byte order mark"

write_ris = ris.write


def read_references(name: str, data: bytes) -> tuple[Reference, ...]:
    """Every record of a bibliographic file.

    Parameters
    ----------
    name : str
        Name of the file, for messages and its extension (``.ris``, ``.bib``, ``.nbib``); what
        the content shows to be counts more.
    data : bytes
        The file: UTF-8 with or without, UTF-16 with a byte order mark.

    Returns
    -------
    tuple of Reference
        In file order. Of each record the fields of `Reference` are kept.

    Raises
    ------
    IngestError
        Lists every record, and every text between records, that cannot be read.
    """
    references, problems = examine_references(name, data)
    if problems:
        raise IngestError(problems)
    return references


def examine_references(name: str, data: bytes) -> tuple[tuple[Reference, ...], tuple[Problem, ...]]:
    """Every good record of a bibliographic file, and everything that is wrong with the others.

    Parameters
    ----------
    name, data
        As for `read_references`.

    Returns
    -------
    tuple of tuple of Reference and tuple of Problem
        In file order. A record of the file is among the first or has a line in the second.
    """
    try:
        text = _decode(name, data)
        source_format = _format(name, text)
    except IngestError as error:
        return (), error.problems
    entries, problems = _READERS[source_format](name, text)
    references = []
    for position, entry in enumerate(entries, 1):
        reference, found = build(name, entry, position, source_format)
        problems += found
        if reference:
            references.append(reference)
    if not (references or problems):
        problems = [Problem(name, 0, "-", "no record", "at least one")]
    return tuple(references), tuple(sorted(problems, key=lambda problem: problem.row))


def _decode(name: str, data: bytes) -> str:
    """Text with line feeds; no encoding is guessed, since a wrong guess mangles names."""
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        found = f"byte {error.start}: 0x{data[error.start :][:1].hex()} ({error.reason})"
        raise _refused(name, row, found, f"{_ENCODINGS}: save the file as that") from error
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        found = f"{text.count(chr(0))} NUL characters, the first in this line"
        raise _refused(name, row, found, f"text in {_ENCODINGS}")
    if not text.strip():
        raise _refused(name, 0, "an empty file", "at least one record")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _format(name: str, text: str) -> SourceFormat:
    for source_format, start in _STARTS.items():
        if start.match(text):
            return source_format
    for extension, source_format in _EXTENSIONS.items():
        if name.lower().endswith(extension):
            return source_format
    raise _refused(name, 0, shortened(text.strip()), "RIS (.ris), BibTeX (.bib) or PubMed (.nbib)")


def _refused(name: str, row: int, found: str, allowed: str) -> IngestError:
    return IngestError((Problem(name, row, "-", found, allowed),))
