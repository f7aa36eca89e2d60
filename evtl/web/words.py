"""Filters of the templates: numbers and words as people read them."""

from collections.abc import Callable
from typing import Any

from evidence.vocabulary import ANATOMY, MODALITY
from recommender.plan import BLOCKS

APPROACHES = {
    "feature_extractor": "frozen feature extractor",
    "feature_extractor_hybrid": "frozen, classical classifier",
    "fine_tuning": f"fine-tuning of the last {BLOCKS} blocks",
    "fine_tuning_from_scratch": "full fine-tuning",
}


def approach(key: str, initialisation: str = "pretrained") -> str:
    """An approach as people say it; random weights are never left unsaid."""
    words = APPROACHES.get(key, key.replace("_", " "))
    return f"{words} from random weights" if initialisation == "random" else words


def modality(key: str | None) -> str:
    """Label of a modality; empty where there is none."""
    return MODALITY.label(key) if key else ""


def anatomy(key: str | None) -> str:
    """Label of an anatomy; empty where there is none."""
    return ANATOMY.label(key) if key else ""


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many digits behind the point; a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def thousands(value: int | None) -> str:
    """A count with its thousands set apart."""
    return "-" if value is None else f"{value:,}"


def capitalised(text: str) -> str:
    """A sentence with its first letter large and all others as they are."""
    return text[:1].upper() + text[1:]


FILTERS: dict[str, Callable[..., Any]] = {
    "approach": approach,
    "modality": modality,
    "anatomy": anatomy,
    "capitalised": capitalised,
    "number": number,
    "thousands": thousands,
}
