"""``MODEL_CARD.md``: what a model is for, what it learned from, how well, and on whose evidence.

Headings after Mitchell 2019, doi:10.1145/3287560.3287596; front matter as the Hugging Face hub
reads it. Neither files nor patients nor groups are named.
"""

import re
from collections.abc import Iterable, Iterator

from huggingface_hub import ModelCardData

from trainer.reporting.report_data import Reference, ReportData
from trainer.reporting.wording import INTENDED, facts, interval, limits, of_maps, written

#: What Markdown or a page made of it would take for more than text.
_SPECIAL = re.compile(r"([\\`*\[\]<>|#])")
_LOADING = (
    "With evtl, from the run folder: `evtl predict RUN IMAGES`. The tensors are in "
    "`model.safetensors`: `backbone.*` for timm or torchvision, and `head.*` where the head is "
    "linear; any other head is in `head.skops`. Images must be prepared as in training."
)
_STAGES = (
    " The head takes the means over the positions of the last three stages, one after the other: "
    "in timm `network.forward_intermediates(images, indices=3, intermediates_only=True)`."
)


def model_card(data: ReportData, loading: str = _LOADING) -> str:
    """The card as Markdown; the same data give the same text.

    Parameters
    ----------
    loading : str
        How the model is loaded, where it is not in its run folder; Markdown.
    """
    title = f"{_backbone(data)} for {', '.join(data.outputs) or 'a number'}"
    sections = (
        ("Model details", _table(facts(data))),
        ("Intended use", [INTENDED]),
        ("Factors", [_factors(data)]),
        ("Metrics", _metrics(data)),
        ("Evaluation data", [_parts(data, evaluated=True)]),
        ("Training data", _training_data(data)),
        ("Which evidence chose what", _evidence(data)),
        ("Ethical considerations", [_ethics(data)]),
        ("Caveats and recommendations", _list(map(_plain, _caveats(data)))),
        ("How to load", [loading + _STAGES * (data.result.features == "stages")]),
    )
    lines = ["---", _front_matter(data), "---", "", f"# {_plain(title)}", ""]
    for heading, body in sections:
        lines += [f"## {heading}", "", *body, ""]
    return "\n".join(lines)


def _backbone(data: ReportData) -> str:
    return data.result.backbone or data.result.backbone_recommended


def _front_matter(data: ReportData) -> str:
    profile = data.plan.profile
    tags = ["medical-imaging", "transfer-learning", "evtl", profile.modality, profile.anatomy]
    found: str = ModelCardData(
        library_name="timm",
        license=data.licence or "other",
        pipeline_tag="image-classification",
        tags=[tag for tag in tags if tag],
    ).to_yaml()
    return found


def _plain(text: str) -> str:
    """A text that Markdown shows as it is, in one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _table(rows: Iterable[tuple[str, str]]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {_plain(a)} | {_plain(b)} |" for a, b in rows)]


def _list(sentences: Iterable[str]) -> list[str]:
    return [f"- {sentence}" for sentence in sentences]


def _factors(data: ReportData) -> str:
    groups = data.data.n_groups if data.data else None
    known = "No patients or other groups were named."
    if groups is not None:
        known = f"Images of {groups} patients or other groups, each on one side of the split."
    return f"{known} Age, sex, device and severity were not looked at."


def _metrics(data: ReportData) -> list[str]:
    """A row for each metric of each part, with its interval."""
    rows = [
        f"| {part} | {written(key)} | {interval(value)} |"
        for part, metrics in data.result.metrics.items()
        for key, value in metrics.items()
    ]
    if not rows:
        return ["Nothing was measured."]
    note = "In brackets: 95% intervals from resampling whole patients, where known, else images."
    point = data.result.operating_point
    told = ["", f"Operating point: {_plain(point.statement)}."] if point else []
    return ["| part | metric | value |", "|---|---|---|", *rows, "", note, *told]


def _parts(data: ReportData, *, evaluated: bool) -> str:
    """How many images the parts hold that were, or were not, trained on."""
    parts = data.result.n_per_part
    chosen = {part: n for part, n in parts.items() if (part == "test") == evaluated}
    counts = ", ".join(f"{_plain(part)}: {n} images" for part, n in chosen.items())
    return counts or "Not known."


def _training_data(data: ReportData) -> list[str]:
    lines = [_parts(data, evaluated=False)]
    if data.data is None:
        return lines
    for part, counts in data.data.counts.items():
        told = ", ".join(f"{_plain(name)} {n}" for name, n in counts.items())
        lines += ["", f"{_plain(part)}: {told}"]
    if data.data.unreadable:
        lines += ["", f"{len(data.data.unreadable)} files could not be used and were left out."]
    return lines


def _evidence(data: ReportData) -> list[str]:
    plan = data.plan
    rules, studies = data.rule_list, data.study_list
    if not rules and not studies:
        return ["None is named in the plan: a person chose the configuration."]
    lines = ["Backbone, approach and head were chosen by these:", "", *_list(_cited(rules))]
    lines += _list(_cited(studies))
    if plan.evidence.corpus_digest:
        lines += ["", f"Corpus: SHA-256 `{plan.evidence.corpus_digest}`."]
    return lines


def _cited(references: Iterable[Reference]) -> Iterator[str]:
    for each in references:
        words = ". ".join(filter(None, [each.text.rstrip("."), each.source]))
        yield f"`{each.key.replace('`', '')}`" + (f": {_plain(words)}" * bool(words))


def _ethics(data: ReportData) -> str:
    drawn = " The report beside this card shows images of cases." if data.cases else ""
    return f"The card names no patient.{drawn} Who uses the model answers for consent and law."


def _caveats(data: ReportData) -> Iterator[str]:
    found = data.data.shortcuts if data.data else ()
    yield from dict.fromkeys((*data.result.warnings, *found))
    yield from limits(data)
    if words := of_maps(data.resemblance):
        yield words
