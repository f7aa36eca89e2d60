"""Heads are chosen without the test part, and kept without pickles."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from evidence.vocabulary import Head
from trainer import candidates
from trainer.errors import TrainingError
from trainer.heads import as_linear_layer, fit_head, load_head, save_head

PARTS = np.array((["train"] * 6 + ["validation"] * 2 + ["test"] * 2) * 12)
HEADS: tuple[Head, ...] = ("linear", "svm", "random_forest", "knn", "lda")


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "N_TREES", 10)


def data(classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, classes, len(PARTS))
    features = rng.normal(size=(len(PARTS), 8)) + 2 * np.eye(classes, 8)[targets]
    return features.astype(np.float32), targets


@pytest.mark.parametrize("classes", [2, 3])
def test_the_linear_layer_gives_the_probabilities_of_the_fitted_head(classes: int) -> None:
    features, targets = data(classes)
    head = fit_head("linear", features, targets, PARTS.tolist(), seed=0).head
    weight, bias = as_linear_layer(head)
    logits = features @ weight.numpy().T + bias.numpy()
    exp = np.exp(logits - logits.max(1, keepdims=True))
    ours = exp / exp.sum(1, keepdims=True)
    # float32 layer against float64 regression
    assert np.allclose(ours, head.predict_proba(features), atol=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_the_test_part_is_never_looked_at(head: Head) -> None:
    features, targets = data(2)
    first = fit_head(head, features, targets, PARTS.tolist(), seed=0)
    spoiled, flipped = features.copy(), targets.copy()
    spoiled[PARTS == "test"] = 1e3
    flipped[PARTS == "test"] = 1 - flipped[PARTS == "test"]
    second = fit_head(head, spoiled, flipped, PARTS.tolist(), seed=0)
    assert first.chosen == second.chosen
    assert np.array_equal(first.head.predict_proba(features), second.head.predict_proba(features))


@pytest.mark.parametrize("head", ["svm", "random_forest", "knn", "lda"])
def test_a_kept_head_gives_the_same_probabilities(head: Head, tmp_path: Path) -> None:
    features, targets = data(3)
    fitted = fit_head(head, features, targets, PARTS.tolist(), seed=0).head
    save_head(fitted, tmp_path / "head.skops")
    again = load_head(tmp_path / "head.skops")
    assert np.array_equal(again.predict_proba(features), fitted.predict_proba(features))


def test_few_training_images_of_a_class_are_enough_or_said() -> None:
    features, targets = data(2)
    rare = np.zeros_like(targets)
    rare[[0, 1, 6, 8]] = 1
    assert fit_head("svm", features, rare, PARTS.tolist(), seed=0).chosen.startswith("C=")
    rare[1] = 0
    with pytest.raises(TrainingError, match="single training image"):
        fit_head("svm", features, rare, PARTS.tolist(), seed=0)


@pytest.mark.parametrize("head", ["svm", "random_forest", "knn", "lda"])
def test_equal_heads_are_equal_files(head: Head, tmp_path: Path) -> None:
    """Wherever their parts lie in memory."""
    features, targets = data(3)
    files = [tmp_path / name for name in ("a.skops", "b.skops")]
    fitted = [fit_head(head, features, targets, PARTS.tolist(), seed=0).head for _ in files]
    for each, file in zip(fitted, files, strict=True):
        save_head(each, file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_pickle_in_place_of_a_head_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "head.skops"
    path.write_bytes(pickle.dumps(LogisticRegression()))
    with pytest.raises(TrainingError, match="cannot be read as a head"):
        load_head(path)


def test_a_head_that_names_other_types_is_refused(tmp_path: Path) -> None:
    features, targets = data(2)
    path = tmp_path / "head.skops"
    save_head(fit_head("svm", features, targets, PARTS.tolist(), seed=0).head, path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["schema.json"] = (
        parts["schema.json"]
        .replace(b'"StandardScaler"', b'"system"')
        .replace(b'"sklearn.preprocessing._data"', b'"os"')
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(TrainingError, match=r"types that no head of ours has: .*os\.system"):
        load_head(path)
