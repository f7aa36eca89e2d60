"""A study is typed in: it is evidence at once, and gone without a trace when it is undone."""

from collections.abc import Callable

import pytest

from evidence import changes, export
from evidence.store import Store
from evtl import services
from evtl.asking import TaskOptions
from tests.integration.web.studies import DRAFT, EXTRACTION, WHO, added, filled
from tests.integration.web.visiting import Visit

ASKED = TaskOptions(modality="ultrasound", anatomy="breast", n_images=940, n_classes=2)


def exported(store: Store) -> dict[str, str]:
    """Every file of the corpus."""
    with store.connect() as connection:
        return export.as_csv(export.rows(connection))


def cited() -> list[str]:
    """Studies that a recommendation for breast ultrasound rests on."""
    return [each.key for each in services.recommend(ASKED).derivation.studies]


def cited_to(visit: Visit) -> list[str]:
    """The same, as a program is told."""
    asked = {"modality": "ultrasound", "anatomy": "breast", "n": 940, "classes": 2}
    found = visit.get("/api/recommend", params=asked).json()
    return [each["key"] for each in found["derivation"]["studies"]]


def test_a_study_that_is_added_is_evidence_until_it_is_undone(visit: Visit, store: Store) -> None:
    before, rested = exported(store), cited()
    stored = visit.signed_in().post("/add-study", filled())
    key = stored.headers["location"].removeprefix("/studies/")
    assert key.startswith("doe-2021-")
    assert key in cited()
    assert key in cited_to(visit)
    assert key not in rested
    page = visit.shown(f"/studies/{key}")
    assert "Transfer learning for breast lesions in ultrasound" in page
    assert "Stored as" in page
    assert "Stored as" not in visit.shown(f"/studies/{key}")
    question = "/recommend?modality=ultrasound&anatomy=breast&n=940&classes=2"
    assert f"/studies/{key}" in visit.shown(question)
    undone = visit.post("/changes/1/undo", {"reason": "taken back right after it was stored"})
    assert undone.headers["location"] == "/changes/2"
    assert exported(store) == before
    assert cited() == cited_to(visit) == rested
    assert key not in visit.shown(question)


def test_a_program_adds_and_undoes_too(visit: Visit, store: Store) -> None:
    before = exported(store)
    key = added(visit)
    assert visit.get(f"/api/studies/{key}").json()["title"] == DRAFT["publication"]["title"]
    undone = visit.program("POST", "/api/changes/1/undo", json=WHO)
    assert (undone.status_code, undone.json()["undoes"]) == (200, 1)
    assert exported(store) == before


def test_a_try_says_what_would_be_stored_and_stores_nothing(visit: Visit, store: Store) -> None:
    before = exported(store)
    page = visit.signed_in().post("/add-study", filled("try")).text
    assert "This can be stored as doe-2021-" in page
    assert "3 rows added" in page
    assert 'value="found by hand"' in page
    found = visit.program("POST", "/api/studies", json=DRAFT | {"dry_run": True}).json()
    assert (found["dry_run"], found["change_set"]["n_added"]) == (True, 3)
    assert exported(store) == before


def test_what_may_be_here_already_is_said(visit: Visit) -> None:
    title = (
        "Breast mass classification in sonography with transfer learning using a deep "
        "convolutional neural network and color conversion"
    )
    sent = filled("try", p__title=title, p__authors="Byra M", p__year="2019")
    assert '<a href="/studies/byra-2019">byra-2019</a>' in visit.signed_in().post(
        "/add-study", sent
    ).text  # fmt: skip


def test_the_same_citation_twice_is_refused(visit: Visit) -> None:
    key = added(visit)
    again = visit.program("POST", "/api/studies", json=DRAFT)
    assert again.status_code == 400
    assert f"this citation is stored already: correct {key} instead" in again.json()["detail"]


#: Field, what is typed there, and what is said about it.
BAD = [
    ("p-first_author", "a\0b", "no NUL character"),
    ("p-year", "99", "greater than or equal to 1000"),
    ("p-year", "two", "valid integer"),
    ("p-doi", "nothing", "a DOI reads 10.1234/name"),
    ("p-pmid", "x1", "a PMID has one to eight digits"),
    ("p-title", "a\0b", "no NUL character"),
    ("x1-review", "morid2022", "takes up no extraction of yours"),
    ("x1-review", "r" * 41, "at most 40 characters"),
    ("x1-modality", "x-ray", "write the canonical key"),
    ("x1-modality", "sonar", "unknown modality"),
    ("x1-anatomy", "breast;elbow", "unknown anatomy"),
    ("x1-task", "guessing", "is none of classification, regression, detection"),
    ("x1-n_images", "0", "greater than or equal to 1"),
    ("x1-n_images", "9" * 30, "below 2 to the power"),
    ("x1-n_augmented", "12", "augmentation does not shrink"),
    ("x1-n_classes", "1", "greater than or equal to 2"),
    ("x1-backbone", "VGG-61", "must be in backbones.csv"),
    ("x1-backbone", "VGG-16/melting", "is none of feature_extractor"),
    ("x1-benchmarks", "a/b/c/d/e", "write backbone/approach/initialisation/head"),
    ("x1-evaluations", "auc=93", "rates are fractions between 0 and 1"),
    ("x1-evaluations", "auc is high", "write metric=value"),
    ("x1-evaluations", "charm=0.5", "metric"),
    ("x1-approach", "melting", "Input should be"),
    ("x1-head", "mlp", "Input should be"),
    ("x1-status", "lost", "Input should be"),
    ("x1-counts", "test many images", "write stage number unit"),
    ("x1-image_size_px", "big", "write widthxheight"),
    ("x1-n_experts", "-1", "greater than or equal to 0"),
    ("x1-position", "first", "valid integer"),
    ("x1-year", "1066", "greater than or equal to 1990"),
    ("x1-ref", "r" * 21, "at most 20 characters"),
]


