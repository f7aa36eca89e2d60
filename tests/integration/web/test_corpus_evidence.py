"""The evidence on pages: gap map, plots, flow, reproduction, disagreements."""

import html
import json
import re
import subprocess
import sys
from collections import Counter
from urllib.parse import unquote_plus

import pytest

from evidence import queries
from evidence.gaps import Gap, gaps
from evidence.reproduce import printed_figures, reproduce
from evidence.shelf import shelf
from evidence.store import Store
from evtl import corpus_services, gap_services, plots
from evtl.gap_services import Cell, Certain
from evtl.plots import PlotOptions
from tests.integration.web.visiting import Visit

PAGES = (
    "/evidence", "/evidence/gaps", "/evidence/forest", "/evidence/prisma",
    "/evidence/reproduction", "/evidence/disagreements",
    *(f"/evidence/plots/{kind}" for kind in plots.KINDS),
)  # fmt: skip
#: A process that finds every cell certain at once, in the state that it is asked of.
AT_ONCE = """
import sys
from evtl import corpus_services, gap_services, snapshot
from evidence.gaps import gaps
cells = [gap_services.Cell(**gap.model_dump(), certainty="low")
         for gap in gaps(corpus_services.shelf().entries)]
state = gap_services._state(snapshot.key())
sys.stdout.write(gap_services.Certain(state=state, cells=cells).model_dump_json())
"""


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work out no certainty in earnest: it takes seconds."""
    monkeypatch.setattr(gap_services, "CHILD", (sys.executable, "-c", AT_ONCE))


@pytest.mark.parametrize("address", PAGES)
def test_every_page_is_small_and_has_one_heading(visit: Visit, address: str) -> None:
    page = visit.shown(address)
    assert page.count("<h1") == 1
    assert len(page.encode()) < 100_000
    assert " style=" not in page
    assert "<script>" not in page
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        assert '<th scope="col"' in table


def test_a_cell_of_the_gap_map_counts_the_studies_that_it_leads_to(visit: Visit) -> None:
    page = visit.shown("/evidence/gaps")
    cells = re.findall(r'href="(/studies\?[^"]+)">(\d+)', page)
    assert len(cells) > 60
    for address, n in cells[::6]:
        assert f"<strong>{n}</strong>" in visit.shown(html.unescape(address)), address
    listed = visit.get("/api/evidence/gaps").json()["cells"]
    assert sorted(n for _, n in cells) == sorted(str(cell["n_studies"]) for cell in listed)


def test_a_cell_without_studies_leads_to_the_question(visit: Visit) -> None:
    assert 'href="/?modality=ct&amp;anatomy=eye"' in visit.shown("/evidence/gaps")


def test_cells_count_as_the_database_does(either: Store) -> None:
    with either.connect() as connection:
        found = {(cell.modality, cell.anatomy): cell for cell in gaps(shelf(connection).entries)}
        benchmark = "EXISTS (SELECT 1 FROM arm a WHERE a.extraction = e.id AND role = 'benchmark')"
        joined = (
            "FROM extraction e JOIN extraction_anatomy p ON p.extraction = e.id "
            "WHERE e.modality = 'fundus' AND p.anatomy = 'eye'"
        )
        n, n_compared = (
            connection.exec_driver_sql(f"SELECT count(DISTINCT study) {joined} {more}").scalar_one()
            for more in ("", f"AND {benchmark}")
        )
    cell = found["fundus", "eye"]
    assert (cell.n_studies, cell.n_compared) == (n, n_compared)
    assert found["fundus", "head_and_neck"].n_studies >= n


def test_counts_are_shown_while_the_certainty_is_worked_out_once(visit: Visit) -> None:
    first = visit.shown("/evidence/gaps")
    assert "being worked out" in first
    child = gap_services._certainty._child
    assert child is not None
    visit.shown("/evidence/gaps")
    assert gap_services._certainty._child in {child, None}
    child.wait()
    body = visit.get("/api/evidence/gaps").json()
    assert body["complete"]
    assert {cell["certainty"] for cell in body["cells"]} == {"low"}
    then = visit.shown("/evidence/gaps")
    assert "being worked out" not in then
    assert then.count(", certainty low</span>") == len(body["cells"])


def test_what_cannot_be_worked_out_is_tried_again(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    working = gap_services.CHILD
    monkeypatch.setattr(gap_services, "CHILD", (sys.executable, "-c", "print('broken')"))
    visit.shown("/evidence/gaps")
    child = gap_services._certainty._child
    assert child is not None
    child.wait()
    assert "being worked out" in visit.shown("/evidence/gaps")
    assert "cannot be worked out" in caplog.text
    monkeypatch.setattr(gap_services, "CHILD", working)
    visit.shown("/evidence/gaps")
    child = gap_services._certainty._child
    assert child is not None
    child.wait()
    assert visit.get("/api/evidence/gaps").json()["complete"]


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_the_process_beside_works_out_what_advice_says(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Gap(modality="ultrasound", anatomy="breast", n_studies=4, n_compared=2)
    monkeypatch.setattr(gap_services, "gaps", lambda _entries: (one,))
    (cell,) = gap_services.certain().cells
    said = subprocess.run(
        [sys.executable, "-m", "evtl", "recommend", "--modality", "ultrasound", "--anatomy",
         "breast", "--n", "1000", "--json"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert cell == Cell(**one.model_dump(), certainty=json.loads(said.stdout)["certainty"]["level"])


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_the_process_beside_writes_every_cell() -> None:
    child = (sys.executable, "-m", "evtl.gap_child")
    told = subprocess.run(child, check=True, capture_output=True, text=True).stdout
    found = Certain.model_validate_json(told)
    assert [Gap(**cell.model_dump(exclude={"certainty"})) for cell in found.cells] == list(
        gaps(corpus_services.shelf().entries)
    )
    assert all(cell.certainty for cell in found.cells)


@pytest.mark.parametrize("kind", plots.KINDS)
def test_a_plot_is_a_picture_that_may_do_nothing_with_its_numbers_beside(
    visit: Visit, kind: str
) -> None:
    address = "/evidence/forest" if kind == "forest" else f"/evidence/plots/{kind}"
    page = visit.shown(f"{address}?modality=ultrasound")
    (source,) = re.findall(r'<img class="figure" src="([^"]+)" alt="[^"]+"', page)
    picture = visit.get(html.unescape(source))
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.headers["content-security-policy"].startswith("default-src 'none'; style-src")
    assert "sandbox" in picture.headers["content-security-policy"]
    assert picture.text.lstrip().startswith("<?xml")
    table = visit.get(f"/api/evidence/plots/{kind}?modality=us").json()
    assert table["rows"]
    for row in table["rows"]:
        for cell in row:
            assert html.escape(cell) in page.replace("&#39;", "&#x27;")


def test_the_numbers_of_a_plot_are_those_that_are_drawn(visit: Visit, store: Store) -> None:
    years = visit.get("/api/evidence/plots/years").json()["rows"]
    total = sum(int(n) for *_, n in years)
    drawn = visit.get("/evidence/plots/years.svg").text
    assert all(f">{year}<" in drawn for year, *_ in years)
    with store.connect() as connection:
        read = {arm.study.key for arm in queries.arms(connection) if arm.study.year is not None}
    assert total == len(read)


def test_what_nothing_fits_is_told_and_can_be_widened(visit: Visit) -> None:
    page = visit.shown("/evidence/forest?modality=fundus&metric=mae")
    assert "Nothing fits: no study here reports mae" in page
    assert 'value="fundus"' in page
    assert visit.get("/evidence/plots/forest.svg?modality=fundus&metric=mae").status_code == 400
    assert visit.get("/api/evidence/forest?modality=fundus&metric=mae").status_code == 400


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/evidence/forest?modality=ultrasond", 400, "did you mean ultrasound"),
        ("/evidence/forest?metric=auk", 422, "'auc'"),
        ("/evidence/plots/pie", 422, "'gap-map'"),
        ("/evidence/plots/pie.svg", 422, "'gap-map'"),
        ("/evidence/prisma?review=nobody2020", 400, "morid2022"),
        ("/evidence/prisma?review=%00", 400, "morid2022"),
        ("/evidence/reproduction?review=nobody2020", 400, "known: fourcade2019"),
        ("/evidence/reproduction?only=some", 422, "differing"),
        ("/evidence/disagreements?modality=ultrasond", 400, "did you mean ultrasound"),
        (f"/evidence/disagreements?modality={'x' * 10_000}", 422, "at most 80"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(
    visit: Visit, address: str, status: int, said: str
) -> None:
    places = [address] if address.endswith(".svg") else [address, f"/api{address}"]
    for place in places:
        found = visit.get(place)
        assert found.status_code == status, place
        assert said in html.unescape(found.text)


def test_the_flow_is_drawn_and_told(visit: Visit) -> None:
    page = visit.shown("/evidence/prisma?review=morid2022")
    steps = visit.get("/api/evidence/prisma?review=morid2022").json()["steps"]
    assert all(html.escape(step["label"], quote=False) in page for step in steps)
    picture = visit.get("/evidence/prisma.svg?review=morid2022")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert "Flow of morid2022" in picture.text


def test_the_page_of_figures_says_what_recomputing_gives(visit: Visit, store: Store) -> None:
    with store.connect() as connection:
        found = reproduce(store, printed_figures(connection))
    differing = [item for item in found if item.verdict != "agrees"]
    page = visit.shown("/evidence/reproduction?only=differing&per_page=100")
    assert f"{len(differing)} figures" in page
    rows = re.findall(r'<tr id="([^"]+)">.*?<td class="(?:bad|warn|soft)">([a-z ]+)', page, re.S)
    assert rows == [(i.figure.figure, i.verdict.replace("_", " ")) for i in differing]
    body = visit.get("/api/evidence/reproduction?per_page=1").json()
    assert body["total"] == len(found)
    counts = Counter((item.figure.review, item.verdict) for item in found)
    for review in body["reviews"]:
        for verdict, n in review["verdicts"].items():
            assert n == counts[review["review"], verdict]


def test_a_figure_leads_to_its_query(visit: Visit) -> None:
    body = visit.get("/api/evidence/reproduction?review=morid2022&per_page=1").json()
    query = body["items"][0]["figure"]["query"]
    page = visit.shown("/evidence/reproduction?review=morid2022&per_page=1")
    (address,) = re.findall(r'href="/sql\?query=([^"]+)"', page)
    assert unquote_plus(html.unescape(address)) == query


def test_disagreements_are_those_of_the_command(visit: Visit) -> None:
    told = corpus_services.disagreements("ultrasound")
    keys = [item.key for item in (*told.found, *told.of_studies)]
    body = visit.get("/api/evidence/disagreements?modality=us&per_page=500").json()
    assert [item["key"] for item in body["items"]] == keys
    page = visit.shown("/evidence/disagreements?modality=us")
    assert f"{len(keys)} disagreements bearing on ultrasound" in page
    studies = set(re.findall(r'href="/studies/([^"]+)"', page))
    assert studies
    assert all(visit.get(f"/studies/{key}").status_code == 200 for key in studies)


def test_the_overview_counts_what_the_pages_list(visit: Visit) -> None:
    body = visit.get("/api/evidence").json()
    assert body["studies"] == visit.get("/api/studies").json()["total"]
    for review, n in body["reviews"].items():
        assert visit.get(f"/api/studies?review={review}").json()["total"] == n
    total = visit.get("/api/evidence/disagreements").json()["total"]
    assert body["disagreements"] == total
    figures = sum(sum(each["verdicts"].values()) for each in body["figures"])
    assert figures == visit.get("/api/evidence/reproduction").json()["total"]


def test_options_of_a_plot_are_as_typed_and_canonical() -> None:
    assert PlotOptions.typed("us", "lungs", "auc") == PlotOptions(
        modality="ultrasound", anatomy="lung", metric="auc"
    )
