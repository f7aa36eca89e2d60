"""Errors of the trainer floor."""

from evidence.errors import EvtlError


class TrainingError(EvtlError):
    """Images, weights or a plan do not allow a training."""


class UnreadableError(TrainingError):
    """A file gives no picture; the reason holds nothing of its content, so no patient's name."""