@pytest.fixture
def post(visit: Visit) -> Callable[[dict[str, str]], str]:
    """Sends a form that must be refused; gives the page."""
    visit.signed_in()

    def sent(form: dict[str, str]) -> str:
        found = visit.post("/add-study", form)
        assert found.status_code == 400, found.headers.get("location")
        return found.text

    return sent


def test_a_bad_cell_is_told_beside_its_field_and_nothing_is_stored(
    post: Callable[[dict[str, str]], str], store: Store
) -> None:
    before = exported(store)
    for name, typed, said in BAD:
        page = post(filled() | {name: typed})
        message = page.partition(f'id="{name}-wrong">')[2].partition("</span>")[0]
        assert said in message, (name, typed)
        assert f'<a href="#{name}">' in page
        assert 'value="found by hand"' in page
    assert exported(store) == before


def test_without_authors_nobody_is_named_first(post: Callable[[dict[str, str]], str]) -> None:
    page = post(filled() | {"p-authors": ""})
    assert 'id="p-first_author-wrong"' in page
    assert page.count("<details open>") > page.count("<details>")


def test_every_bad_cell_is_told_at_once_and_what_was_typed_stays(
    post: Callable[[dict[str, str]], str],
) -> None:
    page = post(filled() | {"p-year": "99", "x1-anatomy": "elbow", "x1-n_images": "-5"})
    assert all(f'id="{name}-wrong"' in page for name in ("p-year", "x1-anatomy", "x1-n_images"))
    assert all(f'value="{typed}"' in page for typed in ("99", "elbow", "-5"))


def test_who_and_why_are_needed(post: Callable[[dict[str, str]], str], store: Store) -> None:
    before = exported(store)
    assert "who does this?" in post(filled(by=" "))
    assert "why does this? Found" in post(filled(reason=" "))
    assert "who does this?" in post(filled(by="n" * 81))
    assert exported(store) == before


def test_a_reason_is_asked_of_programs_too(visit: Visit) -> None:
    for wrong in ({"by": ""}, {"reason": "  "}, {"by": "a\nb"}, {"reason": "\0"}, {"more": "x"}):
        assert visit.program("POST", "/api/studies", json=DRAFT | wrong).status_code == 422
    unknown = DRAFT | {"extractions": [{**EXTRACTION, "modalty": "ct"}]}
    found = visit.program("POST", "/api/studies", json=unknown)
    assert "no column is called 'modalty'" in found.json()["detail"]


def test_numbers_may_be_numbers(visit: Visit) -> None:
    draft = DRAFT | {"extractions": [EXTRACTION | {"n_images": 940, "n_classes": 2}]}
    assert visit.program("POST", "/api/studies", json=draft).status_code == 200
    draft = DRAFT | {"extractions": [EXTRACTION | {"n_images": True}]}
    assert visit.program("POST", "/api/studies", json=draft).status_code == 422


ADDRESSES = ["/add-study", "/studies/byra-2019/edit"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_without_the_token_nobody_types_anything(visit: Visit, store: Store, address: str) -> None:
    before = exported(store)
    assert visit.get(address).headers["location"] == f"/sign-in?to={address}"
    assert visit.post(address, filled()).status_code == 401
    word = {"x-csrf-token": visit.word()}
    assert visit.client.post("/api/studies", json=DRAFT, headers=word).status_code == 401
    change = {"digest": "x", **WHO}
    assert visit.client.put("/api/studies/a", json=change, headers=word).status_code == 401
    assert exported(store) == before


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_forged_form_is_refused(visit: Visit, store: Store, address: str) -> None:
    before = exported(store)
    visit.signed_in()
    assert visit.client.post(address, data=filled()).status_code == 403
    assert visit.client.post("/api/studies", json=DRAFT).status_code == 403
    assert exported(store) == before


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"
FREE = ["p-title", "p-authors", "p-venue", "p-first_author", "p-cited_from", "p-abstract",
        "p-keywords", "x1-objective", "x1-image_type", "x1-software", "x1-note", "x1-row_label",
        "x1-table", "x1-layers_unfrozen", "x1-approach_as_printed"]  # fmt: skip


def test_no_field_brings_a_script_onto_a_page(visit: Visit) -> None:
    short = {"x1-table": "<script>alert(1)</script>", "x1-review": "<script>alert(1)</script>"}
    typed = dict.fromkeys(FREE, EVIL) | short
    visit.signed_in()
    refused = visit.post("/add-study", filled() | typed | {"x1-modality": EVIL, "x1-task": EVIL})
    assert refused.status_code == 400
    stored = visit.post("/add-study", filled(by=EVIL[:80], reason=EVIL) | typed)
    address = stored.headers["location"]
    pages = [refused.text, *map(visit.shown, (address, f"{address}/edit", "/changes", "/changes/1",
             "/studies?words=alert"))]  # fmt: skip
    for page in pages:
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "{{ 7 * 7 }}" in page
        assert "&lt;script&gt;alert(1)" in page


def test_a_write_that_fails_leaves_nothing(
    visit: Visit, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = exported(store)

    def broken(*_: object) -> None:
        msg = "the disk is gone"
        raise OSError(msg)

    monkeypatch.setattr(changes, "_record", broken)
    with pytest.raises(OSError, match="the disk is gone"):
        visit.program("POST", "/api/studies", json=DRAFT)
    assert exported(store) == before
