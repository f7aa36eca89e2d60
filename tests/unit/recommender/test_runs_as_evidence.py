"""A run is evidence on what was trained: its weights, and no ladder for a frozen backbone."""

from dataclasses import replace

import pytest

from evidence.records import Corpus, RunRecord, TaskProfile
from recommender.configuration import IMAGENET, of_run
from recommender.ranking import Question, gather
from tests.unit.recommender.test_trials import a_run


def run(**fields: object) -> RunRecord:
    return a_run("mine", "ResNet-50", 0.9).model_copy(update=fields)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("random", ("random", "")),
        ("pretrained", ("pretrained", IMAGENET)),
        (None, ("pretrained", IMAGENET)),
    ],
)
def test_a_run_is_evidence_on_the_weights_that_it_began_with(
    said: str | None, expected: tuple[str, str]
) -> None:
    found = of_run(run(approach="fine_tuning_from_scratch", initialisation=said), "ResNet")
    assert found is not None
    one = found.configuration
    assert (one.initialisation, one.pretraining) == expected


def test_a_run_from_random_weights_measures_no_pretrained_candidate(corpus: Corpus) -> None:
    tuned = {"approach": "fine_tuning_from_scratch", "epochs": 6}
    known = replace(corpus, runs=(run(**tuned, initialisation="random"),))
    asked = Question(TaskProfile(modality="ultrasound", n_images=100), data_digest="mine")
    (measured,) = gather(asked, known).measured
    assert (measured.configuration.initialisation, measured.points) == ("random", 90)


def test_what_a_ladder_reached_is_not_put_down_to_a_frozen_backbone() -> None:
    assert of_run(run(epochs=12), "ResNet") is None
    assert of_run(run(epochs=None), "ResNet") is not None
