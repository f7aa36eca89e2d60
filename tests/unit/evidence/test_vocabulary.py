"""Words that people type find their canonical term, and every code is one of its standard."""

import re

import pytest

from evidence.errors import UnknownTermError
from evidence.vocabulary import ANATOMY, MODALITY, Vocabulary

#: DICOM CID 29, Acquisition Modality, version 20231115.
CID_29 = frozenset(
    "AR BI BMD CR CT CFM DMS DG DX ES XC GM IO IVOCT IVUS KER LS LEN MR MG NM OAM OPM OP OPT OPTBSV"
    " OPTENF OPV OCT OSS PX PA PT RF RG RTIMAGE SM SRF TG US BDUS VA XA".split()
)
#: Terms for which CID 29 has no code, or for which no UBERON identifier could be confirmed.
NO_CODE = {
    "tomosynthesis", "cephalogram", "cbct", "skin_photography", "clinical_photography",
    "colonoscopy", "capsule_endoscopy", "spect", "osteomeatal_complex",
}  # fmt: skip


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
        ("OPG", "panoramic_xray"),
        ("periapical X-ray", "intraoral_xray"),
        ("Lateral cephalogram", "cephalogram"),
        ("computed radiography", "xray"),
        ("OPT", "oct"),
        ("GM", "microscopy"),
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


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("nervous system", "nervous_system"),
        ("cerebrum", "brain"),
        ("respiratory system", "respiratory_system"),
        ("pulmonary", "lung"),
        ("digestive system", "alimentary_system"),
        ("bones", "skeletal_system"),
        ("joints", "joint"),
        ("thoracic cavity", "chest"),
        ("abdominopelvic cavity", "abdomen"),
        ("the integument", "skin"),
    ],
)
def test_a_system_is_a_term_of_its_own_and_its_organ_keeps_its_words(typed: str, key: str) -> None:
    assert ANATOMY.resolve(typed) == key


def test_every_code_of_a_modality_is_in_cid_29() -> None:
    codes = [term.code for term in MODALITY.terms if term.code]
    assert set(codes) <= CID_29
    assert len(set(codes)) == len(codes)


def test_every_code_of_an_anatomy_is_a_uberon_identifier() -> None:
    codes = [term.code for term in ANATOMY.terms if term.code]
    assert all(re.fullmatch(r"UBERON:\d{7}", code) for code in codes)
    assert len(set(codes)) == len(codes)


def test_only_the_terms_that_have_no_confirmed_code_lack_one() -> None:
    terms = (*MODALITY.terms, *ANATOMY.terms)
    assert {term.key for term in terms if not term.code} == NO_CODE
