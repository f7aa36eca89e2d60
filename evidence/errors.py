"""Errors of the evidence floor, and the root of every error that evtl raises on purpose."""

from dataclasses import dataclass


class EvtlError(Exception):
    """Something a user can act on: the message says where, what was found, what is allowed."""


class EvidenceError(EvtlError):
    """The evidence store cannot do what was asked."""


class NothingToDrawError(EvidenceError):
    """No row fits what is to be drawn."""


class UnknownTermError(EvidenceError):
    """A word is in no vocabulary; the message names the nearest terms."""


class UnknownBackboneError(EvidenceError):
    """A name is that of no backbone and of no family; the message names near ones."""


class QueryRefusedError(EvidenceError):
    """A query is something other than one read-only SELECT, or exceeds its limits.

    Attributes
    ----------
    position : int
        Which of several queries it is, from 0.
    """

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True)
class Problem:
    """One bad cell of an input file.

    Attributes
    ----------
    file : str
        Name of the file.
    row : int
        Line of the file, the header being line 1; 0 for the file as a whole.
    column : str
        Column name, or ``"-"`` for the row as a whole.
    found : str
        The text that was found.
    allowed : str
        What is allowed there.
    """

    file: str
    row: int
    column: str
    found: str
    allowed: str

    def __str__(self) -> str:
        return (
            f"{self.file}, row {self.row}, column {self.column}: "
            f"found {self.found!r}; {self.allowed}"
        )


class IngestError(EvidenceError):
    """An input file has bad rows; nothing was stored.

    Parameters
    ----------
    problems : tuple of Problem
        Every bad cell, in file order.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{len(problems)} problem(s), nothing was stored:\n{lines}")


class StudyNotFoundError(EvidenceError):
    """No study has this key; the message names near ones."""


class StudyChangedError(EvidenceError):
    """Somebody changed the study since it was read; nothing was stored."""
