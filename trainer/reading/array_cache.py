"""Arrays that are dear to make, kept in the user's cache folder and shared between processes.

An array has one row for each key; a key says which content the row was made of, the recipe how.
Each array is one file: rows, keys, then a note on each row. It gets its name only when it is
complete and on the disk, so that whoever is killed while writing leaves nothing that is read. Rows
that another array of the same recipe holds are copied from there and not made again.

``EVTL_CACHE_DIR`` names another folder. ``EVTL_CACHE_GB`` limits its size (0 keeps nothing); what
was not used for longest goes first.
"""

import hashlib
import json
import math
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import platformdirs
from filelock import FileLock, Timeout

from trainer.errors import TrainingError

#: Largest size of the folder in 10^9 bytes where ``EVTL_CACHE_GB`` does not say.
CACHE_GB = 20.0
#: Free disk space that an array must leave, in bytes.
SPARE_BYTES = 500_000_000
#: Bytes of a SHA-256.
KEY_BYTES = 32

Rows = npt.NDArray[Any]


class Made(NamedTuple):
    """A row that was made for the key with this number, and a note on how."""

    number: int
    row: Rows
    note: str = ""


class Table(NamedTuple):
    """Rows ``(M, ...)``, a note on each, and the numbers of their keys in rising order."""

    rows: Rows
    notes: tuple[str, ...]
    numbers: tuple[int, ...]


#: Makes the rows of the keys with these numbers, in that order; leaves out what cannot be made.
Make = Callable[[Sequence[int]], Iterator[Made]]


class CacheWarning(UserWarning):
    """An array could not be kept; it lies in memory instead."""


class _NoRoomError(Exception):
    """The array is larger than what the limit or the disk allows."""


def key_of(*parts: object) -> bytes:
    """SHA-256 over the written form of what identifies a row or a recipe."""
    return hashlib.sha256(repr(parts).encode()).digest()


