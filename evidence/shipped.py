"""The files that ship with evtl: the corpus and the migrations."""

import hashlib
from pathlib import Path

from evidence.errors import IngestError, Problem
from evidence.vocabulary import ANATOMY, MODALITY

#: Files of a whole corpus. Named here, apart from their row models, because every start looks
#: whether they changed and none should wait for the models.
FILES = (
    "reviews.csv",
    "publications.csv",
    "backbones.csv",
    "studies.csv",
    "cells.csv",
    "printed_figures.csv",
    "claims.csv",
    "flow.csv",
    "agreement.csv",
    "backbone_facts.csv",
    "disagreements.csv",
    "crosswalk.csv",
    "field_sources.csv",
    "benchmark_tables.csv",
    "benchmark_datasets.csv",
    "benchmarks.csv",
    "runs.csv",
)


def shipped(name: str) -> Path:
    """Folder that ships with evtl: inside the installed package, else beside it in a checkout."""
    inside = Path(__file__).parent / name
    return inside if inside.is_dir() else Path(__file__).parent.parent / name


def corpus_digest(folder: Path) -> str:
    """SHA-256 over the corpus files, names and bytes, and the vocabularies (hex).

    Raises
    ------
    IngestError
        A file is missing.
    """
    digest = hashlib.sha256(repr((MODALITY.terms, ANATOMY.terms)).encode())
    for name in FILES:
        path = folder / name
        if not path.is_file():
            raise IngestError((Problem(name, 0, "-", "no such file", f"expected in {folder}"),))
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
