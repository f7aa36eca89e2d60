"""How alike two imaging tasks are, from 0 (nothing in common) to 1 (the same)."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from evidence.arm_table import ArmTable
from evidence.records import ArmRecord, TaskProfile
from evidence.vocabulary import ANATOMY, MODALITY, Vocabulary

Values = NDArray[np.float64]
#: Similarity of something with something unknown: no reason to call it like or unlike.
UNKNOWN = 0.5
#: What each part counts. Set by hand, not fitted: leaving one study out of Morid 2022's 102,
#: neither modality nor anatomy predicts the family better than the constant with certainty.
WEIGHTS = {"modality": 0.40, "anatomy": 0.25, "size": 0.20, "classes": 0.10, "task": 0.05}


#: A task is close from this similarity on: the same modality and most of the rest.
CLOSE = 0.7


def term_similarity(vocabulary: Vocabulary, first: str, second: str) -> float:
    """Wu-Palmer similarity of two terms: shared depth over mean depth.

    References
    ----------
    Wu and Palmer 1994, doi:10.3115/981732.981751.
    """
    path, other = vocabulary.path(first), vocabulary.path(second)
    shared = len(set(path) & set(other))
    return 2 * shared / (len(path) + len(other))


def size_similarity(first: int, second: int) -> float:
    """Decays by 1/e for each factor of ten between two numbers of images."""
    return math.exp(-abs(math.log10(first / second)))


def class_similarity(first: int, second: int) -> float:
    """1 for the same number of classes, one half for two multi-class tasks, else 0."""
    if first == second:
        return 1.0
    return 0.5 if min(first, second) > 2 else 0.0


def _best(vocabulary: Vocabulary, wanted: str | None, found: Iterable[str]) -> float:
    scores = [term_similarity(vocabulary, wanted, term) for term in found if wanted]
    return max(scores, default=UNKNOWN)


def similarity(profile: TaskProfile, arm: ArmRecord) -> float:
    """Similarity of a question and the task of a published arm.

    Sizes are compared before augmentation.

    Returns
    -------
    float
        In [0, 1].
    """
    parts = {
        "modality": _best(MODALITY, profile.modality, (arm.modality,) if arm.modality else ()),
        "anatomy": _best(ANATOMY, profile.anatomy, arm.anatomy),
        "size": size_similarity(profile.n_images, arm.n_images) if arm.n_images else UNKNOWN,
        "classes": (
            class_similarity(profile.n_classes, arm.n_classes)
            if profile.n_classes and arm.n_classes
            else UNKNOWN
        ),
        # Detection of a finding in an image is a classification of images.
        "task": float((profile.task == "regression") == ("regression" in arm.tasks)),
    }
    return sum(WEIGHTS[name] * value for name, value in parts.items())


def similarities(profile: TaskProfile, table: ArmTable) -> Values:
    """As `similarity`, of every arm of a table: (N,)."""
    return task_similarities(profile, table)[table.tasks.of_arm]


def task_similarities(profile: TaskProfile, table: ArmTable) -> Values:
    """As `similarities`, of every task of a table: (T,).

    Each part is worked out once per distinct word or number and looked up, so that equal tasks
    are equally alike to the last bit.
    """
    tasks = table.tasks
    modalities = [_best(MODALITY, profile.modality, (word,)) for word in tasks.modality.words]
    places = [_best(ANATOMY, profile.anatomy, words) for words in tasks.anatomy.words]
    classes = [
        class_similarity(profile.n_classes, int(number)) if profile.n_classes else UNKNOWN
        for number in tasks.n_classes.values
    ]
    sizes = np.exp(-np.abs(np.log10(profile.n_images / tasks.n_images.values)))
    parts = {
        "modality": _looked_up(modalities, tasks.modality.codes),
        "anatomy": _looked_up(places, tasks.anatomy.codes),
        "size": _looked_up(sizes, tasks.n_images.codes),
        "classes": _looked_up(classes, tasks.n_classes.codes),
        "task": np.equal(profile.task == "regression", tasks.regression).astype(np.float64),
    }
    return sum((WEIGHTS[name] * value for name, value in parts.items()), np.zeros(1))


def _looked_up(scores: Sequence[float] | Values, codes: NDArray[np.int32]) -> Values:
    return np.append(scores, UNKNOWN)[codes]
