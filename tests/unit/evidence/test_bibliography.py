"""A bibliographic file is read whole, or everything that is wrong with it is listed."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.bibliography import Reference, examine_references, read_references, write_ris
from evidence.errors import IngestError

SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> tuple[Reference, ...]:
    return read_references(name, (SAMPLES / name).read_bytes())


def content(references: tuple[Reference, ...]) -> list[dict[str, object]]:
    """What does not depend on the file that a reference was read from."""
    place = {"source_format", "position", "line"}
    return [reference.model_dump(exclude=place) for reference in references]


def problems(name: str, data: bytes | str) -> list[str]:
    raw = data.encode() if isinstance(data, str) else data
    with pytest.raises(IngestError, match="nothing was stored") as caught:
        read_references(name, raw)
    return [str(problem) for problem in caught.value.problems]


def test_ris_of_reference_managers_is_read_with_its_quirks() -> None:
    shin, belharbi = sample("endnote.ris")
    assert shin == Reference(
        title="Deep Convolutional Neural Networks for Computer-Aided Detection: CNN "
        "Architectures, Dataset Characteristics and Transfer Learning",
        authors=("Shin, Hoo-Chang", "Roth, Holger R.", "Gao, Mingchen"),
        year=2016,
        venue="IEEE Transactions on Medical Imaging",
        volume="35",
        pages="1285-1298",
        doi="10.1109/tmi.2016.2528162",
        pmid="10000004",
        abstract="Remarkable progress has been made.\n\nAI - based work follows.",
        keywords=("Biomedical imaging", "Computer-aided diagnosis", "image analysis"),
        source_format="ris",
        position=1,
        line=1,
    )
    assert belharbi == Reference(
        title="Spotting L3 slice",
        authors=("Belharbi, S.", "Hérault, R."),
        year=2017,
        pages="e12",
        doi="10.1016/j.compbiomed.2017.05.018",
        pmid="10000005",
        source_format="ris",
        position=2,
        line=31,
    )


def test_pubmed_records_are_read_with_wrapped_lines_and_full_names() -> None:
    dunnmon, group = sample("pubmed.nbib")
    assert dunnmon == Reference(
        title="Assessment of Convolutional Neural Networks for Automated Classification of "
        "Chest Radiographs.",
        authors=("Dunnmon, Jared A", "Yi, Darvin", "Ré, Christopher"),
        year=2019,
        venue="Radiology",
        volume="290",
        pages="537-544",
        doi="10.1148/radiol.2018181422",
        pmid="10000001",
        abstract="Purpose To assess the ability of convolutional neural networks (CNNs) to "
        "enable high-performance automated binary classification of chest radiographs. Results "
        "AUC - the area under the curve - was 0.96 (P < .05).",
        keywords=("Humans", "*Neural Networks, Computer", "Radiography, Thoracic/*methods"),
        source_format="nbib",
        position=1,
        line=2,
    )
    assert (group.authors, group.year) == (("European Study Group on Imaging",), 1998)
    assert (group.venue, group.doi, group.line) == ("Ann Radiol (Paris)", "", 42)


def test_bibtex_is_read_with_strings_braces_and_latex() -> None:
    gomez, deepak, nobrega = sample("zotero.bib")
    assert gomez == Reference(
        title="Automatic glaucoma classification using color fundus images based on CNNs <10% "
        "error & Transfer learning",
        authors=(
            "Gómez-Valverde, Juan J.",
            "Antón, Alfonso",
            "Fatti, Gianluca",
            "The Retina Consortium and Friends",
            "others",
        ),
        year=2019,
        venue="Biomedical Optics Express",
        volume="10",
        pages="892-913",
        doi="10.1364/boe.10.000892",
        pmid="10000003",
        abstract="Most current algorithms (5% of them) are\nevaluated with AUC and specificity.",
        keywords=("fundus", "Transfer learning", "CNN"),
        source_format="bibtex",
        position=1,
        line=7,
    )
    assert (deepak.authors[0], deepak.venue) == ("Deepak, S.", "Computers in Biology and Medicine")
    assert nobrega.authors[0] == "da Nóbrega, Raul Victor Medeiros"
    assert (nobrega.year, nobrega.position, nobrega.line) == (2018, 3, 34)


@pytest.mark.parametrize("name", ["endnote.ris", "zotero.bib", "pubmed.nbib"])
def test_line_ends_encodings_and_the_name_of_the_file_change_nothing(name: str) -> None:
    text = (SAMPLES / name).read_text(encoding="utf-8")
    expected = sample(name)
    for raw in (
        text.replace("\n", "\r\n").encode(),
        text.replace("\n", "\r").encode(),
        text.encode("utf-8-sig"),
        text.encode("utf-16"),
        b"\xfe\xff" + text.encode("utf-16-be"),
    ):
        assert read_references("export.txt", raw) == expected


@pytest.mark.parametrize("name", ["endnote.ris", "zotero.bib", "pubmed.nbib"])
def test_a_file_that_is_cut_off_is_refused_or_lacks_whole_records_only(name: str) -> None:
    data = (SAMPLES / name).read_bytes()
    whole = content(sample(name))
    for size in range(len(data)):
        references, found = examine_references(name, data[:size])
        assert found or content(references) in (whole, whole[:1], whole[:2]), data[:size]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.ris", b"", "row 0, column -: found 'an empty file'"),
        ("a.ris", b"\xef\xbb\xbf \n", "found 'an empty file'"),
        ("a.bib", b"% nothing\n@comment{x}\n", "found 'no record'"),
        ("a.csv", b"title,doi\n", "found 'title,doi'; RIS .* BibTeX .* PubMed"),
        (
            "a.ris",
            "TY  - JOUR\nTI  - Été\n".encode("latin-1"),
            r"row 2, .* found 'byte 17: 0xc9 \(.*\)'; UTF-8, or UTF-16 with a byte order mark",
        ),
        ("a.ris", b"\xff\xfeT\0Y", "byte 4: 0x.*truncated data.*; UTF-8, or UTF-16"),
        ("a.ris", b"TY  - JOUR\nTI  - a\0b\nER  - \n", "row 2, .* found '1 NUL characters"),
        ("a.ris", "TY  - JOUR\nER  - \n".encode("utf-16-le"), "NUL characters.*UTF-16 with a byte"),
    ],
)
def test_a_file_that_is_no_text_of_a_known_format_is_refused(
    name: str, data: bytes, message: str
) -> None:
    with pytest.raises(IngestError, match=message):
        read_references(name, data)


RIS = "TY  - JOUR\nTI  - A title\n{}ER  - \n"
BIB = "@article{{a, title = {{A title}},\n{}}}\n"
NBIB = "PMID- 1\nTI  - A title.\n{}SO  - J. 2019.\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.ris", RIS.format("") + "stray\n" + RIS.format(""), "row 4, column -: found 'stray'"),
        ("a.ris", "1. \n" + RIS.format(""), "row 1, .* starts with a line 'TY"),
        ("a.ris", RIS.format("")[:-7], "row 1, column ER: .*cut off"),
        ("a.ris", RIS.format("")[:-7] + RIS.format(""), "row 1, column ER: .*cut off"),
        ("a.ris", RIS.format("").replace("ER  - ", "ER  - x"), "row 1, column ER: found 'ER  - x'"),
        ("a.ris", RIS.format("").replace("JOUR", "JUOR"), "row 1, column TY: found 'JUOR'; one of"),
        ("a.ris", RIS.format("").replace("JOUR", "JOUR\nx"), "column TY: found 'JOUR x'; one of"),
        ("a.ris", RIS.format("AU - Doe\n"), "row 3, column -: found 'AU - Doe'; a tag line reads"),
        ("a.ris", RIS.format(" AU  - Doe\n"), "row 3, column -: found ' AU  - Doe'"),
        ("a.ris", RIS.format("au  - Doe\n"), "row 3, column -: found 'au  - Doe'"),
        ("a.ris", RIS.format("AB  -x\n"), "row 3, column -: found 'AB  -x'"),
        (
            "a.ris",
            RIS.format("TI  - B\n"),
            r"row 1, column title: found 'A title \| B'; stands once",
        ),
        ("a.ris", RIS.format("DO  - none\n"), "row 1, column doi: found 'none'; a DOI reads"),
        ("a.ris", RIS.format("DO  - 10.1/a\n"), "column doi: found '10.1/a'"),
        ("a.ris", RIS.format("PY  - in press\n"), "column year: found 'in press'; a year of four"),
        ("a.ris", RIS.format("PY  - 0999\n"), "column year: found '0999'"),
        ("a.ris", RIS.format("N1  - PMID: 123456789\n"), "column pmid: found '123456789'"),
        ("a.ris", "TY  - JOUR\nAU  - Doe\nER  - \n", "row 1, .* a title, a DOI or a PMID"),
        ("a.bib", BIB.format("") * 2, "row 3, column key: found 'a'; already given in line 1"),
        ("a.bib", BIB.format("title = {B}"), "row 1, column title: found 'twice'"),
        ("a.bib", BIB.format("Title = {B}"), "row 1, column title: found 'twice'"),
        ("a.bib", BIB.format("")[:-2], "row 1, .* end of file"),
        (
            "a.bib",
            BIB.format("").replace("article", "artcle"),
            "column type: found 'artcle'; one of",
        ),
        ("a.bib", BIB.format("") + "@strings{x = {y}}", "row 3, column type: found 'strings'"),
        ("a.bib", BIB.format("") + "article{b, title = {B}}", "row 3, .* found 'article{b,"),
        ("a.bib", BIB.format("journal = cbm"), "column journal: found 'cbm'; .* a defined @string"),
        ("a.bib", BIB.format("journal = {A} # {B}"), "column journal: found '{A} # {B}'"),
        (
            "a.bib",
            BIB.format("volume = {1} year = {2020}"),
            r"volume: found '\{1\} year = \{2020\}'",
        ),
        ("a.bib", BIB.format("month = jan year = {2020}"), "column month: found 'jan year"),
        ("a.bib", BIB.format("foo year = {2020}"), "column -: found 'foo year'; a field reads"),
        ("a.bib", BIB.format("author = {A, B, C, D}"), "column author: found 'A, B, C, D'; names"),
        ("a.bib", BIB.format('AUTHOR = "{A and B"'), "row 1, column author: .* opening brace"),
        ("a.bib", BIB.format("doi = {x}"), "row 1, column doi: found 'x'"),
        ("a.nbib", NBIB.format("") + "stray\n", "found 'stray'; 'TI  - text', or more text"),
        ("a.nbib", NBIB.format("") + "\nstray\n", "row 5, .*found 'stray'; every record starts"),
        ("a.nbib", NBIB.format("\n"), "row 4, .* found 'SO  - J. 2019.'; every record starts"),
        ("a.nbib", NBIB.format("")[:-20], "row 1, column SO: found 'TI  - A ti'; .* cut off"),
        ("a.nbib", NBIB.format("") + "\nPMID- 2\nTI  - B.\n", "row 5, column SO: .* cut off"),
        ("a.nbib", NBIB.format("TI  - B.\n"), "column title: .* stands once"),
        ("a.nbib", NBIB.format("LID - x [doi]\n"), "column doi: found 'x'"),
        ("a.nbib", NBIB.format("").replace("1", "one"), "column pmid: found 'one'"),
    ],
)
def test_one_flaw_is_one_problem_with_its_place(name: str, text: str, message: str) -> None:
    with pytest.raises(IngestError, match=message) as caught:
        read_references(name, text.encode())
    assert all(problem.file == name for problem in caught.value.problems)
    assert len({problem.row for problem in caught.value.problems}) == 1


def test_every_bad_record_is_listed_and_the_good_ones_are_known() -> None:
    bad = ("DO  - none\n", "", "PY  - soon\n", "", "TI  - Another\nDO  - 10\n")
    text = "stray\n".join(map(RIS.format, bad))
    found = problems("many.ris", text)
    assert [line.split(": found")[0] for line in found] == [
        "many.ris, row 1, column doi",
        "many.ris, row 5, column -",
        "many.ris, row 9, column -",
        "many.ris, row 10, column year",
        "many.ris, row 14, column -",
        "many.ris, row 18, column -",
        "many.ris, row 19, column title",
        "many.ris, row 19, column doi",
    ]
    references, listed = examine_references("many.ris", text.encode())
    assert [reference.line for reference in references] == [6, 15]
    assert [str(problem) for problem in listed] == found


def test_a_line_that_ends_in_a_backslash_is_a_line() -> None:
    text = BIB.format("abstract = {one\\\ntwo}") + "@misc{b, title = {B}}"
    first, second = read_references("a.bib", text.encode())
    assert first.abstract == "one\\\ntwo"
    assert second.line == 4


def test_a_record_of_a_book_needs_no_citation() -> None:
    (chapter,) = read_references("a.nbib", b"PMID- 1\nBTI - A book.\nAID - NBK1 [bookaccession]\n")
    assert chapter.title == "A book."


def test_a_title_of_another_format_within_a_text_stays_text() -> None:
    (reference,) = read_references("a.ris", RIS.format("AB  - PMID- 1\n      TY  - X\n").encode())
    assert reference.abstract == "PMID- 1\nTY  - X"


def test_links_and_notes_give_what_their_own_fields_lack() -> None:
    link = "https://example.org/x; https://doi.org/10.1000%2FAbc"
    (reference,) = read_references("a.ris", RIS.format(f"DO  - \nUR  - {link}\n").encode())
    assert reference.doi == "10.1000/abc"
    accession = RIS.format("AN  - WOS:000123\nDB  - Web of Science\n")
    assert read_references("a.ris", accession.encode())[0].pmid == ""


def test_a_full_name_stands_for_the_short_one_only_where_all_have_one() -> None:
    both = NBIB.format("FAU - Doe, Jane\nAU  - Doe J\nAU  - Roe R\n")
    assert read_references("a.nbib", both.encode())[0].authors == ("Doe J", "Roe R")


def test_the_parsers_print_nothing() -> None:
    code = (
        "from evidence.bibliography import examine_references as examine\n"
        "assert examine('a.bib', b'@article{a, title')[1]\n"
        "assert examine('a.ris', b'TY  - JOUR')[1]\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout + done.stderr == ""


# ---- written and read again

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
LONG = TEXT.flatmap(lambda text: st.sampled_from([1, 300]).map(lambda times: text * times))
TAGLIKE = st.sampled_from(
    ["ER  - ", "TY  - JOUR", "AU - x", "PMID- 1", "\n\n", "\r", "\u2028", "\x85"]
)
ABSTRACT = st.lists(TEXT | TAGLIKE, max_size=6).map("\n".join)
DOI = st.from_regex(r"10\.[0-9]{4,9}/[!-~]*[A-Za-z0-9]", fullmatch=True)
PMID = st.integers(1, 99_999_999).map(str)


@st.composite
def reference(draw: st.DrawFn) -> Reference:
    values = {
        "title": draw(st.none() | LONG | TAGLIKE),
        "authors": draw(st.lists(TEXT, max_size=4).map(tuple)),
        "year": draw(st.none() | st.integers(1000, 2100)),
        "venue": draw(TEXT),
        "volume": draw(TEXT),
        "pages": draw(TEXT | st.from_regex(r"[\w -]{0,4}-{1,2}[\w -]{0,4}", fullmatch=True)),
        "doi": draw(st.just("") | DOI),
        "pmid": draw(PMID),
        "abstract": draw(ABSTRACT),
        "keywords": draw(st.lists(TEXT, max_size=3).map(tuple)),
    }
    return Reference(**values, source_format="bibtex", position=7, line=9)


@settings(max_examples=300)
@given(st.lists(reference(), min_size=1, max_size=4))
def test_what_is_written_reads_back_equal(references: list[Reference]) -> None:
    text = write_ris(references)
    back = read_references("export.ris", text.encode())
    assert content(back) == content(tuple(references))
    assert [one.position for one in back] == list(range(1, len(references) + 1))
    assert write_ris(back) == text


@pytest.mark.parametrize("name", ["endnote.ris", "zotero.bib", "pubmed.nbib"])
def test_what_was_read_from_any_format_reads_back_equal(name: str) -> None:
    text = write_ris(sample(name))
    assert content(read_references("export.ris", text.encode())) == content(sample(name))


WORDS = st.text("abc XYZ,.:", min_size=1, max_size=20).map(lambda text: f"T{text.strip()}")
RENDERED: dict[str, Callable[[int, str, bool], str]] = {
    "ris": lambda number, title, good: (
        f"TY  - JOUR\nTI  - {title}\nPY  - {2000 + number if good else 'soon'}\nER  - \n\n"
    ),
    "bib": lambda number, title, good: (
        f"@{'misc' if good else 'mics'}{{key{number},\n  title = {{{title}}},\n"
        f"  year = {2000 + number}\n}}\n\n"
    ),
    "nbib": lambda number, title, good: (
        f"PMID- {number}\nTI  - {title}\nDP  - {2000 + number}\n{'' if good else 'lost'}"
        "\nSO  - J. 2019.\n\n"
    ).replace("\n\nSO", "\nSO"),
}


@settings(max_examples=200)
@given(st.sampled_from(sorted(RENDERED)), st.lists(st.tuples(WORDS, st.booleans()), min_size=1))
def test_records_in_are_records_out_and_problems(
    extension: str, records: list[tuple[str, bool]]
) -> None:
    text = "".join(
        RENDERED[extension](number, title, good) for number, (title, good) in enumerate(records, 1)
    )
    references, listed = examine_references(f"a.{extension}", text.encode())
    titles = [
        (" ".join(title.split()), 2000 + n) for n, (title, good) in enumerate(records, 1) if good
    ]
    assert [(one.title, one.year) for one in references] == titles
    assert len(listed) == sum(not good for _, good in records)
