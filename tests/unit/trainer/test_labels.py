"""A manifest says what is learned; each target has labels of its own, checked as it needs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.plan import Target
from trainer.errors import TrainingError
from trainer.images import ImageSet, read_images
from trainer.preparing.fingerprint import fingerprint
from trainer.reading.labels import grades, names_of, plain_label


def folder_of(root: Path, header: str, cells: Sequence[str]) -> Path:
    """One image for each row of a manifest, and the manifest."""
    from PIL import Image  # noqa: PLC0415

    for number in range(len(cells)):
        Image.fromarray(np.full((4, 4), number, dtype=np.uint8)).save(root / f"{number}.png")
    rows = [f"{number}.png,{cell}" for number, cell in enumerate(cells)]
    (root / "set.csv").write_text("\n".join([f"file,{header}", *rows]), encoding="utf-8")
    return root


def read(
    root: Path, header: str, cells: Sequence[str], target: Target = "classes",
    order: Sequence[str] = (),
) -> ImageSet:  # fmt: skip
    return read_images(folder_of(root, header, cells), target=target, order=order)


FINDINGS = ["b;a", "a|b", " b | b ", "a", "", "", ""]


def test_a_column_of_labels_means_several_at_once(tmp_path: Path) -> None:
    found = read(tmp_path, "labels", FINDINGS)
    assert found.target == "multi_label"
    assert found.labels == ("a|b", "a|b", "b", "a", "", "", "")
    assert found.classes == ("a", "b")
    assert found.notes == ("3 images have no label: they count as without a finding",)
    assert [names_of(label) for label in found.labels[2:5]] == [("b",), ("a",), ()]


def test_a_label_column_may_hold_several_where_they_are_asked_for(tmp_path: Path) -> None:
    assert read(tmp_path, "label", FINDINGS, "multi_label").classes == ("a", "b")


@pytest.mark.parametrize(
    "cells", [["a"] * 6, ["a;b"] * 3 + ["a"] * 3, ["a"] * 3 + ["b"] * 2 + [""] * 4, [""] * 9]
)
def test_a_label_that_all_or_few_images_have_is_refused(tmp_path: Path, cells: list[str]) -> None:
    with pytest.raises(TrainingError, match="every label must be present in 3 images and absent"):
        read(tmp_path, "labels", cells)


def test_a_column_of_numbers_means_a_number(tmp_path: Path) -> None:
    found = read(tmp_path, "number", ["1.5", "-2", "3e2", "0", "1.5", "7"])
    assert (found.target, found.classes) == ("number", ())
    assert found.labels[:3] == ("1.5", "-2", "3e2")


def test_a_label_column_may_hold_numbers_where_they_are_asked_for(tmp_path: Path) -> None:
    assert read(tmp_path, "label", list("123456"), "number").target == "number"


@pytest.mark.parametrize("bad", ["", "abc", "nan", "inf", "3,5"])
def test_what_is_no_finite_number_is_a_bad_row(tmp_path: Path, bad: str) -> None:
    with pytest.raises(TrainingError, match="row 3: "):
        read(tmp_path, "number", ["1", f'"{bad}"', "2", "3", "4", "5"])


@pytest.mark.parametrize("cells", [["1"] * 9, ["1", "1.0", "1e0", "1", "1", "1"], ["1", "2"]])
def test_numbers_that_do_not_differ_are_refused(tmp_path: Path, cells: list[str]) -> None:
    with pytest.raises(TrainingError, match="two different numbers"):
        read(tmp_path, "number", cells)


def test_grades_that_are_numbers_are_ordered_by_number(tmp_path: Path) -> None:
    found = read(tmp_path, "label", ["10", "9", "-1"] * 3, "ordinal")
    assert found.classes == found.order == ("-1", "9", "10")
    assert found.targets[:3].tolist() == [2, 1, 0]


def test_other_grades_need_an_order(tmp_path: Path) -> None:
    cells = ["mild", "severe", "none"] * 3
    with pytest.raises(TrainingError, match="give their order"):
        read(tmp_path, "label", cells, "ordinal")
    found = read(tmp_path, "label", cells, "ordinal", ["none", "mild", "severe"])
    assert found.classes == ("none", "mild", "severe")


@pytest.mark.parametrize("order", [["none", "mild"], ["none", "mild", "severe", "worst"],
                                   ["none", "mild", "mild"]])  # fmt: skip
def test_an_order_that_names_others_is_refused(tmp_path: Path, order: list[str]) -> None:
    with pytest.raises(TrainingError, match="name each of these once"):
        read(tmp_path, "label", ["mild", "severe", "none"] * 3, "ordinal", order)


def test_an_order_without_grades_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="an order of grades is for the target ordinal"):
        read_images(tmp_path, order=["a", "b"])


@pytest.mark.parametrize(("header", "target"), [("labels", "ordinal"), ("labels", "number"),
                                                ("number", "multi_label")])  # fmt: skip
def test_columns_that_do_not_fit_the_target_are_refused(
    tmp_path: Path, header: str, target: Target
) -> None:
    with pytest.raises(TrainingError, match=f"the target {target} needs a column"):
        read(tmp_path, header, ["1", "2"] * 3, target)


def test_class_numbers_of_other_targets_are_not_made_up(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="have no class each"):
        _ = read(tmp_path, "labels", FINDINGS).targets


def test_class_folders_may_be_grades_or_numbers(tmp_path: Path) -> None:
    root = folder_of(tmp_path, "label", ["x"] * 6)
    (root / "set.csv").unlink()
    for number in range(6):
        (root / str(number % 2)).mkdir(exist_ok=True)
        (root / f"{number}.png").rename(root / str(number % 2) / f"{number}.png")
    assert read_images(root, target="ordinal").classes == ("0", "1")
    assert read_images(root, target="number").labels == ("0", "0", "0", "1", "1", "1")
    (root / "0").rename(root / "none")
    with pytest.raises(TrainingError, match="class folder 'none' is no finite number"):
        read_images(root, target="number")


def test_a_number_beyond_single_precision_is_no_number() -> None:
    with pytest.raises(ValueError, match="'1e40' is no finite number"):
        plain_label("1e40", "number")
    assert plain_label("3e38", "number") == "3e38"


@pytest.mark.parametrize("frame", ["-1", "1.5", "x", "²"])
def test_a_frame_that_is_no_number_is_a_bad_row(tmp_path: Path, frame: str) -> None:
    with pytest.raises(TrainingError, match=r"row 2: frame .* is no number from 0"):
        read(tmp_path, "label,frame", [f"a,{frame}", "a,", "b,"])


def test_the_digest_follows_the_target_and_the_order(tmp_path: Path) -> None:
    root = folder_of(tmp_path, "label", ["1", "2"] * 3)
    asked: list[tuple[Target, Sequence[str]]] = [
        ("classes", ()), ("ordinal", ("1", "2")), ("ordinal", ("2", "1")), ("number", ()),
    ]  # fmt: skip
    found = [read_images(root, target=target, order=order).digest for target, order in asked]
    assert len(set(found)) == 4


def test_a_fingerprint_counts_what_is_learned(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    found = fingerprint(read(tmp_path / "many", "labels", FINDINGS))
    assert (found.target, found.classes) == ("multi_label", {"a": 3, "b": 3})
    assert found.options() == {"n_images": 7, "n_classes": 2}
    (tmp_path / "number").mkdir()
    found = fingerprint(read(tmp_path / "number", "number", list("123456")))
    assert (found.target, found.classes, found.balance) == ("number", {}, 1)
    assert found.options() == {"n_images": 6}


@given(st.lists(st.text("abc ;|", max_size=4), max_size=5))
def test_order_blanks_and_repetition_of_labels_do_not_matter(names: list[str]) -> None:
    one = plain_label(";".join(names), "multi_label")
    other = plain_label(" | ".join([*reversed(names), *names]), "multi_label")
    assert one == other
    assert plain_label(one, "multi_label") == one
    assert list(names_of(one)) == sorted(set(names_of(one)))


@given(st.lists(st.integers(-50, 50), min_size=1))
def test_grades_by_number_rise(numbers: list[int]) -> None:
    found = grades([str(number) for number in numbers], ())
    assert [int(name) for name in found] == sorted(set(numbers))
