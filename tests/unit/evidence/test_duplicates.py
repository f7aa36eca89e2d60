"""One publication is recognised however it is printed, and two are never taken for one."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import duplicates
from evidence.duplicates import SHORT_TITLE, Index, Known, Match, family_names, match, title_key
from evidence.reference import Citation
from evidence.shipped import shipped

SAMPLES = Path(__file__).parent / "samples"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def citation(row: dict[str, str]) -> Citation:
    return Citation(
        title=row["title"],
        authors=tuple(row["authors"].split("; ")),
        year=int(row["year"]),
        venue=row["venue"],
        doi=row.get("doi", ""),
    )


CORPUS = [
    Known(key=row["study_key"], **citation(row).model_dump())
    for row in rows(shipped("data") / "publications.csv")
]
MENTIONS = rows(SAMPLES / "mentions.csv")
INDEX = Index(CORPUS)
BY_KEY = {study.key: study for study in CORPUS}
SHIN = BY_KEY["shin-2016"]
PHAN = BY_KEY["phan-2019"]


def test_no_two_studies_of_the_corpus_match() -> None:
    for study in CORPUS:
        others = Index(other for other in CORPUS if other != study)
        assert others.find(study) is None, study.key


@pytest.mark.parametrize("row", MENTIONS, ids=lambda row: row["source"])
def test_a_study_that_another_review_prints_is_found_by_its_title(row: dict[str, str]) -> None:
    found = INDEX.find(citation(row))
    expected = Match(row["study_key"], "title", "duplicate") if row["study_key"] else None
    assert found == expected


@pytest.mark.parametrize(
    "row", [row for row in MENTIONS if row["near_miss"]], ids=lambda row: row["source"]
)
def test_another_paper_of_the_same_group_is_not_taken_for_it(row: dict[str, str]) -> None:
    assert row["near_miss"] in BY_KEY
    others = [study for study in CORPUS if study.key != row["study_key"]]
    assert match(citation(row), others) is None


def as_comma(author: str) -> str:
    family, _, given = author.rpartition(" ") if author[-1].isupper() else ("", "", "")
    return f"{family}, {given}" if family and "." not in author else author


def initials_last(author: str) -> str:
    words = author.split()
    return " ".join((*words[1:], words[0].replace(".", ""))) if "." in words[0] else author


def initials_first(author: str) -> str:
    words = author.split()
    if not words[-1].replace("-", "").isupper():
        return author
    return " ".join((".".join(words[-1]) + ".", *words[:-1]))


#: What scanners, reference managers and reviews do to a title.
PRINTED: dict[str, Callable[[str], str]] = {
    "capitals": str.upper,
    "small": str.lower,
    "without punctuation": lambda title: "".join(c for c in title if c.isalnum() or c == " "),
    "hyphens as spaces": lambda title: title.replace("-", " "),
    "dashes": lambda title: title.replace("-", "\u2013"),
    "full stop": lambda title: f"{title}.",
    "translated": lambda title: f"[{title}].",
    "markup": lambda title: f"<i>{title}</i>".replace("&", "&amp;"),
    "spaces within words": lambda title: " ".join(title[i : i + 7] for i in range(0, 999, 7)),
    "no spaces": lambda title: title.replace(" ", ""),
}
NAMES: tuple[Callable[[str], str], ...] = (str, as_comma, initials_last, initials_first)


@settings(max_examples=500)
@given(
    study=st.sampled_from(CORPUS),
    printed=st.lists(st.sampled_from(sorted(PRINTED)), max_size=3),
    name=st.sampled_from(NAMES),
    n_authors=st.integers(1, 9),
    year=st.integers(-1, 1),
    with_doi=st.booleans(),
)
def test_every_study_is_found_again_however_it_is_printed(
    study: Known,
    printed: list[str],
    name: Callable[[str], str],
    n_authors: int,
    year: int,
    with_doi: bool,
) -> None:
    title = study.title or ""
    for how in sorted(printed, key="markup".__eq__):  # what comes after it would spoil the tags
        title = PRINTED[how](title)
    mention = Citation(
        title=title if study.title else None,
        authors=(*map(name, study.authors[:n_authors]), "et al."),
        year=(study.year or 0) + year,
        venue=study.venue,
        doi=study.doi.upper() if with_doi else "",
    )
    found = INDEX.find(mention)
    assert found is not None
    assert found.key == study.key
    assert found.certainty == ("duplicate" if study.title else "possible")


@given(st.sampled_from([study for study in CORPUS if study.title]), st.data())
def test_a_misread_letter_leaves_a_possible_match(study: Known, data: st.DataObject) -> None:
    title = str(study.title)
    letters = [place for place, letter in enumerate(title) if letter.isalpha()]
    place = data.draw(st.sampled_from(letters))
    misread = study.model_copy(
        update={"title": title[:place] + "q0"[title[place] == "q"] + title[place + 1 :], "doi": ""}
    )
    assert INDEX.find(misread) == Match(study.key, "near_title", "possible")
    for change in ({"authors": ("Doe J", *study.authors[1:])}, {"doi": "10.1000/other"}):
        strangers = Index([study.model_copy(update={"doi": SHIN.doi})])
        assert strangers.find(misread.model_copy(update=change)) is None


def test_an_identifier_counts_more_than_the_printed_names() -> None:
    assert INDEX.find(Citation(doi=f"https://doi.org/{SHIN.doi.upper()}")) == Match(
        "shin-2016", "doi", "duplicate"
    )
    known = Known(key="a", title="One title of a paper", authors=("Doe J",), pmid="123")
    assert match(Citation(pmid="123"), [known]) == Match("a", "pmid", "duplicate")
    assert match(Citation(pmid="124"), [known]) is None


def test_an_identifier_that_another_title_and_other_authors_carry_is_doubted() -> None:
    wrong = Citation(title="Quite another paper", authors=("Doe J",), doi=SHIN.doi)
    assert INDEX.find(wrong) == Match("shin-2016", "doi", "possible")
    renamed = Citation(title="Its title in another language", authors=SHIN.authors, doi=SHIN.doi)
    assert INDEX.find(renamed) == Match("shin-2016", "doi", "duplicate")
    both = SHIN.model_copy(update={"pmid": "1"})
    assert match(SHIN.model_copy(update={"pmid": "2"}), [both]) == Match(
        "shin-2016", "doi", "possible"
    )


def test_the_same_title_under_two_dois_is_possible_only() -> None:
    preprint = SHIN.model_copy(update={"doi": "10.48550/arxiv.1602.03409"})
    assert INDEX.find(preprint) == Match("shin-2016", "title", "possible")
    strangers = preprint.model_copy(update={"authors": ("Doe J", "Roe R")})
    assert INDEX.find(strangers) is None


def test_the_same_title_by_other_authors_or_by_nobody_is_possible_only() -> None:
    for authors in ((), ("Doe J", "Roe R")):
        mention = Citation(title=SHIN.title, authors=authors)
        assert INDEX.find(mention) == Match("shin-2016", "title", "possible")


@pytest.mark.parametrize("title", ["Editorial", "Authors' reply."])
def test_a_title_that_many_papers_have_is_possible_only(title: str) -> None:
    known = [Known(key="a", title=title, authors=("Doe J",))]
    assert match(Citation(title=title, authors=("Doe, Jane",)), known) == Match(
        "a", "title", "possible"
    )
    assert match(Citation(title=title, authors=("Roe R",)), known) is None


def test_without_a_title_authors_venue_and_year_together_are_possible() -> None:
    printed = Citation(
        title="Evaluation of deep convolutional neural networks for glaucoma detection.",
        authors=("Phan, Sang", "Satoh, Shin'ichi", "Yoda, Yoshioki"),
        year=2019,
        venue="Japanese journal of ophthalmology",
        doi="10.1000/not-in-the-list",
    )
    expected = Match("phan-2019", "venue", "possible")
    assert INDEX.find(printed) == expected
    shortened = printed.model_copy(update={"authors": ("S. Phan", "et al.")})
    assert INDEX.find(shortened) == expected
    for change in (
        {"year": 2015},
        {"year": None},
        {"venue": "Ophthalmology"},
        {"venue": ""},
        {"authors": ("Phan S", "Doe J")},
        {"authors": ("Satoh S", "Phan S")},
    ):
        assert INDEX.find(printed.model_copy(update=change)) is None, change
    untitled = SHIN.model_copy(update={"title": None, "doi": ""})
    assert INDEX.find(untitled) == Match("shin-2016", "venue", "possible")
    assert INDEX.find(untitled.model_copy(update={"doi": "10.1000/other"})) is None


def test_the_surest_match_is_given_wherever_it_stands() -> None:
    twin = SHIN.model_copy(update={"key": "twin", "doi": ""})
    stranger = Known(key="typo", title="Quite another paper", authors=("Doe J",), doi=SHIN.doi)
    for known in ([twin, stranger, SHIN], [SHIN, stranger, twin], [stranger, SHIN, twin]):
        assert match(SHIN, known) == Match("shin-2016", "doi", "duplicate")
    assert match(SHIN, [stranger, twin]) == Match("twin", "title", "duplicate")


def test_a_paper_and_its_extension_under_another_title_are_two() -> None:
    conference = Known(key="a", title="Lung nodule detection in CT", authors=("Doe J", "Roe R"))
    journal = Citation(
        title="Lung nodule detection and staging in low-dose CT with pretrained networks",
        authors=conference.authors,
    )
    assert match(journal, [conference]) is None


@pytest.mark.parametrize(
    ("author", "names"),
    [
        ("Abbas, A.", {"abbas"}),
        ("A. Abbas", {"abbas"}),
        ("Abbas A", {"abbas"}),
        ("Asmaa Abbas", {"abbas"}),
        ("ABBAS A", {"abbas"}),
        ("LI X", {"li"}),
        ("Chen C-H", {"chen"}),
        ("L.-Y. Xue", {"xue"}),
        ("Grinsven MJJP Van", {"grinsven"}),
        ("van Grinsven, Mark J. J. P.", {"grinsven"}),
        ("R.V.M. Da Nóbrega", {"nobrega"}),
        ("Juan J. Gómez-Valverde", {"valverde", "gomez"}),
        ("M. O'Boyle", {"oboyle"}),
        ("O\u2019Boyle M", {"oboyle"}),
        ("A.M. DSouza", {"dsouza"}),
        ("Łukasz Müller", {"muller"}),
        ("S. Hosseinzadeh Kassani", {"hosseinzadeh", "kassani"}),
        ("", set()),
        ("  ", set()),
    ],
)
def test_the_family_name_is_found_in_every_way_of_printing(author: str, names: set[str]) -> None:
    assert family_names(author) == names


def test_a_title_key_has_letters_and_digits_only() -> None:
    assert title_key("A <i>multi-class</i> CNN &amp; its ﬁne-tuning: H<sub>2</sub>O, p &lt; 5") == (
        "amulticlasscnnanditsfinetuningh2op5"
    )
    assert title_key(None) == title_key(" ?! ") == ""


def test_a_near_title_is_looked_for_among_the_nearest_in_length_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Thousands of papers of one author that begin alike are not each compared with all."""
    start, compared = "Deep transfer learning ", []
    authors = ("Doe J",)
    index = Index(
        Known(key=f"{n}", title=f"{start}{n:04} {'x' * (n % 300)}", authors=authors, pmid=f"{n}")
        for n in range(1, 1500)
    )
    plain = duplicates._titles_agree

    def counted(one: duplicates._Facts, other: duplicates._Facts) -> str:
        compared.append(other)
        return plain(one, other)

    monkeypatch.setattr(duplicates, "_titles_agree", counted)
    misread = Citation(title=f"{start}0777 {'x' * 176}y", authors=authors)
    found = index.find(misread)
    assert found is not None
    assert (found.rule, found.certainty) == ("near_title", "possible")
    assert len(compared) == 100
    for known in (777, 1200):
        same = {"title": f"{start}{known:04} {'x' * (known % 300)}"}
        assert index.find(misread.model_copy(update=same)) == Match(
            f"{known}", "title", "duplicate"
        )
        by_pmid = misread.model_copy(update={"pmid": f"{known}"})
        assert index.find(by_pmid) == Match(f"{known}", "pmid", "duplicate")


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@settings(max_examples=300)
@given(TEXT, st.lists(TEXT, max_size=3), TEXT)
def test_any_text_can_be_compared(title: str, authors: list[str], venue: str) -> None:
    mention = Citation(title=title, authors=tuple(authors), venue=venue, year=2019)
    found = match(mention, [Known(key="itself", **mention.model_dump()), *CORPUS[:5]])
    assert found is None or found.key == "itself"
    assert found is not None or len(title_key(title)) < SHORT_TITLE
