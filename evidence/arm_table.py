"""Arms as columns: a million of them in little memory, as records only where they are shown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from evidence.errors import EvidenceError
from evidence.records import ArmRecord

W = TypeVar("W")
S = TypeVar("S")
T = TypeVar("T")
#: Rows of a table -> their records, in the order asked for; None where one is no longer there.
Fetch = Callable[[NDArray[np.intp]], Sequence[ArmRecord | None]]

#: Columns of words, and those of numbers; both have the names of `ArmRecord`.
WORDS = tuple(
    "study review role backbone family approach initialisation head modality anatomy augmentation "
    "visualization".split()
)
NUMBERS = ("n_images", "n_classes", "n_augmented")
#: What rows are ordered by, so that the same arms make the same table in whatever order they come.
ORDER = ("study", "review", "backbone", "role", "initialisation", "approach", "head")


class Column(NamedTuple, Generic[W]):
    """A column of words: `codes` (N,) into `words`, which are sorted; -1 where nothing is known.

    A look-up in an array of one value per word and a last one for "unknown" so needs no branch.
    """

    codes: NDArray[np.int32]
    words: tuple[W, ...]

    def among(self, words: Iterable[W]) -> NDArray[np.bool_]:
        """Which rows hold one of these words, (N,)."""
        wanted = frozenset(words)
        return np.array([*(word in wanted for word in self.words), False])[self.codes]


class Numbers(NamedTuple):
    """A column of numbers: `codes` (N,) into the distinct `values`; -1 where nothing is known."""

    codes: NDArray[np.int32]
    values: NDArray[np.float64]


class _Coder(Generic[W]):
    """Numbers words as they come in portions."""

    def __init__(self) -> None:
        self._numbers: dict[W | None, int] = {None: -1}
        self._portions: list[NDArray[np.int32]] = []

    def add(self, words: Iterable[W | None]) -> None:
        numbers = self._numbers
        codes = (numbers.setdefault(word, len(numbers) - 1) for word in words)
        self._portions.append(np.fromiter(codes, np.int32))

    def column(self) -> Column[W]:
        """All that came, with the words in order."""
        words: list[Any] = [word for word in self._numbers if word is not None]
        order = sorted(range(len(words)), key=words.__getitem__)
        ranks = np.full(len(words) + 1, -1, np.int32)
        ranks[order] = np.arange(len(words), dtype=np.int32)
        codes = np.concatenate([np.empty(0, np.int32), *self._portions])
        return Column(ranks[codes], tuple(words[number] for number in order))


@dataclass(frozen=True, eq=False)
class ArmTable:
    """Every arm as a row of columns; rows stand in order of the study's key.

    Attributes
    ----------
    study, review, role, ..., visualization : Column
        Coded words, (N,) each. `study` holds keys, so its codes are the studies in order; the
        words of `anatomy` are tuples of terms.
    regression : ndarray of bool, (N,)
        Whether the task is a regression.
    n_images, n_classes, n_augmented : ndarray of float, (N,)
        NaN where unknown.
    """

    study: Column[str]
    review: Column[str]
    role: Column[str]
    backbone: Column[str]
    family: Column[str]
    approach: Column[str]
    initialisation: Column[str]
    head: Column[str]
    modality: Column[str]
    anatomy: Column[tuple[str, ...]]
    augmentation: Column[str]
    visualization: Column[str]
    regression: NDArray[np.bool_]
    n_images: NDArray[np.float64]
    n_classes: NDArray[np.float64]
    n_augmented: NDArray[np.float64]
    _fetch: Fetch = field(repr=False)

    def __len__(self) -> int:
        return len(self.regression)

    @classmethod
    def of(cls, records: Iterable[ArmRecord]) -> "ArmTable":
        """Table of records that are in memory already."""
        arms = tuple(records)
        builder = TableBuilder()
        columns = {name: [getattr(arm, name) for arm in arms] for name in (*WORDS, *NUMBERS)}
        columns["study"] = [arm.study.key for arm in arms]
        builder.add(columns, ["regression" in arm.tasks for arm in arms])
        return builder.table(lambda rows: [arms[row] for row in rows])

    def record(self, row: int) -> ArmRecord:
        """One arm with its citation, locator and evaluations.

        Raises
        ------
        EvidenceError
            The table is of a store that was changed since.
        """
        return self.records([row])[0]

    def records(self, rows: Sequence[int] | NDArray[np.intp]) -> tuple[ArmRecord, ...]:
        """As `record`, of several rows at once."""
        rows = np.asarray(rows, np.intp)
        return tuple(map(self._checked, rows.tolist(), self._fetch(rows)))

    def _checked(self, row: int, arm: ArmRecord | None) -> ArmRecord:
        study, backbone = (c.words[c.codes[row]] for c in (self.study, self.backbone))
        if arm is None or (arm.study.key, arm.backbone) != (study, backbone):
            msg = f"study {study}: the store was changed while it was read; ask again"
            raise EvidenceError(msg)
        return arm

    def where(self, kept: NDArray[np.bool_]) -> "ArmTable":
        """The rows of which `kept`, (N,), is true; words stay as they are."""
        rows, fetch = np.flatnonzero(kept), self._fetch
        arrays = ("regression", *NUMBERS)
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in arrays}
        for name in WORDS:
            column = getattr(self, name)
            columns[name] = Column(column.codes[rows], column.words)
        return replace(self, **columns, _fetch=lambda asked: fetch(rows[asked]))

    def imaged(self) -> frozenset[tuple[str, tuple[str, ...]]]:
        """Modality and anatomy of the tasks, where the modality is known."""
        modality, anatomy = self.tasks.modality, self.tasks.anatomy
        found = set(zip(modality.codes.tolist(), anatomy.codes.tolist(), strict=True))
        return frozenset((modality.words[m], anatomy.words[a]) for m, a in found if m >= 0)

    @cached_property
    def tasks(self) -> "Tasks":
        """The tasks of the arms."""
        return _tasks(self)


@dataclass(frozen=True, eq=False)
class Tasks:
    """The tasks that arms of a table share, (T,) each.

    Attributes
    ----------
    of_arm : ndarray of int, (N,)
        Task of each arm. Neighbouring arms of the same task share it; equal tasks further apart
        stay apart.
    modality, anatomy : Column
    n_images, n_classes : Numbers
    regression : ndarray of bool
    """

    of_arm: NDArray[np.int32]
    modality: Column[str]
    anatomy: Column[tuple[str, ...]]
    n_images: Numbers
    n_classes: Numbers
    regression: NDArray[np.bool_]


def _tasks(table: ArmTable) -> Tasks:
    columns: dict[str, Any] = {
        "modality": table.modality,
        "anatomy": table.anatomy,
        "n_images": _distinct(table.n_images),
        "n_classes": _distinct(table.n_classes),
    }
    first = begins([table.regression, *(codes for codes, _ in columns.values())])
    of_arm = np.cumsum(first, dtype=np.int32) - np.int32(1)
    found = {name: type(column)(column[0][first], column[1]) for name, column in columns.items()}
    return Tasks(of_arm=of_arm, regression=table.regression[first], **found)


def _distinct(numbers: NDArray[np.float64]) -> Numbers:
    known = ~np.isnan(numbers)
    values, found = np.unique(numbers[known], return_inverse=True)
    codes = np.full(len(numbers), -1, np.int32)
    codes[known] = found
    return Numbers(codes, values)


class TableBuilder:
    """Takes arms in portions and in any order."""

    def __init__(self) -> None:
        self._words: dict[str, _Coder[Any]] = {name: _Coder() for name in WORDS}
        self._numbers: list[NDArray[np.float64]] = [np.empty((len(NUMBERS), 0))]
        self._regression: list[NDArray[np.bool_]] = [np.empty(0, np.bool_)]

    def add(self, columns: Mapping[str, Sequence[Any]], regression: Sequence[bool]) -> None:
        """Take a portion.

        Parameters
        ----------
        columns : mapping of str to sequence
            Each of `WORDS` and `NUMBERS`, None where unknown; as long as each other.
        regression : sequence of bool
        """
        for name, coder in self._words.items():
            coder.add(columns[name])
        # None becomes NaN; no data set has 0 images or classes.
        numbers = np.array([columns[name] for name in NUMBERS], np.float64)
        self._numbers.append(np.where(numbers > 0, numbers, np.nan))
        self._regression.append(np.array(regression, np.bool_))

    def table(self, fetch: Fetch) -> ArmTable:
        """The table of all that was taken; `fetch` knows rows by the order in which they came."""
        words = {name: coder.column() for name, coder in self._words.items()}
        order = np.lexsort([words[name].codes for name in reversed(ORDER)])
        columns: dict[str, Any] = {
            name: Column(column.codes[order], column.words) for name, column in words.items()
        }
        columns |= zip(NUMBERS, np.concatenate(self._numbers, axis=1)[:, order], strict=True)
        regression = np.concatenate(self._regression)[order]
        return ArmTable(**columns, regression=regression, _fetch=lambda rows: fetch(order[rows]))


def begins(columns: Sequence[NDArray[Any]]) -> NDArray[np.bool_]:
    """Which rows, (N,), of columns of N rows differ from the row before."""
    found = np.zeros(len(columns[0]), np.bool_)
    found[:1] = True
    for column in columns:
        found[1:] |= column[1:] != column[:-1]
    return found


def once_for_each(find: Callable[[S], T]) -> Callable[[S], T]:
    """Find something of a table or a corpus once; it is forgotten with that.

    What is found must not hold what it was found of, or neither is ever forgotten.
    """
    known: WeakKeyDictionary[S, T] = WeakKeyDictionary()

    @wraps(find)
    def found(of: S) -> T:
        if of not in known:
            known[of] = find(of)
        return known[of]

    return found
