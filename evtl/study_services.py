"""Use cases of those who type a study in, or correct one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evidence import study_entry
from evidence.changes import Reason
from evidence.store import Store
from evidence.study_entry import Entered, Known, StudyCells
from evtl.corpus_services import actor


@dataclass(frozen=True)
class Typed:
    """A study as somebody typed it: cells by column, who types, why, and whether only to try."""

    publication: Mapping[str, str]
    extractions: Sequence[Mapping[str, str]]
    by: str | None
    reason: str
    dry_run: bool = False

    @property
    def cells(self) -> StudyCells:
        """What is to be stored."""
        extractions = tuple(dict(cells) for cells in self.extractions)
        return StudyCells(publication=dict(self.publication), extractions=extractions)


def study_cells(key: str) -> StudyCells:
    """What is stored of a study, as it is typed."""
    with Store().connect() as connection:
        return study_entry.stored_cells(connection, key)


def add_study(typed: Typed) -> Entered:
    """Take up a study that is not there yet.

    Raises
    ------
    EvidenceError
        A cell is bad, or nobody says who or why; nothing was stored.
    """
    reason = Reason(actor(typed.by), typed.reason.strip(), "import")
    return study_entry.add(Store(), typed.cells, reason, dry_run=typed.dry_run)


def correct_study(key: str, typed: Typed, seen: str) -> Entered:
    """Correct a study that is as it was `seen` (`StudyCells.digest`).

    Raises
    ------
    EvidenceError
        It was changed meanwhile, a cell is bad, or nobody says who or why; nothing was stored.
    """
    reason = Reason(actor(typed.by), typed.reason.strip(), "correction")
    return study_entry.correct(Store(), key, typed.cells, seen, reason, dry_run=typed.dry_run)


def known_names() -> Known:
    """Backbones and own reviews that a form may suggest."""
    with Store().connect() as connection:
        return study_entry.known_names(connection)
