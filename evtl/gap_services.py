"""Where there are studies, and how sure advice would be there.

To know how sure it would be, advice is asked for in every cell: seconds of work, which a process
of its own does (`evtl.gap_child`) while the counts are shown already.
"""

import atexit
import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from threading import Lock

from pydantic import ValidationError

from evidence.figures import Level
from evidence.gaps import Gap, gaps
from evidence.records import Record, TaskProfile
from evtl import corpus_services, snapshot
from evtl.kept import Kept

LOG = logging.getLogger(__name__)
#: Number of images for which is said how certain advice would be.
N_IMAGES = 1000
#: What works out the certainty.
CHILD = (sys.executable, "-m", "evtl.gap_child")


class Cell(Gap):
    """Studies of a modality and anatomy; `certainty` is None while it is not known."""

    certainty: Level | None = None


class GapMap(Record):
    """Every cell with studies; others are gaps.

    Attributes
    ----------
    complete : bool
        Whether the certainty of the cells is known by now.
    n_images : int
        Of which number of images the certainty speaks.
    """

    cells: tuple[Cell, ...]
    complete: bool
    n_images: int = N_IMAGES


class Certain(Record):
    """Every cell with its certainty, in a state of the store."""

    state: str
    cells: tuple[Cell, ...]


def certain() -> Certain:
    """Every cell with its certainty: it takes seconds."""
    from recommender.answering import recommend  # noqa: PLC0415  (numpy only here)
    from recommender.ranking import Question  # noqa: PLC0415

    known = snapshot.current()
    cells = []
    for gap in gaps(corpus_services.shelf().entries):
        profile = TaskProfile(modality=gap.modality, anatomy=gap.anatomy, n_images=N_IMAGES)
        level = recommend(Question(profile), known.corpus, 1).certainty.level
        cells.append(Cell(**gap.model_dump(), certainty=level))
    return Certain(state=_state(known.key), cells=tuple(cells))


def gap_map() -> GapMap:
    """Every cell, with its certainty as soon as it is known for this state of the store."""
    key = snapshot.key()
    if (found := _certainty.known(_state(key))) is not None:
        return GapMap(cells=found, complete=True)
    counted = _counted.get(key, lambda: gaps(corpus_services.shelf().entries))
    return GapMap(cells=tuple(Cell(**gap.model_dump()) for gap in counted), complete=False)


def _state(key: snapshot.Key) -> str:
    return json.dumps(key)


class _Certainty:
    """The cells of the last state that was asked for, worked out once by a process of its own."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._state = ""
        self._cells: Sequence[Cell] | None = None
        self._child: subprocess.Popen[str] | None = None

    def known(self, state: str) -> tuple[Cell, ...] | None:
        """The cells; None while they are worked out, which begins here."""
        with self._lock:
            if state != self._state:
                self._stop()
                self._state, self._cells = state, None
            if self._cells is None:
                self._go_on()
            return None if self._cells is None else tuple(self._cells)

    def _go_on(self) -> None:
        """Begin, or take what was found: of another state where the store changed meanwhile."""
        if self._child is None:
            self._child = subprocess.Popen(
                CHILD, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
            )
        elif self._child.poll() is not None:
            told, _ = self._child.communicate()
            self._child = None  # who asks next tries again where it came to nothing
            try:
                found = Certain.model_validate_json(told)
            except ValidationError:
                LOG.exception("the certainty of the gap map cannot be worked out")
            else:
                self._cells = found.cells if found.state == self._state else None

    def stop(self) -> None:
        """End what is being worked out."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None


_counted: Kept[snapshot.Key, tuple[Gap, ...]] = Kept(1)
_certainty = _Certainty()
atexit.register(_certainty.stop)
