"""One function per use case, shared by every face of evtl. Nothing here prints."""

from pathlib import Path
from typing import TYPE_CHECKING

from evidence import queries, questions
from evidence.questions import Answer
from evidence.store import Store
from evtl.asking import TaskOptions, question
from recommender.errors import RecommendationError
from recommender.plan import TrainingPlan
from recommender.records import Recommendation

if TYPE_CHECKING:  # torch must not be imported to recommend
    from trainer.images import Progress


def recommend(
    options: TaskOptions,
    data: Path | None = None,
    probe_s: float | None = None,
    progress: "Progress | None" = None,
) -> Recommendation:
    """Answer a question from the store, and from the user's images where they are given.

    Parameters
    ----------
    data : pathlib.Path or None
        Folder of images: what it holds replaces what would be guessed.
    probe_s : float or None
        Seconds in which the first candidates are tried on the images.

    Raises
    ------
    EvtlError
        The options contradict each other or the images, or the images cannot be used.
    """
    from recommender.answering import recommend as answer  # noqa: PLC0415  (numpy only here)

    corpus = queries.corpus(Store())
    if data is None:
        if probe_s is not None:
            msg = "--probe tries candidates on images: name their folder with --data"
            raise RecommendationError(msg)
        return answer(question(options, corpus), corpus)
    from evtl.probing import on_images  # noqa: PLC0415  (torch only with images)

    return on_images(options, corpus, data, probe_s, progress)


def save_plan(plan: TrainingPlan, path: Path) -> None:
    """Write a plan that `evtl train --plan` reads.

    Raises
    ------
    TrainingError
        The file cannot be written.
    """
    from trainer.places import new_file  # noqa: PLC0415  (only where a plan is kept)

    with new_file(path) as draft:
        draft.write_text(plan.model_dump_json(indent=2) + "\n", encoding="utf-8")


def sql(query: str) -> Answer:
    """Answer one SELECT over the store."""
    return questions.question(Store(), query)
