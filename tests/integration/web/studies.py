"""Studies as tests type them."""

from typing import Any

from tests.integration.web.visiting import Visit

#: A breast ultrasound study that is in no store.
PUBLICATION = {
    "title": "Transfer learning for breast lesions in ultrasound",
    "authors": "Doe, Jane; Roe, B.",
    "year": "2021",
}
EXTRACTION = {
    "modality": "ultrasound",
    "anatomy": "breast",
    "n_images": "940",
    "n_classes": "2",
    "task": "classification",
    "backbone": "VGG-16",
    "approach": "feature_extractor",
    "initialisation": "pretrained",
    "head": "linear",
    "evaluations": "auc=0.936",
}
WHO = {"by": "Anna", "reason": "found by hand"}
DRAFT: dict[str, Any] = {"publication": PUBLICATION, "extractions": [EXTRACTION], **WHO}


def filled(act: str = "store", **changed: str) -> dict[str, str]:
    """A form as a browser sends it; names of fields with ``_`` for ``-``."""
    fields = {f"p-{name}": text for name, text in PUBLICATION.items()}
    fields |= {f"x1-{name}": text for name, text in EXTRACTION.items()}
    others = {name.replace("__", "-"): text for name, text in changed.items()}
    return {**fields, "x1-review": "living", **WHO, "act": act, **others}


def added(visit: Visit) -> str:
    """Key of a study that a program added."""
    found = visit.program("POST", "/api/studies", json=DRAFT)
    assert found.status_code == 200, found.text
    key: str = found.json()["key"]
    return key
