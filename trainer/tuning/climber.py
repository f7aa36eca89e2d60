"""A network on its way up the ladder: where it is, on disk too."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone
from torch import Tensor, nn

from recommender.plan import TrainingPlan
from trainer import heads
from trainer.backbones import Preprocessing
from trainer.finetune import fine_tune
from trainer.images import ImageSet, Progress
from trainer.processes import crew
from trainer.targets import Labels, Predictions
from trainer.tuning.augmentation import write_copies
from trainer.tuning.budget import Deadline
from trainer.tuning.checkpoint import Checkpoint, Saved
from trainer.tuning.classifier import Classifier, Part, logits_of
from trainer.tuning.climbing_time import unwatched
from trainer.tuning.feeding import Picked

Features = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Ground:
    """What a ladder stands on.

    Attributes
    ----------
    images, pixels : ImageSet and ndarray, shape (N, px, px, 3)
        That may be learned from: none of the test part.
    features, last : ndarray, shapes (N, D) and (N, D')
        Of these images, from the backbone as it came: where a frozen training reads it, and before
        its classifier, where a fine-tuning begins.
    build : callable
        Makes the backbone as it came.
    folder : pathlib.Path
        Where the state is kept: a ladder that was stopped goes on from there.
    deadline : Deadline
        When the ladder has to be over, the training of its highest step included.
    """

    images: ImageSet
    pixels: Pixels
    features: Features
    last: Features
    build: Callable[[], nn.Module]
    plan: TrainingPlan
    labels: Labels
    steps: Preprocessing
    device: torch.device
    progress: Progress
    folder: Path
    deadline: Deadline


def forget(_line: dict[str, Any]) -> None:
    """Keep no history."""


class Climber:
    """A network that is trained step by step on one split of the ground.

    Parameters
    ----------
    parts : sequence of str, length N
        ``train``, ``validation`` or ``test`` of each image of the ground.
    name : str
        Of its files, and of its progress.
    tell : callable
        Given a line of each epoch, whose number counts on from step to step. After a resume it is
        given all of them again.

    Attributes
    ----------
    seconds : list of float
        That each step took; of one that was stopped, since it was gone on with.
    notes : tuple of str
        On the trainings of this process: an early stop, a batch that was too large.
    """

    def __init__(
        self, ground: Ground, parts: Sequence[str], name: str, tell: Tell = forget
    ) -> None:
        self._ground, self._parts, self._name, self._tell = ground, np.asarray(parts), name, tell
        self.seconds, self.notes = list[float](), tuple[str, ...]()
        self._state = self._file("state")
        self.targets = ground.labels.encode(ground.images.labels)
        self._labels = ground.labels.fitted(self.targets[self.index("train")])

    def index(self, part: str) -> npt.NDArray[np.intp]:
        """Numbers of the images of a part."""
        return np.flatnonzero(self._parts == part)

    def reach(
        self,
        rung: int,
        n_open: int,
        deadline: Deadline | None = None,
        watch: Progress = unwatched,
    ) -> Predictions:
        """Take a step from the one below, unless it was taken; predictions of the test part.

        Parameters
        ----------
        rung : int
            Number of the step; 0 is the linear head on frozen features.
        n_open : int
            Blocks that learn.
        deadline : Deadline or None
            The training is shortened to it.
        watch : callable
            Told of each step of the training; may stop it by an error.

        Raises
        ------
        TrainingError
            The training cannot go on.
        """
        before = self._ground.deadline.spent
        saved = self._state.load()
        if saved is None:
            probed = crew.from_main(self._probe)
            saved = self._kept(probed, self._ground.deadline.spent - before)
        if saved.facts["rung"] < rung:
            trained = self._train(saved, rung, n_open, deadline, watch)
            saved = self._kept(trained, self._ground.deadline.spent - before)
            self._file(f"step {rung}").discard()
        else:
            for line in saved.facts["lines"][rung]:
                self._tell(line)
        self.seconds = saved.facts["seconds"]
        return saved.tensors[f"test/{rung}"].numpy()

    def classifier(self) -> Classifier:
        """The network as the last step left it.

        Raises
        ------
        TrainingError
            What was kept is damaged.
        """
        return self._loaded(self._state.load() or crew.from_main(self._probe))

    def _probe(self) -> Saved:
        """The linear head on frozen features, and what it says of the test part.

        A frozen training fits its head on the validation part too, and so is judged the head; the
        one to go on from has not seen these images, on which epochs are chosen.
        """
        ground, train = self._ground, self.index("train")
        head = heads.fit_head(
            "linear", ground.features, self.targets, self._parts.tolist(), ground.plan.seed,
            labels=self._labels, class_weights=ground.plan.class_weights,
        ).head  # fmt: skip
        start = clone(head).fit(ground.last[train], self.targets[train])
        weight, bias = heads.as_linear_layer(start, self._labels)
        tested = self.index("test")
        found = heads.predict(head, ground.features[tested]) if len(tested) else np.empty(0)
        tensors = {"model/head.weight": weight, "model/head.bias": bias}
        return Saved(
            tensors | {"test/0": torch.from_numpy(found)}, {"rung": 0, "lines": [[]], "seconds": []}
        )

    def _train(
        self, below: Saved, rung: int, n_open: int, deadline: Deadline | None, watch: Progress
    ) -> Saved:
        numbers = np.random.SeedSequence((self._ground.plan.seed, rung)).generate_state(1)
        torch.manual_seed(int(numbers[0]))
        classifier, lines = self._loaded(below), list[dict[str, Any]]()

        def note(line: dict[str, Any]) -> None:
            before = (rung - 1) * self._ground.plan.epochs
            lines.append(line | {"epoch": line["epoch"] + before, "n_open": n_open})
            self._tell(lines[-1])

        running = self._file(f"step {rung}")
        for line in running.lines():
            note(line)

        def progress(_stage: str, done: int, total: int) -> None:
            self._ground.progress(f"{self._name}, step {rung}", done, total)
            watch(f"step {rung}", done, total)

        self._fine_tune(classifier, n_open, note, running, progress, deadline)
        model = {f"model/{name}": value for name, value in classifier.state_dict().items()}
        tests = {f"test/{n}": found for n, found in below.of("test").items()}
        facts = below.facts | {"rung": rung, "lines": [*below.facts["lines"], lines]}
        return Saved(model | tests | {f"test/{rung}": self._tested(classifier)}, facts)

    def _fine_tune(
        self,
        classifier: Classifier,
        n_open: int,
        note: Tell,
        running: Checkpoint,
        progress: Progress,
        deadline: Deadline | None,
    ) -> None:
        ground = self._ground
        changes = {"ladder": False, "approach": "fine_tuning", "n_blocks": n_open}
        outcome = fine_tune(
            classifier, self._training_part(), self._part(self.index("validation")),
            ground.plan.model_copy(update=changes), ground.steps, ground.device, note, progress,
            checkpoint=running, labels=self._labels, deadline=deadline,
        )  # fmt: skip
        self.notes += outcome.notes

    def _training_part(self) -> Part:
        ground, part = self._ground, self._part(self.index("train"))
        if ground.plan.augmentation != "offline":
            return part
        place = ground.folder / f"{self._name} copies".replace(" ", "-")
        pixels = np.asarray(part.pixels)
        copies = crew.in_turn(lambda: write_copies(place, pixels, ground.plan, ground.progress))
        return Part(copies.pixels, part.targets[copies.origin])

    def _part(self, index: npt.NDArray[np.intp]) -> Part:
        units = self._ground.images.units()
        return Part(
            Picked(self._ground.pixels, index), self.targets[index], tuple(units[n] for n in index)
        )

    def _tested(self, classifier: Classifier) -> Tensor:
        tested = Picked(self._ground.pixels, self.index("test"))
        if not len(tested):
            return torch.empty(0)
        outputs = logits_of(classifier, tested, self._ground.steps, self._ground.device)
        return torch.from_numpy(self._labels.predict(outputs.numpy()))

    def _loaded(self, saved: Saved) -> Classifier:
        n_features = self._ground.last.shape[1]
        classifier = Classifier(self._ground.build(), n_features, self._labels.n_outputs)
        # Of the first step only the head was trained and kept.
        classifier.load_state_dict(saved.of("model"), strict=False)
        return classifier

    def _kept(self, saved: Saved, took_s: float) -> Saved:
        facts = saved.facts | {"seconds": [*saved.facts["seconds"], took_s]}
        self._state.save(saved.tensors, facts)
        return Saved(saved.tensors, facts)

    def _file(self, of: str) -> Checkpoint:
        self._ground.folder.mkdir(parents=True, exist_ok=True)
        return Checkpoint(self._ground.folder / f"{self._name} {of}.safetensors".replace(" ", "-"))
