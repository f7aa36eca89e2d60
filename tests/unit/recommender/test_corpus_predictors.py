"""What is chosen inside the training studies is chosen by really leaving one of them out."""

from dataclasses import replace

import numpy as np
import pytest

from evidence.records import ArmRecord
from recommender.corpus_evaluation import COMPLETE
from recommender.corpus_population import Floats, Population, Training, population
from recommender.corpus_predictors import (
    CANDIDATES,
    KNN_KS,
    PRIOR,
    Shrinkage,
    drawn,
    fitted,
    knn,
    mode_in_anatomy,
    prevalence,
    shrinkage_losses,
    smoothed,
)


@pytest.fixture(scope="module")
def few(arms: tuple[ArmRecord, ...]) -> Population:
    """Every fourth study of Morid 2022."""
    keys = sorted({arm.study.key for arm in arms if arm.review == COMPLETE})[::4]
    wanted = [arm for arm in arms if arm.review == COMPLETE and arm.study.key in keys]
    return population("few", wanted)


@pytest.mark.parametrize("candidate", [0, 1, 17, len(CANDIDATES) - 1])
def test_inner_losses_are_those_of_leaving_each_study_out(few: Population, candidate: int) -> None:
    found = shrinkage_losses(few.studies)
    for target, labels in few.studies.labels.items():
        shrinkage = {target: CANDIDATES[candidate]}
        wanted = [
            -(labels[n] * np.log(prevalence(*few.without(n), shrinkage)[target])).sum()
            for n in range(len(labels))
        ]
        assert found[target][candidate] == pytest.approx(wanted)


def shares_of_nearest(likeness: Floats, labels: Floats, k: int) -> Floats:
    """One question's kNN, written out: the k nearest and those as near as the k-th."""
    last = sorted(likeness, reverse=True)[min(k, len(likeness)) - 1]
    counts = labels[[place for place, one in enumerate(likeness) if one > last - 1e-9]].sum(0)
    return drawn(counts, smoothed(labels.sum(0)), PRIOR)


def inner_loss(training: Training, target: str, choice: int, k: int) -> float:
    labels, losses = training.labels[target], []
    for n in range(len(labels)):
        rest = np.delete(np.arange(len(labels)), n)
        shares = shares_of_nearest(training.features[choice, n, rest], labels[rest], k)
        losses.append(-(labels[n] * np.log(shares)).sum())
    return float(np.mean(losses))


@pytest.mark.parametrize("target", ["family", "augmentation"])
def test_the_nested_knn_is_one_that_leaves_studies_out_by_hand(
    few: Population, target: str
) -> None:
    for left_out in range(0, len(few.tasks), 3):
        training, question = few.without(left_out)
        losses = {
            (k, choice): inner_loss(training, target, choice, k)
            for k in KNN_KS
            for choice in range(len(training.features))
        }
        k, choice = min(losses, key=lambda pair: losses[pair])
        wanted = shares_of_nearest(question.features[choice], training.labels[target], k)
        assert knn(training, question)[target] == pytest.approx(wanted)


def test_the_mode_is_that_of_the_same_anatomy_only(few: Population) -> None:
    training, question = few.without(0)
    elsewhere = training.anatomy != question.anatomy
    labels = {"family": training.labels["family"] * elsewhere[:, None]}
    found = mode_in_anatomy(replace(training, labels=labels), question)["family"]
    assert found == pytest.approx(smoothed(labels["family"].sum(0)))


def test_shrinkage_is_the_strongest_that_is_not_shown_to_cost(few: Population) -> None:
    """A neighbour that gives the answer away makes the weakest shrinkage the only good one."""
    pairs = np.repeat(np.arange(len(few.tasks) // 2), 2)
    alike = (pairs[:, None] == pairs).astype(float)
    told = np.eye(2)[pairs % 2]
    obvious = Training(
        alike=alike,
        features=few.studies.features[:, : len(pairs), : len(pairs)],
        anatomy=few.studies.anatomy[: len(pairs)],
        asked=np.ones(len(pairs), dtype=bool),
        labels={"told": told, "untold": np.roll(told, 1, axis=0)},
    )
    found = fitted(obvious)
    assert found["told"].prior_studies == min(c.prior_studies for c in CANDIDATES)
    assert found["untold"] == Shrinkage(0, np.inf)
