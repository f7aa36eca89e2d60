"""The PubMed format (.nbib): tags of up to four letters, continuation lines, blank between."""

import re
from collections.abc import Iterator, Sequence

from evidence.errors import Problem
from evidence.reference import Entry, first_given, shortened

_TAG = re.compile(r"(?=.{4}-)([A-Z][A-Z0-9]{1,3}) *-(?: (.*))?")
_DOI_ID = re.compile(r"(.*\S)\s*\[doi\]")
#: What stands near the end of every record: its citation, or the title of the book it is in.
_LAST_TAGS = ("SO  - ", "BTI - ")

Line = tuple[int, str]


def read(file: str, text: str) -> tuple[list[Entry], list[Problem]]:
    """Every record of a PubMed text, and everything that is none.

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

    References
    ----------
    PubMed User Guide, "Search field descriptions and tags".
    """
    entries, problems = [], []
    blocks = list(_blocks(text))
    for block in blocks:
        found = _flaws(file, block)
        if block is blocks[-1]:
            found += _truncated(file, block)
        if not found:
            entries.append(Entry(block[0][0], _fields(_tags(block))))
        problems += found
    return entries, problems


def _blocks(text: str) -> Iterator[list[Line]]:
    """Runs of lines without a blank one; a PMID starts a run."""
    block: list[Line] = []
    for line in enumerate(text.split("\n"), 1):
        if block and (_starts(line) or not line[1].strip()):
            yield block
            block = []
        if line[1].strip():
            block.append(line)
    if block:
        yield block


def _starts(line: Line) -> bool:
    return bool((found := _TAG.fullmatch(line[1])) and found[1] == "PMID")


def _flaws(file: str, block: Sequence[Line]) -> list[Problem]:
    if not _starts(block[0]):
        number, text = block[0]
        allowed = "every record starts with 'PMID- ' and its number; blank lines only between"
        return [Problem(file, number, "-", shortened(text), allowed)]
    return [
        Problem(file, number, "-", shortened(text), "'TI  - text', or more text after blanks")
        for number, text in block
        if not _TAG.fullmatch(text) and not text[0].isspace()
    ]


def _truncated(file: str, block: Sequence[Line]) -> list[Problem]:
    if any(text.startswith(_LAST_TAGS) for _, text in block):
        return []
    allowed = "the record ends with its citation, 'SO  - '; is the file cut off here?"
    return [Problem(file, block[0][0], "SO", shortened(block[-1][1]), allowed)]


def _tags(block: Sequence[Line]) -> dict[str, list[str]]:
    """Tag -> its values, wrapped lines put together."""
    tags: dict[str, list[str]] = {}
    values: list[str] = []
    for _, text in block:
        if found := _TAG.fullmatch(text):
            values = tags.setdefault(found[1], [])
            values.append((found[2] or "").strip())
        else:
            values[-1] += f" {text.strip()}"
    return tags


def _fields(tags: dict[str, list[str]]) -> dict[str, Sequence[str]]:
    short, full = tags.get("AU", []), tags.get("FAU", [])
    identifiers = [*tags.get("LID", ()), *tags.get("AID", ())]
    return {
        "pmid": tags["PMID"],
        "title": first_given(tags, ("TI", "BTI")),
        # Some records spell out only part of the names; nobody is to be left out.
        "authors": [*(full if len(full) >= len(short) else short), *tags.get("CN", ())],
        "year": tags.get("DP", ()),
        "venue": first_given(tags, ("JT", "TA")),
        "volume": tags.get("VI", ()),
        "pages": tags.get("PG", ()),
        "doi": [found[1] for text in identifiers if (found := _DOI_ID.fullmatch(text))],
        "abstract": tags.get("AB", ()),
        "keywords": [*tags.get("MH", ()), *tags.get("OT", ())],
    }
