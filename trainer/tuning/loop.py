"""One training: its steps, its epochs, and its state on disk."""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recommender.plan import TrainingPlan
from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.features import EXTRACTION_BATCH, autocast
from trainer.images import Progress
from trainer.processes import crew
from trainer.targets import Labels
from trainer.tuning.augmentation import Place, augment, seeded
from trainer.tuning.checkpoint import Checkpoint
from trainer.tuning.classifier import Classifier, Part, logits_of
from trainer.tuning.feeding import iterate
from trainer.tuning.freezing import Block, n_open, unfreeze
from trainer.tuning.joint import Joint, check_shares, passes
from trainer.tuning.memory import fitting_memory
from trainer.tuning.schedule import parameter_groups, warm_cosine
from trainer.tuning.scores import standard_error

#: AdamW's decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101).
WEIGHT_DECAY = 0.05
#: Largest gradient norm.
MAX_NORM = 1.0
#: Steps between two looks at the losses on a GPU: each look waits until the GPU is done.
LOOK_EVERY = 50


_NOT_FINITE = "the loss is not a number; lower the learning rates in the plan"


class NotFiniteError(TrainingError):
    """A loss became infinite or not a number."""


class Loop:
    """A training between two steps, and what takes it to the next.

    Order and augmentation are drawn from the seed and the numbers of epoch and step, so that they
    need no state; what a network itself draws, dropout for one, comes from torch's generators,
    whose state is kept. Of several processes each seeds them anew for each step.

    Of several processes each has a share of every batch; all hold the same weights, losses and
    scores, and keep the same epoch.

    Attributes
    ----------
    epoch : int
        The running one, from 1.
    best, best_score, best_epoch
        Weights, score and number of the epoch that is kept; before any, the weights at the start
        and 0.
    micro_batch : int
        Images that go through the network at once.
    n_batches : int
        Steps of an epoch.
    on_step : callable
        Called after each step.
    """

    def __init__(
        self,
        classifier: Classifier,
        found: Sequence[Block],
        most: int,
        train: Part,
        plan: TrainingPlan,
        steps: Preprocessing,
        device: torch.device,
        labels: Labels,
        checkpoint: Checkpoint | None,
    ) -> None:
        self.classifier, self.plan, self.steps, self.device = classifier, plan, steps, device
        self.labels, self.checkpoint = labels, checkpoint
        self._blocks, self._most = found, most
        self.epoch, self.best, self.best_score, self.best_epoch = 1, _copy(classifier), -math.inf, 0
        self._highest = self._bar = -math.inf
        self.micro_batch = plan.batch_size
        self.n_batches = self._whole = math.ceil(len(train.targets) / plan.batch_size)
        check_shares(classifier, len(train.targets), self._whole)
        self._joint = Joint(classifier)
        self._losses: list[Tensor] = []
        self._lines: list[dict[str, Any]] = []
        self._generator = torch.Generator(device=device)
        groups = parameter_groups(classifier.backbone, classifier.head, found, plan)
        self._optimizer = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY, fused=True)
        self._loss = labels.loss(train.targets, plan.class_weights).to(device)
        self._plain_loss = labels.loss(train.targets, class_weights=False, smoothing=0)
        self._identity = _identity(plan, labels, train)
        self.on_step: Callable[[], None] = lambda: None

    def train_epoch(self, train: Part, progress: Progress) -> dict[str, Any]:
        """The steps of the running epoch that are left."""
        if self.plan.gradual:
            unfreeze(
                self.classifier.backbone, self._blocks, n_open(self.plan, self._most, self.epoch)
            )
            self._joint.part()
        self.classifier.train()
        order = np.random.default_rng((self.plan.seed, self.epoch)).permutation(len(train.targets))
        # Parts that differ by one image at most: batch normalisation cannot learn from a single.
        parts = np.array_split(order, self._whole)[len(self._losses) : self.n_batches]
        own = [part[crew.share(len(part))] for part in parts]
        fed = iterate(train.pixels, train.targets, own, self.steps, self.device)
        for part, (images, targets) in zip(parts, fed, strict=True):
            self._losses.append(self._batch(images, targets, len(part)))
            self.on_step()
            progress("training", self._n_steps, self.plan.epochs * self.n_batches)
            if len(self._losses) >= self.n_batches:
                break
            if len(self._losses) % self._look_every == 0:
                self._check()
            if self._due(epoch_ended=False):
                self.save()
        self._joint.settle()
        return {"train_loss": self._check(), **self._about_epoch()}

    def shorten(self, n_epochs: int, n_batches: int) -> None:
        """Train for fewer epochs, or steps of an epoch, than planned; the schedule follows."""
        self.plan = self.plan.model_copy(update={"epochs": n_epochs})
        self.n_batches = n_batches

    @property
    def n_done(self) -> int:
        """Steps of the running epoch that are done."""
        return len(self._losses)

    @property
    def whole_epochs(self) -> bool:
        """Whether an epoch passes all images."""
        return self.n_batches == self._whole

    def wait(self) -> None:
        """Until the device has done the steps that it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    @property
    def _n_steps(self) -> int:
        """Steps since the start."""
        return (self.epoch - 1) * self.n_batches + len(self._losses)

    @property
    def _look_every(self) -> int:
        return 1 if self.device.type == "cpu" else LOOK_EVERY

    def _about_epoch(self) -> dict[str, Any]:
        factor = warm_cosine(self._n_steps, self.plan.epochs * self.n_batches)
        return {"learning_rate": factor * self._optimizer.param_groups[0]["base_lr"]}

    def _batch(self, images: Tensor, targets: Tensor, n: int) -> Tensor:
        """A step on the share that this process has of a batch of `n` images; its mean loss."""
        if self.plan.augmentation == "online":
            generator = seeded(self._generator, self.plan.seed, self._n_steps)
            place = Place(crew.share(n).start, n)
            images = augment(images, self.plan.transforms, generator, place)
        if crew.several:
            self._prepare(images, targets, n)
        weight = crew.mean(self._weight(targets).sum())
        loss, self.micro_batch = fitting_memory(
            lambda size: self._gradient(images, targets, passes(len(targets), n, size), weight),
            self.micro_batch,
            least=self.micro_batch if crew.several else 1,
        )
        loss = crew.mean(loss)
        if self.device.type == "cpu" and not torch.isfinite(loss):
            raise NotFiniteError(_NOT_FINITE)
        self._step()
        return loss

    def _prepare(self, images: Tensor, targets: Tensor, n: int) -> None:
        """Seed this process, and unite it with the others once it is known how much fits."""
        numbers = np.random.SeedSequence((self.plan.seed, self._n_steps, crew.rank))
        torch.manual_seed(int(numbers.generate_state(1)[0]))
        if self._joint.united:
            return
        weight = self._weight(targets).sum()
        # In eval mode nothing is drawn or learned that the step itself would miss.
        self.classifier.eval()
        _, fits = fitting_memory(
            lambda size: self._gradient(images, targets, passes(len(targets), n, size), weight),
            self.micro_batch,
        )
        self.classifier.train()
        self.micro_batch = crew.smallest(fits)
        self._joint.unite()

    def _gradient(
        self, images: Tensor, targets: Tensor, parts: Iterable[slice], whole: Tensor
    ) -> Tensor:
        """Mean loss of some images, and its gradient, part by part.

        Parameters
        ----------
        whole : Tensor
            What the mean weighs all images by: of several processes the mean of theirs.
        """
        self._optimizer.zero_grad(set_to_none=True)
        weight = self._weight(targets)
        total = torch.zeros((), device=self.device)
        for part in parts:
            with self._joint.last(part.stop == len(targets)):
                with autocast(self.device):
                    outputs = self._joint(images[part])
                # The mean of the whole batch is that of its parts by their weights.
                share = weight[part].sum() / whole
                loss = self._loss(outputs.float(), targets[part]) * share
                self._joint.backward(loss)
            total += loss.detach()
        return total

    def _weight(self, targets: Tensor) -> Tensor:
        """What the mean of the loss weighs each image by."""
        weight = getattr(self._loss, "weight", None)
        return torch.ones(len(targets), device=self.device) if weight is None else weight[targets]

    def _step(self) -> None:
        nn.utils.clip_grad_norm_(self.classifier.parameters(), MAX_NORM)
        factor = warm_cosine(self._n_steps, self.plan.epochs * self.n_batches)
        for group in self._optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor
        self._optimizer.step()

    def _check(self) -> float:
        """Mean loss of the epoch so far.

        Raises
        ------
        NotFiniteError
            It is not a number.
        """
        mean = float(np.mean([float(loss) for loss in self._losses]))
        if not math.isfinite(mean):
            raise NotFiniteError(_NOT_FINITE)
        return mean

    def validate(self, part: Part) -> dict[str, Any]:
        """Unweighted loss, and score, of images that are not trained on.

        Raises
        ------
        NotFiniteError
            The loss is not a number.
        """
        size = min(self.micro_batch, EXTRACTION_BATCH)
        outputs = logits_of(self.classifier, part.pixels, self.steps, self.device, size)
        loss = float(self._plain_loss(outputs, torch.from_numpy(part.targets)))
        if not math.isfinite(loss):
            raise NotFiniteError(_NOT_FINITE)
        predictions = self.labels.predict(outputs.numpy())
        score = self.labels.score(part.targets, predictions)
        if score > self._highest:
            error = standard_error(
                self.labels, part.targets, predictions, self.plan.seed, part.units
            )
            self._highest, self._bar = score, score - error
        return {"validation_loss": loss, f"validation_{self.labels.score_name}": score}

    def end_epoch(self, line: dict[str, Any], on_epoch: Callable[[dict[str, Any]], None]) -> None:
        """Keep the weights unless they are worse, tell, and go to the next epoch.

        Kept are those of the latest epoch whose score is within one standard error of the highest:
        the score of a few dozen images goes up and down by chance, the learning rate goes down
        only, so that of epochs that cannot be told apart the latest is the one to have.
        """
        score = line[f"validation_{self.labels.score_name}"]
        # The loss rises with confidence long before the ranking of the images suffers.
        if crew.agreed(math.isnan(score) or score >= self._bar):
            self.best, self.best_epoch, self.best_score = _copy(self.classifier), self.epoch, score
        self._lines.append(line)
        on_epoch(line)
        self.epoch += 1
        self._losses = []
        if self._due(epoch_ended=True):
            self.save()

    def memory_note(self) -> str:
        """What became of the batch where it did not fit into memory."""
        if self.micro_batch >= self.plan.batch_size:
            return ""
        return (
            f"memory ran out: batches of {self.plan.batch_size} images went through the network "
            f"{self.micro_batch} at a time"
        )

    def _due(self, *, epoch_ended: bool) -> bool:
        return self.checkpoint is not None and self.checkpoint.due(epoch_ended=epoch_ended)

    def save(self) -> None:
        """Write the checkpoint, if one is kept.

        Raises
        ------
        TrainingError
            It cannot be written; the one before is kept.
        """
        if self.checkpoint is None:
            return
        state = self._optimizer.state_dict()["state"]
        owned = {
            "model": _copy(self.classifier),
            "best": self.best,
            "optimizer": {f"{n}/{key}": v for n, each in state.items() for key, v in each.items()},
            "generator": _generator_states(self.device),
        }
        facts = {
            "identity": self._identity,
            "epoch": self.epoch,
            "losses": [float(loss) for loss in self._losses],
            "best_epoch": self.best_epoch,
            "best_score": self.best_score,
            "highest": self._highest,
            "bar": self._bar,
            "micro_batch": self.micro_batch,
            "n_epochs": self.plan.epochs,
            "n_batches": self.n_batches,
            "lines": self._lines,
        }
        tensors = {f"{owner}/{n}": t for owner, named in owned.items() for n, t in named.items()}
        self.checkpoint.save(tensors, facts)

    def resume(self) -> None:
        """Go to where the checkpoint was written, if there is one.

        Raises
        ------
        TrainingError
            It is damaged, or of another training.
        """
        saved = self.checkpoint.load() if self.checkpoint else None
        if self.checkpoint is None or saved is None:
            return
        facts = saved.facts
        if facts["identity"] != self._identity:
            msg = (
                f"the checkpoint {self.checkpoint.path} is of another plan or of other images; "
                "resume with those of its run, or remove it to start anew"
            )
            raise TrainingError(msg)
        self.shorten(facts["n_epochs"], facts["n_batches"])
        self.epoch, self.micro_batch = facts["epoch"], facts["micro_batch"]
        self.best_epoch, self.best_score = facts["best_epoch"], facts["best_score"]
        self._highest, self._bar = facts["highest"], facts["bar"]
        self.best, self._lines = saved.of("best"), facts["lines"]
        self._losses = [torch.tensor(loss, device=self.device) for loss in facts["losses"]]
        self.classifier.load_state_dict(saved.of("model"))
        self._load_optimizer(saved.of("optimizer"))
        _set_generators(saved.of("generator"), self.device)

    def _load_optimizer(self, state: dict[str, Tensor]) -> None:
        parameters = [p for group in self._optimizer.param_groups for p in group["params"]]
        for name, value in state.items():
            number, _, key = name.partition("/")
            parameter = parameters[int(number)]
            if value.shape == parameter.shape and key != "step":
                # In the layout of the weight, as it was: another one may round differently.
                value = torch.empty_like(parameter).copy_(value)
            self._optimizer.state[parameter][key] = value


def _copy(classifier: Classifier) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in classifier.state_dict().items()}


def _identity(plan: TrainingPlan, labels: Labels, train: Part) -> str:
    """Digest of what a checkpoint must have in common with the training that goes on from it."""
    text = plan.model_dump_json() + labels.model_dump_json()
    return hashlib.sha256(text.encode() + train.targets.tobytes()).hexdigest()


def _generator_states(device: torch.device) -> dict[str, Tensor]:
    found = {"cpu": torch.get_rng_state()}
    return found | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def _set_generators(states: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
