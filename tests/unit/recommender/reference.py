"""The same over records, one after the other: slow and plain, to compare the columns with."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from evidence.records import ArmRecord, Evaluation, Study, TaskProfile
from recommender.headtohead import win_rate
from recommender.neighbours import SILENT, Neighbour
from recommender.similarity import similarity
from tests.unit.evidence.test_records import profiles

BACKBONES = {
    "VGG-16": "VGGNet",
    "VGG-19": "VGGNet",
    "ResNet-50": "ResNet",
    "AlexNet": "AlexNet",
    "3D-CNN": "custom",
}


#: Questions of classification and of regression.
questions = st.one_of(
    profiles,
    st.builds(
        TaskProfile,
        modality=st.sampled_from(["ultrasound", "xray", "oct"]),
        anatomy=st.none() | st.sampled_from(["breast", "chest"]),
        n_images=st.sampled_from([1, 1000, 10**9]),
        task=st.just("regression"),
    ),
)


@st.composite
def arms(draw: st.DrawFn) -> ArmRecord:
    """Arms of few studies, reviews and tasks, so that they often meet."""
    backbone = draw(st.sampled_from(sorted(BACKBONES)))
    review = draw(st.sampled_from(["kim2022", "kora2022", "morid2022"]))
    key = draw(st.sampled_from(["doe-2020", "roe-2019", "Zoe-2018", "ünal-2021"]))
    return ArmRecord(
        study=Study(key=key, first_author="Doe", year=2020),
        review=review,
        locator=f"{review}, Table S5, Doe et al. 2020 [1]",
        role=draw(st.sampled_from(["winner", "benchmark", "used"])),
        backbone=backbone,
        family=BACKBONES[backbone],
        approach=draw(st.sampled_from(["feature_extractor", "fine_tuning", "unspecified"])),
        initialisation=draw(st.sampled_from(["pretrained", "random"])),
        head=draw(st.sampled_from(["linear", "svm", "unspecified"])),
        modality=draw(st.sampled_from([None, "ultrasound", "mammography", "xray"])),
        anatomy=draw(st.sampled_from([(), ("breast",), ("lung", "heart")])),
        tasks=draw(st.sampled_from([("classification",), ("classification", "regression")])),
        n_classes=draw(st.sampled_from([None, 2, 3, 7])),
        n_images=draw(st.none() | st.sampled_from([100, 1000, 10_000]) | st.integers(1, 10**9)),
        n_augmented=None,
        augmentation=draw(st.sampled_from(["none", "online"])),
        visualization=draw(st.sampled_from(["none", "heatmap"])),
        evaluations=(Evaluation(metric="auc", operator="=", value=0.9),),
    )


@st.composite
def extractions(draw: st.DrawFn) -> list[ArmRecord]:
    """Arms of one study as one review read it: they share their task."""
    shared = draw(arms())
    task = {name: getattr(shared, name) for name in ("review", "locator", "study", "modality")}
    task["n_images"] = draw(st.sampled_from([100, 1000]))
    found = draw(st.lists(arms(), min_size=2, max_size=5))
    return [arm.model_copy(update=TASK | task) for arm in found]


#: What is the same in every extraction, so that often only the review differs.
TASK = {"anatomy": ("breast",), "tasks": ("classification",), "n_classes": 2}
#: Arms as a store holds them.
corpora = st.lists(extractions(), max_size=12).map(
    lambda found: [arm for own in found for arm in own]
)


def by_study(profile: TaskProfile, records: Iterable[ArmRecord]) -> tuple[Neighbour, ...]:
    """All studies with their similarity, nearest first; ties in order of the study key."""
    groups: dict[str, list[ArmRecord]] = defaultdict(list)
    for arm in records:
        if arm.role != "benchmark":
            groups[arm.study.key].append(arm)
    found = [
        Neighbour(max(similarity(profile, arm) for arm in group), tuple(sorted(group, key=place)))
        for group in groups.values()
    ]
    return tuple(sorted(found, key=lambda neighbour: (-neighbour.similarity, neighbour.key)))


def place(arm: ArmRecord) -> tuple[str, ...]:
    """What arms of a study are ordered by."""
    return (arm.locator, arm.backbone, arm.role, arm.initialisation, arm.approach, arm.head)


def shares(
    neighbours: Sequence[Neighbour],
    everyone: Sequence[Neighbour],
    word_of: Callable[[ArmRecord], str],
    prior_studies: float,
) -> dict[str, float]:
    """How common each word is among neighbours, drawn towards its share among everyone."""
    everywhere = _weights(everyone, word_of, weighted=False)
    near = _weights(neighbours, word_of, weighted=True)
    n_all, n_near = sum(everywhere.values()), sum(near.values())
    if math.isinf(prior_studies):
        return {word: count / n_all for word, count in everywhere.items()}
    return {
        word: (near.get(word, 0.0) + prior_studies * count / n_all) / (n_near + prior_studies)
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


class Comparison(NamedTuple):
    """One backbone that did better than another on one study's data."""

    study_key: str
    weight: float
    winner: str
    winner_family: str
    loser: str
    loser_family: str


def comparisons(
    profile: TaskProfile, records: Sequence[ArmRecord], least: float = 0.0
) -> tuple[Comparison, ...]:
    """Every named winner and different named benchmark, of at least this weight, heaviest first."""
    found = {
        Comparison(
            arm.study.key, weight, arm.backbone, arm.family, other.backbone, other.family
        )
        for arm in records
        if arm.role == "winner" and arm.family not in SILENT
        for other in records
        if other.role == "benchmark" and other.family not in SILENT
        if (other.study.key, other.review) == (arm.study.key, arm.review)
        if other.backbone != arm.backbone
        if (weight := similarity(profile, arm)) >= least
    }  # fmt: skip
    return tuple(sorted(found, key=lambda pair: (-pair.weight, pair)))


def family_record(pairs: Iterable[Comparison], family: str) -> tuple[float, float]:
    """Weighted wins and losses against other families, one per study and rival family."""
    wins = {
        (pair.study_key, pair.loser_family): pair.weight
        for pair in pairs
        if pair.winner_family == family != pair.loser_family
    }
    losses = {
        (pair.study_key, pair.winner_family): pair.weight
        for pair in pairs
        if pair.loser_family == family != pair.winner_family
    }
    return sum(wins.values()), sum(losses.values())


def strength(pairs: Sequence[Comparison], backbone: str, family: str) -> float:
    """Shrunk share of comparisons that a backbone wins; one half where nothing is known."""
    family_rate = win_rate(*family_record(pairs, family), prior=0.5)
    wins = sum(pair.weight for pair in pairs if pair.winner == backbone)
    losses = sum(pair.weight for pair in pairs if pair.loser == backbone)
    return win_rate(wins, losses, prior=family_rate)
