"""One bibliographic reference: its fields, the form in which each is kept, why one is refused."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import unquote

from pydantic import AfterValidator, Field, ValidationError, model_validator

from evidence.errors import Problem
from evidence.records import Record

SourceFormat = Literal["ris", "bibtex", "nbib"]

# ISO 26324, 4.2: a prefix 10.REGISTRANT and a suffix of any printable characters.
_DOI = re.compile(
    r"(?:doi:?\s*)?(?:https?://(?:dx\.|www\.)?doi\.org/)?(10\.[0-9]{4,9}(?:\.[0-9]+)*/\S+)",
    re.IGNORECASE,
)
_PMID = re.compile(r"(?:PMID:?\s*)?([1-9][0-9]{0,7})", re.IGNORECASE)
_STATED_PMID = re.compile(r"\bPMID:?\s*([0-9]+)")
_RESOLVER = re.compile(r"https?://(?:dx\.)?doi\.org/10\.", re.IGNORECASE)
_LINKS = re.compile(r";\s*(?=https?:)|\s+")
_YEAR = re.compile(r"(?<![0-9])[0-9]{4}(?![0-9])")


def one_line(text: str) -> str:
    """`text` with every run of white space as one space."""
    if "\0" in text:
        msg = "no NUL characters"
        raise ValueError(msg)
    return " ".join(text.split())


def paragraphs(text: str) -> str:
    """`text` with its line breaks, every line without white space at its ends."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if "\0" in text:
        msg = "no NUL characters"
        raise ValueError(msg)
    return "\n".join(line.strip() for line in lines).strip()


def normal_doi(text: str) -> str:
    """The DOI as names are compared: lower case, without resolver, prefix and final full stop.

    Parameters
    ----------
    text : str
        As printed: bare, after ``doi:`` or as an address of doi.org; blank gives ``""``.

    Raises
    ------
    ValueError
        Something else than a DOI.
    """
    printed = one_line(text)
    if "://" in printed:
        printed = unquote(printed)
    found = _DOI.fullmatch(printed.rstrip(".,;"))
    if printed and not found:
        msg = "a DOI reads 10.1234/name, with or without https://doi.org/ before it"
        raise ValueError(msg)
    return found[1].lower() if found else ""


def normal_pmid(text: str) -> str:
    """The number of a PubMed record, without the word PMID; blank gives ``""``.

    Raises
    ------
    ValueError
        Something else than one to eight digits.
    """
    printed = one_line(text)
    found = _PMID.fullmatch(printed)
    if printed and not found:
        msg = "a PMID has one to eight digits"
        raise ValueError(msg)
    return found[1] if found else ""


def linked_dois(links: Iterable[str]) -> list[str]:
    """Those of `links` that lead to a DOI."""
    return [link for text in links for link in _LINKS.split(text) if _RESOLVER.match(link)]


def stated_pmids(notes: Iterable[str]) -> list[str]:
    """Numbers that `notes` give after the word PMID, as Zotero writes them."""
    return [number for note in notes for number in _STATED_PMID.findall(note)]


def first_given(values: Mapping[str, Sequence[str]], names: Iterable[str]) -> Sequence[str]:
    """Values of the first of `names` that has any."""
    return next((values[name] for name in names if any(values.get(name, ()))), ())


def _year(text: str) -> int | None:
    printed = one_line(text).strip("/ ")
    found = _YEAR.search(printed)
    if printed and not (found and 1000 <= int(found[0]) <= 2100):
        msg = "a year of four digits, 1000 to 2100, or no such field"
        raise ValueError(msg)
    return int(found[0]) if found else None


def _title(text: str | None) -> str | None:
    return one_line(text or "") or None


