"""What is kept of a message or a list names nobody."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from trainer.images import ImageSet
from trainer.reading.private import numbered, without_files, without_folders

FILES = ("benign/Jane Doe/1.png", "benign/Jane Doe/2.dcm#3", "b/2.png", "top.png")
IMAGES = ImageSet(Path("/srv/me/Jane Doe's data"), FILES, ("a",) * 4, None, None, FILES)


@given(st.lists(st.sampled_from(["Doe, Jane", "p2", "0012", "x"])))
def test_groups_are_numbered_so_that_the_same_stay_the_same_and_others_other(
    groups: list[str],
) -> None:
    found = numbered(groups)
    assert len(found) == len(groups)
    pairs = set(zip(groups, found, strict=True))
    assert len(pairs) == len(set(groups)) == len(set(found))
    assert set(found) == {str(number + 1) for number in range(len(set(groups)))}


def test_files_go_by_their_names_and_folders_by_none() -> None:
    for text in (
        f"{IMAGES.root}/benign/Jane Doe/1.png: damaged",
        f"{IMAGES.root}: 3 images leak, benign/Jane Doe/1.png (identical: b/2.png in train)",
        "OSError: [Errno 5] Input/output error: '/srv/me/Jane Doe's data/benign/Jane Doe/2.dcm'",
    ):
        found = without_folders(text, IMAGES)
        assert "Jane" not in found
        assert "/home" not in found
    told = without_folders("b/2.png in thumb/2.png; 3/4 of benign/Jane Doe/1.png", IMAGES)
    assert told == "2.png in thumb/2.png; 3/4 of 1.png"


def test_a_reason_that_is_recorded_names_no_file() -> None:
    files = ("a/Doe Jane.png", "a/Doe Jane.png.tif", "b/scan.dcm#0", "b/scan.dcm#1", "c/1.png")
    images = ImageSet(Path("/srv/set"), files, ("a",) * 5, None, None, files)
    for text, told in (
        ("/srv/set/a/Doe Jane.png: damaged", "image 1: damaged"),
        ("a/Doe Jane.png.tif: damaged", "image 2: damaged"),
        ("scan.dcm: 2 frames; scan.dcm#1: black", "image 3: 2 frames; image 4: black"),
        ("21.png is none of them, c/1.png is", "21.png is none of them, image 5 is"),
    ):
        assert without_files(text, images) == told
