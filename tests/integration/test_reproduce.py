"""Every shipped figure of a review recomputes from the rows to what its line says."""

import csv
import re
from collections import Counter

import pytest
from sqlalchemy import text

from evidence.reproduce import PrintedFigure, Reproduction, reproduce
from evidence.rows import PrintedFigureRow
from evidence.shipped import shipped
from evidence.store import Store
from evtl.render_evidence import reproduction

#: Functions that SQLite and PostgreSQL share; the words before other brackets are no functions.
PORTABLE = set("count sum min max replace coalesce nullif lower upper length abs substr".split())
KEYWORDS = set("select as in and or not on exists from where cast case when then else".split())

MODELS = "inception vggnet resnet alexnet densenet inceptionresnet".split()
IMAGES = "xray mri fundus ultrasound ct endoscopy skin-lesion oct".split()
#: Where Morid 2022 and its own rows part, and what is printed and recomputed there.
MORID_DISAGREES = {
    "m-a-augmentation-fine-tuning": ("72", "74"),
    "m-a-benchmark-any": ("35", "36"),
    "m-a-inception-skeletal-xray": ("57", "43"),
    "m-a-inception-ultrasound": ("55", "50"),
    "m-a-vggnet-skin": ("50", "43"),
    "m-d1-named-both-approaches": ("70;91", ""),
    "m-d1-named-inception-very-deep": ("27;43", "27"),
    "m-d2-augmentation-fine-tuning": ("72", "74"),
    "m-d3-benchmark-none": ("65", "64"),
    "m-d3-visualization-heatmap": ("67", "68"),
    "m-m-features": ("13", "12"),
    "m-m-partial-transfer": ("", "103"),
    "m-r-benchmark-none": ("65", "64"),
    "m-r-f2-inception-ultrasound": ("55", "50"),
    "m-r-f2-inception-xray": ("31", "30"),
    "m-r-f3-vggnet-skin": ("50", "43"),
    "m-r-f4-inception-skeletal-xray": ("57", "43"),
    "m-r-f5-augmentation-fine-tuning": ("72", "74"),
    "m-r-f6-feature-extracting-middle": ("10", "11"),
    "m-r-f7-visualization-heatmap": ("67", "68"),
    "m-r-task-binary": ("71", "72"),
    "m-t2-alexnet-ct": ("9;125;126", "9;126;138"),
    "m-t2-inceptionresnet-ultrasound": ("82", "139"),
    "m-t3-benchmark-more": ("11", "13"),
    "m-t3-benchmark-none": ("65", "64"),
    "m-t3-task-binary": ("71", "72"),
}


def shipped_rows() -> list[dict[str, str]]:
    with (shipped("data") / "printed_figures.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


FIGURES = tuple(PrintedFigure.model_validate(row) for row in shipped_rows())
MORID = {figure.figure: figure for figure in FIGURES if figure.review == "morid2022"}


@pytest.fixture
def reproductions(either: Store) -> tuple[Reproduction, ...]:
    return reproduce(either, FIGURES)


def one(store: Store, **changes: str) -> Reproduction:
    figure = MORID["m-t3-approach-fine-tuning"].model_copy(update=changes)
    return reproduce(store, [figure])[0]


def test_every_line_of_the_file_is_valid_and_named_once() -> None:
    rows = [PrintedFigureRow.model_validate(row) for row in shipped_rows()]
    assert list(PrintedFigure.model_fields) == list(PrintedFigureRow.model_fields)
    assert len({row.figure for row in rows}) == len(rows)
    for review in {row.review for row in rows}:
        keys = [row.figure for row in rows if row.review == review]
        assert keys == sorted(keys)


def test_every_figure_recomputes_to_what_its_line_says(
    reproductions: tuple[Reproduction, ...],
) -> None:
    found = {r.figure.figure: (r.recomputed, r.verdict) for r in reproductions}
    assert found == {f.figure: (f.recomputed, f.verdict) for f in FIGURES}
    assert not any(r.changed for r in reproductions)


def test_a_figure_agrees_where_and_only_where_it_is_the_printed_one() -> None:
    for figure in FIGURES:
        if figure.query:
            printed, found = figure.printed, figure.recomputed
            if figure.unit == "references":
                same = set(printed.split(";")) == set(found.split(";"))
            else:
                same = printed.replace(",", "") == found
            assert same == (figure.verdict == "agrees"), figure.figure


def test_a_share_or_a_set_that_disagrees_says_how(reproductions: tuple[Reproduction, ...]) -> None:
    for found in reproductions:
        parted = found.verdict in {"differs", "contradicts"}
        if parted and found.figure.figure in MORID and found.figure.unit != "count":
            assert re.search(r"\d+ of \d+|missing|extra", found.detail), found.figure.figure


def test_morid_disagrees_with_its_rows_here_and_nowhere_else() -> None:
    parted = {
        key: (figure.printed, figure.recomputed)
        for key, figure in MORID.items()
        if figure.verdict != "agrees"
    }
    assert parted == MORID_DISAGREES
    verdicts = Counter(figure.verdict for figure in MORID.values())
    assert verdicts == {"agrees": 174, "contradicts": 14, "differs": 12}


def test_the_48_cells_of_table_2_are_all_there() -> None:
    cells = {key: figure for key, figure in MORID.items() if key.startswith("m-t2-")}
    assert set(cells) == {f"m-t2-{model}-{image}" for model in MODELS for image in IMAGES}
    assert sum(not cell.printed for cell in cells.values()) == 13
    printed = Counter(
        ref for cell in cells.values() for ref in filter(None, cell.printed.split(";"))
    )
    assert {ref for ref, times in printed.items() if times > 1} == {"82"}
    assert printed.total() == 102


def test_every_line_of_table_3_is_there() -> None:
    lines = Counter(key.split("-")[2] for key in MORID if key.startswith("m-t3-"))
    assert lines == {
        "anatomy": 9, "approach": 2, "visualization": 4, "classifier": 2, "benchmark": 4,
        "model": 6, "image": 8, "augmentation": 3, "task": 3,
    }  # fmt: skip


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.figure)
def test_a_query_is_one_that_both_databases_answer(figure: PrintedFigure) -> None:
    bare = re.sub(r"'[^']*'", "''", figure.query)
    called = {word.lower() for word in re.findall(r"(\w+)\s*\(", bare)}
    assert called - KEYWORDS <= PORTABLE
    assert not re.search(r"[\"`/%:]|\b(glob|limit|ifnull|iif|rowid)\b", bare, re.IGNORECASE)


