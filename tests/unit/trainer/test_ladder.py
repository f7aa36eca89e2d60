"""A ladder goes up while that pays, says why, and goes on from where it was stopped."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.trainer.toys import TOY_PX, plan_of
from tests.unit.trainer.tuning import CPU, STEPS, DeepToy, quiet, same, state_of
from trainer.features import extract
from trainer.images import ImageSet, Progress
from trainer.targets import Labels, Predictions
from trainer.tuning import ladder
from trainer.tuning.budget import Deadline
from trainer.tuning.classifier import Classifier
from trainer.tuning.climber import Climber, Ground
from trainer.tuning.ladder import Step, ascend, climb, rungs

N = 48


class Stopped(Exception):  # noqa: N818  (somebody pressed Ctrl-C)
    """The training was stopped."""


def network() -> DeepToy:
    torch.manual_seed(0)
    return DeepToy(dropout=0.1)


def ground(folder: Path, **fields: object) -> Ground:
    """Stripes that lie or stand: a mean of random filters tells little of that."""
    rng = np.random.default_rng(0)
    labels = tuple("ab"[number % 2] for number in range(N))
    stripes = np.where(np.arange(TOY_PX) % 4 < 2, 160, 90)[:, None].repeat(TOY_PX, 1)
    pixels = np.stack([stripes if label == "a" else stripes.T for label in labels])[..., None]
    noisy = pixels + rng.normal(0, 40, (N, TOY_PX, TOY_PX, 3))
    drawn = noisy.clip(0, 255).astype(np.uint8)
    plan = plan_of(
        ladder=True, epochs=2, batch_size=8, backbone_learning_rate=0.01, head_learning_rate=0.01,
        **fields,  # type: ignore[arg-type]
    )  # fmt: skip
    names = tuple(map(str, range(N)))
    return Ground(
        images=ImageSet(folder, names, labels, None, None, names),
        pixels=drawn,
        features=extract(network(), drawn, STEPS, CPU, quiet),
        last=extract(network(), drawn, STEPS, CPU, quiet),
        build=network,
        plan=plan,
        labels=Labels(target="classes", names=("a", "b")),
        steps=STEPS,
        device=CPU,
        progress=quiet,
        folder=folder,
        deadline=Deadline.in_minutes(None),
    )


PARTS = tuple("validation" if number % 5 == 0 else "train" for number in range(N))


class Told:
    """In place of a network: says of its images what a step is told to say."""

    said: tuple[float, ...] = ()

    def __init__(self, ground: Ground, parts: Sequence[str], _name: str) -> None:
        self._parts, self.targets = np.asarray(parts), ground.labels.encode(ground.images.labels)
        self.seconds = [0.0] * 9

    def index(self, part: str) -> Any:
        """Numbers of the images of a part."""
        return np.flatnonzero(self._parts == part)

    def reach(self, rung: int, _n_open: int, watch: Progress) -> Predictions:
        """Right with a probability of its own; the same noise on every step."""
        watch("step", 1, 1)
        truth = self.targets[self.index("test")]
        noise = np.random.default_rng(1).normal(size=len(truth))
        sure = 1 / (1 + np.exp(-self.said[rung] * (2 * truth - 1) - noise))
        return np.stack([1 - sure, sure], 1)


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ((0.2, 0.2, 0.2), [(0, True), (1, False), (3, False)]),
        ((0.2, 0.2, 2.0), [(0, True), (1, False), (3, True)]),
        ((0.0, 1.0, 1.0, 1.0), [(0, True), (1, True), (2, False), (3, False)]),
        ((-0.8, -0.3, 0.3, 0.8), [(0, True), (1, True), (2, True), (3, True)]),
        ((1.0, 0.0, 0.5), [(0, True), (1, False), (3, False)]),
    ],
)
def test_it_goes_on_while_steps_gain_more_than_their_standard_error_and_then_tries_all_blocks(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    said: tuple[float, ...],
    taken: list[tuple[int, bool]],
) -> None:
    monkeypatch.setattr(Told, "said", said)
    monkeypatch.setattr(ladder, "Climber", Told)
    found = climb(ground(tmp_path)).steps
    assert [(step.n_open, step.kept) for step in found] == taken
    assert found[0].gain is None
    for step in found[1:]:
        assert step.gain is not None
        assert step.standard_error is not None
        assert step.kept == (step.gain > step.standard_error)
        assert step.low is not None
        assert step.high is not None
        assert step.low <= (step.value or 0) <= step.high


def test_each_step_of_a_network_begins_with_the_one_below_and_the_last_one_trains_all(
    tmp_path: Path,
) -> None:
    place = ground(tmp_path)
    found = climb(place).steps
    assert [step.name for step in found][:2] == ["frozen", "last 1 of 3 blocks"]
    lines: list[dict[str, Any]] = []
    every = tuple(step.model_copy(update={"kept": True}) for step in found)
    classifier = ascend(place, PARTS, every, lines.append).classifier
    opened = [step.n_open for step in every[1:]]
    assert [line["epoch"] for line in lines] == list(range(1, 2 * len(opened) + 1))
    assert [line["n_open"] for line in lines] == [n for n in opened for _ in "12"]
    assert opened[-1] == 3
    before = network().state_dict()
    assert not any(
        torch.equal(value, before[name]) for name, value in classifier.backbone.named_parameters()
    )


def test_the_first_step_is_the_linear_head_on_frozen_features(tmp_path: Path) -> None:
    place = ground(tmp_path)
    classifier = ascend(place, PARTS, climb(place).steps[:1]).classifier
    assert same(state_of(classifier.backbone), state_of(network()))
    climber = Climber(place, PARTS, "again")
    assert len(climber.reach(0, 0)) == 0
    assert same(state_of(climber.classifier()), state_of(classifier))


def outcome(place: Ground) -> tuple[tuple[Step, ...], Classifier, list[dict[str, Any]]]:
    """Steps, the network of the last of them, and its history, without what a clock says."""
    found = tuple(step.model_copy(update={"seconds": 0.0}) for step in climb(place).steps)
    taken = tuple(step.model_copy(update={"kept": True}) for step in found)
    lines: list[dict[str, Any]] = []
    classifier = ascend(place, PARTS, taken, lines.append).classifier
    return found, classifier, [line | {"seconds": 0.0} for line in lines]


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[tuple[Step, ...], Classifier, list[dict[str, Any]]]:
    """A ladder that nobody stopped."""
    return outcome(ground(tmp_path_factory.mktemp("whole"), augmentation="online"))


@pytest.mark.parametrize("at", [5, 50])
def test_a_ladder_that_was_stopped_ends_as_one_that_was_not(
    whole: tuple[tuple[Step, ...], Classifier, list[dict[str, Any]]], tmp_path: Path, at: int
) -> None:
    left = [at]

    def stop(_stage: str, _done: int, _total: int) -> None:
        left[0] -= 1
        if not left[0]:
            raise Stopped

    place = ground(tmp_path, augmentation="online")
    with pytest.raises(Stopped):
        outcome(replace(place, progress=stop))
    steps, classifier, lines = outcome(place)
    assert steps == whole[0]
    assert same(state_of(classifier), state_of(whole[1]))
    assert lines == whole[2]


def test_a_finished_ladder_is_not_climbed_again(tmp_path: Path) -> None:
    place = ground(tmp_path)
    first = climb(place).steps

    def stop(_stage: str, _done: int, _total: int) -> None:
        pytest.fail("something was trained again")

    again = climb(replace(place, progress=stop)).steps
    assert again == first


def test_copies_of_each_fold_are_made_of_its_training_images(tmp_path: Path) -> None:
    place = ground(tmp_path, augmentation="offline", n_copies=2)
    climber = Climber(place, PARTS, "one")
    climber.reach(0, 0)
    climber.reach(1, 1)
    made = np.load(tmp_path / "one-copies" / "copies.npy")
    trained = place.pixels[np.asarray(PARTS) == "train"]
    assert len(made) == 2 * len(trained)
    assert np.array_equal(made[: len(trained)], trained)


@given(st.integers(1, 200))
def test_steps_go_from_none_to_all_blocks_and_are_few(n_blocks: int) -> None:
    found = rungs(n_blocks)
    assert (found[0], found[-1]) == (0, n_blocks)
    assert list(found) == sorted(set(found))
    assert len(found) <= 6
    if n_blocks <= 5:
        assert found == tuple(range(n_blocks + 1))
