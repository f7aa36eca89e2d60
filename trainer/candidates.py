"""Which settings of a head are tried for a target."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from evidence.vocabulary import Head
from recommender.plan import Target
from trainer.errors import TrainingError
from trainer.grades import GradeChain, RankedGrades

#: Inverse regularisation strengths tried; chosen by the loss on the validation part.
STRENGTHS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 1.0)
SVM_STRENGTHS = (0.3, 1.0, 3.0, 10.0)
#: Penalties of ridge regression on standardised features.
PENALTIES = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5)
N_TREES = 500
#: Neighbours tried; with one or three a probability is too coarse to rank images by.
N_NEIGHBOURS = (5, 15, 45)
CALIBRATION_FOLDS = 3
MAX_ITERATIONS = 2000

#: Heads that make sense for each target.
ALLOWED: Mapping[Target, tuple[Head, ...]] = {
    "classes": ("linear", "svm", "random_forest", "knn", "lda"),
    "multi_label": ("linear", "svm", "random_forest", "knn", "lda"),
    "ordinal": ("linear", "svm", "random_forest", "knn", "lda", "svr"),
    "number": ("linear", "random_forest", "knn", "svr"),
}
#: Heads that weigh classes; neighbours and discriminants have no place for weights.
WEIGHING: frozenset[Head] = frozenset({"linear", "svm", "random_forest", "svr"})


class Setup(NamedTuple):
    """What the settings of a head depend on.

    Attributes
    ----------
    smallest : int
        Training images on the smaller side of the rarest class or label.
    n_train : int
        Training images.
    """

    target: Target
    seed: int
    smallest: int
    n_train: int
    weighted: bool


def candidates(head: Head, setup: Setup) -> dict[str, Pipeline]:
    """Unfitted models by the name of their setting.

    Raises
    ------
    TrainingError
        The head makes no sense for the target, or a class has too few images for it.
    """
    if head not in ALLOWED[setup.target]:
        msg = (
            f"head {head!r} is not carried out for the target {setup.target}; "
            f"allowed: {', '.join(ALLOWED[setup.target])}"
        )
        raise TrainingError(msg)
    settings = _REGRESSORS if setup.target == "number" else _CLASSIFIERS
    found = settings[head](setup)
    return {name: make_pipeline(StandardScaler(), model) for name, model in found.items()}


def _several(classifier: Any, setup: Setup, weighs: bool) -> Any:
    """A classifier as it is for classes, one for each label, or one for each step of grades."""
    if setup.target == "multi_label":
        return OneVsRestClassifier(classifier)
    if setup.target == "ordinal":
        return GradeChain(classifier, weighted=weighs and setup.weighted)
    return classifier


def _class_weight(setup: Setup, word: str = "balanced") -> str | None:
    """Of grades whole images are weighed instead (`GradeChain`)."""
    return word if setup.weighted and setup.target != "ordinal" else None


def _linear(setup: Setup) -> dict[str, Any]:
    return {
        f"C={c:g}": _several(
            LogisticRegression(C=c, max_iter=MAX_ITERATIONS, class_weight=_class_weight(setup)),
            setup,
            weighs=True,
        )
        for c in STRENGTHS
    }


def _svm(setup: Setup) -> dict[str, Any]:
    """Support vector machines with probabilities, calibrated by cross-validation."""
    folds = _calibration_folds("svm", setup)
    return {
        f"C={c:g}": _several(
            CalibratedClassifierCV(
                SVC(C=c, class_weight=_class_weight(setup)), ensemble=False, cv=folds
            ),
            setup,
            weighs=True,
        )
        for c in SVM_STRENGTHS
    }


def _random_forest(setup: Setup) -> dict[str, Any]:
    forest = RandomForestClassifier(
        N_TREES,
        class_weight=_class_weight(setup, "balanced_subsample"),
        random_state=setup.seed,
        n_jobs=-1,
    )
    return {f"trees={N_TREES}": _several(forest, setup, weighs=True)}


def _knn(setup: Setup) -> dict[str, Any]:
    return {
        f"k={k}": _several(
            KNeighborsClassifier(k, weights="distance", metric="cosine"), setup, weighs=False
        )
        for k in _neighbours(setup)
    }


def _neighbours(setup: Setup) -> list[int]:
    # A step of a chain of grades is fitted on the images of the two worst grades at least.
    most = 2 * setup.smallest if setup.target == "ordinal" else setup.n_train
    return sorted({min(k, most) for k in N_NEIGHBOURS})


def _lda(setup: Setup) -> dict[str, Any]:
    machine = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    return {"shrinkage=auto": _several(machine, setup, weighs=False)}


def _grade_svr(setup: Setup) -> dict[str, Any]:
    folds = _calibration_folds("svr", setup)
    return {f"C={c:g}": RankedGrades(SVR(C=c), folds, setup.weighted) for c in SVM_STRENGTHS}


def _calibration_folds(head: Head, setup: Setup) -> int:
    if setup.smallest < 2:
        msg = f"a class has a single training image: an {head} cannot be calibrated; use linear"
        raise TrainingError(msg)
    return min(CALIBRATION_FOLDS, setup.smallest)


def _ridge(_setup: Setup) -> dict[str, Any]:
    return {f"penalty={penalty:g}": Ridge(penalty) for penalty in PENALTIES}


def _number_svr(_setup: Setup) -> dict[str, Any]:
    """The tube of an SVR is a tenth wide: of a standard deviation, whatever the unit."""
    return {
        f"C={c:g}": TransformedTargetRegressor(SVR(C=c), transformer=StandardScaler())
        for c in SVM_STRENGTHS
    }


def _number_forest(setup: Setup) -> dict[str, Any]:
    forest = RandomForestRegressor(N_TREES, max_features="sqrt", random_state=setup.seed, n_jobs=-1)
    return {f"trees={N_TREES}": forest}


def _number_knn(setup: Setup) -> dict[str, Any]:
    return {
        f"k={k}": KNeighborsRegressor(k, weights="distance", metric="cosine")
        for k in _neighbours(setup)
    }


_CLASSIFIERS: Mapping[Head, Callable[[Setup], dict[str, Any]]] = {
    "linear": _linear,
    "svm": _svm,
    "random_forest": _random_forest,
    "knn": _knn,
    "lda": _lda,
    "svr": _grade_svr,
}
_REGRESSORS: Mapping[Head, Callable[[Setup], dict[str, Any]]] = {
    "linear": _ridge,
    "random_forest": _number_forest,
    "knn": _number_knn,
    "svr": _number_svr,
}