def test_a_row_that_changes_is_seen(store: Store) -> None:
    with store.begin() as connection:
        sql = "UPDATE extraction SET approach_as_printed = 'FE' WHERE review = 'morid2022'"
        connection.execute(text(sql))
    found = one(store)
    assert (found.recomputed, found.verdict, found.changed) == ("0", "differs", True)
    assert found.detail == "0 of 102"


def test_a_disagreement_that_is_gone_is_not_repeated(store: Store) -> None:
    found = one(store, printed="70", verdict="contradicts", query="SELECT 7, 10")
    assert (found.recomputed, found.verdict, found.changed) == ("70", "agrees", True)


def test_what_the_rows_cannot_answer_is_said(store: Store) -> None:
    found = one(store, verdict="not_answerable", recomputed="", query="")
    assert (found.recomputed, found.verdict, found.changed) == ("", "not_answerable", False)


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("SELECT * FROM nothing", "fails: .*nothing"),
        ("SELECT :x", "fails: the query cannot be answered"),
        ("SELECT 1; SELECT 2", "fails: .*"),
        ("SELECT 1 FROM study", r"gives 209 row\(s\)"),
        ("SELECT max(n_images) FROM study_features WHERE review = ''", "gives None"),
        ("SELECT '1e99999999'", "gives '1e99999999', which is no number"),
    ],
)
def test_a_query_that_fails_says_why_and_answers_nothing(
    store: Store, query: str, detail: str
) -> None:
    found = one(store, query=query)
    assert (found.recomputed, found.verdict, found.changed) == ("", "not_answerable", True)
    assert re.match(f"its query {detail}", found.detail), found.detail


def test_an_empty_set_whose_query_fails_is_a_change_too(store: Store) -> None:
    found = one(store, printed="", unit="references", recomputed="", query="SELECT 1, 2")
    assert (found.verdict, found.changed) == ("not_answerable", True)


@pytest.mark.parametrize(
    "query", ["SELECT name FROM sqlite_master", "SELECT pg_read_file('/etc/passwd')",
              "SELECT load_extension('x')", "WITH x AS (SELECT 1) DELETE FROM claim"],
)  # fmt: skip
def test_an_imported_query_can_do_no_more_than_a_question(either: Store, query: str) -> None:
    found = one(either, query=query)
    assert (found.recomputed, found.verdict) == ("", "not_answerable")
    assert found.detail.startswith("its query fails: ")


def test_queries_that_fail_leave_the_others_answered(either: Store) -> None:
    asked = [figure for figure in FIGURES if figure.query][:9]
    failing = {0: "SELECT * FROM nothing", 4: "SELECT 1 FROM study", 5: "SELECT :x", 8: "SELECT ("}
    figures = [
        figure.model_copy(update={"query": failing.get(at, figure.query)})
        for at, figure in enumerate(asked)
    ]
    found = reproduce(either, figures)
    assert [item.figure for item in found] == figures
    assert {at for at, item in enumerate(found) if item.changed} == set(failing)
    for at, item in enumerate(found):
        expected = (
            ("", "not_answerable") if at in failing else (asked[at].recomputed, asked[at].verdict)
        )
        assert (item.recomputed, item.verdict) == expected


def test_why_a_query_fails_is_printed(store: Store) -> None:
    found = one(store, query="SELECT * FROM nothing")
    shown = reproduction([found], [found])
    assert "its query fails: " in shown.partition("\nWhy\n")[2]
