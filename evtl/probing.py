"""A question about images that are here: what they are, and trials on them."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from evidence.records import Backbone, Corpus
from evtl.asking import TaskOptions, question
from evtl.available import HOW_TO_GET, available
from evtl.render_probe import reasons
from recommender.answering import recommend
from recommender.configuration import Configuration
from recommender.doubt import counted
from recommender.errors import RecommendationError
from recommender.measured import Measured
from recommender.plan import PlanEvidence, TrainingPlan, Way, make_plan
from recommender.ranking import Question
from recommender.records import Choice, Recommendation
from trainer.images import ImageSet, Progress, read_images
from trainer.preparing.fingerprint import Fingerprint, fingerprint
from trainer.probing.probe import probe
from trainer.probing.probe_report import Configuration as ProbedConfiguration
from trainer.probing.probe_report import ProbeReport, Trial, decide, tells

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
    top: int | None = None,
) -> Recommendation:
    """Answer with what the images say, after trials on them where seconds are given.

    Raises
    ------
    EvtlError
        The images cannot be used or contradict the options, or nothing can be tried.
    """
    images = read_images(data, target="number" if options.task == "regression" else "classes")
    if probe_s is not None and images.target != "classes":
        msg = f"--probe compares classes; these images have the target {images.target}"
        raise RecommendationError(msg)
    seen = fingerprint(images)
    readable = question(options, corpus, _readable(images, seen))
    asked = replace(readable, data_digest=images.digest)
    if probe_s is None:
        return _with(recommend(asked, corpus, top), seen, None)
    report = probe(
        candidates(asked, corpus), images, probe_s, progress=progress or (lambda *_: None)
    )
    families = {backbone.name: backbone.family for backbone in corpus.backbones}
    measured = measurements(report, families)
    moved = replace(
        asked,
        measured=measured,
        favoured=_named(decide(report)[0], families) if report.trials else None,
        untried="" if measured else why_nothing(report),
    )
    return _with(recommend(moved, corpus, top), seen, report)


def _readable(images: ImageSet, seen: Fingerprint) -> ImageSet:
    """The images without those that were found unreadable: they are no images of their class."""
    bad = {each.number - 1 for each in seen.unreadable}
    found = images.pick([n for n in range(len(images.files)) if n not in bad])
    if lost := sorted(set(images.classes) - set(found.classes)):
        msg = f"no image of {', '.join(lost)} can be read: repair the files or leave the class out"
        raise RecommendationError(msg)
    return found


def _with(found: Recommendation, seen: Fingerprint, report: ProbeReport | None) -> Recommendation:
    """An answer with what was seen of the images and tried on them."""
    return found.model_copy(
        update={
            "fingerprint": seen.model_dump(mode="json"),
            "probe": report and report.model_dump(mode="json"),
            "warnings": (*unreadable(seen), *found.warnings),
        }
    )


def unreadable(seen: Fingerprint) -> tuple[str, ...]:
    """A warning where images cannot be read."""
    if not seen.unreadable:
        return ()
    reasons = Counter(each.reason for each in seen.unreadable).most_common()
    told = ", ".join(f"{reason}: {n}" for reason, n in reasons)
    n_opened = seen.n_images - sum(each.reason != "damaged" for each in seen.unreadable)
    more = f" Only {seen.n_decoded} were decoded whole, so there may be more."
    return (
        f"{seen.n_unreadable} of {counted(seen.n_images, 'image')} cannot be read ({told}): they "
        "are not counted here; repair or remove them before training."
        + (more if seen.n_decoded < n_opened else ""),
    )


def candidates(asked: Question, corpus: Corpus) -> tuple[TrainingPlan, ...]:
    """Plans of every approach and head on the best backbones whose weights are here.

    Raises
    ------
    RecommendationError
        The weights of none that was asked for are here.
    """
    here = available(corpus.backbones)
    names = here if asked.backbones is None else here & asked.backbones
    if not names:
        msg = f"--probe: {_missing(asked.backbones, here)}; {HOW_TO_GET}"
        raise RecommendationError(msg)
    found = recommend(replace(asked, backbones=names), corpus)
    first = list(dict.fromkeys(choice.backbone for choice in found.ranking))[:PROBED_BACKBONES]
    by_name = {backbone.name: backbone for backbone in corpus.backbones}
    return tuple(
        _plan(asked, by_name[choice.backbone], choice)
        for choice in found.ranking
        if choice.backbone in first
    )


def _missing(wanted: frozenset[str] | None, here: frozenset[str]) -> str:
    if wanted is None:
        return "no weights of any backbone are on this machine"
    instead = f" (here: {', '.join(sorted(here))})" if here else ""
    return f"the weights of {', '.join(sorted(wanted))} are not on this machine{instead}"


def _plan(asked: Question, backbone: Backbone, choice: Choice) -> TrainingPlan:
    return make_plan(
        asked.profile,
        [backbone],
        choice.approach,
        choice.head,
        PlanEvidence(),
        initialisation=choice.initialisation,
    )


def measurements(report: ProbeReport, families: Mapping[str, str]) -> tuple[Measured, ...]:
    """What the trials of a probe say, each beside what it was tried with on the same images.

    A short fine-tuning shows less than a whole one would: one that lies below its frozen
    reference after a small part of its training says nothing.
    """
    found: list[Measured] = []
    for number, trial in enumerate(report.trials):
        if trial.paired is None or not (trial.frozen or tells(trial)):
            continue
        other = trial.paired.against
        error = max(100 * trial.paired.se / math.sqrt(2), LEAST_ERROR)
        block, points = f"trial {number}", 100 * trial.value
        found += [
            Measured(_named(trial, families), points, error, block),
            Measured(_named(other, families), points - 100 * trial.paired.difference, error, block),
        ]
    return tuple(found)


def why_nothing(report: ProbeReport) -> str:
    """Why the trials of a probe measured nothing to go by."""
    if report.trials:
        n_trials = counted(len(report.trials), "trial")
        return f"{n_trials} on these images told nothing of one candidate beside another"
    reason, _ = reasons(report)[0]
    return f"nothing could be tried on these images: {reason.partition(':')[0]}"


def _named(one: Trial | ProbedConfiguration, families: Mapping[str, str]) -> Configuration:
    way = Way(one.approach, one.head, one.initialisation)
    return Configuration.of(one.backbone, families[one.backbone], way)
