"""BibTeX and BibLaTeX, as JabRef, Zotero, Mendeley and the publishers write it."""

import logging
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from evidence.errors import Problem
from evidence.latex import plain_text
from evidence.reference import Entry, first_given, linked_dois, shortened, stated_pmids

if TYPE_CHECKING:
    from bibtexparser import model

#: BibTeX 0.99d, and "Entry types" of the biblatex manual (2.1.1 and 2.1.2).
TYPES = frozenset(
    "article book booklet conference inbook incollection inproceedings manual mastersthesis misc "
    "phdthesis proceedings techreport unpublished "
    "bookinbook collection dataset electronic inreference mvbook mvcollection mvproceedings "
    "mvreference online patent periodical reference report software suppbook suppcollection "
    "suppperiodical thesis www".split()
)
#: Field -> keys in order of preference; the first that the entry has counts.
_PREFERRED = {
    "title": ("title",),
    "year": ("year", "date"),
    "venue": ("journal", "journaltitle", "booktitle"),
    "volume": ("volume",),
    "pages": ("pages",),
    "doi": ("doi",),
    "pmid": ("pmid",),
    "abstract": ("abstract",),
}
_READ = {
    "author",
    "keywords",
    "url",
    "note",
    *(key for keys in _PREFERRED.values() for key in keys),
}
_BLOCK = re.compile(r"@\s*(\w*)\s*[{(]")
# The parser reports to its log what is a Problem here.
_SILENT = logging.NullHandler()

Flaw = tuple[str, str, str]  # column, found, allowed


def read(file: str, text: str) -> tuple[list[Entry], list[Problem]]:
    """Every entry of a BibTeX text, and everything that is none.

    Parameters
    ----------
    file : str
        Name for messages.
    text : str
        Lines end in a line feed.

    Returns
    -------
    tuple of list of Entry and list of Problem
        In file order; an entry is in one of the two.
    """
    from bibtexparser import model  # noqa: PLC0415  (slow, and seldom needed)
    from bibtexparser.entrypoint import parse_string  # noqa: PLC0415
    from bibtexparser.middlewares.names import InvalidNameError  # noqa: PLC0415

    logging.getLogger("bibtexparser").addHandler(_SILENT)
    entries, problems = [], []
    # The parser does not count a line that ends in a backslash; the space changes no value.
    for block in parse_string(text.replace("\\\n", "\\ \n")).blocks:
        line = (block.start_line or 0) + 1
        flaws = _flaws(block)
        problems += [Problem(file, line, *flaw) for flaw in flaws]
        if isinstance(block, model.Entry) and not flaws:
            try:
                entries.append(Entry(line, _fields(block)))
            except InvalidNameError as error:
                allowed = f"names joined by 'and' ({error.reason})"
                problems.append(Problem(file, line, "author", shortened(error.name), allowed))
    return entries, problems


def _flaws(block: "model.Block") -> list[Flaw]:
    from bibtexparser import model  # noqa: PLC0415  (slow, and seldom needed)

    match block:
        case model.DuplicateBlockKeyBlock():
            first = (block.previous_block.start_line or 0) + 1
            return [("key", block.key, f"already given in line {first}")]
        case model.DuplicateFieldKeyBlock():
            return [(key, "twice", "once in an entry") for key in sorted(block.duplicate_keys)]
        case model.ParsingFailedBlock():
            return [("-", shortened(block.raw or ""), _reason(block.error))]
        case model.ImplicitComment():
            return _outside(block.comment)
        case model.Entry():
            return _type(block.raw, TYPES) + _fields_flaws(block)
        case _:
            return _type(block.raw, {"comment", "string", "preamble"})


def _reason(error: Exception) -> str:
    reason = " ".join(str(getattr(error, "abort_reason", error)).split())
    return f"a whole entry, @type{{key, field = {{value}}, ...}} ({reason})"


def _outside(text: str) -> list[Flaw]:
    """Text between entries is no comment unless it says so: it may be an entry that lost its @."""
    stray = [line for line in text.split("\n") if line.strip() and not line.startswith("%")]
    return [("-", shortened(stray[0]), "between entries: '%' before a comment")] if stray else []


def _type(raw: str | None, known: Iterable[str]) -> list[Flaw]:
    found = _BLOCK.match(raw or "")
    kind = found[1] if found else ""
    allowed = f"one of {', '.join(sorted({*known, *TYPES}))}"
    return [] if kind.lower() in known else [("type", shortened(kind), allowed)]


def _fields_flaws(entry: "model.Entry") -> list[Flaw]:
    keys = [field.key.lower() for field in entry.fields]
    flaws = [(key, "twice", "once in an entry") for key in sorted({*keys}) if keys.count(key) > 1]
    for field in entry.fields:
        if len(field.key.split()) != 1:
            flaws.append(("-", shortened(field.key), "a field reads key = {value},"))
        elif field.enclosing == "no-enclosing" and (
            field.key.lower() in _READ or "=" in str(field.value)
        ):
            allowed = "one pair of braces or quotes, a number or a defined @string; then a comma"
            flaws.append((field.key, shortened(str(field.value)), allowed))
    return flaws


def _fields(entry: "model.Entry") -> dict[str, Sequence[str]]:
    raw = {field.key.lower(): str(field.value) for field in entry.fields}
    values = {key: [plain_text(value)] for key, value in raw.items() if key in _READ}
    pages = first_given(values, ("pages",))
    return {field: first_given(values, keys) for field, keys in _PREFERRED.items()} | {
        "authors": _authors(raw.get("author", "")),
        "keywords": re.split("[,;]", "".join(values.get("keywords", ()))),
        "pages": [page.replace("–", "-") for page in pages],  # noqa: RUF001  (LaTeX's --)
        "doi": first_given(values, ("doi",)) or linked_dois(values.get("url", ())),
        "pmid": [*values.get("pmid", ()), *stated_pmids(values.get("note", ()))],
    }


def _authors(names: str) -> list[str]:
    """Names as "von Family, Jr, Given"; split before LaTeX is decoded, since braces keep together.

    Raises
    ------
    InvalidNameError
        A name that BibTeX could not split either.
    """
    from bibtexparser.middlewares.names import (  # noqa: PLC0415  (slow, and seldom needed)
        parse_single_name_into_parts,
        split_multiple_persons_names,
    )

    return [
        plain_text(parse_single_name_into_parts(name).merge_last_name_first)
        for name in split_multiple_persons_names(names)
    ]
