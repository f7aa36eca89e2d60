"""The history on pages: what was changed, undone, released, compared."""

from pathlib import Path

import pytest

from evidence.errors import EvidenceError
from evidence.store import Store
from evtl import history_services, study_services
from evtl.study_services import Typed
from evtl.web import differing
from evtl.web.differing import Comparisons
from evtl.web.settings import Settings
from tests.integration.web.studies import DRAFT, EXTRACTION, PUBLICATION, WHO, added
from tests.integration.web.test_editing import exported
from tests.integration.web.visiting import TOKEN, Visit


def undo(visit: Visit, number: int) -> int:
    """Status of an undo by a program."""
    return visit.program("POST", f"/api/changes/{number}/undo", json=WHO).status_code


def test_a_corpus_that_nobody_changed_has_no_history(visit: Visit) -> None:
    assert "Nothing was changed yet" in visit.shown("/changes")
    assert visit.get("/api/changes").json()["total"] == 0


def test_the_newest_change_stands_first_with_who_why_and_what_undid_it(visit: Visit) -> None:
    added(visit)
    undo(visit, 1)
    newest, first = visit.get("/api/changes").json()["items"]
    assert (newest["id"], newest["undoes"], newest["undone_by"]) == (2, 1, None)
    assert (first["actor"], first["reason"], first["undone_by"]) == ("Anna", "found by hand", 2)
    assert (first["n_added"], first["n_changed"], first["n_removed"]) == (3, 0, 0)
    page = visit.shown("/changes")
    assert 'undone by <a href="/changes/2">2</a>' in page
    assert page.index('href="/changes/2"') < page.index('href="/changes/1"')


def test_an_undo_that_was_undone_undoes_nothing(visit: Visit) -> None:
    added(visit)
    assert [undo(visit, number) for number in (1, 2)] == [200, 200]
    found = {each["id"]: each["undone_by"] for each in visit.get("/api/changes").json()["items"]}
    assert found == {1: None, 2: 3, 3: None}


def test_a_long_history_comes_in_pages(visit: Visit) -> None:
    added(visit)
    for number in range(1, 5):
        undo(visit, number)
    found = visit.get("/api/changes?per_page=2&page=2").json()
    assert [each["id"] for each in found["items"]] == [3, 2]
    assert (found["total"], found["n_pages"]) == (5, 3)
    assert visit.get("/api/changes?page=9").json()["items"] == []
    assert "To the newest" in visit.shown("/changes?page=9")


def test_a_change_is_shown_row_by_row_and_column_by_column(visit: Visit) -> None:
    key = added(visit)
    page = visit.shown("/changes/1")
    assert f"publications.csv: {key}" in page
    assert f"studies.csv: living, {key}" in page
    assert '<th scope="row">evaluations</th>' in page
    assert "auc=0.936" in page
    rows = visit.get("/api/changes/1?per_page=1&page=3").json()
    assert (rows["total"], rows["items"][0]["file"]) == (3, "studies.csv")
    assert ["n_images", None, "940"] in rows["items"][0]["columns"]


def test_a_change_that_is_not_there_is_told(visit: Visit) -> None:
    assert "there is no change set 7" in visit.get("/changes/7").text
    for number in ("0", "-1", "x", "9" * 30, "2147483648"):
        assert visit.get(f"/api/changes/{number}").status_code == 422
        assert visit.get(f"/changes/{number}").status_code == 422


def test_an_undo_that_is_not_possible_says_why_and_keeps_the_reason(visit: Visit) -> None:
    key = added(visit)
    study_services.correct_study(
        key,
        Typed({"venue": "X"}, (), "Ben", "venue"),
        study_services.study_cells(key).digest,
    )
    visit.signed_in()
    sent = {"by": "Carl", "reason": "no such study"}
    refused = visit.post("/changes/1/undo", sent)
    assert refused.status_code == 400
    assert "cannot be undone" in refused.text
    assert "undo that first" in refused.text
    assert 'value="no such study"' in refused.text
    assert visit.post("/changes/2/undo", {"reason": ""}).status_code == 400
    assert visit.post("/changes/2/undo", sent).headers["location"] == "/changes/3"
    again = visit.post("/changes/2/undo", sent)
    assert "was undone by change set 3" in again.text
    assert undo(visit, 2) == 400


def test_only_who_has_the_token_changes_history(visit: Visit, store: Store) -> None:
    added(visit)
    before = exported(store)
    assert "Sign in" in visit.shown("/changes/1").partition('id="undo"')[2]
    for address in ("/changes/1/undo", "/releases"):
        assert visit.post(address, {**WHO, "tag": "a"}).status_code == 401
        assert visit.client.post(address, data=WHO).status_code == 403
        assert visit.client.post(f"/api{address}", json=WHO).status_code == 403
    assert exported(store) == before
    assert visit.get("/api/releases").json()["total"] == 0


