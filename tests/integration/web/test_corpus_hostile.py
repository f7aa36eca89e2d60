"""Every study is shown, and texts of the store are shown as texts, whoever wrote them."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from evidence.changes import Changes, Reason, apply
from evidence.ingest import Line
from evidence.review_rows import DisagreementRow, FlowRow
from evidence.rows import CellRow, PrintedFigureRow, PublicationRow, ReviewRow, Row, StudyRow
from evidence.store import Store
from tests.integration.web.studies import EXTRACTION
from tests.integration.web.visiting import Visit

EVIL = "\"'><script>alert(1)</script>{{7*7}}<img src=x onerror=alert(1)>javascript:alert(1)"
REVIEW, STUDY = "<script>r()</script>", "<b onclick=x()>\"'&-2020"
HANDLERS = re.compile(r"^on|^style$")


def filled(model: type[Row], **cells: str) -> Row:
    return model.model_validate(dict.fromkeys(model.model_fields, "") | cells)


def lines(*rows: Row) -> list[Line]:
    return [Line("evil", number, row) for number, row in enumerate(rows, 1)]


def side(number: int) -> Row:
    return filled(
        DisagreementRow, disagreement=EVIL[:60], topic=EVIL, kind="same_study", side=str(number),
        review=REVIEW, study_key=STUDY, section=EVIL, statement=f"{EVIL} {number}",
    )  # fmt: skip


def evil_rows() -> dict[str, Sequence[Line]]:
    of_review = {"review": REVIEW, "study_key": STUDY}
    return {
        "reviews.csv": lines(
            filled(ReviewRow, review=REVIEW, title=EVIL, authors=EVIL, journal=EVIL, year="2020",
                   review_type="living")
        ),
        "publications.csv": lines(
            filled(PublicationRow, study_key=STUDY, first_author=EVIL, authors=f"{EVIL}; {EVIL}",
                   year="2020", title=EVIL, venue=EVIL, abstract=EVIL, keywords=EVIL,
                   doi="10.1000/<script>alert(1)</script>", cited_from=REVIEW)
        ),
        "studies.csv": lines(
            filled(StudyRow, **of_review, **EXTRACTION, status="extracted", table=EVIL[:40],
                   position="1", row_label=EVIL, ref_printed="<script>", ref="<script>",
                   reading="as_printed", year="2020", objective=EVIL, note=EVIL,
                   layers_unfrozen=EVIL, image_type=EVIL, software=EVIL, class_type="binary",
                   veracity="unknown")
        ),
        "cells.csv": lines(
            filled(CellRow, **of_review, table=EVIL[:40], row=EVIL, column=EVIL[:40], printed=EVIL)
        ),
        "printed_figures.csv": lines(
            filled(PrintedFigureRow, figure=EVIL[:60], review=REVIEW, section=EVIL, label=EVIL,
                   printed="3", unit="<script>", recomputed=EVIL, verdict="differs", cause=EVIL,
                   query="SELECT '<script>alert(1)</script>' AS n")
        ),
        "flow.csv": lines(
            filled(FlowRow, review=REVIEW, position="1", label=EVIL, kind="included",
                   n_printed="3", n_derived="4", section=EVIL, note=EVIL)
        ),
        "disagreements.csv": lines(side(1), side(2)),
    }  # fmt: skip


class Shown(HTMLParser):
    """What a page makes a browser do."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.acts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what would be carried out."""
        values = dict(attrs)
        source = values.get("src") or ""
        if tag == "script" and not source.startswith("/static/"):
            self.acts.append("script")
        self.acts += [name for name in values if HANDLERS.match(name)]
        links = [values.get(name) or "" for name in ("href", "src", "action")]
        self.acts += [link for link in links if link.lower().startswith("javascript:")]

    def handle_data(self, data: str) -> None:
        """Keep what is read."""
        self.texts.append(data)


@pytest.fixture
def evil(store: Store) -> Store:
    with store.begin() as connection:
        apply(connection, Changes(evil_rows()), Reason(EVIL[:80], EVIL, "import"))
    return store


AT_REVIEW, AT_STUDY = (quote(key, safe="") for key in (REVIEW, STUDY))
ADDRESSES = (
    "/studies",
    f"/studies?review={AT_REVIEW}",
    f"/studies?words={quote(EVIL)}",
    f"/studies/{AT_STUDY}",
    "/evidence",
    "/evidence/gaps",
    f"/evidence/prisma?review={AT_REVIEW}",
    f"/evidence/reproduction?review={AT_REVIEW}",
    "/evidence/disagreements?per_page=100",
    "/evidence/forest?modality=us",
    "/evidence/plots/years",
)


