"""A network that learns together with its copies in other processes."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, cast

import torch
from timm.layers.norm_act import convert_sync_batchnorm
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainer.errors import TrainingError
from trainer.features import batches
from trainer.processes import crew
from trainer.tuning.classifier import Classifier

if TYPE_CHECKING:
    from accelerate import Accelerator


class Joint:
    """A classifier whose gradient is the mean of those of all processes, or simply its own.

    accelerate lets torch's DistributedDataParallel exchange gradients during the backward pass. A
    process whose memory ran out in the middle of that could not take back what it had sent: how
    many images fit is found out before the processes are united.

    Parameters
    ----------
    classifier : Classifier
        Its weights become those of the main process.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._network: nn.Module = classifier
        self._accelerator: Accelerator | None = None

    def __call__(self, images: Tensor) -> Tensor:
        """Outputs of the images of this process."""
        return cast("Tensor", self._network(images))

    @property
    def united(self) -> bool:
        """Whether gradients are exchanged, or there is nobody to exchange with."""
        return self._accelerator is not None or not crew.several

    def part(self) -> None:
        """Learn alone until it is united anew, as it must be when other parameters learn."""
        self._network, self._accelerator = self._classifier, None

    def unite(self) -> None:
        """Exchange the gradients of what learns; a backward pass was done to see which are used."""
        from accelerate import Accelerator, DistributedDataParallelKwargs  # noqa: PLC0415

        learning = [p for p in self._classifier.parameters() if p.requires_grad]
        unused = any(p.grad is None for p in learning)
        options = DistributedDataParallelKwargs(find_unused_parameters=unused)
        cpu = learning[0].device.type == "cpu"
        self._accelerator = Accelerator(cpu=cpu, mixed_precision="no", kwargs_handlers=[options])
        self._network = self._accelerator.prepare(self._classifier)

    def last(self, is_last: bool) -> AbstractContextManager[None]:
        """Around each pass of a step: gradients are exchanged in the last one only."""
        if self._accelerator is None or is_last:
            return nullcontext()
        return cast("AbstractContextManager[None]", self._accelerator.no_sync(self._network))

    def backward(self, loss: Tensor) -> None:
        """Add to the gradients."""
        if self._accelerator is None:
            loss.backward()  # type: ignore[no-untyped-call]
        else:
            self._accelerator.backward(loss)

    def settle(self) -> None:
        """Take over the statistics of batch normalisation that the main process learned."""
        if crew.several and not self._classifier.keep_statistics:
            from accelerate.utils import broadcast  # noqa: PLC0415

            broadcast(list(self._classifier.buffers()))


def passes(n: int, n_whole: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` of the `n` images that this process has of a batch of `n_whole`.

    Every process passes equally often: what normalises by all processes exchanges in each pass.
    """
    if not crew.several:
        return batches(n, size)
    count = math.ceil(math.ceil(n_whole / crew.n) / size)
    return (slice(n * i // count, n * (i + 1) // count) for i in range(count))


def check_shares(classifier: Classifier, n_images: int, n_batches: int) -> None:
    """Make sure that every process has something of every batch.

    Raises
    ------
    TrainingError
        The smallest batch is too small to be divided.
    """
    smallest, least = n_images // n_batches, 1 if classifier.keep_statistics else 2
    if crew.several and smallest < least * crew.n:
        msg = (
            f"a batch of {smallest} images divided among {crew.n} processes; each needs at least "
            f"{least}: give a larger batch_size or start fewer processes"
        )
        raise TrainingError(msg)


def normalise_together(classifier: Classifier, device: torch.device) -> str:
    """Let batch normalisation that learns its statistics learn them from all processes.

    On GPUs it normalises by the whole batch. On CPUs, for which torch has no such layer, each
    process normalises by its share of a batch, and the statistics are those of the main process.

    Returns
    -------
    str
        What the reader of the result should know of it; mostly nothing.
    """
    learns = any(isinstance(module, _BatchNorm) for module in classifier.modules())
    if not (learns and crew.several) or classifier.keep_statistics:
        return ""
    if device.type == "cuda":
        classifier.backbone = convert_sync_batchnorm(classifier.backbone)  # type: ignore[no-untyped-call]
        return ""
    return f"batch normalisation saw one of {crew.n} shares of a batch at a time"
