"""What is kept is made once for each key, however many ask, and never after an error."""

from threading import Barrier, Event, Thread

import pytest

from evtl.kept import Kept


def test_what_is_asked_for_by_many_at_once_is_made_once() -> None:
    kept: Kept[str, object] = Kept(2)
    made: list[object] = []
    found: list[object] = []
    began, go_on = Event(), Event()

    def make() -> object:
        began.set()
        assert go_on.wait(10)
        made.append(object())
        return made[0]

    first = Thread(target=lambda: found.append(kept.get("a", make)))
    first.start()
    assert began.wait(10)
    others = [Thread(target=lambda: found.append(kept.get("a", make))) for _ in range(5)]
    for each in others:
        each.start()
    go_on.set()
    for each in (first, *others):
        each.join(10)
    assert len(made) == 1
    assert found == made * 6


def test_what_was_not_asked_for_longest_is_forgotten() -> None:
    kept: Kept[str, int] = Kept(2)
    for key in ("a", "b", "a", "c"):
        kept.get(key, lambda: 1)
    assert [kept.get(key, lambda: 2) for key in ("a", "c", "b")] == [1, 1, 2]


def test_an_error_is_raised_and_not_kept() -> None:
    kept: Kept[str, int] = Kept(2)

    def fail() -> int:
        msg = "not now"
        raise ValueError(msg)

    with pytest.raises(ValueError, match="not now"):
        kept.get("a", fail)
    assert kept.get("a", lambda: 3) == 3


def test_threads_that_ask_for_different_things_do_not_wait_for_each_other() -> None:
    kept: Kept[str, str] = Kept(4)
    both = Barrier(2, timeout=10)

    def make(key: str) -> str:
        both.wait()  # passes only where the two are made at the same time
        return key

    found: list[str] = []
    threads = [
        Thread(target=lambda key=key: found.append(kept.get(key, lambda: make(key))))
        for key in ("a", "b")
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join(10)
    assert sorted(found) == ["a", "b"]
