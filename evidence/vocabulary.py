"""Every coded field of the store: hierarchies with synonyms, and flat lists.

Modality codes are those of DICOM CID 29 (Acquisition Modality, dicom.nema.org), which has no
children; the children here are ours, with a code where CID 29 has one. Anatomy codes are
identifiers of UBERON (doi:10.1186/gb-2012-13-1-r5). What the reviews call these things is in
``crosswalk.csv``.

The anatomy tree goes by region, because a region is what an image shows. An organ system stands
beside the organs of the region that holds most of it, not between region and organ: there it
would make a study of the chest less like one of the lung (see `recommender.similarity`).
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
Subject = Literal["human", "animal", ""]
Veracity = Literal[
    "histology", "expert_review", "expert_annotation", "labelling", "manual_roi", "unknown", ""
]
Team = Literal["mixed", "engineers", ""]
Preprocessing = Literal["yes", "no", "roi", ""]
Compared = Literal["yes", "no", "unknown", ""]
ReviewType = Literal["scoping", "systematic", "literature", "review", "living"]
CountStage = Literal["initial", "positive", "train_val", "test", "positive_test"]
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
        Identifier in the vocabulary that the tree follows, DICOM CID 29 or UBERON; empty where
        none is known.
    """

    key: str
    label: str
    parent: str | None = None
    synonyms: tuple[str, ...] = ()
    code: str = ""


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", text.lower())


#: Above the rank of every spelling that a text matches.
_NO_MATCH = 4


def _rank(plain: str, spelling: str) -> int:
    """0: the text is the spelling, 1: begins it, 2: begins a word of it, 3: is in it."""
    whole = _plain(spelling)
    holds = (
        whole == plain,
        whole.startswith(plain),
        any(_plain(word).startswith(plain) for word in spelling.split()),
        len(plain) > 1 and plain in whole,
    )
    return holds.index(True) if any(holds) else _NO_MATCH


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

    def matching(self, text: str) -> tuple[tuple[str, str], ...]:
        """Keys that a text may become, the likeliest first, each with the spelling that it begins.

        A text that begins nothing is looked for within the words; so is none at all: every term.
        """
        ranked = []
        for place, term in enumerate(self.terms):
            words = (term.label, *term.synonyms, term.key)
            rank, spelling = min(
                ((_rank(_plain(text), word), word) for word in words), key=lambda pair: pair[0]
            )
            if rank < _NO_MATCH:
                ranked.append((rank, place, term.key, spelling))
        return tuple((key, spelling) for _, _, key, spelling in sorted(ranked))

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

    def in_tree(self) -> list[str]:
        """Every key right after its broader one, in the order of the terms."""
        places = {term.key: place for place, term in enumerate(self.terms)}
        return sorted(places, key=lambda key: [places[step] for step in reversed(self.path(key))])

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
            "xray",
            "X-ray",
            None,
            ("radiograph", "radiography", "CXR", "chest x-ray", "DX", "CR", "computed radiography"),
            "DX",
        ),
        Term("mammography", "mammography", "xray", ("mammogram", "MG"), "MG"),
        Term("tomosynthesis", "breast tomosynthesis", "mammography", ("DBT",)),
        Term("angiography", "X-ray angiography", "xray", ("XA",), "XA"),
        Term("panoramic_xray", "panoramic X-ray", "xray", ("orthopantomogram", "OPG", "PX"), "PX"),
        Term("intraoral_xray", "intra-oral X-ray", "xray", ("periapical x-ray", "IO"), "IO"),
        Term("cephalogram", "cephalogram", "xray", ("lateral cephalogram", "cephalometric x-ray")),
        Term("ct", "CT", None, ("CAT", "CT scan", "computed tomography"), "CT"),
        Term("cbct", "cone-beam CT", "ct", ("cone beam ct",)),
        Term("mri", "MRI", None, ("MR", "magnetic resonance", "fMRI"), "MR"),
        Term("ultrasound", "ultrasound", None, ("us", "sonography", "echography", "B-mode"), "US"),
        Term("fundus", "fundus photography", None, ("retinal photograph", "OP"), "OP"),
        # The reviews' OCT shows the eye: OPT in CID 29, which keeps OCT for other organs.
        Term("oct", "optical coherence tomography", None, ("ophthalmic tomography", "OPT"), "OPT"),
        Term("intravascular_oct", "intravascular OCT", "oct", ("IVOCT",), "IVOCT"),
        Term("photography", "photography", None, ("photo", "XC"), "XC"),
        Term("skin_photography", "skin photography", "photography", ("skin", "skin lesion")),
        Term("dermoscopy", "dermoscopy", "skin_photography", ("dermatoscopy", "DMS"), "DMS"),
        Term("clinical_photography", "clinical photography", "photography", ("facial photograph",)),
        Term("endoscopy", "endoscopy", None, ("ES", "endoscopic"), "ES"),
        Term("colonoscopy", "colonoscopy", "endoscopy"),
        Term("capsule_endoscopy", "capsule endoscopy", "endoscopy", ("WCE",)),
        Term(
            "microscopy",
            "microscopy",
            None,
            ("histology", "histopathology", "WSI", "SM", "GM"),
            "SM",
        ),
        Term("nuclear", "nuclear medicine", None, ("NM",), "NM"),
        Term("pet", "PET", "nuclear", ("PT",), "PT"),
        Term("spect", "SPECT", "nuclear"),
    ),
)

