"""The list of studies: facets, search, pages, and what it is asked in bad faith."""

import html
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest

from evidence.changes import Changes, Reason, apply
from evidence.ingest import Line
from evidence.listing import Listing, StudyFilter, find
from evidence.rows import PublicationRow
from evidence.store import Store
from evidence.vocabulary import ANATOMY, MODALITY
from evtl.web.settings import Settings
from tests.integration.web.studies import added
from tests.integration.web.visiting import WORD, Visit

HOSTILE = (
    "%", "_", "'", '"', "\\", "\x00", "\u202e", "a\x00b", "%' OR 1=1 --", "<script>", "{{7*7}}",
    "x" * 300, "😀",
)  # fmt: skip


def listed(store: Store, **asked: Any) -> Listing:
    with store.connect() as connection:
        return find(connection, StudyFilter(**asked))


def asked_in_sql(store: Store, condition: str) -> int:
    query = f"SELECT count(DISTINCT e.study) FROM extraction e WHERE {condition}"
    with store.connect() as connection:
        return int(connection.exec_driver_sql(query).scalar_one())


def narrower(vocabulary: Any, key: str) -> str:
    keys = [term.key for term in vocabulary.terms if vocabulary.is_within(term.key, key)]
    return ", ".join(f"'{each}'" for each in keys)


def of_facet(name: str, key: str) -> str:
    """The same question as a facet, in the words of the database."""
    arm = (
        "SELECT 1 FROM arm a JOIN backbone b ON b.name = a.backbone "
        "WHERE a.extraction = e.id AND a.role <> 'benchmark'"
    )
    place = "SELECT 1 FROM extraction_anatomy p WHERE p.extraction = e.id AND p.anatomy IN"
    return {
        "modality": f"e.modality IN ({narrower(MODALITY, key) if name == 'modality' else ''})",
        "anatomy": f"EXISTS ({place} ({narrower(ANATOMY, key) if name == 'anatomy' else ''}))",
        "family": f"EXISTS ({arm} AND b.family = '{key}')",
        "approach": f"EXISTS ({arm} AND a.approach = '{key}')",
        "review": f"e.review = '{key}'",
        "year": f"(SELECT year FROM study WHERE key = e.study) = {key}",
    }[name]


@pytest.mark.parametrize("asked", [{}, {"modality": "ct"}, {"review": "morid2022"}])
def test_a_facet_counts_what_the_database_counts(either: Store, asked: Mapping[str, str]) -> None:
    found = listed(either, **asked)
    assert [facet.name for facet in found.facets] == [
        "modality", "anatomy", "family", "approach", "review", "year",
    ]  # fmt: skip
    for facet in found.facets:
        others = [of_facet(name, key) for name, key in asked.items() if name != facet.name]
        assert facet.values
        for value in facet.values:
            if facet.name == "year" and not asked:
                continue  # studies without any extraction have a year too
            condition = " AND ".join([of_facet(facet.name, value.key), *others])
            assert value.n == asked_in_sql(either, condition), (facet.name, value.key)


def test_what_is_chosen_of_a_facet_leaves_its_other_choices(store: Store) -> None:
    def facet(name: str, **asked: str) -> object:
        return next(each for each in listed(store, **asked).facets if each.name == name)

    assert facet("modality", modality="ct") == facet("modality")
    assert facet("anatomy", anatomy="lung", modality="ct") == facet("anatomy", modality="ct")


def test_a_facet_counts_what_its_choice_lists(store: Store) -> None:
    found = listed(store, words="lung", n_max=5000)
    for facet in found.facets:
        for value in facet.values:
            choice: dict[str, Any] = {facet.name: value.key}
            if facet.name == "year":
                choice = {"year_min": int(value.key), "year_max": int(value.key)}
            assert listed(store, words="lung", n_max=5000, **choice).n_found == value.n


def test_words_of_a_tree_stand_below_their_broader_ones(store: Store) -> None:
    (values,) = [facet.values for facet in listed(store).facets if facet.name == "anatomy"]
    keys = [value.key for value in values]
    for value in values:
        broader = ANATOMY.path(value.key)[1:]
        assert value.depth == len(broader)
        assert all(keys.index(key) < keys.index(value.key) for key in broader)
    counts = {value.key: value.n for value in values}
    assert counts["chest"] > counts["lung"] > 0


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("glaucoma HEMELINGS", "hemelings-2019"),
        ("shin architectures", "shin-2016"),
        ("10.1109/TMI.2016.2528162", "shin-2016"),
        ("Interstitial lung disease 10,860", "shin-2016"),
    ],
)
def test_every_word_is_looked_for_in_all_that_is_known(either: Store, words: str, key: str) -> None:
    assert key in [line.key for line in listed(either, words=words).studies]


def test_studies_called_by_the_words_come_before_those_that_say_them(either: Store) -> None:
    lines = listed(either, words="breast", limit=None).studies
    called = ["breast" in f"{line.key} {line.title}".lower() for line in lines]
    assert called == sorted(called, reverse=True)
    assert set(called) == {True, False}


def test_pages_hold_every_study_once_and_end(visit: Visit) -> None:
    address, keys, n = "/api/studies?per_page=40", [], 0
    while address:
        body = visit.get(address).json()
        keys += [line["key"] for line in body["items"]]
        address, n = body["next"], n + 1
    assert (len(keys), len(set(keys)), n) == (body["total"], body["total"], 6)
    years = [int(key.rpartition("-")[2][:4]) for key in keys]
    assert abs(years[0] - max(years)) <= 1
    beyond = visit.shown("/studies?page=99")
    assert "There is nothing on this page; the last one is page 5" in beyond
    assert 'href="/studies?page=5"' in beyond


