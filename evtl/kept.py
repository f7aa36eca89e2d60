"""Answers that are kept between questions, each made once however many ask for it at once."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """What was made last, by what it was made for; safe to share between threads.

    Parameters
    ----------
    most : int
        What was not asked for longest is forgotten first.
    """

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, Lock()
        self._found: OrderedDict[K, Future[V]] = OrderedDict()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """What is kept for a key; who asks first makes it, the others wait.

        An error is raised for all who wait, and not kept.
        """
        with self._lock:
            found = self._found.get(key)
            if found is None:
                mine = self._found[key] = Future()
                while len(self._found) > self._most:
                    self._found.popitem(last=False)
            else:
                self._found.move_to_end(key)
        return self._made(key, mine, make) if found is None else found.result()

    def _made(self, key: K, mine: "Future[V]", make: Callable[[], V]) -> V:
        try:
            mine.set_result(make())
        except BaseException as error:
            with self._lock:
                if self._found.get(key) is mine:
                    del self._found[key]
            mine.set_exception(error)
            raise
        return mine.result()
