"""RIS, as EndNote, Zotero and the publishers write it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from evidence.errors import Problem
from evidence.reference import (
    Entry,
    Reference,
    first_given,
    linked_dois,
    shortened,
    stated_pmids,
)

_TAG = re.compile(r"([A-Z][A-Z0-9])  -(?: (.*))?")
#: What was meant as a tag and would be read as more text of the line before.
_BROKEN_TAG = re.compile(r"[ \t]{0,5}[A-Z][A-Z0-9]\s{0,3}-(?:\s|$)|[A-Za-z][A-Za-z0-9]  -")
#: Field -> tags in order of preference; the first that the record has counts.
_PREFERRED = {
    "title": ("TI", "T1", "CT", "BT"),
    "year": ("PY", "Y1", "DA", "YR"),
    "venue": ("JF", "T2", "JO", "JA", "J2"),
    "volume": ("VL",),
    "abstract": ("AB", "N2"),
}
#: Start of the names under which exporters give PubMed as the database of the number in AN.
_PUBMED = ("pubmed", "medline", "nlm")


class _Line(NamedTuple):
    number: int
    text: str

    @property
    def tag(self) -> str:
        found = _TAG.fullmatch(self.text)
        return found[1] if found else ""


def read(file: str, text: str) -> tuple[list[Entry], list[Problem]]:
    """Every record of a RIS text, and everything that is none.

    Parameters
    ----------
    file : str
        Name for messages.
    text : str
        Lines end in a line feed.

    Returns
    -------
    tuple of list of Entry and list of Problem
        In file order; a record is in one of the two.
    """
    entries, problems = [], []
    for block in _blocks(text.split("\n")):
        found = _flaws(file, block)
        if not found:
            entries.append(Entry(block[0].number, _fields(_tags(block))))
        problems += found
    return entries, problems


def _blocks(lines: Iterable[str]) -> Iterator[list[_Line]]:
    """Runs of lines that start at a TY or end at an ER, without blank lines at their ends."""
    block: list[_Line] = []
    for line in (_Line(number, text) for number, text in enumerate(lines, 1)):
        if line.tag == "TY" and block:
            yield _stripped(block)
            block = []
        if block or line.text.strip():
            block.append(line)
        if line.tag == "ER":
            yield block
            block = []
    if block:
        yield _stripped(block)


def _stripped(block: list[_Line]) -> list[_Line]:
    while not block[-1].text.strip():
        block.pop()
    return block


def _flaws(file: str, block: Sequence[_Line]) -> list[Problem]:
    """Everything about a block that is not a record of known type, whole and well-formed."""
    from rispy import TYPE_OF_REFERENCE_MAPPING  # noqa: PLC0415  (slow, and seldom needed)

    first, last = block[0], block[-1]
    if first.tag != "TY":
        allowed = "every record starts with a line 'TY  - ' and its type; nothing stands between"
        return [Problem(file, first.number, "-", shortened(first.text), allowed)]
    problems = [
        Problem(file, line.number, "-", shortened(line.text), "a tag line reads 'TI  - text'")
        for line in block
        if not line.tag and _BROKEN_TAG.match(line.text)
    ]
    kind = " ".join(_folded(block)[0][6:].split())
    if kind not in TYPE_OF_REFERENCE_MAPPING:
        allowed = f"one of {', '.join(TYPE_OF_REFERENCE_MAPPING)}"
        problems.append(Problem(file, first.number, "TY", shortened(kind), allowed))
    if last.tag != "ER" or last.text[6:].strip():
        allowed = "the record ends with a line 'ER  - ', alone; is the file cut off here?"
        problems.append(Problem(file, first.number, "ER", shortened(last.text), allowed))
    return problems


def _folded(block: Iterable[_Line]) -> list[str]:
    """One text for each tag: lines without a tag belong to the one before."""
    folded: list[str] = []
    for line in block:
        if line.tag:
            folded.append(line.text)
        else:
            folded[-1] += f"\n{line.text}"
    return folded


def _tags(block: Sequence[_Line]) -> dict[str, list[str]]:
    """Tag -> its values, which keep their line breaks."""
    from rispy import RisParser  # noqa: PLC0415  (slow, and seldom needed)

    tags = {line.tag for line in block if line.tag}
    # Every tag is a list: of one that repeats the parser would otherwise keep only the first.
    # NUL, which no text holds, ends a line for it.
    parser = RisParser(
        mapping={tag: tag for tag in tags} | {"A1": "AU"},
        list_tags=sorted(tags),
        delimiter_tags_mapping={},
        newline="\0",
    )
    (record,) = parser.parse("\0".join(_folded(block)))
    return {tag: values for tag, values in record.items() if tag != "TY"}


def _fields(tags: dict[str, list[str]]) -> dict[str, Sequence[str]]:
    links = [*tags.get("UR", ()), *tags.get("L3", ())]
    return {field: first_given(tags, preferred) for field, preferred in _PREFERRED.items()} | {
        "authors": tags.get("AU", ()),
        # EndNote writes one KW and each further keyword on a line of its own.
        "keywords": "\n".join(tags.get("KW", ())).split("\n"),
        "pages": _pages(tags),
        "doi": first_given(tags, ("DO",)) or linked_dois(links),
        "pmid": _pmids(tags),
    }


def _pages(tags: dict[str, list[str]]) -> list[str]:
    starts, ends = (list(filter(None, tags.get(tag, ()))) for tag in ("SP", "EP"))
    return ["-".join((*starts, *ends))] if len(starts) < 2 and len(ends) < 2 else starts + ends


def _pmids(tags: dict[str, list[str]]) -> list[str]:
    databases = [name.lower() for tag in ("DB", "DP") for name in tags.get(tag, ())]
    own = tags.get("AN", ()) if any(name.startswith(_PUBMED) for name in databases) else ()
    return [*own, *stated_pmids(tags.get("N1", ()))]


def write(references: Iterable[Reference]) -> str:
    """RIS text of `references`, in their order; `read` gives them back.

    Parameters
    ----------
    references : iterable of Reference
        Their type is not known: all are written as ``JOUR``, under which every reference
        manager shows the venue.

    Returns
    -------
    str
        Lines end in a line feed.
    """
    return "".join(
        "".join(f"{tag}  - {value}\n" for tag, value in _lines(reference) if value) + "ER  - \n\n"
        for reference in references
    )


def _lines(reference: Reference) -> list[tuple[str, str]]:
    start, _, end = reference.pages.partition("-")
    # Only a range that is put together again as it was.
    whole = not (start and end) or start != start.strip() or end != end.strip()
    return [
        ("TY", "JOUR"),
        *(("AU", author) for author in reference.authors),
        ("TI", reference.title or ""),
        ("PY", str(reference.year or "")),
        ("T2", reference.venue),
        ("VL", reference.volume),
        ("SP", reference.pages if whole else start),
        ("EP", "" if whole else end),
        ("DO", reference.doi),
        ("DB", "PubMed" if reference.pmid else ""),
        ("AN", reference.pmid),
        # Indented, no line of an abstract can be taken for a tag.
        ("AB", reference.abstract.replace("\n", "\n      ")),
        *(("KW", keyword) for keyword in reference.keywords),
    ]