def test_every_facet_of_a_page_leads_to_as_many_studies_as_it_says(visit: Visit) -> None:
    page = visit.shown("/studies?n_max=2000&words=&n_min=")
    links = re.findall(r'<li class="deep-.">.*?href="([^"]+)".*?<span[^>]*>(\d+)</span>', page)
    assert len(links) > 40
    for address, n in links[::7]:
        assert f"<strong>{n}</strong>" in visit.shown(html.unescape(address)), address


def test_a_choice_is_a_chip_that_takes_it_away(visit: Visit) -> None:
    page = visit.shown("/studies?modality=us&n_min=100&words=breast")
    assert "Modality: ultrasound" in page
    for left in ("words=breast&amp;n_min=100", "modality=ultrasound&amp;n_min=100",
                 "modality=ultrasound&amp;words=breast"):  # fmt: skip
        assert f'class="chip" href="/studies?{left}"' in page


def test_what_nothing_fits_is_told(visit: Visit) -> None:
    page = visit.shown("/studies?modality=pet&anatomy=knee")
    assert "No study fits all of this" in page
    assert "<strong>0</strong>" in page
    assert '/?modality=pet&amp;anatomy=knee"' in page


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("modality=ultrasond", 400, "did you mean ultrasound"),
        ("anatomy=lungg", 400, "did you mean lung"),
        ("family=vggnet", 400, "did you mean VGGNet"),
        ("review=Morid", 400, "did you mean morid2022"),
        ("n_min=9&n_max=1", 400, "no number of images is at least 9"),
        ("year_min=2020&year_max=2010", 400, "no year is at least 2020"),
        ("approach=finetune", 422, "fine_tuning"),
        ("n_min=-1", 422, "greater than or equal to 0"),
        ("n_max=1e99", 422, "n_max"),
        (f"n_max={10**40}", 422, "n_max"),
        ("page=0", 422, "page"),
        (f"words={'x' * 10_000}", 422, "at most 300"),
        (f"modality={'x' * 10_000}", 422, "at most 80"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(
    visit: Visit, query: str, status: int, said: str
) -> None:
    for place in ("/studies", "/api/studies"):
        found = visit.get(f"{place}?{query}")
        assert found.status_code == status
        assert said in html.unescape(found.text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_find_nothing_and_break_nothing(visit: Visit, text: str) -> None:
    page = visit.get("/studies", params={"words": text})
    assert page.status_code == 200
    assert "<script>" not in page.text
    for name in ("modality", "anatomy", "family", "backbone", "review"):
        status = visit.get("/api/studies", params={name: text}).status_code
        assert status in {400, 422}, (name, text)
    assert visit.get(f"/api/studies/{quote(text, safe='')}").status_code in {404, 422}


def test_letters_count_without_capitals_and_accents(either: Store) -> None:
    cells = dict.fromkeys(PublicationRow.model_fields, "") | {
        "study_key": "simic-2021", "first_author": "Šimić", "authors": "Ž. Šimić; Ø. Ōno",
        "year": "2021", "title": "STRAẞEN im Röntgenbild", "cited_from": "own",
    }  # fmt: skip
    line = Line("own", 1, PublicationRow.model_validate(cells))
    with either.begin() as connection:
        apply(connection, Changes({"publications.csv": [line]}), Reason("anna", "own", "import"))
    for words in ("simic ono", "ŠIMIĆ", "strassen rontgenbild", "RÖNTGENBILD", "Ž ŌNO"):
        assert listed(either, words=words).studies[0].key == "simic-2021", words


def test_a_change_is_seen_at_once_and_its_undoing_too(visit: Visit) -> None:
    counts = [visit.get("/api/studies").json()["total"]]
    pages = [visit.shown("/studies?words=lesions")]
    key = added(visit)
    counts.append(visit.get("/api/studies").json()["total"])
    pages.append(visit.shown("/studies?words=lesions"))
    undone = visit.program("POST", "/api/changes/1/undo", json={"by": "Anna", "reason": "no"})
    assert undone.status_code == 200, undone.text
    counts.append(visit.get("/api/studies").json()["total"])
    pages.append(visit.shown("/studies?words=lesions"))
    assert counts == [counts[0], counts[0] + 1, counts[0]]
    assert [f"/studies/{key}" in page for page in pages] == [False, True, False]
    assert visit.get(f"/studies/{key}").status_code == 404


def test_a_page_that_is_kept_holds_each_visitors_own_word(visit: Visit, served: Settings) -> None:
    other = Visit(served)
    words = [WORD.findall(each.shown("/studies")) for each in (visit, other, visit)]
    assert words[0] == words[2] != words[1]
    assert words[0] == [visit.word()]
    assert "Sign out" not in other.shown("/evidence")
    assert "Sign out" in other.signed_in().shown("/evidence")
    assert "Sign out" not in visit.shown("/evidence")


def test_signs_that_databases_take_for_any_text_stand_for_themselves(visit: Visit) -> None:
    for sign in ("zz%zz", "zz_zz"):
        assert visit.get("/api/studies", params={"words": sign}).json()["total"] == 0
    percent = visit.get("/api/studies", params={"words": "Acc=90.2%"}).json()
    assert "shin-2016" in [line["key"] for line in percent["items"]]