@dataclass(frozen=True)
class ArrayCache:
    """A folder of arrays.

    Attributes
    ----------
    folder : pathlib.Path
        Made when it is first written to, for its owner only: rows may be images of patients.
    limit_bytes : int
        Largest size of all arrays together; 0 keeps nothing.
    """

    folder: Path
    limit_bytes: int

    @classmethod
    def of_user(cls) -> "ArrayCache":
        """The folder of the user, or that of the environment.

        Raises
        ------
        TrainingError
            ``EVTL_CACHE_GB`` is not a number of at least 0.
        """
        written = os.environ.get("EVTL_CACHE_GB") or str(CACHE_GB)
        limit = math.nan
        with suppress(ValueError):
            limit = float(written)
        if not 0 <= limit < math.inf:
            msg = f"EVTL_CACHE_GB {written!r}: give 10^9 bytes as a number of at least 0"
            raise TrainingError(msg)
        folder = os.environ.get("EVTL_CACHE_DIR") or platformdirs.user_cache_path("evtl")
        return cls(Path(folder).expanduser(), int(limit * 1e9))

    def table(self, kind: str, recipe: bytes, keys: Sequence[bytes], make: Make) -> Table:
        """A row for each key that one can be made for: read where it is kept, else made and kept.

        Where the array cannot be kept (limit, full or read-only disk), it is made in memory, with
        a `CacheWarning`. A row that could not be made is tried again each time.

        Parameters
        ----------
        kind : str
            Folder of the arrays of one sort.
        recipe : bytes
            SHA-256 of all that the rows depend on beside the content.
        keys : sequence of bytes, length N
            SHA-256 of the content of each row.
        make : callable
            Given the numbers of the keys whose rows are missing.

        Returns
        -------
        Table
            Its rows are a read-only memory map, or an array in memory.
        """
        if not self.limit_bytes:
            return _in_memory(make(range(len(keys))))
        try:
            return self._kept(self.folder / kind / recipe.hex(), keys, make)
        except (OSError, _NoRoomError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            msg = f"{kind} are not kept but made in memory: {reason} (cache {self.folder})"
            warnings.warn(msg, CacheWarning, stacklevel=3)
            return _in_memory(make(range(len(keys))))

    def missing(self, kind: str, recipe: bytes, keys: Sequence[bytes]) -> list[int]:
        """Numbers of the keys that no row is kept for; parameters as of `table`."""
        known = _known(self.folder / kind / recipe.hex(), keys) if self.limit_bytes else {}
        return [number for number, key in enumerate(keys) if key not in known]

    def _kept(self, folder: Path, keys: Sequence[bytes], make: Make) -> Table:
        path = _path(folder, keys)
        if found := _whole(path):
            return found
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(parents=True, exist_ok=True)
        # Who comes second waits and then finds the array.
        with FileLock(path.with_suffix(".lock")):
            return _whole(path) or self._completed(path, keys, make)

    def _completed(self, path: Path, keys: Sequence[bytes], make: Make) -> Table:
        """Known rows and new ones; where nothing new can be made, the known ones as they are."""
        known = _known(path.parent, keys)
        made = make([number for number, key in enumerate(keys) if key not in known])
        new = next(made, None)
        if new is None:
            numbers = tuple(number for number, key in enumerate(keys) if key in known)
            if not numbers:
                return _in_memory(made)
            if found := _whole(_path(path.parent, [keys[number] for number in numbers])):
                return found._replace(numbers=numbers)
        merged = _merged(keys, known, chain(() if new is None else (new,), made))
        return self._written(path, keys, merged)

    def _written(self, path: Path, keys: Sequence[bytes], made: Iterator[Made]) -> Table:
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            with draft.open("wb") as stream:
                first = next(made)
                self._make_room(len(keys) * (first.row.nbytes + KEY_BYTES))
                numbers = _write_array(stream, keys, first, made)
            path = _path(path.parent, [keys[number] for number in numbers])
            draft.replace(path)
        finally:
            # Its own, and those of killed processes: whoever holds the lock is the only writer.
            for left in draft.parent.glob(f"{draft.name.partition('.')[0]}.*.tmp"):
                left.unlink(missing_ok=True)
        if found := _whole(path):
            return found._replace(numbers=numbers)
        msg = f"{path.name} cannot be read back"
        raise OSError(msg)

    def _make_room(self, n_bytes: int) -> None:
        """Remove what killed processes left, then the arrays that were not used for longest."""
        if n_bytes > self.limit_bytes:
            msg = f"{n_bytes / 1e9:.1f} GB are more than the limit EVTL_CACHE_GB allows"
            raise _NoRoomError(msg)
        for draft in self.folder.glob("*/*/*.tmp"):
            _remove_abandoned(draft)
        sizes = {path: path.stat() for path in self.folder.glob("*/*/*.npy")}
        total = sum(stat.st_size for stat in sizes.values())
        for path in sorted(sizes, key=lambda path: sizes[path].st_mtime_ns):
            if total + n_bytes <= self.limit_bytes:
                break
            # Who still reads it keeps it: the system frees the space when they are done.
            with suppress(OSError):
                path.unlink()
                total -= sizes[path].st_size
        if shutil.disk_usage(self.folder).free < n_bytes + SPARE_BYTES:
            msg = f"the disk has no room for {n_bytes / 1e9:.1f} GB"
            raise _NoRoomError(msg)


def _path(folder: Path, keys: Sequence[bytes]) -> Path:
    """Where the array of these keys lies."""
    return folder / f"{hashlib.sha256(b''.join(keys)).hexdigest()}.npy"


class _Stored(NamedTuple):
    """What a file holds."""

    rows: Rows
    keys: tuple[bytes, ...]
    notes: tuple[str, ...]


def _read(path: Path) -> _Stored | None:
    """An array whose file is whole, or None."""
    try:
        rows: Any = np.load(path, mmap_mode="r")
        with path.open("rb") as stream:
            stream.seek(rows.offset + rows.nbytes)
            joined, notes = stream.read(KEY_BYTES * len(rows)), json.load(stream)
    except (OSError, ValueError, EOFError):
        return None
    keys = (joined[start : start + KEY_BYTES] for start in range(0, len(joined), KEY_BYTES))
    return _Stored(rows, tuple(keys), tuple(notes))


def _whole(path: Path) -> Table | None:
    """All of an array, which is marked as used."""
    found = _read(path)
    if found is None:
        return None
    with suppress(OSError):
        os.utime(path)
    return Table(found.rows, found.notes, tuple(range(len(found.keys))))


def _known(folder: Path, keys: Sequence[bytes]) -> dict[bytes, tuple[Rows, str]]:
    """Rows of other arrays of the same recipe, as views of their files, with their notes."""
    wanted = set(keys)
    known: dict[bytes, tuple[Rows, str]] = {}
    for path in folder.glob("*.npy"):
        if len(known) == len(wanted):
            break
        if (other := _read(path)) and not wanted.isdisjoint(other.keys):
            each = zip(other.keys, other.rows, other.notes, strict=True)
            known |= {key: (row, note) for key, row, note in each if key in wanted}
    return known


def _merged(
    keys: Sequence[bytes], known: Mapping[bytes, tuple[Rows, str]], made: Iterator[Made]
) -> Iterator[Made]:
    """Known and made rows in the order of the keys."""
    new = next(made, None)
    for number, key in enumerate(keys):
        if key in known:
            yield Made(number, *known[key])
        elif new and new.number == number:
            yield new
            new = next(made, None)


def _write_array(
    stream: BinaryIO, keys: Sequence[bytes], first: Made, others: Iterator[Made]
) -> tuple[int, ...]:
    """Write rows, keys and notes; the numbers of the keys that there was a row for."""
    # Written, not mapped: on a full disk a write says so, a mapped page kills the process.
    numbers, notes = [], []
    _write_header(stream, len(keys), first.row)
    for each in chain((first,), others):
        stream.write(np.ascontiguousarray(each.row).data)
        numbers.append(each.number)
        notes.append(each.note)
    stream.write(b"".join(keys[number] for number in numbers))
    stream.write(json.dumps(notes).encode())
    stream.seek(0)
    _write_header(stream, len(numbers), first.row)
    stream.flush()
    os.fsync(stream.fileno())
    return tuple(numbers)


def _write_header(stream: BinaryIO, n: int, row: Rows) -> None:
    """Of the same length for any number of rows: numpy leaves room for a longer one."""
    header = {"descr": row.dtype.str, "fortran_order": False, "shape": (n, *row.shape)}
    np.lib.format.write_array_header_1_0(stream, header)


def _remove_abandoned(draft: Path) -> None:
    """Remove the draft of a process that is no more; one that writes holds the lock."""
    lock = FileLock(draft.with_suffix("").with_suffix(".lock"), timeout=0)
    with suppress(Timeout, OSError), lock:
        draft.unlink(missing_ok=True)


def _in_memory(made: Iterator[Made]) -> Table:
    found = list(made)
    rows = np.stack([each.row for each in found]) if found else np.empty(0)
    return Table(rows, tuple(each.note for each in found), tuple(each.number for each in found))
