"""Every coded field of the store: hierarchies with synonyms, and flat lists.

Modality codes are those of DICOM CID 29 (Acquisition Modality, dicom.nema.org), which has no
children; the children here are ours. The crosswalk of the reviews' own categories follows
Morid 2022 (Tables S3-S10), Kim 2022 (Methods) and Fourcade 2019 (Table 4).
"""

import difflib
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

from evidence.errors import UnknownTermError

Approach = Literal[
    "feature_extractor",
    "feature_extractor_hybrid",
    "fine_tuning",
    "fine_tuning_from_scratch",
    "none",
    "unspecified",
]
Initialisation = Literal["pretrained", "random", "unspecified"]
Head = Literal["linear", "svm", "random_forest", "knn", "lda", "svr", "unspecified"]
Augmentation = Literal["none", "offline", "online", "both", "yes", "unknown"]
ClassType = Literal["binary", "categorical", "numeric", ""]
Task = Literal["classification", "regression", "detection"]
Role = Literal["winner", "used", "benchmark"]
Operator = Literal["=", ">", "range"]
Metric = Literal[
    "accuracy", "balanced_accuracy", "auc", "sensitivity", "specificity", "precision", "dice", "mae"
]
Visualization = Literal[
    "none", "heatmap", "deconvolution", "activation_maximization", "unspecified", "unknown"
]
Split = Literal["test", "validation", "unspecified"]
FlowKind = Literal["identified", "duplicates", "screened", "excluded", "full_text", "included"]
Stage = Literal["title_abstract", "full_text"]
Decision = Literal["include", "exclude"]
ClaimKind = Literal["advice", "prevalence", "finding", "caution", "count"]
Verdict = Literal["agrees", "differs", "contradicts", "not_answerable"]

#: Metrics that are rates: stored as fractions in [0, 1].
RATES: frozenset[str] = frozenset(get_args(Metric)) - {"mae"}


@dataclass(frozen=True)
class Term:
    """One word of a hierarchy.

    Attributes
    ----------
    key : str
        Canonical name, as stored.
    label : str
        Name shown to people.
    parent : str or None
        Key of the broader term; None at the top.
    synonyms : tuple of str
        Other spellings that people type.
    code : str
        DICOM CID 29 code, where the term has one.
    """

    key: str
    label: str
    parent: str | None = None
    synonyms: tuple[str, ...] = ()
    code: str = ""


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", text.lower())


@dataclass(frozen=True)
class Vocabulary:
    """A tree of terms that resolves what people type.

    Parameters
    ----------
    name : str
        What the terms are, for messages.
    terms : tuple of Term
        Parents before children.
    """

    name: str
    terms: tuple[Term, ...] = field(repr=False)

    @cached_property
    def _by_key(self) -> dict[str, Term]:
        return {term.key: term for term in self.terms}

    @cached_property
    def _spellings(self) -> dict[str, str]:
        return {
            _plain(word): term.key
            for term in self.terms
            for word in (term.key, term.label, *term.synonyms)
        }

    def resolve(self, text: str) -> str:
        """Canonical key of what someone typed.

        Raises
        ------
        UnknownTermError
            The text is no key, label or synonym; the message names near terms.
        """
        key = self._spellings.get(_plain(text))
        if key is None:
            raise UnknownTermError(self._unknown(text))
        return key

    def _unknown(self, text: str) -> str:
        near = difflib.get_close_matches(_plain(text), self._spellings, n=4, cutoff=0.5)
        keys = list(dict.fromkeys(self._spellings[word] for word in near))
        hint = f"did you mean {', '.join(keys)}? " if keys else ""
        known = ", ".join(term.key for term in self.terms)
        return f"unknown {self.name} {text!r}: {hint}Known: {known}"

    def label(self, key: str) -> str:
        """Name shown to people for a canonical key."""
        return self._by_key[key].label

    def path(self, key: str) -> tuple[str, ...]:
        """The term and its ancestors, narrowest first."""
        chain: list[str] = []
        step: str | None = key
        while step is not None:
            chain.append(step)
            step = self._by_key[step].parent
        return tuple(chain)

    def is_within(self, key: str, broader: str) -> bool:
        """Whether `key` is `broader` or one of its descendants."""
        return broader in self.path(key)


def canonical(vocabulary: Vocabulary, text: str) -> str:
    """The text itself if it is a canonical key; for validators.

    Raises
    ------
    ValueError
        It is unknown, or a synonym; the message names the key to write.
    """
    try:
        key = vocabulary.resolve(text)
    except UnknownTermError as error:
        raise ValueError(str(error)) from None
    if key != text:
        msg = f"write the canonical key {key!r}"
        raise ValueError(msg)
    return text


