"""A study is corrected: cell by cell, against another's correction, and back again."""

import pytest

from evidence.store import Store
from tests.integration.web.studies import WHO, added, filled
from tests.integration.web.test_editing import exported
from tests.integration.web.visiting import Visit


def seen(visit: Visit, key: str) -> str:
    """Digest of a study as it is now."""
    digest: str = visit.get(f"/api/studies/{key}/cells").json()["digest"]
    return digest


def correct(visit: Visit, key: str, digest: str, **changed: object) -> int:
    """Status of a correction by a program."""
    body = {**WHO, "digest": digest, **changed}
    return visit.program("PUT", f"/api/studies/{key}", json=body).status_code


def test_one_cell_is_corrected_and_the_others_stay(visit: Visit, store: Store) -> None:
    key = added(visit)
    before = exported(store)
    rows = [{"review": "living", "n_images": 941}]
    assert correct(visit, key, seen(visit, key), extractions=rows) == 200
    (row,) = visit.get("/api/changes/2").json()["items"]
    assert row["columns"] == [["n_images", "940", "941"]]
    assert visit.program("POST", "/api/changes/2/undo", json=WHO).status_code == 200
    assert exported(store) == before


def test_the_form_holds_what_is_stored_and_changes_nothing_by_itself(
    visit: Visit, store: Store
) -> None:
    key = added(visit)
    before = exported(store)
    page = visit.signed_in().shown(f"/studies/{key}/edit")
    assert 'value="auc=0.936"' in page or "auc=0.936</textarea>" in page
    sent = filled("try", seen=seen(visit, key))
    assert "nothing would change" in visit.post(f"/studies/{key}/edit", sent).text
    stored = visit.post(f"/studies/{key}/edit", sent | {"act": "store"})
    assert stored.status_code == 303
    assert exported(store) == before


def test_a_printed_row_is_corrected_with_a_reason_but_none_is_added(
    visit: Visit, store: Store
) -> None:
    before, key = exported(store), "byra-2019"
    rows = [{"review": "morid2022", "n_images": "883"}]
    assert correct(visit, key, seen(visit, key), extractions=rows) == 200
    assert visit.get("/api/changes/1").json()["change_set"]["kind"] == "correction"
    others = [{"review": "fourcade2019", "backbone": "VGG-16", "year": "2019"}]
    body = {**WHO, "digest": seen(visit, key), "extractions": others}
    refused = visit.program("PUT", f"/api/studies/{key}", json=body)
    assert refused.status_code == 400
    assert "a published review is kept as it was printed" in refused.json()["detail"]
    visit.program("POST", "/api/changes/1/undo", json=WHO)
    assert exported(store) == before


def test_a_study_is_read_once_more_for_a_review_of_ones_own(visit: Visit, store: Store) -> None:
    page = visit.signed_in().shown("/studies/byra-2019/edit?further=true")
    assert "As read by morid2022" in page
    assert "As you read it" in page
    before = exported(store)
    own = [{"review": "mine", "backbone": "VGG-19", "modality": "ultrasound", "n_images": "882"}]
    assert correct(visit, "byra-2019", seen(visit, "byra-2019"), extractions=own) == 200
    cells = visit.get("/api/studies/byra-2019/cells").json()["extractions"]
    assert [each["review"] for each in cells] == ["morid2022", "kim2022", "mine"]
    assert cells[2]["row_label"] == "Byra 2019"
    visit.program("POST", "/api/changes/1/undo", json=WHO)
    assert exported(store) == before


def test_of_two_who_correct_at_once_the_second_is_told(visit: Visit) -> None:
    key = added(visit)
    read = seen(visit, key)
    assert correct(visit, key, read, publication={"venue": "A"}) == 200
    assert correct(visit, key, read, publication={"venue": "B"}) == 409
    sent = filled(seen=read, p__venue="B")
    late = visit.signed_in().post(f"/studies/{key}/edit", sent)
    assert late.status_code == 409
    assert "was changed since you read it" in late.text
    assert 'value="B"' in late.text
    assert visit.get(f"/api/studies/{key}").json()["venue"] == "A"


def test_a_bad_correction_is_told_beside_its_field(visit: Visit, store: Store) -> None:
    key = added(visit)
    before = exported(store)
    sent = filled(seen=seen(visit, key)) | {"x1-n_images": "many"}
    page = visit.signed_in().post(f"/studies/{key}/edit", sent)
    assert page.status_code == 400
    assert 'id="x1-n_images-wrong"' in page.text
    assert exported(store) == before


def test_two_extractions_of_one_review_are_told(visit: Visit) -> None:
    key = added(visit)
    rows = [{"review": "living"}, {"review": "living", "n_images": "5"}]
    body = {**WHO, "digest": seen(visit, key), "extractions": rows}
    found = visit.program("PUT", f"/api/studies/{key}", json=body)
    assert found.status_code == 400
    assert "already given in row 1" in found.json()["detail"]


@pytest.mark.parametrize("key", ["nobody-2000", "x" * 80, "%00", "..%2f..", "<b>"])
def test_a_study_that_is_not_there_is_no_fault(visit: Visit, key: str) -> None:
    visit.signed_in()
    assert visit.get(f"/studies/{key}/edit").status_code == 404
    assert visit.get(f"/api/studies/{key}/cells").status_code == 404
    assert visit.post(f"/studies/{key}/edit", filled()).status_code == 404


def test_a_name_is_given_once(visit: Visit) -> None:
    visit.signed_in().post("/add-study", filled("try", by="Berta Bär"))
    assert 'value="Berta Bär"' in visit.shown("/add-study")
    visit.post("/sign-out")
    visit.signed_in()
    assert "Berta" not in visit.shown("/add-study")
