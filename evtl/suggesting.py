"""Words of the vocabulary for what someone begins to type."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from evidence.arm_table import ArmTable, once_for_each
from evidence.records import Record
from evidence.vocabulary import ANATOMY, MODALITY, Vocabulary
from evtl import snapshot

Field = Literal["modality", "anatomy"]
VOCABULARIES: dict[Field, Vocabulary] = {"modality": MODALITY, "anatomy": ANATOMY}
#: Suggestions to one text.
MOST = 8


class Suggestion(Record):
    """A term that may be meant.

    Attributes
    ----------
    spelling : str
        How the text may go on: the label or a synonym, as people type it.
    n_studies : int
        Studies of it or of something narrower.
    """

    key: str
    label: str
    spelling: str
    n_studies: int


def suggest(field: Field, text: str) -> tuple[Suggestion, ...]:
    """Terms that a text may become, the likeliest first; for no text those of most studies."""
    vocabulary = VOCABULARIES[field]
    counts = _n_studies(snapshot.current().corpus.arms)[field]
    found = [
        Suggestion(
            key=key, label=vocabulary.label(key), spelling=spelling, n_studies=counts.get(key, 0)
        )
        for key, spelling in vocabulary.matching(text)
    ]
    if not text.strip():
        found.sort(key=lambda one: -one.n_studies)
    return tuple(found[:MOST])


@once_for_each
def _n_studies(table: ArmTable) -> Mapping[Field, Mapping[str, int]]:
    """Studies of each term, those of narrower ones among them."""
    modality, anatomy = table.modality, table.anatomy
    of_modalities = [(word,) for word in modality.words]
    return {
        "modality": _counted(MODALITY, table.study.codes, modality.codes, of_modalities),
        "anatomy": _counted(ANATOMY, table.study.codes, anatomy.codes, anatomy.words),
    }


def _counted(
    vocabulary: Vocabulary,
    studies: Iterable[int],
    codes: Iterable[int],
    words: Sequence[tuple[str, ...]],
) -> Mapping[str, int]:
    known = {(int(study), int(code)) for study, code in zip(studies, codes, strict=True)}
    found = {
        (study, broader)
        for study, code in known
        if code >= 0
        for term in words[code]
        for broader in vocabulary.path(term)
    }
    return Counter(term for _, term in found)
