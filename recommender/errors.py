"""Errors of the recommender floor."""

from evidence.errors import EvtlError


class RecommendationError(EvtlError):
    """A question cannot be answered, or a plan cannot be read."""
