"""Published studies as arrays: how alike their tasks are, and what each of them used.

A predictor is only ever handed what `Population.without` leaves: the other studies, and the
left-out one as a question, without its key and without what it used.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from evidence.records import ArmRecord, TaskProfile
from evidence.vocabulary import ANATOMY, MODALITY, Vocabulary
from recommender.neighbours import SILENT
from recommender.similarity import UNKNOWN, similarity, term_similarity

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: What is predicted of a study, and the words that name no choice one could follow. Not to
#: augment is a choice; that images were augmented, without how, is none.
TARGETS: Mapping[str, frozenset[str]] = {
    "family": SILENT,
    "approach": SILENT,
    "augmentation": frozenset({"unknown", "yes"}),
    "head": SILENT,
}
#: The work grows with the third power of the number of studies: of more than this, a sample is
#: taken, which the seed of everything random here draws.
MAX_STUDIES = 500
SEED = 0
#: What the plain kNN compares, and every choice of some of it, of which it takes the mean.
FEATURES = ("modality", "anatomy", "size", "classes")
CHOICES = tuple(
    list(chosen)
    for size in range(1, len(FEATURES) + 1)
    for chosen in combinations(range(len(FEATURES)), size)
)


@dataclass(frozen=True)
class StudyTask:
    """A study, counted once however many reviews extracted it, with its own arms.

    Attributes
    ----------
    arms : tuple of ArmRecord
        Winner and used arms of all its extractions, in a fixed order; benchmarks are left out.
    """

    arms: tuple[ArmRecord, ...]

    @property
    def key(self) -> str:
        """Study key."""
        return self.arms[0].study.key

    @cached_property
    def question(self) -> TaskProfile | None:
        """The study's task as a user would ask it, of the first arm that says enough.

        None where no arm gives a modality and a number of images, which every question needs.
        Of several parts of the body the first counts.
        """
        for arm in self.arms:
            if arm.modality and arm.n_images:
                numeric = "regression" in arm.tasks
                return TaskProfile(
                    modality=arm.modality,
                    anatomy=arm.anatomy[0] if arm.anatomy else None,
                    n_images=arm.n_images,
                    n_classes=None if numeric else arm.n_classes,
                    task="regression" if numeric else "classification",
                )
        return None

    def shares(self, target: str) -> Mapping[str, float]:
        """What the study used: each arm counts alike, and all arms together for one study.

        Empty where no arm names a choice.
        """
        words = [word for arm in self.arms if (word := getattr(arm, target)) not in TARGETS[target]]
        return {word: words.count(word) / len(words) for word in words}


def study_tasks(arms: Sequence[ArmRecord]) -> tuple[StudyTask, ...]:
    """Studies in order of their keys; the order of the arms does not matter."""
    groups: dict[str, list[ArmRecord]] = defaultdict(list)
    for arm in sorted(arms, key=lambda arm: (arm.study.key, arm.locator, arm.backbone, arm.role)):
        if arm.role != "benchmark":
            groups[arm.study.key].append(arm)
    return tuple(StudyTask(tuple(group)) for group in groups.values())


@dataclass(frozen=True)
class Training:
    """What a predictor may learn from: m studies, any of which may be asked as well.

    Attributes
    ----------
    alike : array of shape (m, m)
        Similarity of study i as a question with study j, as `recommender.similarity` gives it.
    features : array of shape (n_choices, m, m)
        Mean likeness in each of `CHOICES` of the features.
    anatomy : array of str, shape (m,)
        Empty where not said.
    asked : array of bool, shape (m,)
        Whether the study can be asked as a question.
    labels : mapping of target to array of shape (m, n_labels)
        What each study used; a row adds up to 1, or to 0 where the study does not say.
    """

    alike: Floats
    features: Floats
    anatomy: NDArray[np.str_]
    asked: Bools
    labels: Mapping[str, Floats]

    def scored(self, target: str) -> Bools:
        """Studies that can be asked and say what they used, shape (m,)."""
        found: Bools = self.asked & (self.labels[target].sum(1) > 0)
        return found


@dataclass(frozen=True)
class Question:
    """A study that was left out: how alike its task is to each of the m others, and no more.

    Attributes
    ----------
    alike : array of shape (m,)
    features : array of shape (n_choices, m)
    anatomy : str
    """

    alike: Floats
    features: Floats
    anatomy: str


@dataclass(frozen=True)
class Population:
    """Studies that are left out one after the other.

    Attributes
    ----------
    n_found : int
        Studies that there are.
    tasks : tuple of StudyTask, length n
        All of them, or a random `MAX_STUDIES`.
    studies : Training
        All of them, in the same order.
    words : mapping of target to tuple of str
        Its labels. The list is given to every predictor alike, as the answers of a questionnaire
        are: a label that only the left-out study has is known to exist.
    """

    name: str
    n_found: int
    tasks: tuple[StudyTask, ...]
    studies: Training
    words: Mapping[str, tuple[str, ...]]

    def without(self, left_out: int) -> tuple[Training, Question]:
        """The other studies with what they used, and the left-out one as a question."""
        rest = np.delete(np.arange(len(self.tasks)), left_out)
        every = self.studies
        training = Training(
            alike=every.alike[np.ix_(rest, rest)],
            features=every.features.take(rest, axis=1).take(rest, axis=2),
            anatomy=every.anatomy[rest],
            asked=every.asked[rest],
            labels={target: labels[rest] for target, labels in every.labels.items()},
        )
        question = Question(
            alike=every.alike[left_out, rest],
            features=every.features[:, left_out, rest],
            anatomy=str(every.anatomy[left_out]),
        )
        return training, question

    def permuted(self, order: NDArray[np.intp]) -> "Population":
        """The same tasks, each with what another study used."""
        labels = {target: rows[order] for target, rows in self.studies.labels.items()}
        return replace(self, studies=replace(self.studies, labels=labels))


def population(name: str, arms: Sequence[ArmRecord]) -> Population:
    """Studies of a set of arms as arrays."""
    every = study_tasks(arms)
    tasks = _sample(every)
    words = {
        target: tuple(sorted({word for task in tasks for word in task.shares(target)}))
        for target in TARGETS
    }
    studies = Training(
        alike=similarities(tasks),
        features=_features(tasks),
        anatomy=np.array([task.question.anatomy or "" if task.question else "" for task in tasks]),
        asked=np.array([task.question is not None for task in tasks], dtype=bool),
        labels={target: _labels(tasks, target, words[target]) for target in TARGETS},
    )
    return Population(name, len(every), tasks, studies, words)


def _sample(tasks: tuple[StudyTask, ...]) -> tuple[StudyTask, ...]:
    if len(tasks) <= MAX_STUDIES:
        return tasks
    drawn = np.random.default_rng(SEED).choice(len(tasks), MAX_STUDIES, replace=False)
    return tuple(tasks[place] for place in sorted(drawn))


def _labels(tasks: Sequence[StudyTask], target: str, words: Sequence[str]) -> Floats:
    found = [task.shares(target) for task in tasks]
    rows = [[shares.get(word, 0.0) for word in words] for shares in found]
    return np.array(rows, dtype=float).reshape(len(tasks), len(words))


def similarities(tasks: Sequence[StudyTask]) -> Floats:
    """Similarity of study i as a question with study j, shape (n, n).

    That of its best arm, as in `recommender.neighbours`; rows of studies that cannot be asked
    are 0.
    """
    rows = [
        [max(similarity(task.question, arm) for arm in other.arms) for other in tasks]
        if task.question
        else [0.0] * len(tasks)
        for task in tasks
    ]
    return np.array(rows, dtype=float).reshape(len(tasks), len(tasks))


def _features(tasks: Sequence[StudyTask]) -> Floats:
    """Mean likeness in each of `CHOICES`, shape (n_choices, n, n).

    A feature counts `UNKNOWN` where either study says nothing.
    """
    asked = [task.question for task in tasks]
    sizes = np.array([np.log10(q.n_images) if q else np.nan for q in asked])
    classes = np.array([q.n_classes or np.nan if q else np.nan for q in asked])
    parts = np.stack(
        [
            _terms(MODALITY, [q.modality if q else None for q in asked]),
            _terms(ANATOMY, [q.anatomy if q else None for q in asked]),
            _or_unknown(np.exp(-np.abs(sizes[:, None] - sizes)), sizes),
            _or_unknown((classes[:, None] == classes).astype(float), classes),
        ]
    )
    return np.stack([parts[chosen].mean(0) for chosen in CHOICES])


def _terms(vocabulary: Vocabulary, words: Sequence[str | None]) -> Floats:
    known = sorted({word for word in words if word})
    table = np.full((len(known) + 1, len(known) + 1), UNKNOWN)
    for row, word in enumerate(known):
        table[row, :-1] = [term_similarity(vocabulary, word, other) for other in known]
    places = [known.index(word) if word else len(known) for word in words]
    found: Floats = table[np.ix_(places, places)]
    return found


def _or_unknown(likeness: Floats, values: Floats) -> Floats:
    silent = np.isnan(values)
    return np.where(silent[:, None] | silent, UNKNOWN, likeness)
