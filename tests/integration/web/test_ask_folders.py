"""Folders of images on the page: nothing outside the root is read or told of."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evidence.store import Store
from evtl.web.roots import OutsideError, contained, folders, within
from evtl.web.settings import Settings
from tests.integration.web.visiting import Visit

OUTSIDE = [
    "..", "../", "../secret", "a/../../secret", "/etc", "//etc", "/", "a/..", "....//secret/..",
    "out", "out/inner", "loop", "a\0", "a\n", "..\\secret", "nothing", "x" * 300, "a/" * 200,
    "%2e%2e", "%2e%2e/secret", "..%2fsecret", "~", "C:\\", "\N{FULLWIDTH FULL STOP}" * 2,
]  # fmt: skip


@pytest.fixture
def root(served: Settings) -> Path:
    """The data root, with a folder of images, one outside it, and links that lead there."""
    assert served.data_root is not None
    made, secret = served.data_root, served.data_root.parent / "secret"
    draw(made / "set", {"benign": 6, "malignant": 4})
    draw(secret / "inner", {"a": 2, "b": 2})
    (made / "a" / "deep").mkdir(parents=True)
    (made / "out").symlink_to(secret)
    (made / "loop").symlink_to("loop")
    (made / "alias").symlink_to(made / "set")
    (made / ".hidden").mkdir()
    return made


def draw(folder: Path, classes: dict[str, int]) -> None:
    """Write images of noise, each another."""
    drawn = np.random.default_rng(1)
    for name, number in classes.items():
        (folder / name).mkdir(parents=True)
        for n in range(number):
            pixels = drawn.integers(0, 255, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{n}.png")


@pytest.mark.parametrize("name", OUTSIDE)
def test_nothing_outside_the_root_can_be_named(root: Path, name: str) -> None:
    with pytest.raises(OutsideError, match="names nothing below the folder"):
        within(root, name)


def test_a_name_that_is_no_text_is_refused(root: Path) -> None:
    with pytest.raises(OutsideError, match="names nothing"):
        within(root, os.fsdecode(b"a\xff"))


def test_places_within_the_root_are_found_through_links_that_stay(root: Path) -> None:
    assert within(root, "") == within(root, ".") == root.resolve()
    assert within(root, "a/deep") == root.resolve() / "a" / "deep"
    assert contained(root, "alias") == root.resolve() / "set"


def test_a_folder_with_a_link_to_elsewhere_is_not_read(root: Path) -> None:
    (root / "set" / "benign" / "99.png").symlink_to(
        root.parent / "secret" / "inner" / "a" / "0.png"
    )
    with pytest.raises(OutsideError, match=r"the link 99\.png leads elsewhere"):
        contained(root, "set")


def test_only_folders_within_the_root_are_listed(root: Path) -> None:
    assert folders(root) == ("a", "alias", "set")
    assert folders(root, "a") == ("deep",)


@pytest.mark.parametrize(
    ("address", "parameter"),
    [
        ("/", "data"), ("/", "browse"), ("/recommend", "data"), ("/api/recommend", "data"),
        ("/api/explain", "data"), ("/api/folders", "folder"), ("/api/fingerprint", "data"),
    ],
)  # fmt: skip
def test_no_address_reads_or_tells_of_what_is_outside(
    root: Path, visit: Visit, address: str, parameter: str
) -> None:
    for name in OUTSIDE:
        found = visit.get(address, params={"modality": "us", parameter: name})
        assert found.status_code == 400, name
        assert "names nothing below the folder that may be read" in found.text
        assert str(root.parent) not in found.text
        assert "inner" not in found.text.replace(name, "")


def test_what_is_there_and_what_is_not_is_refused_in_the_same_words(
    root: Path, visit: Visit
) -> None:
    assert root.parent.joinpath("secret").is_dir()
    there, absent = (
        visit.get("/api/fingerprint", params={"data": name}).json()["detail"].replace(name, "")
        for name in ("../secret", "../absent")
    )
    assert there == absent


@pytest.mark.slow
def test_a_folder_fills_the_form_with_what_it_holds(root: Path, visit: Visit) -> None:
    page = visit.shown("/?data=set&modality=us")
    assert 'name="n" type="text" value="10"' in page
    assert 'name="classes" type="text" value="2"' in page
    assert 'name="data" value="set"' in page
    assert 'name="modality" type="text" value="us"' in page
    assert "benign" in page
    assert "no patients are named" in page.lower()
    found = visit.get("/api/fingerprint?data=set&shortcuts=true").json()
    assert (found["n_images"], found["n_classes"]) == (10, 2)
    assert found["classes"] == {"benign": 6, "malignant": 4}


@pytest.mark.slow
def test_a_question_about_a_folder_is_answered_from_its_images(root: Path, visit: Visit) -> None:
    found = visit.get("/api/recommend?data=set&modality=us").json()
    assert found["profile"]["n_images"] == 10
    assert found["fingerprint"]["classes"] == {"benign": 6, "malignant": 4}
    refused = visit.get("/recommend?data=set&modality=us&n=11")
    assert refused.status_code == 400
    assert "n says 11, the data hold 10" in refused.text


@pytest.mark.slow
def test_copies_under_two_labels_and_parts_that_leak_are_told(root: Path, visit: Visit) -> None:
    for part in ("train", "test"):
        draw(root / "leaky" / part, {"a": 3, "b": 3})  # the same noise twice
    said = " ".join(visit.get("/api/fingerprint?data=leaky").json()["warnings"])
    assert "6 of 6 test images are identical to images of training or validation" in said
    image = (root / "set" / "benign" / "0.png").read_bytes()
    (root / "set" / "malignant" / "again.png").write_bytes(image)
    said = " ".join(visit.get("/api/fingerprint?data=set").json()["warnings"])
    assert "2 images are there again with another label" in said


@pytest.mark.slow
def test_an_error_of_a_folder_does_not_tell_where_the_root_lies(root: Path, visit: Visit) -> None:
    for address in ("/api/fingerprint", "/api/recommend", "/", "/recommend"):
        found = visit.get(address, params={"data": "a", "modality": "us"})
        assert found.status_code == 400
        assert "a holds no images in class folders" in found.text
        assert str(root.parent) not in found.text


def test_without_a_root_no_folder_is_offered_or_read(store: Store, served: Settings) -> None:
    assert store.path.is_file()
    visit = Visit(served.model_copy(update={"data_root": None}))
    assert "folder of images" not in visit.shown("/")
    for address in ("/api/folders", "/api/fingerprint?data=", "/api/recommend?modality=us&data=x"):
        found = visit.get(address)
        assert found.status_code == 400
        assert "start evtl serve with --data-root FOLDER" in found.json()["detail"]


def test_folders_are_walked_by_links_without_a_script(root: Path, visit: Visit) -> None:
    assert root.is_dir()
    page = visit.shown("/?browse=")
    assert 'href="/?browse=a"' in page
    assert 'href="/?data=set"' in page
    assert "hidden" not in page
    inner = visit.shown("/?browse=a")
    assert 'href="/?browse=a/deep"' in inner
    listed = visit.get("/api/folders?folder=a&per_page=1").json()
    assert listed["items"] == [{"name": "deep", "path": "a/deep"}]
    assert listed["total"] == 1


@pytest.mark.parametrize(
    ("field", "text", "first"),
    [
        ("modality", "us", ("ultrasound", "us")),
        ("modality", "CXR", ("xray", "CXR")),
        ("modality", "mam", ("mammography", "mammography")),
        ("anatomy", "retina", ("eye", "retina")),
        ("anatomy", "coronary a", ("coronary_artery", "coronary artery")),
    ],
)
def test_words_are_suggested_as_people_type_them(
    visit: Visit, field: str, text: str, first: tuple[str, str]
) -> None:
    found = visit.get("/api/suggest", params={"field": field, "text": text}).json()
    assert (found[0]["key"], found[0]["spelling"]) == first
    assert found[0]["n_studies"] >= 0


def test_suggestions_count_the_studies_of_narrower_terms_too(visit: Visit) -> None:
    found = {
        one["key"]: one["n_studies"] for one in visit.get("/api/suggest?field=modality").json()
    }
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert found["xray"] > found["mammography"] > 0


def test_nonsense_suggests_nothing(visit: Visit) -> None:
    assert visit.get("/api/suggest?field=modality&text=zzzz").json() == []
    assert visit.get("/api/suggest?field=organ&text=x").status_code == 422
    assert visit.get("/api/suggest", params={"field": "anatomy", "text": "\0"}).status_code == 200
