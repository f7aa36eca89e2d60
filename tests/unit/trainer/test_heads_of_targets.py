"""Every head fits every target that it makes sense for, and is refused for the others."""

from pathlib import Path

import numpy as np
import pytest

from evidence.vocabulary import Head
from recommender.plan import Target
from trainer import candidates
from trainer.candidates import ALLOWED
from trainer.errors import TrainingError
from trainer.heads import as_linear_layer, fit_head, load_head, predict, save_head
from trainer.targets import Encoded, Labels

PARTS = (["train"] * 6 + ["validation"] * 2 + ["test"] * 2) * 15
LABELS = {
    "classes": Labels(target="classes", names=("a", "b", "c")),
    "multi_label": Labels(target="multi_label", names=("edema", "mass")),
    "ordinal": Labels(target="ordinal", names=("mild", "moderate", "severe")),
    "number": Labels(target="number", names=("value",)),
}
PAIRS: list[tuple[Target, Head]] = [
    (target, head) for target in ALLOWED for head in ALLOWED[target]
]
#: What the features tell at least; a number has a standard deviation of 50.
GOOD: dict[Target, float] = {"classes": 0.9, "multi_label": 0.9, "ordinal": 0.9, "number": -30}


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "N_TREES", 20)


def data(target: Target, seed: int = 0) -> tuple[np.ndarray, Encoded, Labels]:
    """Six features that tell the target but for some noise."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(len(PARTS), 2))
    noise = rng.normal(size=(len(PARTS), 6))
    features = (0.3 * noise + np.tile(hidden, 3)).astype(np.float32)
    targets: Encoded = np.digitize(hidden[:, 0], [-0.3, 1.0])
    if target == "multi_label":
        targets = (hidden > [0.0, 1.0]).astype(np.float32)
    if target == "number":
        targets = (1000 + 50 * hidden[:, 0]).astype(np.float32)
    train = np.asarray(PARTS) == "train"
    return features, targets, LABELS[target].fitted(targets[train])


@pytest.mark.parametrize(("target", "head"), PAIRS)
def test_every_head_learns_every_target_of_its_own(
    target: Target, head: Head, tmp_path: Path
) -> None:
    features, targets, labels = data(target)
    fitted = fit_head(head, features, targets, PARTS, seed=0, labels=labels)
    found = predict(fitted.head, features)
    test = np.asarray(PARTS) == "test"
    assert labels.score(targets[test], found[test]) > GOOD[target]
    assert len(fitted.validation) == PARTS.count("validation")
    if target in {"classes", "ordinal"}:
        assert np.allclose(found.sum(1), 1)
    save_head(fitted.head, tmp_path / "head.skops")
    assert np.array_equal(predict(load_head(tmp_path / "head.skops"), features), found)


@pytest.mark.parametrize(("target", "head"), PAIRS)
def test_no_head_of_any_target_looks_at_the_test_part(target: Target, head: Head) -> None:
    features, targets, labels = data(target)
    first = fit_head(head, features, targets, PARTS, seed=0, labels=labels)
    test = np.asarray(PARTS) == "test"
    spoiled, other = features.copy(), targets.copy()
    spoiled[test], other[test] = 99, targets[test][::-1]
    second = fit_head(head, spoiled, other, PARTS, seed=0, labels=labels)
    assert first.tried == second.tried
    assert np.array_equal(predict(first.head, features), predict(second.head, features))


@pytest.mark.parametrize("target", ALLOWED)
def test_a_linear_head_of_any_target_is_a_layer_that_its_labels_read(target: Target) -> None:
    features, targets, labels = data(target)
    head = fit_head("linear", features, targets, PARTS, seed=0, labels=labels).head
    weight, bias = as_linear_layer(head, labels)
    assert weight.shape == ((3 if target == "classes" else labels.n_outputs), 6)
    outputs = features @ weight.numpy().T + bias.numpy()
    # float32 layer against float64 head; numbers are some thousand
    close = 1e-2 if target == "number" else 1e-5
    assert np.allclose(labels.predict(outputs), predict(head, features), atol=close)


@pytest.mark.parametrize(
    ("target", "head"),
    [("classes", "svr"), ("multi_label", "svr"), ("number", "svm"), ("number", "lda")],
)
def test_a_head_that_makes_no_sense_is_refused_with_those_that_do(
    target: Target, head: Head
) -> None:
    features, targets, labels = data(target)
    allowed = f"'{head}' is not carried out for the target {target}; allowed: linear"
    with pytest.raises(TrainingError, match=allowed):
        fit_head(head, features, targets, PARTS, seed=0, labels=labels)


def test_a_class_without_training_images_is_refused_by_name() -> None:
    features, targets, labels = data("ordinal")
    rare = targets.copy()
    rare[(rare == 2) & (np.asarray(PARTS) == "train")] = 1
    with pytest.raises(TrainingError, match="no training image is of 'severe'"):
        fit_head("linear", features, rare, PARTS, seed=0, labels=labels)


def test_a_label_that_every_training_image_has_is_refused_by_name() -> None:
    features, targets, labels = data("multi_label")
    targets[:, 1] = 1
    with pytest.raises(TrainingError, match="either no or every training image is of 'mass'"):
        fit_head("linear", features, targets, PARTS, seed=0, labels=labels)


@pytest.mark.parametrize("head", ["linear", "svm", "svr"])
def test_weights_find_more_of_a_rare_grade(head: Head) -> None:
    features, targets, labels = data("ordinal")
    features += np.random.default_rng(1).normal(size=features.shape).astype(np.float32)
    found = {
        weighted: fit_head(
            head, features, targets, PARTS, seed=0, labels=labels, class_weights=weighted
        )
        for weighted in (True, False)
    }
    assert found[True].weighted
    assert not found[False].weighted
    rare = targets == 2
    means = {w: predict(fitted.head, features)[rare, 2].mean() for w, fitted in found.items()}
    assert means[True] > means[False]


@pytest.mark.parametrize("target", ["classes", "multi_label"])
def test_a_rare_class_or_label_is_given_more_probability_where_classes_are_weighed(
    target: Target,
) -> None:
    features, targets, labels = data(target)
    noise = np.random.default_rng(3).normal(size=features.shape).astype(np.float32)
    means = [
        predict(
            fit_head(
                "linear", noise, targets, PARTS, 0, labels=labels, class_weights=weighted
            ).head,
            noise,
        )[:, -1].mean()
        for weighted in (True, False)
    ]
    # of noise a weighed head knows nothing, another the frequency, about a sixth
    assert means[0] > means[1] + 0.1


def test_neighbours_say_that_they_weigh_nothing() -> None:
    features, targets, labels = data("classes")
    assert not fit_head("knn", features, targets, PARTS, seed=0, labels=labels).weighted


def test_a_regression_on_ranks_gives_probabilities_that_are_neither_too_sure_nor_too_shy() -> None:
    """Of noise it knows no more than the frequencies, although an SVR fits its own images."""
    _, targets, labels = data("ordinal")
    noise = np.random.default_rng(2).normal(size=(len(PARTS), 300)).astype(np.float32)
    fitted = fit_head("svr", noise, targets, PARTS, 0, labels=labels, class_weights=False)
    test = np.asarray(PARTS) == "test"
    found = predict(fitted.head, noise)[test]
    frequencies = np.bincount(targets[~test]) / (~test).sum()
    assert np.abs(found - frequencies).mean() < 0.1


def test_predictions_of_the_validation_part_come_from_a_head_that_has_not_seen_it() -> None:
    features, targets, labels = data("classes")
    fitted = fit_head("knn", features, targets, PARTS, seed=0, labels=labels)
    validation = np.asarray(PARTS) == "validation"
    seen = predict(fitted.head, features[validation])
    assert seen.max(1).min() > 0.9999  # each is its own neighbour
    assert fitted.validation.max(1).mean() < 0.99
