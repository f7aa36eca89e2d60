"""Labels become targets, outputs become predictions, and losses know what they are for."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional

from recommender.plan import Target
from trainer.errors import TrainingError
from trainer.targets import Labels

GRADES = Labels(target="ordinal", names=("mild", "moderate", "severe"))


def test_classes_are_in_alphabetical_order() -> None:
    labels = Labels.of("classes", ["normal", "benign", "normal"])
    assert labels.names == ("benign", "normal")
    assert labels.encode(["normal", "benign"]).tolist() == [1, 0]
    assert labels.n_outputs == 2


def test_several_labels_of_an_image_are_parted_by_a_bar_and_may_be_none() -> None:
    labels = Labels.of("multi_label", ["edema|mass", "", " mass "])
    assert labels.names == ("edema", "mass")
    assert labels.encode(["mass|edema", "", "mass"]).tolist() == [[1, 1], [0, 0], [0, 1]]
    assert labels.encode(["mass"]).dtype == np.float32


def test_grades_take_the_given_order_or_that_of_numbers() -> None:
    assert Labels.of("ordinal", ["b", "a", "c"], order=["c", "a", "b"]).names == ("c", "a", "b")
    assert Labels.of("ordinal", ["10", "2", "2", "0"]).names == ("0", "2", "10")
    assert GRADES.n_outputs == 2


@pytest.mark.parametrize(
    ("target", "labels", "order", "message"),
    [
        ("ordinal", ["a", "b"], [], "order of grades is not given; the images have a, b"),
        ("ordinal", ["a", "b"], ["a"], "order of grades is a; the images have a, b"),
        ("ordinal", ["a", "b"], ["a", "b", "b"], "name each of them once"),
        ("classes", ["a", "b"], ["a", "b"], "order of grades is for the target ordinal"),
        ("classes", ["a", "a"], [], "nothing to tell apart for the target classes; found a"),
        ("multi_label", ["", "a"], [], "nothing to tell apart"),
        ("number", ["1", "1"], [], "nothing to tell apart"),
        ("number", ["1", "n/a"], [], "1 labels are no finite numbers, the first 'n/a'"),
        ("number", ["1", "inf"], [], "the first 'inf'"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(
    target: Target, labels: list[str], order: list[str], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        Labels.of(target, labels, order)


def test_an_unknown_label_is_refused_by_name() -> None:
    with pytest.raises(TrainingError, match="'worst' is not known; allowed: mild, moderate"):
        GRADES.encode(["worst"])


def test_labels_survive_json() -> None:
    labels = Labels.of("number", ["1", "3"]).fitted(np.array([1, 3], dtype=np.float32))
    assert Labels.model_validate_json(labels.model_dump_json()) == labels
    assert (labels.centre, labels.spread) == (2, 1)


@given(st.lists(st.tuples(st.floats(-30, 30), st.floats(-30, 30)), min_size=1, max_size=20))
def test_probabilities_of_grades_are_never_negative_and_add_up_to_one(
    rows: list[tuple[float, float]],
) -> None:
    found = GRADES.predict(np.array(rows))
    assert (found >= 0).all()
    # three products of doubles
    assert np.allclose(found.sum(1), 1, atol=1e-12)


def test_the_loss_of_grades_is_the_negative_log_likelihood_of_their_probabilities() -> None:
    outputs = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    targets = torch.arange(50) % 3
    loss = GRADES.loss(targets.numpy(), class_weights=False)(outputs, targets)
    own = GRADES.predict(outputs.numpy())[np.arange(50), targets]
    # one sum of logarithms against another
    assert float(loss) == pytest.approx(-np.log(own).mean(), rel=1e-9)


def test_without_weights_and_smoothing_the_loss_of_classes_is_cross_entropy() -> None:
    labels = Labels(target="classes", names=("a", "b"))
    outputs, targets = torch.tensor([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]]), torch.tensor([0, 1, 1])
    plain = labels.loss(targets.numpy(), class_weights=False, smoothing=0)
    assert float(plain(outputs, targets)) == pytest.approx(
        float(functional.cross_entropy(outputs, targets))
    )
    weighed = labels.loss(targets.numpy(), smoothing=0)
    expected = functional.cross_entropy(outputs, targets, weight=torch.tensor([1.5, 0.75]))
    assert float(weighed(outputs, targets)) == pytest.approx(float(expected))


def test_rare_labels_weigh_more() -> None:
    targets = np.array([[1, 1], [0, 1], [0, 1], [0, 0]], dtype=np.float32)
    loss = Labels(target="multi_label", names=("rare", "common")).loss(targets)
    assert isinstance(loss, nn.BCEWithLogitsLoss)
    assert loss.pos_weight is not None
    assert loss.pos_weight.tolist() == pytest.approx([3, 1 / 3])


@pytest.mark.parametrize(
    ("target", "names", "words"),
    [
        ("classes", ("a", "b", "c"), ["a", "b", "c", "a", "a", "b"]),
        ("ordinal", ("a", "b", "c"), ["a", "b", "c", "a", "a", "b"]),
        ("multi_label", ("a", "b"), ["a", "b", "a|b", "", "a", "b"]),
        ("number", ("value",), ["1", "22", "3", "14", "5", "-60"]),
    ],
)
@pytest.mark.parametrize("class_weights", [True, False])
def test_making_the_loss_small_learns_the_targets(
    target: Target, names: tuple[str, ...], words: list[str], class_weights: bool
) -> None:
    plain = Labels(target=target, names=names)
    targets = plain.encode(words)
    labels = plain.fitted(targets)
    outputs = torch.zeros(len(words), labels.n_outputs, requires_grad=True)
    loss = labels.loss(targets, class_weights)
    optimizer = torch.optim.Adam([outputs], lr=0.3)
    for _ in range(200):
        optimizer.zero_grad()
        loss(outputs, torch.from_numpy(targets)).backward()
        optimizer.step()
    found = labels.predict(outputs.detach().numpy())
    worst = 0.1 if target == "number" else 1.0
    assert labels.score(targets, found) >= (-worst if target == "number" else worst)
    if target in {"classes", "ordinal"}:
        assert found.argmax(1).tolist() == targets.tolist()


def test_the_score_of_labels_leaves_out_those_that_no_image_has() -> None:
    labels = Labels(target="multi_label", names=("a", "b"))
    targets = np.array([[1, 0], [0, 0], [1, 0], [0, 0]], dtype=np.float32)
    predictions = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.3], [0.1, 0.4]])
    assert labels.score(targets, predictions) == roc_auc_score(targets[:, 0], predictions[:, 0])
    assert np.isnan(labels.score(targets * 0, predictions))


def test_the_score_of_grades_knows_their_order() -> None:
    targets = np.array([0, 0, 1, 1, 2, 2])
    near, far = np.eye(3)[[0, 1, 1, 1, 2, 2]], np.eye(3)[[0, 2, 1, 1, 2, 2]]
    assert GRADES.score(targets, np.eye(3)[targets]) == 1
    assert GRADES.score(targets, near) > GRADES.score(targets, far)
