"""The parts of a reference are kept in one form, and LaTeX becomes text without a loss."""

import csv

import pytest
from pydantic import ValidationError

from evidence.latex import plain_text
from evidence.reference import Reference, normal_doi, normal_pmid
from evidence.rows import PublicationRow
from evidence.shipped import shipped


@pytest.mark.parametrize(
    ("printed", "doi"),
    [
        ("10.1109/ICCES.2018.8639200", "10.1109/icces.2018.8639200"),
        ("https://doi.org/10.1000/A_b.", "10.1000/a_b"),
        ("http://dx.doi.org/10.1000%2Fa", "10.1000/a"),
        ("doi: 10.1000/a;b", "10.1000/a;b"),
        ("DOI:https://doi.org/10.1000.10/a", "10.1000.10/a"),
        (" ", ""),
    ],
)
def test_a_doi_is_kept_in_one_form(printed: str, doi: str) -> None:
    assert normal_doi(printed) == doi
    assert normal_doi(doi) == doi


@pytest.mark.parametrize("text", ["n/a", "10.1000", "10.1000/", "10.1000/a b", "x10.1000/a"])
def test_what_is_no_doi_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a DOI reads"):
        normal_doi(text)


def test_every_doi_of_the_corpus_is_one() -> None:
    with (shipped("data") / "publications.csv").open(encoding="utf-8", newline="") as stream:
        rows = [PublicationRow.model_validate(row) for row in csv.DictReader(stream)]
    dois = [row.doi for row in rows if row.doi]
    assert [normal_doi(doi) for doi in dois] == [doi.lower() for doi in dois]


def test_a_pmid_is_a_number() -> None:
    assert normal_pmid("PMID: 123") == normal_pmid("123") == "123"
    with pytest.raises(ValueError, match="one to eight digits"):
        normal_pmid("PMC123")


def test_a_reference_that_cannot_be_found_again_is_none() -> None:
    with pytest.raises(ValidationError, match="a title, a DOI or a PMID"):
        Reference(authors=("Doe J",), year=2020, source_format="ris", position=1, line=1)
    with pytest.raises(ValidationError, match="no NUL"):
        Reference(title="a\0", source_format="ris", position=1, line=1)


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"G{\"o}mez, {\'E}ric, M\"uller, \v{S}, Erd{\H o}s", "Gömez, Éric, Müller, Š, Erdős"),
        (r"{\o} {\ss} {\AA} \'{\i} {\l}\'od\'z", "ø ß Å í łódź"),
        (r"{CNN}s for {{X-ray}} \emph{in vivo} \textbf{G{\"o}del}", "CNNs for X-ray in vivo Gödel"),
        (r"96\% \& 5\_b \{x\} {\textless}3 \textgreater 4", "96% & 5_b {x} <3 >4"),
        (r"5% of $\alpha_{2}$ & $3", r"5% of $\alpha_{2}$ & $3"),
        (r"\unknown{command} \noarg x", r"\unknown{command} \noarg x"),
        ("A~B 1--2 ``q''", "A B 1\N{EN DASH}2 “q”"),
    ],
)
def test_latex_becomes_text_and_what_is_not_known_stays(latex: str, text: str) -> None:
    assert plain_text(latex) == text
