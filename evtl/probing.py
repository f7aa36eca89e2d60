"""A question about images that are here: what they are, and trials on them."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from evidence.records import Backbone, Corpus
from evtl.asking import TaskOptions, question
from evtl.available import available
from recommender.answering import recommend
from recommender.configuration import Configuration
from recommender.measured import Measured
from recommender.plan import PlanEvidence, TrainingPlan, make_plan
from recommender.ranking import Question
from recommender.records import Choice, Recommendation
from trainer.fingerprint import fingerprint
from trainer.images import Progress, read_images
from trainer.probe import probe
from trainer.probe_report import Configuration as ProbedConfiguration
from trainer.probe_report import ProbeReport, Trial, decide, is_behind

#: Smallest standard error, in points, that a trial is believed to have.
LEAST_ERROR = 0.1
#: Backbones that a probe compares: the best whose weights are here.
PROBED_BACKBONES = 4


def on_images(
    options: TaskOptions,
    corpus: Corpus,
    data: Path,
    probe_s: float | None,
    progress: Progress | None,
) -> Recommendation:
    """Answer with what the images say, after trials on them where seconds are given.

    Raises
    ------
    EvtlError
        The images cannot be used or contradict the options, or nothing can be tried.
    """
    images = read_images(data)
    asked = question(options, corpus, images)
    looked_at = {"fingerprint": fingerprint(images).model_dump(mode="json")}
    if probe_s is None:
        return recommend(asked, corpus).model_copy(update=looked_at)
    report = probe(
        candidates(asked, corpus), images, probe_s, progress=progress or (lambda *_: None)
    )
    families = {backbone.name: backbone.family for backbone in corpus.backbones}
    moved = replace(
        asked,
        measured=measurements(report, families),
        favoured=_named(decide(report)[0], families) if report.trials else None,
    )
    looked_at["probe"] = report.model_dump(mode="json")
    return recommend(moved, corpus).model_copy(update=looked_at)


def candidates(asked: Question, corpus: Corpus) -> tuple[TrainingPlan, ...]:
    """Plans of every approach and head on the best backbones whose weights are here."""
    here = available(corpus.backbones)
    names = here if asked.backbones is None else here & asked.backbones
    found = recommend(replace(asked, backbones=names), corpus)
    first = list(dict.fromkeys(choice.backbone for choice in found.ranking))[:PROBED_BACKBONES]
    by_name = {backbone.name: backbone for backbone in corpus.backbones}
    return tuple(
        _plan(asked, by_name[choice.backbone], choice)
        for choice in found.ranking
        if choice.backbone in first
    )


def _plan(asked: Question, backbone: Backbone, choice: Choice) -> TrainingPlan:
    return make_plan(asked.profile, [backbone], choice.approach, choice.head, PlanEvidence())


def measurements(report: ProbeReport, families: Mapping[str, str]) -> tuple[Measured, ...]:
    """What the trials of a probe say, each beside what it was tried with on the same images.

    A short fine-tuning shows less than a whole one would: one that lies below its frozen
    reference by no more than its haste explains says nothing.
    """
    found: list[Measured] = []
    for number, trial in enumerate(report.trials):
        if trial.paired is None or (not trial.frozen and _says_nothing(trial)):
            continue
        other = trial.paired.against
        error = max(100 * trial.paired.se / math.sqrt(2), LEAST_ERROR)
        block, points = f"trial {number}", 100 * trial.value
        found += [
            Measured(_named(trial, families), points, error, block),
            Measured(_named(other, families), points - 100 * trial.paired.difference, error, block),
        ]
    return tuple(found)


def _named(one: Trial | ProbedConfiguration, families: Mapping[str, str]) -> Configuration:
    return Configuration(one.backbone, families[one.backbone], one.approach, one.head)


def _says_nothing(trial: Trial) -> bool:
    """A short fine-tuning below its frozen reference by no more than its haste explains."""
    return trial.paired is None or (trial.paired.difference < 0 and not is_behind(trial))
