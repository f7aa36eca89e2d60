"""Training of a network, or of its upper blocks, from pretrained or random weights."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from recommender.plan import TrainingPlan
from trainer.backbones import Preprocessing
from trainer.features import quicken
from trainer.images import Progress
from trainer.processes import crew
from trainer.targets import Labels
from trainer.tuning import lora
from trainer.tuning.budget import Deadline, Work
from trainer.tuning.checkpoint import Checkpoint
from trainer.tuning.classifier import Classifier, Part, count_features, logits_of
from trainer.tuning.freezing import Block, blocks, most_open, unfreeze
from trainer.tuning.in_time import InTime
from trainer.tuning.joint import normalise_together
from trainer.tuning.loop import Loop, NotFiniteError

__all__ = ["Classifier", "Outcome", "Part", "count_features", "fine_tune", "logits_of"]

#: Momentum of the statistics of batch normalisation that learns them: they follow within some
#: ten steps. The 0.01 of TensorFlow's networks would need more steps than a small set gives.
MOMENTUM = 0.1

Epoch = dict[str, Any]


class Outcome(NamedTuple):
    """How a fine-tuning went.

    Attributes
    ----------
    best_epoch : int
        Epoch whose weights are kept.
    best_score : float
        Of the validation part in that epoch; larger is better.
    n_blocks, n_trained : int
        Blocks of the backbone, and how many of them were trained.
    notes : tuple of str
        What the reader of the result should know: an early stop, a batch that was too large.
    """

    best_epoch: int
    best_score: float
    n_blocks: int
    n_trained: int
    notes: tuple[str, ...]


def fine_tune(
    classifier: Classifier,
    train: Part,
    validation: Part,
    plan: TrainingPlan,
    steps: Preprocessing,
    device: torch.device,
    on_epoch: Callable[[Epoch], None],
    progress: Progress,
    *,
    checkpoint: Checkpoint | None = None,
    labels: Labels | None = None,
    deadline: Deadline | None = None,
    n_final: int = 0,
) -> Outcome:
    """Train what the plan says and leave the weights of the epoch that validation speaks for.

    That is the latest whose score is within one standard error of the highest. Low-rank updates
    end as part of the plain weights.

    Parameters
    ----------
    on_epoch : callable
        Told of each epoch. After a resume only of those that ended after the checkpoint, whose
        own `Checkpoint.lines` are the history until then.
    checkpoint : Checkpoint or None
        Where the state is kept; what is there is gone on from.
    labels : Labels or None
        What is learned; None for classes numbered from 0.
    deadline : Deadline or None
        When all has to be over: the training is shortened to what fits.
    n_final : int
        Images that pass the network once more before the deadline, after the training.

    Raises
    ------
    TrainingError
        The plan does not fit the network; the first epoch gave a loss that is no number; memory
        runs out with a single image; the checkpoint cannot be read or written, or is of another
        training.
    """
    labels = labels or _numbered(classifier.head.out_features)
    found = blocks(classifier.backbone, steps.input_px)
    most = _prepare(classifier, found, plan)
    normalised = normalise_together(classifier, device)
    classifier.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    quicken(classifier, device)
    loop = Loop(classifier, found, most, train, plan, steps, device, labels, checkpoint)
    loop.resume()
    work = Work(len(train.targets), len(validation.targets), n_final)
    in_time = InTime(loop, deadline or Deadline.in_minutes(None), work)
    stopped = _run(loop, in_time, train, validation, on_epoch, progress)
    classifier.load_state_dict(loop.best)
    lora.merge(classifier)
    notes = tuple(filter(None, (stopped, loop.memory_note(), normalised)))
    return Outcome(loop.best_epoch, loop.best_score, len(found), most, notes)


def _prepare(classifier: Classifier, found: tuple[Block, ...], plan: TrainingPlan) -> int:
    """Freeze and adapt; returns how many blocks are trained at most."""
    most = most_open(plan, len(found))
    unfreeze(classifier.backbone, found, most)
    if plan.lora_rank is not None:
        lora.adapt(classifier.backbone, plan.lora_rank)
    if plan.initialisation == "random":
        classifier.keep_statistics = False
        for module in classifier.modules():
            if isinstance(module, _BatchNorm):
                module.momentum = MOMENTUM
    return most


def _run(
    loop: Loop,
    in_time: InTime,
    train: Part,
    validation: Part,
    on_epoch: Callable[[Epoch], None],
    progress: Progress,
) -> str:
    """All epochs that are left and fit; returns why it stopped early, if it did."""
    while loop.epoch <= loop.plan.epochs:
        started = time.perf_counter()
        epoch = loop.epoch
        try:
            line = loop.train_epoch(train, progress) | loop.validate(validation)
        except NotFiniteError as error:
            if not loop.best_epoch:
                raise
            kept = f"the weights of epoch {loop.best_epoch} are kept"
            return f"stopped in epoch {epoch}: {error}; {kept}"
        seconds = round(time.perf_counter() - started, 3)
        line = crew.agreed({"epoch": epoch} | line | {"seconds": seconds})
        loop.end_epoch(line, on_epoch)
        if in_time.over(seconds):
            break
    return in_time.note()


def _numbered(n_outputs: int) -> Labels:
    return Labels(target="classes", names=tuple(map(str, range(n_outputs))))