MODALITY = Vocabulary(
    "modality",
    (
        Term(
            "xray", "X-ray", None, ("radiograph", "radiography", "CXR", "chest x-ray", "DX"), "DX"
        ),
        Term("mammography", "mammography", "xray", ("mammogram", "MG"), "MG"),
        Term("tomosynthesis", "breast tomosynthesis", "mammography", ("DBT",)),
        Term("angiography", "X-ray angiography", "xray", ("XA",), "XA"),
        Term("ct", "CT", None, ("CAT", "CT scan", "computed tomography"), "CT"),
        Term("cbct", "cone-beam CT", "ct", ("cone beam ct",)),
        Term("mri", "MRI", None, ("MR", "magnetic resonance", "fMRI"), "MR"),
        Term("ultrasound", "ultrasound", None, ("us", "sonography", "echography", "B-mode"), "US"),
        Term("fundus", "fundus photography", None, ("retinal photograph", "OP"), "OP"),
        Term("oct", "optical coherence tomography", None, ("OPT",), "OCT"),
        Term("photography", "photography", None, ("photo", "XC"), "XC"),
        Term("skin_photography", "skin photography", "photography", ("skin", "skin lesion")),
        Term("dermoscopy", "dermoscopy", "skin_photography", ("dermatoscopy", "DMS"), "DMS"),
        Term("clinical_photography", "clinical photography", "photography", ("facial photograph",)),
        Term("endoscopy", "endoscopy", None, ("ES", "endoscopic"), "ES"),
        Term("colonoscopy", "colonoscopy", "endoscopy"),
        Term("capsule_endoscopy", "capsule endoscopy", "endoscopy", ("WCE",)),
        Term("microscopy", "microscopy", None, ("histology", "histopathology", "WSI", "SM"), "SM"),
        Term("nuclear", "nuclear medicine", None, ("NM",), "NM"),
        Term("pet", "PET", "nuclear", ("PT",), "PT"),
        Term("spect", "SPECT", "nuclear"),
    ),
)

ANATOMY = Vocabulary(
    "anatomy",
    (
        Term("body", "whole body", None, ("whole body",)),
        Term("head_and_neck", "head and neck", None, ("head", "neck")),
        Term("brain", "brain", "head_and_neck", ("nervous system", "cerebrum")),
        Term("skull", "skull", "head_and_neck", ("cephalogram",)),
        Term("face", "face", "head_and_neck", ("facial",)),
        Term("eye", "eye", "head_and_neck", ("retina", "optic disc", "ocular")),
        Term("osteomeatal_complex", "osteomeatal complex", "head_and_neck", ("nose", "sinus")),
        Term("oral_cavity", "oral cavity", "head_and_neck", ("mouth", "oral")),
        Term("tooth", "tooth", "oral_cavity", ("teeth", "dental", "jaw")),
        Term("thyroid", "thyroid", "head_and_neck", ("thyroid gland",)),
        Term("chest", "chest", None, ("thorax", "thoracic", "thoracic cavity")),
        Term("lung", "lung", "chest", ("lungs", "pulmonary", "respiratory system")),
        Term("heart", "heart", "chest", ("cardiac", "cardiovascular system")),
        Term("coronary_artery", "coronary artery", "heart", ("coronary",)),
        Term("breast", "breast", "chest", ("mammary",)),
        Term("abdomen", "abdomen", None, ("abdominal", "abdominopelvic cavity")),
        Term("gastrointestinal_tract", "gastrointestinal tract", "abdomen", ("GI", "gut", "bowel")),
        Term("esophagus", "esophagus", "gastrointestinal_tract", ("oesophagus",)),
        Term("stomach", "stomach", "gastrointestinal_tract", ("gastric",)),
        Term("colon", "colon", "gastrointestinal_tract", ("colorectal", "rectum")),
        Term("liver", "liver", "abdomen", ("hepatic",)),
        Term("kidney", "kidney", "abdomen", ("renal",)),
        Term("prostate", "prostate", "abdomen", ("prostatic",)),
        Term("skeletal_system", "skeletal system", None, ("bone", "bones", "skeleton")),
        Term("vertebra", "vertebra", "skeletal_system", ("spine", "vertebrae")),
        Term("hip", "hip", "skeletal_system", ("pelvis",)),
        Term("knee", "knee", "skeletal_system", ("patella",)),
        Term("wrist", "wrist", "skeletal_system", ("carpus",)),
        Term("hand", "hand", "skeletal_system"),
        Term("skin", "skin", None, ("integument", "the integument", "cutaneous")),
        Term("nail", "nail", "skin", ("toenail", "fingernail")),
    ),
)
