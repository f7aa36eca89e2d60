"""Single measurements of a probe: heads on frozen features, short fine-tunings, their cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import nn

from evidence.vocabulary import Head
from recommender.plan import PlannedBackbone, TrainingPlan
from trainer import heads
from trainer.backbones import Preprocessing, build_backbone, preprocessing
from trainer.features import EXTRACTION_BATCH, extract
from trainer.finetune import Classifier, Part, fine_tune, logits_of
from trainer.images import ImageSet, Progress, decode
from trainer.measures.areas import auc_contributions, macro_auc
from trainer.preparing.splits import SPLITS, folds, nested_order, split_images
from trainer.stages import depth_of, read_at
from trainer.tuning.budget import STEP_RATIO, TOLERANCE, Budget, OutOfBudgetError, Pace
from trainer.weights import Weights

#: Folds of a cross-validation.
FOLDS = 3
#: Groups of each class at the beginning of every sample: two for each fold.
FIRST_UNITS = 2 * FOLDS
#: Steps after which a run that would take too long is stopped.
STEPS_TIMED = 3
#: Epochs of a short run while there are images left to lengthen it with.
SHORT_EPOCHS = 3
#: Fewest steps of a short run: one of fewer says more of its start than of its end.
MIN_STEPS = 8
#: Images held out of a short run for each one in it, and at least this share of all of them.
HELD_OUT, MIN_HELD_OUT = 2.0, 1 / 3
#: How the time of a head grows with the images, as a power; 1 where it is not named.
GROWTH: dict[Head, int] = {"svm": 2, "knn": 2}

Floats = npt.NDArray[np.float64]


class Measured(NamedTuple):
    """A macro AUC, the images that it was measured on, and what each contributes: shape ``(N,)``.

    Images of the sample that were not looked at contribute nothing.
    """

    auc: float
    seen: npt.NDArray[np.bool_]
    contributions: Floats

    def minus(self, other: "Measured") -> "Measured":
        """The difference of two AUCs on the same images."""
        apart = self.contributions - other.contributions
        return Measured(self.auc - other.auc, self.seen, apart)

    def standard_error(self, units: npt.NDArray[np.int64]) -> float:
        """Standard error with whole groups as the unit; `units` numbers the group of each image."""
        return float(np.sqrt((np.bincount(units, self.contributions) ** 2).sum()))


def mean(found: Sequence[Measured]) -> Measured:
    """Mean over folds."""
    return Measured(
        float(np.mean([each.auc for each in found])),
        np.any([each.seen for each in found], axis=0),
        np.sum([each.contributions for each in found], axis=0) / len(found),
    )


class ShortRun(NamedTuple):
    """How much of a training is carried out, and the seconds that it may take."""

    n_images: int
    n_held_out: int
    epochs: int
    seconds: float


@dataclass(eq=False)
class Extracted:
    """Features of the first images of the sample by one backbone, and what the last ones took."""

    backbone: PlannedBackbone
    weights: Weights
    features: npt.NDArray[np.float32] = field(
        default_factory=lambda: np.empty((0, 0), dtype=np.float32)
    )
    seconds_per_image: float = 0.0


class Bench:
    """The images that may be learned from, and every measurement on them.

    Parameters
    ----------
    images : ImageSet
        Without the test part.
    plan : TrainingPlan
        Its share of validation images is used.
    seed : int
        Of samples, folds and heads.
    """

    def __init__(
        self,
        images: ImageSet,
        plan: TrainingPlan,
        seed: int,
        device: torch.device,
        budget: Budget,
        progress: Progress,
    ) -> None:
        order = nested_order(images, FIRST_UNITS, seed)
        self.images = replace(images.pick(order.tolist()), splits=None)
        self.targets = self.images.targets
        self.units = np.unique(self.images.units(), return_inverse=True)[1]
        self.seed, self.plan = seed, plan.model_copy(update={"seed": seed})
        self.device, self.budget = device, budget
        self.progress = budget.watch(progress)
        self.step_ratio = STEP_RATIO
        self._parts: dict[int, list[npt.NDArray[np.str_]]] = {}
        self._head_seconds: dict[Head, tuple[int, float]] = {}

    @property
    def first(self) -> int:
        """Images of the smallest sample, which holds every class for each part of each fold."""
        enough = FIRST_UNITS * (len(self.images.classes) + 1)
        return min(len(self.targets), max(EXTRACTION_BATCH, enough))

    def standard_error(self, found: Measured) -> float:
        """Standard error of an AUC as if half an image more of the rarest class were misplaced.

        Without it an AUC of 1 on a handful of images would seem certain.
        """
        counts = np.bincount(self.targets[found.seen])
        return math.hypot(found.standard_error(self.units), 0.5 / counts[counts > 0].min())

    def extract(self, found: Extracted, n: int) -> None:
        """Extend the features to the first `n` images."""
        done = len(found.features)
        if n <= done:
            return
        network = build_backbone(found.backbone, found.weights)
        started = self.budget.spent
        steps = preprocessing(found.backbone, network)
        pixels = decode(self.images.pick(range(done, n)), steps, self.progress)
        source = read_at(network, depth_of(network, self.plan.features))
        new = extract(source, pixels, steps, self.device, self.progress)
        found.features = np.concatenate([found.features, new]) if done else new
        found.seconds_per_image = (self.budget.spent - started) / (n - done)

    def cross_validate(self, found: Extracted, head: Head, n: int, fold: int) -> Measured:
        """A head on the first `n` images, measured on one fold of them."""
        parts = self._folds(n)[fold]
        return self._fit(found, head, parts)

    def head_seconds(self, head: Head, n: int) -> float | None:
        """Predicted seconds of one fold; None where the head was never fitted."""
        n_fitted, seconds = self._head_seconds.get(head, (0, 0.0))
        return seconds * (n / n_fitted) ** GROWTH.get(head, 1) if n_fitted else None

    def short_run(
        self, found: Extracted, plan: TrainingPlan, n: int, seconds: float
    ) -> ShortRun | None:
        """The run on at most `n` images that fits into some seconds; None where none does."""
        forward, held_back = found.seconds_per_image, plan.validation_fraction
        epoch = forward * ((1 - held_back) * self.step_ratio + held_back)
        epochs = min(SHORT_EPOCHS, plan.epochs)
        # Each image also passes once for the head that it starts from, or is measured on.
        n_images = int(seconds / (epochs * epoch + (1 + HELD_OUT) * forward))
        n_images = min(n_images, int(n * (1 - MIN_HELD_OUT)))
        n_held_out = min(int(HELD_OUT * n_images), n - n_images)
        if n_images:
            affordable = int((seconds - (n_images + n_held_out) * forward) / (n_images * epoch))
            epochs = max(epochs, min(plan.epochs, affordable))
        n_steps = epochs * math.ceil(n_images * (1 - held_back) / plan.batch_size)
        if n_steps < MIN_STEPS or n_images < self.first:
            return None
        return ShortRun(n_images, n_held_out, epochs, seconds)

    def fine_tune(
        self,
        found: Extracted,
        plan: TrainingPlan,
        run: ShortRun,
        reference: Extracted,
        head: Head,
    ) -> tuple[Measured, Measured]:
        """A short fine-tuning, and a frozen reference on the same images.

        It starts from a linear head on what the frozen network gives before its classifier
        (Kumar et al. 2022, arXiv:2202.10054): its few steps then go into the backbone, not into
        finding a head.

        Returns
        -------
        tuple of Measured
            Of the network and of the reference.

        Raises
        ------
        OutOfBudgetError
            The steps are slower than predicted; the next prediction knows.
        """
        parts = self._held_out(run)
        frozen = self._fit(reference, head, parts)
        network = build_backbone(found.backbone, found.weights)
        steps = preprocessing(found.backbone, network)
        pixels = decode(self.images.pick(range(len(parts))), steps, self.progress)
        train, validation, test = (
            Part(pixels[parts == name], self.targets[: len(parts)][parts == name])
            for name in SPLITS
        )
        classifier = self._classifier(network, pixels, steps, parts)
        short = plan.model_copy(update={"seed": self.seed, "epochs": run.epochs})
        pace = _Pace(self.budget, self.progress, run.seconds)
        try:
            fine_tune(classifier, train, validation, short, steps, self.device, _forget, pace)
        finally:
            n_train = len(train.targets)
            batch = n_train / math.ceil(n_train / plan.batch_size)
            self.step_ratio = pace.ratio(batch * found.seconds_per_image) or self.step_ratio
        logits = logits_of(classifier, test.pixels, steps, self.device)
        return self._measure(parts, logits.double().softmax(1).numpy()), frozen

    def _classifier(
        self,
        network: nn.Module,
        pixels: npt.NDArray[np.uint8],
        steps: Preprocessing,
        parts: npt.NDArray[np.str_],
    ) -> Classifier:
        """A network that gives the probabilities of a linear head on its last features."""
        features = extract(network, pixels, steps, self.device, self.progress)
        targets = self.targets[: len(parts)]
        train = parts == "train"
        with threadpool_limits(1, user_api="blas"):
            chosen = heads.fit_head("linear", features, targets, parts.tolist(), self.seed).head
            # Epochs are chosen on the validation part: the start must not have seen it.
            linear = clone(chosen).fit(features[train], targets[train])
        weight, bias = heads.as_linear_layer(linear)
        torch.manual_seed(self.seed)
        classifier = Classifier(network, weight.shape[1], weight.shape[0])
        classifier.head.load_state_dict({"weight": weight, "bias": bias})
        return classifier

    def _fit(self, found: Extracted, head: Head, parts: npt.NDArray[np.str_]) -> Measured:
        started, n = self.budget.spent, len(parts)
        features, targets = found.features[:n], self.targets[:n]
        # On matrices of this size BLAS threads wait for each other longer than they work.
        with threadpool_limits(1, user_api="blas"):
            fitted = heads.fit_head(head, features, targets, parts.tolist(), self.seed)
            probabilities = fitted.head.predict_proba(features[parts == "test"])
        self._head_seconds[head] = n, self.budget.spent - started
        return self._measure(parts, np.asarray(probabilities, dtype=np.float64))

    def _measure(self, parts: npt.NDArray[np.str_], probabilities: Floats) -> Measured:
        index = np.flatnonzero(parts == "test")
        seen, contributions = np.zeros(len(self.targets), dtype=bool), np.zeros(len(self.targets))
        seen[index] = True
        contributions[index] = auc_contributions(self.targets[index], probabilities)
        return Measured(macro_auc(self.targets[index], probabilities), seen, contributions)

    def _folds(self, n: int) -> list[npt.NDArray[np.str_]]:
        if n not in self._parts:
            sample = self.images.pick(range(n))
            number = folds(sample, FOLDS, self.seed)
            self._parts[n] = [self._split(sample, number == fold) for fold in range(FOLDS)]
        return self._parts[n]

    def _held_out(self, run: ShortRun) -> npt.NDArray[np.str_]:
        """Parts of a short run; a group on both sides goes to training."""
        n = run.n_images + run.n_held_out
        trained = np.isin(self.units[:n], self.units[: run.n_images])
        return self._split(self.images.pick(range(n)), ~trained)

    def _split(self, sample: ImageSet, test: npt.NDArray[np.bool_]) -> npt.NDArray[np.str_]:
        """The given part is measured on; the trainer's own rule splits the rest."""
        given = tuple("test" if held_out else "train" for held_out in test)
        return np.asarray(split_images(replace(sample, splits=given), self.plan))


def _forget(_epoch: object) -> None:
    """What an epoch reports is not kept."""


class _Pace:
    """Progress of a fine-tuning that times its steps, and stops one that is too slow early."""

    def __init__(self, budget: Budget, progress: Progress, seconds: float) -> None:
        self._progress, self._allowed = progress, seconds
        self._pace = Pace(lambda: budget.spent)

    def __call__(self, stage: str, done: int, total: int) -> None:
        self._pace.step()
        self._progress(stage, done, total)
        if done == STEPS_TIMED and self._pace.step_s * total > self._allowed * (1 + TOLERANCE):
            msg = f"stopped: {total} steps take longer than the {self._allowed:.0f} s left for them"
            raise OutOfBudgetError(msg)

    def ratio(self, forward: float) -> float:
        """Seconds of a step over those of a forward pass; 0 where either is not known."""
        return self._pace.step_s / forward if forward else 0.0
