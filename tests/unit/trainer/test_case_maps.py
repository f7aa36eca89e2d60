"""Cases with their maps, for each kind of target and head."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.unit.trainer.toys import TOY_PX, toy
from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.finetune import Classifier
from trainer.reporting.case_maps import COVER, Explainer, grey, overlay
from trainer.reporting.cases import Cases, pick_cases

CPU = torch.device("cpu")
N = 12


def pixels(*, colour: bool = False) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    planes = rng.integers(0, 255, (N, TOY_PX, TOY_PX, 3 if colour else 1), dtype=np.uint8)
    return np.ascontiguousarray(np.broadcast_to(planes, (N, TOY_PX, TOY_PX, 3)))


def classifier(n_outputs: int) -> Classifier:
    torch.manual_seed(1)
    return Classifier(toy(), 4, n_outputs)


def head(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Of a classical classifier: what the second feature is, as a probability."""
    found = 1 / (1 + np.exp(-features[:, 1].astype(np.float64)))
    return np.stack([1 - found, found], 1)


def cases_of(targets: npt.NDArray[Any], n_classes: int) -> Cases:
    rng = np.random.default_rng(0)
    return pick_cases(rng.dirichlet(np.ones(n_classes), N), targets, 2)


def captions(explainer: Explainer, cases: Cases, targets: npt.NDArray[Any]) -> list[list[str]]:
    files = [f"{number}.png" for number in range(N)]
    truths = [str(each) for each in targets]
    shown = tuple(explainer.show(cases, pixels(), files, truths, targets))
    assert [case.file for case in shown] == [f"{c.image}.png" for some in cases for c in some]
    assert all(d.picture.shape == (TOY_PX, TOY_PX, 3) for case in shown for d in case.pictures)
    return [[drawn.caption for drawn in case.pictures] for case in shown]


def test_a_wrong_case_is_explained_for_the_class_said_and_for_the_true_one(
    steps: Preprocessing,
) -> None:
    targets = np.arange(N) % 3
    cases = cases_of(targets, 3)
    explainer = Explainer(classifier(3), "classes", ("a", "b", "c"), steps, CPU)
    found = captions(explainer, cases, targets)
    right, wrong = cases.right[0], cases.wrong[0]
    assert found[0][0] == "image"
    assert found[0][1] == f"Grad-CAM: {'abc'[right.output]}"
    assert len(found[0]) == 3
    at = len(cases.right)
    assert found[at][1] == f"Grad-CAM: {'abc'[wrong.output]}"
    assert found[at][2] == f"Grad-CAM: {'abc'[targets[wrong.image]]}"


def test_a_head_without_a_gradient_is_explained_by_covering_and_by_what_it_was_given(
    steps: Preprocessing,
) -> None:
    """As the rule show-learned-features advises for traditional classifiers."""
    targets = np.arange(N) % 2
    explainer = Explainer(toy(), "classes", ("a", "b"), steps, CPU, head)
    found = captions(explainer, cases_of(targets, 2), targets)
    assert found[0][1].startswith("occlusion: ")
    assert found[0][-1].endswith(": all features")
    assert list(explainer.ideals(pixels(), 0)) == []
    assert explainer.resemblance(pixels(), 0) is None


def test_a_head_that_predicts_numbers_is_explained_too(steps: Preprocessing) -> None:
    explainer = Explainer(toy(), "number", ("value",), steps, CPU, lambda f: f[:, 0])
    values = np.linspace(0, 1, N)
    found = captions(explainer, pick_cases(values, values**2, 1), values)
    assert found[0][1] == "occlusion: a larger number"


def test_of_grades_the_steps_between_them_are_explained(steps: Preprocessing) -> None:
    targets = np.arange(N) % 3
    cases = cases_of(targets, 3)
    explainer = Explainer(classifier(2), "ordinal", ("mild", "worse", "worst"), steps, CPU)
    expected = {0: "mild", 1: "mild", 2: "worse"}
    for found, case in zip(
        captions(explainer, cases, targets), [c for some in cases for c in some], strict=True
    ):
        assert found[1] == f"Grad-CAM: worse than {expected[case.output]}"
        assert len(set(found)) == len(found)
    assert [drawn.caption for drawn in explainer.ideals(pixels(), 0)] == [
        "worse than mild",
        "worse than worse",
    ]


def test_labels_and_numbers_are_explained_each_on_its_own(steps: Preprocessing) -> None:
    labels = np.tile([[1, 0], [0, 1]], (N // 2, 1))
    cases = pick_cases(np.random.default_rng(0).random((N, 2)), labels, 1)
    explainer = Explainer(classifier(2), "multi_label", ("a", "b"), steps, CPU)
    assert all(len(found) == 3 for found in captions(explainer, cases, labels))
    number = Explainer(classifier(1), "number", ("value",), steps, CPU)
    values = np.linspace(0, 1, N)
    found = captions(number, pick_cases(values, values**2, 1), values)
    assert found[0][1] == "Grad-CAM: a larger number"


def test_ideals_have_colour_where_the_images_have(steps: Preprocessing) -> None:
    explainer = Explainer(classifier(2), "classes", ("a", "b"), steps, CPU)
    for colour in (False, True):
        ideal = next(explainer.ideals(pixels(colour=colour), 0)).picture
        assert bool((ideal == ideal[..., :1]).all()) is not colour


def test_the_maps_of_a_network_are_compared_with_those_of_shuffled_weights(
    steps: Preprocessing,
) -> None:
    found = Explainer(classifier(2), "classes", ("a", "b"), steps, CPU).resemblance(pixels(), 0)
    assert found is not None
    assert -1 <= found < 0.95


def test_an_overlay_hides_nothing_where_the_map_is_zero_and_most_where_it_is_one() -> None:
    image = np.full((2, 2, 3), 100, dtype=np.uint8)
    found = overlay(image, np.array([[0.0, 1.0], [0.0, 0.5]]))
    assert (found[0, 0] == 100).all()
    yellow = np.array([253, 231, 37])
    np.testing.assert_allclose(found[0, 1], (1 - COVER) * 100 + COVER * yellow, atol=2)
    assert grey(np.array([[0.0, 1.0]]))[0, :, 0].tolist() == [255, 0]


def test_a_backbone_alone_needs_a_head(steps: Preprocessing) -> None:
    targets = np.arange(N) % 2
    with pytest.raises(TrainingError, match="explained with its predict"):
        captions(Explainer(toy(), "classes", ("a", "b"), steps, CPU), cases_of(targets, 2), targets)