def _items(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(item for text in texts if (item := one_line(text)))


Line = Annotated[str, AfterValidator(one_line)]
Items = Annotated[tuple[str, ...], AfterValidator(_items)]


class Citation(Record):
    """What two mentions of one publication can be recognised by.

    Attributes
    ----------
    title : str or None
        As printed; None where a list of references leaves it out.
    authors : tuple of str
        In printed order, each as printed (``"Family, Given"``, ``"Family GI"``, ``"G. Family"``).
    year : int or None
        It differs between sources by early view.
    venue : str
        Journal or book, full or abbreviated.
    doi : str
        Lower case, no resolver; ``""`` where not known.
    pmid : str
        Digits; ``""`` where not known.
    """

    title: Annotated[str | None, AfterValidator(_title)] = None
    authors: Items = ()
    year: Annotated[int, Field(ge=1000, le=2100)] | None = None
    venue: Line = ""
    doi: Annotated[str, AfterValidator(normal_doi)] = ""
    pmid: Annotated[str, AfterValidator(normal_pmid)] = ""


class Reference(Citation):
    """One record of a bibliographic file; it has a title, a DOI or a PMID.

    Attributes
    ----------
    volume, pages : str
        As printed.
    abstract : str
        With its line breaks.
    keywords : tuple of str
        In printed order.
    source_format : str
        ``ris``, ``bibtex`` or ``nbib``.
    position : int
        Ordinal in the file, from 1.
    line : int
        First line in the file, from 1.
    """

    volume: Line = ""
    pages: Line = ""
    abstract: Annotated[str, AfterValidator(paragraphs)] = ""
    keywords: Items = ()
    source_format: SourceFormat
    position: Annotated[int, Field(ge=1)]
    line: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _can_be_found_again(self) -> Self:
        if not (self.title or self.doi or self.pmid):
            msg = "a reference has a title, a DOI or a PMID"
            raise ValueError(msg)
        return self


class Entry(NamedTuple):
    """A record as its format gives it: field of `Reference` -> every value printed for it."""

    line: int
    fields: Mapping[str, Sequence[str]]


#: How the text of each field that stands once becomes its value.
_ONCE: dict[str, Callable[[str], Any]] = {
    "title": _title,
    "year": _year,
    "venue": one_line,
    "volume": one_line,
    "pages": one_line,
    "doi": normal_doi,
    "pmid": normal_pmid,
    "abstract": paragraphs,
}


def shortened(text: str) -> str:
    """`text` in the length that a message bears."""
    return text if len(text) <= 80 else f"{text[:77]}..."


def build(
    file: str, entry: Entry, position: int, source_format: SourceFormat
) -> tuple[Reference | None, list[Problem]]:
    """The reference that an entry gives, or everything that is wrong with it.

    Parameters
    ----------
    file : str
        Name for messages.
    entry : Entry
        Values as printed.
    position : int
        Ordinal in the file, from 1.
    source_format : str
        The format it was read from.

    Returns
    -------
    tuple of Reference or None and list of Problem
        One of the two is empty.
    """
    problems: list[Problem] = []
    values: dict[str, Any] = {name: entry.fields.get(name, ()) for name in ("authors", "keywords")}
    for name in _ONCE:
        try:
            values |= _once(name, entry.fields.get(name, ()))
        except ValueError as error:
            found = shortened(" | ".join(entry.fields[name]))
            problems.append(Problem(file, entry.line, name, found, str(error)))
    if problems:
        return None, problems
    place = {"source_format": source_format, "position": position, "line": entry.line}
    try:
        return Reference.model_validate(values | place), []
    except ValidationError as error:
        return None, [
            Problem(
                file,
                entry.line,
                ".".join(map(str, detail["loc"])) or "-",
                "neither" if not detail["loc"] else shortened(str(detail["input"])),
                detail["msg"].removeprefix("Value error, "),
            )
            for detail in error.errors()
        ]


def _once(name: str, texts: Sequence[str]) -> dict[str, Any]:
    """The one value of a field; two that differ cannot both be kept."""
    values = {value for text in texts if (value := _ONCE[name](text))}
    if len(values) > 1:
        msg = "stands once in a record"
        raise ValueError(msg)
    return dict.fromkeys((name,), *values) if values else {}
