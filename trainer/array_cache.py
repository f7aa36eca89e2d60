"""Arrays that are dear to make, kept in the user's cache folder and shared between processes.

An array has one row for each key; a key says which content the row was made of, the recipe how.
Each array is one file: rows, then keys. It gets its name only when it is complete and on the disk,
so that whoever is killed while writing leaves nothing that is read. Rows that another array of the
same recipe holds are copied from there and not made again.

``EVTL_CACHE_DIR`` names another folder. ``EVTL_CACHE_GB`` limits its size (0 keeps nothing); what
was not used for longest goes first.
"""

import hashlib
import math
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

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
#: Makes the rows with these numbers, one after the other.
Make = Callable[[Sequence[int]], Iterator[Rows]]


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

    def rows(self, kind: str, recipe: bytes, keys: Sequence[bytes], make: Make) -> Rows:
        """One row for each key: read where they are kept, else made and kept.

        Where the array cannot be kept (limit, full or read-only disk), it is made in memory, with
        a `CacheWarning`.

        Parameters
        ----------
        kind : str
            Folder of the arrays of one sort.
        recipe : bytes
            SHA-256 of all that the rows depend on beside the content.
        keys : sequence of bytes, length N
            SHA-256 of the content of each row.
        make : callable
            Given the numbers of the rows that are missing, gives these rows in that order.

        Returns
        -------
        ndarray, shape (N, ...)
            A read-only memory map, or an array in memory.
        """
        if not (self.limit_bytes and keys):
            return _in_memory(make, len(keys))
        name = hashlib.sha256(b"".join(keys)).hexdigest()
        path = self.folder / kind / recipe.hex() / f"{name}.npy"
        try:
            return self._kept(path, keys, make)
        except (OSError, _NoRoomError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            msg = f"{kind} are not kept but made in memory: {reason} (cache {self.folder})"
            warnings.warn(msg, CacheWarning, stacklevel=3)
            return _in_memory(make, len(keys))

    def _kept(self, path: Path, keys: Sequence[bytes], make: Make) -> Rows:
        found = _read(path)
        if found is None:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.parent.mkdir(parents=True, exist_ok=True)
            # Who comes second waits and then finds the array.
            with FileLock(path.with_suffix(".lock")):
                found = _read(path) or self._write(path, keys, make)
        with suppress(OSError):
            os.utime(path)
        return found.rows

    def _write(self, path: Path, keys: Sequence[bytes], make: Make) -> "_Array":
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            with draft.open("wb") as stream:
                rows = _merged(keys, _known_rows(path.parent, keys), make)
                first = next(rows)
                self._make_room(len(keys) * (first.nbytes + KEY_BYTES))
                _write_array(stream, len(keys), chain([first], rows), keys)
            draft.replace(path)
        finally:
            # Its own, and those of killed processes: whoever holds the lock is the only writer.
            for left in path.parent.glob(f"{path.stem}.*.tmp"):
                left.unlink(missing_ok=True)
        found = _read(path)
        if found is None:
            msg = f"{path.name} cannot be read back"
            raise OSError(msg)
        return found

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


@dataclass(frozen=True)
class _Array:
    """Rows and keys of one file."""

    rows: Rows
    keys: tuple[bytes, ...]


def _read(path: Path) -> _Array | None:
    """An array whose file is whole, or None."""
    try:
        rows: Any = np.load(path, mmap_mode="r")
        keys = np.fromfile(path, dtype=f"V{KEY_BYTES}", offset=rows.offset + rows.nbytes)
    except (OSError, ValueError, EOFError):
        return None
    return _Array(rows, tuple(keys.tolist())) if len(keys) == len(rows) else None


def _known_rows(folder: Path, keys: Sequence[bytes]) -> dict[bytes, Rows]:
    """Rows of other arrays of the same recipe, as views of their files."""
    wanted, known = set(keys), dict[bytes, Rows]()
    for path in folder.glob("*.npy"):
        if len(known) == len(wanted):
            break
        if (other := _read(path)) and not wanted.isdisjoint(other.keys):
            pairs = zip(other.keys, range(len(other.keys)), strict=True)
            known |= {key: other.rows[number] for key, number in pairs if key in wanted}
    return known


def _merged(keys: Sequence[bytes], known: dict[bytes, Rows], make: Make) -> Iterator[Rows]:
    made = make([number for number, key in enumerate(keys) if key not in known])
    for key in keys:
        yield known[key] if key in known else next(made)


def _write_array(stream: BinaryIO, n: int, rows: Iterator[Rows], keys: Sequence[bytes]) -> None:
    # Written, not mapped: on a full disk a write says so, a mapped page kills the process.
    for number, row in enumerate(rows):
        if number == 0:
            header = {"descr": row.dtype.str, "fortran_order": False, "shape": (n, *row.shape)}
            np.lib.format.write_array_header_1_0(stream, header)
        stream.write(np.ascontiguousarray(row).data)
    stream.write(b"".join(keys))
    stream.flush()
    os.fsync(stream.fileno())


def _remove_abandoned(draft: Path) -> None:
    """Remove the draft of a process that is no more; one that writes holds the lock."""
    lock = FileLock(draft.with_suffix("").with_suffix(".lock"), timeout=0)
    with suppress(Timeout, OSError), lock:
        draft.unlink(missing_ok=True)


def _in_memory(make: Make, n: int) -> Rows:
    return np.stack(list(make(range(n))))