@pytest.mark.usefixtures("evil")
@pytest.mark.parametrize("address", ADDRESSES)
def test_what_a_study_says_is_never_carried_out(visit: Visit, address: str) -> None:
    page = Shown(visit.shown(address))
    assert page.acts == []
    assert "49<img" not in "".join(page.texts)


@pytest.mark.usefixtures("evil")
def test_what_a_study_says_is_shown_letter_for_letter(visit: Visit) -> None:
    for address in (f"/studies/{AT_STUDY}", "/studies?words=javascript"):
        assert EVIL in "".join(Shown(visit.shown(address)).texts), address
    shown = "".join(Shown(visit.shown("/evidence/disagreements?per_page=100")).texts)
    assert f"{EVIL} 2" in shown


@pytest.mark.usefixtures("evil")
def test_a_study_is_reached_from_the_list_whatever_its_key(visit: Visit) -> None:
    page = visit.shown("/studies?words=javascript")
    (address,) = re.findall(r'<a href="(/studies/[^"]+)"', page)
    assert visit.get(address).status_code == 200


@pytest.mark.usefixtures("evil")
def test_a_picture_holds_texts_as_texts(visit: Visit) -> None:
    for address in (f"/evidence/prisma.svg?review={AT_REVIEW}", "/evidence/plots/forest.svg"):
        picture = visit.get(address)
        assert picture.status_code == 200
        assert "<script" not in picture.text


@pytest.mark.usefixtures("evil")
def test_links_to_elsewhere_say_nothing_of_where_they_come_from(visit: Visit) -> None:
    page = visit.shown(f"/studies/{AT_STUDY}")
    outside = re.findall(r'<a href="(https://[^"]+)"([^>]*)>', page)
    assert outside
    assert all("noreferrer" in how for _, how in outside)
    assert all("<" not in address for address, _ in outside)


def test_every_study_is_shown_with_all_that_was_read_of_it(visit: Visit, store: Store) -> None:
    with store.connect() as connection:
        keys = connection.exec_driver_sql("SELECT key FROM study ORDER BY key").scalars().all()
        read = connection.exec_driver_sql("SELECT study, review FROM extraction").all()
    assert len(keys) > 200
    for key in keys:
        page = visit.shown(f"/studies/{key}")
        for study, review in read:
            assert study != key or f">{review}</a></th>" in page, (key, review)


def test_bounds_and_ranges_are_told_as_such(visit: Visit, store: Store) -> None:
    bound = (
        "SELECT e.study, v.operator FROM evaluation v JOIN extraction e ON e.id = v.extraction "
        "WHERE v.operator = '>' ORDER BY 1"
    )
    with store.connect() as connection:
        found = connection.exec_driver_sql(bound).all()
    assert found
    for study, _ in found:
        assert "(a bound)" in visit.shown(f"/studies/{study}")


def test_both_readings_stand_side_by_side_with_cell_and_source(visit: Visit) -> None:
    page = visit.shown("/studies/shin-2016")
    assert "printed [138], resolved [125]" in page
    assert "<q>10,860</q> in S3, Ag Data Size" in page
    assert "Where its reviews contradict each other" in page
    assert 'href="/recommend?modality=ct&amp;anatomy=lung&amp;n=905' in page
    body = visit.get("/api/studies/shin-2016").json()
    assert {extraction["review"] for extraction in body["extractions"]} == {"morid2022", "kim2022"}
    assert body["conflicts"][0]["topic"] == "backbone"


@pytest.mark.usefixtures("evil")
def test_the_history_names_the_change_set(visit: Visit) -> None:
    body = visit.get(f"/api/studies/{AT_STUDY}").json()
    assert [(each["change_set"], each["reason"]) for each in body["history"]] == [(1, EVIL)]
    assert visit.get("/api/studies/shin-2016").json()["history"] == []


def test_a_study_that_is_not_there_is_told_with_near_ones(visit: Visit) -> None:
    found = visit.get("/studies/shin-2061")
    assert found.status_code == 404
    assert "did you mean" in found.text
    assert "shin-2016" in found.text
    assert visit.get("/api/studies/shin-2061").headers["content-type"] == "application/problem+json"
