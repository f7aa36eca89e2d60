"""Where there are studies and where there are none, by modality and anatomy."""

from collections import Counter
from collections.abc import Iterable

from evidence.records import Record
from evidence.shelf import Entry
from evidence.vocabulary import ANATOMY, MODALITY


class Gap(Record):
    """Studies of one modality and anatomy; `n_compared` of them compare networks head to head."""

    modality: str
    anatomy: str
    n_studies: int
    n_compared: int


def gaps(entries: Iterable[Entry]) -> tuple[Gap, ...]:
    """Every pair of words that has studies, in the order of their trees.

    Broader words count the studies of their narrower ones, as lists of studies do.
    """
    studies: Counter[tuple[str, str]] = Counter()
    compared: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        cells = [
            {(modality, place) for modality in reading.modality for place in reading.anatomy}
            for reading in entry.readings
        ]
        studies.update(set().union(*cells))
        fair = (
            cell for cell, reading in zip(cells, entry.readings, strict=True) if reading.compares
        )
        compared.update(set().union(*fair))
    return tuple(
        Gap(modality=modality, anatomy=place, n_studies=n, n_compared=compared[modality, place])
        for modality in MODALITY.in_tree()
        for place in ANATOMY.in_tree()
        if (n := studies[modality, place])
    )