def test_a_release_is_made_once_and_listed_with_its_digest(visit: Visit) -> None:
    visit.signed_in()
    sent = {"tag": "2026-01", "by": "Anna"}
    assert visit.post("/releases", sent).headers["location"] == "/releases"
    (release,) = visit.get("/api/releases").json()["items"]
    assert (release["tag"], release["actor"], len(release["digest"])) == ("2026-01", "Anna", 64)
    assert release["digest"] in visit.shown("/releases")
    assert "never altered" in visit.post("/releases", sent).text
    for wrong in ("", "now", "a b", "x" * 81, "../x", "<b>"):
        refused = visit.post("/releases", {"tag": wrong, "by": "Anna"})
        assert refused.status_code == 400
        body = {"tag": wrong, "by": "Anna"}
        assert visit.program("POST", "/api/releases", json=body).status_code in {400, 422}
    assert visit.get("/api/releases").json()["total"] == 1


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that waits for its comparison."""
    monkeypatch.setattr(differing, "WAIT_S", 600.0)


@pytest.mark.slow
@pytest.mark.usefixtures("patient")
def test_two_states_are_compared_row_by_row(visit: Visit) -> None:
    visit.program("POST", "/api/releases", json={"tag": "one", "by": "Anna"})
    key = added(visit)
    found = visit.get("/api/diff?before=one").json()
    assert (found["before"], found["after"]) == ("one", "now")
    assert ["studies.csv", ["living", key]] in [[r["file"], r["key"]] for r in found["rows"]]
    assert found["n_questions"] > 100
    page = visit.shown("/diff?before=one&after=now")
    assert key in page
    assert f"of {found['n_questions']} questions" in page
    undo(visit, 1)
    assert "No row differs" in visit.shown("/diff?before=one&after=now")


def test_a_comparison_that_takes_long_is_asked_for_again(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit.program("POST", "/api/releases", json={"tag": "one", "by": "Anna"})
    monkeypatch.setattr(Comparisons, "find", lambda *_: None)
    page = visit.get("/diff?before=one")
    assert page.status_code == 202
    assert 'data-made="/api/diff?before=one&amp;after=now"' in page.text
    assert "diff.js" in page.text
    found = visit.get("/api/diff?before=one")
    assert (found.status_code, found.headers["retry-after"]) == (202, "5")


def test_states_that_are_not_there_are_named(visit: Visit) -> None:
    assert "no release to compare with" in visit.shown("/diff")
    for address in ("/diff?before=one", "/api/diff?before=one", "/api/diff?before=now&after=%00"):
        found = visit.get(address)
        assert found.status_code == 400
        assert "there is no release" in found.text


def test_a_state_is_compared_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def compare(before: str, after: str) -> None:
        asked.append((before, after))
        if before == "bad":
            msg = "no"
            raise EvidenceError(msg)

    monkeypatch.setattr(differing, "compare", compare)
    comparisons = Comparisons()
    for _ in range(3):
        comparisons.find("a", "now", ("1", "2"))
    comparisons.find("a", "now", ("1", "3"))
    assert asked == [("a", "now")] * 2
    for _ in range(2):
        with pytest.raises(EvidenceError, match="no"):
            comparisons.find("bad", "now", ("1", "4"))
    for number in range(40):
        comparisons.find("a", "now", ("1", f"later {number}"))
    assert len(comparisons._made) == differing.KEPT


def test_the_history_is_the_same_on_both_databases(either: Store, tmp_path: Path) -> None:
    visit = Visit(Settings(token=TOKEN, runs=tmp_path))
    before = exported(either)
    key = study_services.add_study(Typed(PUBLICATION, [EXTRACTION], "Anna", "by hand")).key
    cells = study_services.study_cells(key)
    typed = Typed({}, [{"review": "living", "n_images": "9"}], "Ben", "misread")
    study_services.correct_study(key, typed, cells.digest)
    rows = history_services.change_rows(2, 0, 9)
    assert rows.rows[0].columns == (("n_images", "940", "9"),)
    assert "misread" in visit.shown("/changes")
    assert visit.program("POST", "/api/studies", json=DRAFT).status_code == 400
    assert [undo(visit, number) for number in (2, 1)] == [200, 200]
    assert exported(either) == before
    entries = history_services.recent_changes(0, 9).entries
    assert [each.undone_by for each in entries] == [None, None, 3, 4]
