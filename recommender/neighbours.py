"""The published studies nearest to a question, and what they used."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evidence.records import ArmRecord, TaskProfile
from recommender.similarity import similarity

#: Number of neighbours, and how many studies' weight the whole corpus counts for beside them.
K = 15
PRIOR_STUDIES = 5.0
#: Words that name no choice one could follow.
SILENT = frozenset({"unspecified", "unknown", "custom", "none"})


@dataclass(frozen=True)
class Neighbour:
    """A study, how alike its task is, and its own arms (benchmarks left out).

    A study counts once, however many reviews extracted it.
    """

    similarity: float
    arms: tuple[ArmRecord, ...]

    @property
    def key(self) -> str:
        """Study key."""
        return self.arms[0].study.key


def by_study(profile: TaskProfile, arms: Sequence[ArmRecord]) -> tuple[Neighbour, ...]:
    """All studies with their similarity, nearest first; ties in order of the study key."""
    groups: dict[str, list[ArmRecord]] = defaultdict(list)
    for arm in sorted(arms, key=lambda arm: (arm.study.key, arm.locator, arm.backbone, arm.role)):
        if arm.role != "benchmark":
            groups[arm.study.key].append(arm)
    found = [
        Neighbour(max(similarity(profile, arm) for arm in group), tuple(group))
        for group in groups.values()
    ]
    return tuple(sorted(found, key=lambda neighbour: (-neighbour.similarity, neighbour.key)))


def shares(
    neighbours: Sequence[Neighbour],
    everyone: Sequence[Neighbour],
    word_of: Callable[[ArmRecord], str],
) -> Mapping[str, float]:
    """How common each word is among neighbours, drawn towards its share in the whole corpus.

    Parameters
    ----------
    neighbours, everyone : sequence of Neighbour
        Nearest studies; all studies.
    word_of : callable
        What to count on an arm, e.g. its family.

    Returns
    -------
    mapping of str to float
        Similarity-weighted shares, adding up to 1 over all words (empty for an empty corpus).
    """
    everywhere = _weights(everyone, word_of, weighted=False)
    near = _weights(neighbours, word_of, weighted=True)
    n_all, n_near = sum(everywhere.values()), sum(near.values())
    if not n_all:
        return {}
    return {
        word: (near.get(word, 0.0) + PRIOR_STUDIES * count / n_all) / (n_near + PRIOR_STUDIES)
        for word, count in everywhere.items()
    }


def _weights(
    studies: Sequence[Neighbour], word_of: Callable[[ArmRecord], str], *, weighted: bool
) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    for study in studies:
        words = [word for arm in study.arms if (word := word_of(arm)) not in SILENT]
        for word in words:
            total[word] += (study.similarity if weighted else 1.0) / len(words)
    return dict(total)
