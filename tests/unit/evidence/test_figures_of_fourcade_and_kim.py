"""Printed figures of Fourcade 2019 and Kim 2022, and where each review contradicts itself."""

import csv
import re

import pytest

from evidence.rows import PrintedFigureRow
from evidence.shipped import shipped


def figures() -> dict[str, PrintedFigureRow]:
    path = shipped("data") / "printed_figures.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [PrintedFigureRow.model_validate(cells) for cells in csv.DictReader(stream)]
    return {row.figure: row for row in rows if row.review in {"fourcade2019", "kim2022"}}


FIGURES = figures()


def verdicts(review: str, verdict: str) -> set[str]:
    return {key for key, row in FIGURES.items() if (row.review, row.verdict) == (review, verdict)}


def test_fourcade_contradicts_itself_where_text_tables_and_references_do() -> None:
    assert verdicts("fourcade2019", "contradicts") == {
        "f-r-pretrained", "f-r-traditional-refs", "f-r-images-most", "f-r-images-most-ref",
        "f-r-experts", "f-r-experts-most", "f-r-histology", "f-r-collaboration",
        "f-r-collaboration-refs", "f-r-collaboration-large", "f-r-figures", "f-r-values-middle",
        "f-t1-plos-medicine", "f-t1-nature-medicine", "f-t1-embs", "f-r-year-2016-list",
        "f-t5-13", "f-t5-20", "f-t5-22", "f-t5-36", "f-t-captions",
    }  # fmt: skip


def test_kim_contradicts_itself_where_text_table_and_arithmetic_do() -> None:
    assert verdicts("kim2022", "contradicts") == {
        "k-prisma-retrieved-abstract", "k-prisma-disqualified", "k-prisma-included",
        "k-b-deep-background", "k-b-minor", "k-p-auc", "k-p-accuracy", "k-t1-name-resnet50",
        "k-t1-least", "k-t1-least-features",
    }  # fmt: skip


@pytest.mark.parametrize(
    "key", ["k-b-total", "k-b-deep", "k-b-shallow", "k-tl-total", "k-fig6-total", "k-fig6-plotted"]
)
def test_kims_breakdowns_add_up(key: str) -> None:
    assert FIGURES[key].recomputed == FIGURES[key].printed


@pytest.mark.parametrize(
    ("key", "printed", "recomputed"),
    [
        ("k-prisma-disqualified", "114", "115"),
        ("k-prisma-included", "121", "122"),
        ("k-p-auc", "41", "1881"),
        ("f-r-images-most", "139886", "158323"),
        ("f-r-figures", "18", "28"),
        ("f-t5-20", "35038", "35029"),
        ("f-t5-13", "170", "6120"),
    ],
)
def test_a_contradiction_shows_both_figures(key: str, printed: str, recomputed: str) -> None:
    assert (FIGURES[key].printed, FIGURES[key].recomputed) == (printed, recomputed)


def test_what_agrees_is_recomputed_as_printed() -> None:
    """A printed 0.70 is recomputed at two places; sets are in the order of their numbers."""
    for row in FIGURES.values():
        assert (row.recomputed == row.printed) == (row.verdict == "agrees"), row.figure


def test_fourcades_sets_are_of_its_25_references() -> None:
    printed = {
        int(number)
        for row in FIGURES.values()
        if row.review == "fourcade2019" and row.unit == "references"
        for number in row.printed.split(";")
    }
    assert printed == set(range(12, 37))


def test_every_paper_of_fourcade_is_in_one_specialty_and_one_year() -> None:
    specialties = (
        "dermatology", "ophthalmology", "cardiothoracic", "senology", "maxillofacial",
        "gastroenterology",
    )  # fmt: skip
    for keys in (specialties, [f"year-{year}-refs" for year in (2013, 2016, 2017, 2018, 2019)]):
        numbers = [n for key in keys for n in FIGURES[f"f-r-{key}"].printed.split(";")]
        assert sorted(map(int, numbers)) == list(range(12, 37))


def test_queries_read_on_both_databases_and_do_not_divide() -> None:
    """A colon would be a parameter; ``group_concat`` is SQLite's; Python divides."""
    for row in FIGURES.values():
        assert not re.search(r":|group_concat|glob|ifnull|instr| / ", row.query), row.figure
