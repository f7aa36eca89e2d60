"""A metric is known by its whole name, never by letters within it."""

from typing import get_args

import pytest

from evidence.vocabulary import Metric
from recommender.metrics import LESS_IS_BETTER, MORE_IS_BETTER, direction


@pytest.mark.parametrize(
    "metric",
    [
        "accuracy", "balanced_accuracy", "AUC", "auroc", "roc_auc_ovr_weighted", "f1", "f1_macro",
        "precision", "recall", "sensitivity", "specificity", "kappa", "mcc", "average_precision",
        "dice", "r2", "pearson", "spearman", "neg_log_loss", "neg_mean_squared_error",
        "test accuracy", "F1-score",
    ],
)  # fmt: skip
def test_of_these_more_is_better(metric: str) -> None:
    assert direction(metric) == 1


@pytest.mark.parametrize(
    "metric",
    [
        "log_loss", "nll", "cross_entropy", "loss", "val_loss", "focal_loss", "mae", "mse", "rmse",
        "mape", "MAPE", "brier", "brier_score", "ece", "error", "error_rate", "fpr", "fnr",
        "mean_squared_error", "top-1 error",
    ],
)  # fmt: skip
def test_of_these_less_is_better(metric: str) -> None:
    assert direction(metric) == -1


@pytest.mark.parametrize("metric", ["", "preece", "losslessness", "errors avoided", "准确率"])
def test_of_any_other_nothing_is_known(metric: str) -> None:
    assert direction(metric) is None


def test_of_each_metric_of_the_store_it_is_known() -> None:
    assert [name for name in get_args(Metric) if direction(name) is None] == []


def test_no_metric_is_of_both_kinds() -> None:
    assert MORE_IS_BETTER.isdisjoint(LESS_IS_BETTER)
    assert {direction(name) for name in MORE_IS_BETTER} == {1}
    assert {direction(name) for name in LESS_IS_BETTER} == {-1}
