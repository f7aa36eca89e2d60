"""One function per use case, shared by every face of evtl. Nothing here prints."""

from pathlib import Path
from typing import TYPE_CHECKING

from evidence import questions
from evidence.questions import Answer
from evidence.store import Store
from evtl import snapshot
from evtl.asking import TaskOptions, question
from evtl.kept import Kept
from recommender.errors import RecommendationError
from recommender.plan import TrainingPlan
from recommender.records import Recommendation

if TYPE_CHECKING:  # torch must not be imported to recommend
    from recommender.ranking import Question
    from trainer.images import Progress

#: Answers that are kept for those who ask the same, and the most choices that one may hold: all
#: of them take a hundred times as much memory.
KEPT, MOST_KEPT = 50, 20
_answers: "Kept[tuple[snapshot.Key, Question, int], Recommendation]" = Kept(KEPT)


def recommend(
    options: TaskOptions,
    data: Path | None = None,
    probe_s: float | None = None,
    progress: "Progress | None" = None,
    top: int | None = None,
) -> Recommendation:
    """Answer a question from the store, and from the user's images where they are given.

    Parameters
    ----------
    data : pathlib.Path or None
        Folder of images: what it holds replaces what would be guessed.
    probe_s : float or None
        Seconds in which the first candidates are tried on the images.
    top : int or None
        Choices to tell of, at least 1; None for all.

    Raises
    ------
    EvtlError
        The options contradict each other or the images, or the images cannot be used.
    """
    known = snapshot.current()
    if data is not None:
        from evtl.probing import on_images  # noqa: PLC0415  (torch only with images)

        return on_images(options, known.corpus, data, probe_s, progress, top)
    if probe_s is not None:
        msg = "--probe tries candidates on images: name their folder with --data"
        raise RecommendationError(msg)
    from recommender.answering import recommend as answer  # noqa: PLC0415  (numpy only here)

    asked = question(options, known.corpus)
    if top is None or top > MOST_KEPT:
        return answer(asked, known.corpus, top)
    return _answers.get((known.key, asked, top), lambda: answer(asked, known.corpus, top))


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
