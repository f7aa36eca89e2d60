"""Metrics of left-out studies are those of reference implementations, ties in expectation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, top_k_accuracy_score

from recommender.corpus_scores import scores


def test_metrics_are_those_of_scikit_learn_where_nothing_is_tied() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(5), size=60)
    truth = rng.integers(0, 5, 60)
    found = scores(probabilities, np.eye(5)[truth]).mean(0)
    names = range(5)
    assert found == pytest.approx(
        [
            top_k_accuracy_score(truth, probabilities, k=1, labels=names),
            top_k_accuracy_score(truth, probabilities, k=3, labels=names),
            log_loss(truth, probabilities, labels=names),
        ]
    )


@given(st.lists(st.integers(1, 5), min_size=3, max_size=8))
def test_all_labels_together_are_hit_as_often_as_guesses_are_allowed(weights: list[int]) -> None:
    """Ties share what is left of the guesses, so the hits of all labels add up to k."""
    n = len(weights)
    probabilities = np.tile(np.array(weights) / sum(weights), (n, 1))
    assert scores(probabilities, np.eye(n)).sum(0)[:2] == pytest.approx([1, 3])


def test_a_study_that_used_two_things_is_hit_by_half() -> None:
    found = scores(np.array([[0.7, 0.2, 0.1]]), np.array([[0.5, 0.5, 0.0]]))
    assert found[0] == pytest.approx([0.5, 1.0, -0.5 * (np.log(0.7) + np.log(0.2))])
