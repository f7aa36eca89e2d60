"""Whatever the bytes: references or problems, no other error, and no record without either."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.bibliography import examine_references, read_references
from evidence.errors import IngestError

SAMPLES = Path(__file__).parent / "samples"
FILES = {
    name: (SAMPLES / name).read_bytes() for name in ("endnote.ris", "zotero.bib", "pubmed.nbib")
}
#: How a record of each format starts; BibTeX has blocks that are none.
STARTS = {
    "ris": re.compile(r"TY  -(?: |$)"),
    "bibtex": re.compile(
        r"\s*@(?!(?:comment|string|preamble)[ \t]*[{(])\w*[ \t]*[{(]", re.IGNORECASE
    ),
    "nbib": re.compile(r"PMID-(?: |$)"),
}
CI = settings(max_examples=500)
NIGHTLY = settings(max_examples=10_000)
Bytes = tuple[str, bytes]


def check(file: Bytes) -> None:
    """The property: every record of a file is a reference or has a problem."""
    name, data = file
    references, problems = examine_references(name, data)
    assert references or problems
    if problems:
        with pytest.raises(IngestError, match="nothing was stored"):
            read_references(name, data)
    else:
        assert read_references(name, data) == references
    if any(problem.row == 0 or "byte" in problem.allowed for problem in problems):
        return  # the file as a whole: not text, or no format
    good = [reference.line for reference in references]
    bad = [problem.row for problem in problems]
    # Of a file that is refused altogether, nobody says as which format it was read.
    formats = {str(reference.source_format) for reference in references} or STARTS.keys()
    assert len({*good}) == len(good)
    assert any(not lost(text_of(data), STARTS[kind], good, bad) for kind in formats)


def text_of(data: bytes) -> str:
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = data.decode("utf-16" if marked else "utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def lost(text: str, start: re.Pattern[str], good: list[int], bad: list[int]) -> list[int]:
    """Lines where a record starts that is neither among the good nor holds a bad line."""
    lines = text.split("\n")
    starts = [number for number, line in enumerate(lines, 1) if start.match(line)]
    return [
        first
        for first, following in pairwise([*starts, len(lines) + 1])
        if first not in good and not any(first <= row < following for row in bad)
    ]


# ---- bytes

NAMES = st.sampled_from(["a.ris", "a.bib", "a.nbib", "a.RIS", "a.txt", "a", ""])
ANY = st.tuples(NAMES, st.binary(max_size=300))
LINES = st.sampled_from(["\0", "\ufeff", "\u2028", "\x85", "\x0b", "\x1c"]) | st.sampled_from(
    r"""
TY  - JOUR|TY  - |TY  -|TY|ER  - |ER  -|ER  - x|AU  - Doe, J|A1  - Roe|TI  - A title|T1  - B|
DO  - 10.1000/1|DO  - 10.1000/2|PY  - 2020|PY  - in press|AN  - 7|DB  - PubMed|UK  - x|XX  - y|
N1  - PMID: 5|UR  - https://doi.org/10.1000/3;http://x|KW  - a|AB  -x| AB  - y|   more|more|
PMID- 1|PMID- |PMID-|TI  - T.|FAU - Doe, Jane|AU  - Doe J|LID - 10.1000/4 [doi]|SO  - J. 2019|
      wrapped|DP  - 2019 Feb|@article{a,|@article{b,|@book(c,|title = {T},|title = {T|{|"|,|}|)|
author = "Doe, J and {Roe}",|author = {a, b, c, d},|year = 2020,|@comment{|@string{x|\|\"|@|@@{|
@string{y = {Y}}|@strings{z = {Z}}|journal = y,|journal = z,|note = a # b,|% c|doi = {10.1000/5}|
""".replace("\n", "").split("|")
)
ENDS = st.sampled_from(["\n", "\n", "\r\n", "\r", ""])
ENCODINGS = st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le"])


@st.composite
def structured(draw: st.DrawFn) -> Bytes:
    """Lines that mean something to one of the formats, in any order."""
    lines = draw(st.lists(st.tuples(LINES, ENDS), max_size=25))
    text = "".join(line + end for line, end in lines)
    return draw(NAMES), text.encode(draw(ENCODINGS))


@st.composite
def mutated(draw: st.DrawFn) -> Bytes:
    """A valid file with a few pieces cut out, put in, repeated or replaced."""
    name = draw(st.sampled_from(sorted(FILES)))
    data = FILES[name]
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        stop = draw(st.one_of(st.just(len(data)), st.integers(start, min(start + 40, len(data)))))
        piece = draw(
            st.one_of(
                st.just(b""),
                st.binary(max_size=6),
                LINES.map(lambda line: f"\n{line}\n".encode()),
                st.just(data[start:stop] * 2),
            )
        )
        data = data[:start] + piece + data[stop:]
    return name, data


@CI
@given(ANY)
def test_any_bytes_give_references_or_problems(file: Bytes) -> None:
    check(file)


@CI
@given(structured())
def test_lines_in_any_order_give_references_or_problems(file: Bytes) -> None:
    check(file)


@CI
@given(mutated())
def test_no_damaged_file_loses_a_record(file: Bytes) -> None:
    check(file)


@pytest.mark.nightly
@pytest.mark.parametrize("files", [ANY, structured(), mutated()], ids=["any", "lines", "damaged"])
def test_every_night_many_more_files(files: st.SearchStrategy[Bytes]) -> None:
    NIGHTLY(given(files)(check))()
