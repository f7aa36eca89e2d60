"""Which images are shown."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.reporting.cases import pick_cases


def test_the_surest_right_and_wrong_images_and_the_closest_call_are_picked() -> None:
    probabilities = np.array([[0.9, 0.1], [0.99, 0.01], [0.2, 0.8], [0.48, 0.52], [0.3, 0.7]])
    found = pick_cases(probabilities, np.array([0, 0, 0, 0, 0]), 1)
    assert [case.image for case in found.right] == [1]
    assert [(case.image, case.output, case.value) for case in found.wrong] == [(2, 1, 0.8)]
    assert [case.image for case in found.near] == [3]


def test_of_several_labels_those_that_are_rightly_not_called_are_not_shown() -> None:
    probabilities = np.array([[0.9, 0.01], [0.02, 0.6]])
    found = pick_cases(probabilities, np.array([[1, 0], [1, 1]]), 5)
    assert [(case.image, case.output) for case in found.right] == [(0, 0)]
    assert [(case.image, case.output) for case in found.wrong] == [(1, 0)]


def test_of_numbers_the_smallest_and_the_largest_errors_are_picked() -> None:
    found = pick_cases(np.array([1.0, 2.0, 3.0, 9.0]), np.array([1.0, 2.5, 3.1, 4.0]), 1)
    assert [case.image for case in found.right] == [0]
    assert [(case.image, case.value) for case in found.wrong] == [(3, 9.0)]
    assert found.near == ()


@given(st.integers(0, 2**31), st.integers(1, 30), st.integers(2, 5), st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_no_image_is_shown_twice_and_right_is_right(
    seed: int, n_images: int, n_classes: int, n: int
) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(n_classes), n_images)
    targets = rng.integers(n_classes, size=n_images)
    found = pick_cases(probabilities, targets, n)
    shown = [case.image for some in found for case in some]
    assert len(shown) == len(set(shown))
    assert all(len(some) <= n for some in found)
    assert all(case.output == targets[case.image] for case in found.right)
    assert all(case.output != targets[case.image] for case in found.wrong)
    assert len(found.right) == min(n, int((probabilities.argmax(1) == targets).sum()))
