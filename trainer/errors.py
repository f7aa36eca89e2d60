"""Errors of the trainer floor."""

from evidence.errors import EvtlError


class TrainingError(EvtlError):
    """Images, weights or a plan do not allow a training."""