ANATOMY = Vocabulary(
    "anatomy",
    (
        Term("body", "whole body", None, ("whole body",), "UBERON:0000468"),
        Term("head_and_neck", "head and neck", None, ("head", "neck"), "UBERON:0007811"),
        Term("nervous_system", "nervous system", "head_and_neck", (), "UBERON:0001016"),
        Term("brain", "brain", "head_and_neck", ("cerebrum",), "UBERON:0000955"),
        Term("skull", "skull", "head_and_neck", ("cephalogram",), "UBERON:0003129"),
        Term("face", "face", "head_and_neck", ("facial",), "UBERON:0001456"),
        Term("sense_organ", "sense organ", "head_and_neck", ("sense organs",), "UBERON:0000020"),
        Term("eye", "eye", "head_and_neck", ("retina", "optic disc", "ocular"), "UBERON:0000970"),
        Term("osteomeatal_complex", "osteomeatal complex", "head_and_neck", ("nose", "sinus")),
        Term("oral_cavity", "oral cavity", "head_and_neck", ("mouth", "oral"), "UBERON:0000167"),
        Term("tooth", "tooth", "oral_cavity", ("teeth", "dental", "jaw"), "UBERON:0001091"),
        Term(
            "endocrine_gland",
            "endocrine gland",
            "head_and_neck",
            ("endocrine glands",),
            "UBERON:0002368",
        ),
        Term("thyroid", "thyroid", "head_and_neck", ("thyroid gland",), "UBERON:0002046"),
        Term("chest", "chest", None, ("thorax", "thoracic", "thoracic cavity"), "UBERON:0001443"),
        Term("respiratory_system", "respiratory system", "chest", (), "UBERON:0001004"),
        Term("lung", "lung", "chest", ("lungs", "pulmonary"), "UBERON:0002048"),
        Term("cardiovascular_system", "cardiovascular system", "chest", (), "UBERON:0004535"),
        Term("heart", "heart", "chest", ("cardiac",), "UBERON:0000948"),
        Term("coronary_artery", "coronary artery", "heart", ("coronary",), "UBERON:0001621"),
        Term("breast", "breast", "chest", ("mammary",), "UBERON:0000310"),
        Term("abdomen", "abdomen", None, ("abdominal", "abdominopelvic cavity"), "UBERON:0000916"),
        Term(
            "alimentary_system",
            "alimentary system",
            "abdomen",
            ("digestive system",),
            "UBERON:0001007",
        ),
        Term(
            "gastrointestinal_tract",
            "gastrointestinal tract",
            "abdomen",
            ("GI", "gut", "bowel"),
            "UBERON:0001555",
        ),
        Term("esophagus", "esophagus", "gastrointestinal_tract", ("oesophagus",), "UBERON:0001043"),
        Term("stomach", "stomach", "gastrointestinal_tract", ("gastric",), "UBERON:0000945"),
        Term(
            "colon", "colon", "gastrointestinal_tract", ("colorectal", "rectum"), "UBERON:0001155"
        ),
        Term("liver", "liver", "abdomen", ("hepatic",), "UBERON:0002107"),
        Term("urinary_system", "urinary system", "abdomen", ("urinary tract",), "UBERON:0001008"),
        Term("kidney", "kidney", "abdomen", ("renal",), "UBERON:0002113"),
        Term(
            "genital_system",
            "genital system",
            "abdomen",
            ("genital systems", "reproductive system"),
            "UBERON:0000990",
        ),
        Term("prostate", "prostate", "abdomen", ("prostatic",), "UBERON:0002367"),
        Term(
            "skeletal_system",
            "skeletal system",
            None,
            ("bone", "bones", "skeleton"),
            "UBERON:0001434",
        ),
        Term("joint", "joint", "skeletal_system", ("joints",), "UBERON:0000982"),
        Term("vertebra", "vertebra", "skeletal_system", ("spine", "vertebrae"), "UBERON:0002412"),
        Term("hip", "hip", "skeletal_system", ("pelvis",), "UBERON:0001464"),
        Term("knee", "knee", "skeletal_system", ("patella",), "UBERON:0001465"),
        Term("wrist", "wrist", "skeletal_system", ("carpus",), "UBERON:0004452"),
        Term("hand", "hand", "skeletal_system", (), "UBERON:0002398"),
        Term("muscle", "muscle", None, ("muscles",), "UBERON:0001630"),
        Term("lymphoid_system", "lymphoid system", None, ("lymphatic system",), "UBERON:0002465"),
        Term("blood", "blood", None, ("blood cell", "blood cells"), "UBERON:0000178"),
        Term("skin", "skin", None, ("integument", "the integument", "cutaneous"), "UBERON:0002097"),
        Term("nail", "nail", "skin", ("toenail", "fingernail"), "UBERON:0001705"),
        Term("tissue", "tissue specimen", None, ("tissue",), "UBERON:0000479"),
    ),
)
