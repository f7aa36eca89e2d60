"""Arrays are read only when whole, made once by all processes, and never more than the limit."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.errors import TrainingError
from trainer.reading import array_cache
from trainer.reading.array_cache import ArrayCache, CacheWarning, Made, Table, key_of

RECIPE = key_of("recipe")
ROW_BYTES = 8 * 4
#: Another process: says that it has begun, and is killed while it makes the second row.
KILLED = """
import sys, time
from pathlib import Path
import numpy as np
from trainer.reading.array_cache import ArrayCache, Made, key_of

def make(numbers):
    yield Made(0, np.full(4, 7.0))
    print("begun", flush=True)
    time.sleep(600)

cache = ArrayCache(Path(sys.argv[1]), 10**6)
cache.table("kind", key_of("recipe"), [key_of(0), key_of(1)], make)
"""


class Maker:
    """Makes rows of four numbers, but of no negative ones, and remembers which."""

    def __init__(self, contents: Sequence[int]) -> None:
        self.keys = [key_of(content) for content in contents]
        self.contents = contents
        self.made: list[int] = []

    def __call__(self, numbers: Sequence[int]) -> Iterator[Made]:
        """Rows of one number each."""
        for number in numbers:
            content = self.contents[number]
            self.made.append(content)
            if content >= 0:
                yield Made(number, np.full(4, content, dtype=np.float64), f"of {content}")

    def table(self, cache: ArrayCache) -> Table:
        """What the cache gives."""
        return cache.table("kind", RECIPE, self.keys, self)

    def of(self, cache: ArrayCache) -> list[float]:
        """What the cache gives, one number of each row."""
        found = self.table(cache)
        contents = [float(row[0]) for row in found.rows]
        assert [self.contents[number] for number in found.numbers] == contents
        assert found.notes == tuple(f"of {content:.0f}" for content in contents)
        return contents


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArrayCache:
    """A folder that holds a megabyte."""
    monkeypatch.setattr(array_cache, "SPARE_BYTES", 0)
    return ArrayCache(tmp_path / "cache", 10**6)


def arrays(cache: ArrayCache) -> list[Path]:
    return sorted(cache.folder.rglob("*.npy"))


def drafts(cache: ArrayCache) -> list[Path]:
    return sorted(cache.folder.rglob("*.tmp"))


def test_what_was_made_once_is_read_as_a_map_that_cannot_be_written(cache: ArrayCache) -> None:
    Maker([1, 2, 3]).of(cache)
    again = Maker([1, 2, 3])
    found = again.table(cache).rows
    assert isinstance(found, np.memmap)
    assert not found.flags.writeable
    np.testing.assert_array_equal(found, np.repeat([[1.0], [2.0], [3.0]], 4, axis=1))
    assert again.made == []


@given(st.lists(st.lists(st.integers(-2, 9), min_size=1, max_size=12), min_size=1, max_size=5))
def test_any_sets_are_right_and_no_row_of_a_recipe_is_made_twice(
    tmp_path_factory: pytest.TempPathFactory, sets: list[list[int]]
) -> None:
    cache = ArrayCache(tmp_path_factory.mktemp("cache"), 10**6)
    seen: set[int] = set()
    for contents in sets:
        maker = Maker(contents)
        assert maker.of(cache) == [content for content in contents if content >= 0]
        assert seen.isdisjoint(maker.made)
        seen |= {content for content in contents if content >= 0}


def test_what_could_not_be_made_is_tried_again_and_the_rest_not_written_again(
    cache: ArrayCache,
) -> None:
    Maker([1, -1, 2, -2]).of(cache)
    [path] = arrays(cache)
    written = path.stat().st_ino
    again = Maker([1, -1, 2, -2])
    assert again.table(cache).numbers == (0, 2)
    assert again.made == [-1, -2]
    assert [path.stat().st_ino for path in arrays(cache)] == [written]


def test_where_nothing_can_be_made_there_are_no_rows(cache: ArrayCache) -> None:
    assert Maker([-1, -2]).of(cache) == []
    assert Maker([]).of(cache) == []
    assert arrays(cache) == drafts(cache) == []


def test_another_recipe_is_made_anew(cache: ArrayCache) -> None:
    Maker([1]).of(cache)
    other = Maker([1])
    cache.table("kind", key_of("another"), other.keys, other)
    assert other.made == [1]


@pytest.mark.parametrize("kept", [0, 10, 100, -1])
def test_a_file_that_was_cut_short_is_made_anew(cache: ArrayCache, kept: int) -> None:
    Maker([1, 2]).of(cache)
    [path] = arrays(cache)
    path.write_bytes(path.read_bytes()[:kept])
    again = Maker([1, 2])
    assert again.of(cache) == [1, 2]
    assert again.made == [1, 2]


def test_an_error_while_making_leaves_nothing(cache: ArrayCache) -> None:
    def broken(_numbers: Sequence[int]) -> Iterator[Made]:
        yield Made(0, np.zeros(4))
        msg = "an image is broken"
        raise TrainingError(msg)

    with pytest.raises(TrainingError, match="an image is broken"):
        cache.table("kind", RECIPE, [key_of(1), key_of(2)], broken)
    assert arrays(cache) == drafts(cache) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_process_killed_while_writing_leaves_nothing_that_is_read(cache: ArrayCache) -> None:
    command = [sys.executable, "-c", KILLED, str(cache.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGKILL)
    assert arrays(cache) == []
    assert len(drafts(cache)) == 1
    again = Maker([0, 1])
    assert again.of(cache) == [0, 1]
    assert again.made == [0, 1]
    assert drafts(cache) == []


def test_who_comes_while_an_array_is_made_waits_for_it(cache: ArrayCache) -> None:
    makers = [Maker(range(50)) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda maker: maker.of(cache), makers))
    assert found == [list(range(50))] * 4
    assert sorted(len(maker.made) for maker in makers) == [0, 0, 0, 50]


def test_what_was_not_used_for_longest_goes_first(cache: ArrayCache) -> None:
    three = ArrayCache(cache.folder, 3 * (ROW_BYTES + 32 + 128 + len('["of 1"]')))
    for number in (1, 2, 3):
        Maker([number]).of(three)
        for path in arrays(cache):
            os.utime(path, ns=(0, path.stat().st_mtime_ns - 10**9))
    Maker([1]).of(three)  # used again
    Maker([4]).of(three)
    again = [Maker([number]) for number in (1, 3, 4, 2)]
    for maker in again[:3]:
        assert maker.of(three) == maker.contents
    assert [maker.made for maker in again[:3]] == [[], [], []]
    again[3].of(three)
    assert again[3].made == [2]


def test_the_folder_never_grows_beyond_its_limit(cache: ArrayCache) -> None:
    small = ArrayCache(cache.folder, 2000)
    for number in range(20):
        Maker(range(number, number + 5)).of(small)
        assert sum(path.stat().st_size for path in arrays(cache)) <= 2000


def test_an_array_beyond_the_limit_is_made_in_memory_and_said(cache: ArrayCache) -> None:
    with pytest.warns(
        CacheWarning, match=r"kind are not kept .* more than the limit EVTL_CACHE_GB"
    ):
        assert Maker(range(9)).of(ArrayCache(cache.folder, 100)) == list(range(9))
    assert arrays(cache) == []


def test_a_full_disk_is_seen_before_it_is_written_to(
    cache: ArrayCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(cache.folder.parent)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    with pytest.warns(CacheWarning, match="the disk has no room"):
        assert Maker([1, 2]).of(cache) == [1, 2]
    assert arrays(cache) == drafts(cache) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_that_fills_while_writing_costs_a_warning_only(
    cache: ArrayCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = array_cache._write_array

    def onto_full(_stream: Any, *rest: Any) -> tuple[int, ...]:
        with Path("/dev/full").open("wb") as full:
            return write(full, *rest)

    monkeypatch.setattr(array_cache, "_write_array", onto_full)
    with pytest.warns(CacheWarning, match="No space left on device"):
        assert Maker([1, 2]).of(cache) == [1, 2]
    assert arrays(cache) == drafts(cache) == []


def test_a_folder_that_cannot_be_made_costs_a_warning_only(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.warns(CacheWarning, match="are not kept but made in memory"):
        assert Maker([1, 2]).of(ArrayCache(tmp_path / "cache", 10**6)) == [1, 2]


def test_a_limit_of_nothing_keeps_nothing(cache: ArrayCache) -> None:
    assert Maker([1, 2]).of(ArrayCache(cache.folder, 0)) == [1, 2]
    assert not cache.folder.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions")
def test_only_the_owner_may_look_into_the_folder(cache: ArrayCache) -> None:
    Maker([1]).of(cache)
    folders = [path for path in cache.folder.rglob("*") if path.is_dir()]
    assert cache.folder.stat().st_mode & 0o077 == 0
    assert folders


def test_the_environment_says_where_and_how_much(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EVTL_CACHE_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("EVTL_CACHE_GB", "1.5")
    assert ArrayCache.of_user() == ArrayCache(tmp_path / "elsewhere", 1_500_000_000)


@pytest.mark.parametrize("written", ["much", "-1", "nan", "inf"])
def test_a_limit_that_is_no_size_is_refused(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("EVTL_CACHE_GB", written)
    with pytest.raises(TrainingError, match=f"EVTL_CACHE_GB '{written}': give 10"):
        ArrayCache.of_user()
