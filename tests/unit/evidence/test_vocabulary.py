"""Words that people type find their canonical term."""

import pytest

from evidence.errors import UnknownTermError
from evidence.vocabulary import ANATOMY, MODALITY, Vocabulary


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("us", "ultrasound"),
        ("Sonography", "ultrasound"),
        ("X-Ray", "xray"),
        ("CXR", "xray"),
        ("MR", "mri"),
        ("cone beam CT", "cbct"),
        ("OCT", "oct"),
        ("skin lesion", "skin_photography"),
    ],
)
def test_synonyms_of_a_modality_resolve(typed: str, key: str) -> None:
    assert MODALITY.resolve(typed) == key


def test_an_unknown_word_is_refused_with_near_terms() -> None:
    with pytest.raises(UnknownTermError, match=r"'ultrasond'.*did you mean ultrasound\?"):
        MODALITY.resolve("ultrasond")


@pytest.mark.parametrize("tree", [MODALITY, ANATOMY])
def test_no_spelling_means_two_terms(tree: Vocabulary) -> None:
    for term in tree.terms:
        for word in (term.key, term.label, *term.synonyms):
            assert tree.resolve(word) == term.key, f"{word} of {term.key}"


@pytest.mark.parametrize("tree", [MODALITY, ANATOMY])
def test_every_path_ends_at_a_top_term(tree: Vocabulary) -> None:
    keys = {term.key for term in tree.terms}
    for term in tree.terms:
        path = tree.path(term.key)
        assert path[0] == term.key
        assert set(path) <= keys


def test_a_child_lies_within_its_parent_and_not_the_reverse() -> None:
    assert MODALITY.is_within("tomosynthesis", "xray")
    assert not MODALITY.is_within("xray", "tomosynthesis")
