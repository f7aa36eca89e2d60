"""Use cases that judge the advice. Nothing here prints."""

from evidence import queries
from evidence.store import Store
from recommender.corpus_evaluation import CorpusEvaluation
from recommender.corpus_evaluation import evaluate_corpus as leave_studies_out


def evaluate_corpus(n_permutations: int = 0) -> CorpusEvaluation:
    """How well published studies are predicted from the others.

    Raises
    ------
    RecommendationError
        The store holds too few studies.
    """
    return leave_studies_out(queries.corpus(Store()), n_permutations=n_permutations)
