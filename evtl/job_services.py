"""Use cases of those who train without a terminal: ask for a training, cancel it, go on with it."""

import re
from dataclasses import replace
from pathlib import Path

from evidence import queries
from evidence.store import Store
from evtl.jobs.locks import is_taken
from evtl.jobs.queue import BusyError, Queue, not_found
from evtl.jobs.records import Wanted
from evtl.planning import as_asked, outlined, predicted_s
from evtl.web.roots import OutsideError, contained
from recommender.errors import RecommendationError
from recommender.plan import PlannedBackbone, TrainingPlan

#: Images of a plan that is only checked, where nobody said how many there are.
SOME_IMAGES = 1000
#: Names of models; a library takes other texts for places that it loads a model from.
MODEL = re.compile(r"\w+(\.\w+)?", re.ASCII)


def start(
    runs: Path, wanted: Wanted, plan: TrainingPlan | None = None, n_images: int | None = None
) -> str:
    """Ask for a training; returns the name of its run.

    What can be refused is refused at once, before any image is read.

    Parameters
    ----------
    plan : TrainingPlan or None
        Carried out instead of what is recommended.
    n_images : int or None
        Images that there are said to be, by which it is predicted how long it takes.

    Raises
    ------
    EvtlError
        Task, plan or wishes contradict each other, too many trainings wait, or the disk does not
        allow it.
    """
    said = wanted.options.n_images or n_images
    if plan is not None:
        outline = as_asked(plan, wanted.wishes)
        _must_be_trainable(plan.backbone)
    else:
        options = replace(wanted.options, n_images=said or SOME_IMAGES)
        outline = outlined(options, wanted.wishes)
    seconds = predicted_s(outline) if plan or said else None
    predicted = wanted.model_copy(update={"predicted_s": seconds})
    return Queue(runs).add(predicted, plan).run.name


def _must_be_trainable(backbone: PlannedBackbone) -> None:
    known = queries.corpus(Store()).backbones
    own = {each.model for each in known if each.library == "timm"}
    if backbone.library != "timm" or backbone.model in own:
        return
    if not MODEL.fullmatch(backbone.model):
        msg = (
            f"backbone.model: found {backbone.model[:80]!r}; allowed: the name of a model of timm, "
            "as timm.list_models() has it"
        )
        raise RecommendationError(msg)
    from trainer.naming import planned_backbone  # noqa: PLC0415  (timm for unusual models only)

    planned_backbone(backbone.model, known)


def cancel(runs: Path, run: str) -> None:
    """Have a training end, or not begin.

    Raises
    ------
    EvtlError
        There is none of this name that was asked for here, it has ended, or the disk does not
        allow it.
    """
    job = Queue(runs).job(run)
    if not job.path.is_dir():
        if not job.is_begun:
            raise not_found(run)
        msg = f"{run} was not started here: end its own process"
        raise BusyError(msg)
    job.cancel()


def resume(runs: Path, run: str, data_root: Path | None) -> None:
    """Go on with a training that was stopped.

    Parameters
    ----------
    data_root : pathlib.Path or None
        Folder in which its images have to be.

    Raises
    ------
    EvtlError
        There is none of this name, it is not stopped, its images are elsewhere, too many wait, or
        the disk does not allow it.
    """
    job = Queue(runs).job(run)
    if not job.path.is_dir() and not job.is_begun:
        raise not_found(run)
    if is_taken(job.run / ".lock"):
        msg = f"another process works on {run}; wait until it ends"
        raise BusyError(msg)
    if not job.path.is_dir() and job.result().get("status") == "finished":
        msg = f"{run} is finished; there is nothing to go on with"
        raise BusyError(msg)
    if not _is_within(job.data, data_root):
        msg = (
            f"the images of {run} are not below the folder that may be read here, or a link among "
            "them leads elsewhere; go on with it on the command line: evtl train --resume RUN"
        )
        raise BusyError(msg)
    Queue(runs).resume(run)


def _is_within(data: Path | None, root: Path | None) -> bool:
    """Whether images lie below a folder still; links may have come since they were asked for."""
    if data is None or root is None:
        return False
    try:
        contained(root, data.resolve().relative_to(root.resolve()).as_posix())
    except (OutsideError, OSError, RuntimeError, ValueError):  # elsewhere, a loop, or no name
        return False
    return True
