"""The part that other processes than the main one take in a training (`trainer.processes`)."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recommender.plan import PlannedBackbone, TrainingPlan
from trainer.backbones import Preprocessing, choose_backbone
from trainer.fitting import Fitted, Work, fit
from trainer.preparing.preparation import Prepared
from trainer.processes import crew
from trainer.reading.pixel_cache import cached_pixels
from trainer.tuning.budget import Deadline
from trainer.tuning.memory import keep_freed_memory


@dataclass(frozen=True)
class Call:
    """What the main process tells the others of a fit.

    Attributes
    ----------
    data : Prepared
        Without the pixels, which each machine has in its cache or decodes.
    backbone : PlannedBackbone
        That was chosen; each machine finds or fetches its weights.
    folder : pathlib.Path
        Of the run; a machine that does not share it keeps its copies of images there.
    """

    plan: TrainingPlan
    data: Prepared
    backbone: PlannedBackbone
    steps: Preprocessing
    folder: Path


def lead(work: Work) -> Fitted:
    """Fit with all processes that there are; called by the main one.

    Raises
    ------
    TrainingError
        As `trainer.fitting.fit`.
    """
    if crew.several:
        data = replace(work.data, pixels=np.empty((0, 0, 0, 3), dtype=np.uint8))
        folder = work.folder.absolute()
        call = Call(work.plan, data, work.chosen.backbone, work.steps, folder)
        crew.from_main(lambda: call)
    return fit(work)


def dismiss() -> None:
    """Let the other processes end; what follows the main one does alone."""
    crew.from_main(lambda: None)


def assist() -> None:
    """Fit what the main process calls for, until it dismisses this one.

    Raises
    ------
    SystemExit
        Some process failed; the main one tells why.
    """
    with crew.together():
        device = crew.start()
        keep_freed_memory()
        while (call := crew.from_main(_nothing)) is not None:
            fit(_work(call, device))


def _nothing() -> Call | None:
    """What a process knows of a call before it is told."""
    return None


def _work(call: Call, device: torch.device) -> Work:
    """The same as that of the main process, without its voice."""
    own = {"backbone": call.backbone, "fallbacks": ()}
    chosen = choose_backbone(call.plan.model_copy(update=own))
    pixels = cached_pixels(call.data.images, call.steps, _silent)
    return Work(
        call.plan, replace(call.data, pixels=pixels), chosen, call.steps, call.folder, device,
        _silent, _forget, Deadline.in_minutes(None),
    )  # fmt: skip


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Progress that the main process shows."""


def _forget(_line: dict[str, Any]) -> None:
    """A line of the history that the main process keeps."""
