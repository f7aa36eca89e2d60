"""Two states of the corpus compared: in a process of its own, once for all who ask.

A comparison asks hundreds of questions of both states; nobody else waits for it meanwhile.
"""

import subprocess
import sys
import threading
from collections import OrderedDict
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYetError

from evidence.errors import EvidenceError
from evtl.corpus_services import Difference

#: Comparisons that are kept or made; seconds that one may take, and that a page waits for one.
KEPT, MOST_S, WAIT_S = 16, 600.0, 1.0
#: What tells one comparison from another: both states, whatever they are called.
State = tuple[str, ...]


class Comparisons:
    """Comparisons that were made or are being made, one at a time."""

    def __init__(self) -> None:
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._made: OrderedDict[State, Future[Difference]] = OrderedDict()

    def find(self, before: str, after: str, state: State) -> Difference | None:
        """The comparison of two states; None while it is being made.

        Raises
        ------
        EvidenceError
            The states cannot be compared, or too many comparisons are being made.
        """
        with self._lock:
            made = self._made.get(state) or self._begin(before, after, state)
        try:
            return made.result(WAIT_S)
        except NotYetError:
            return None
        except EvidenceError:
            with self._lock:
                self._made.pop(state, None)  # it may be possible the next time
            raise

    def _begin(self, before: str, after: str, state: State) -> Future[Difference]:
        if len(self._made) >= KEPT:
            done = next((key for key, each in self._made.items() if each.done()), None)
            if done is None:
                msg = f"{KEPT} other comparisons are being made; ask again in a minute"
                raise EvidenceError(msg)
            del self._made[done]
        made = self._made[state] = Future()
        # A daemon: a server that is stopped does not wait for it.
        threading.Thread(target=self._make, args=(made, before, after), daemon=True).start()
        return made

    def _make(self, made: Future[Difference], before: str, after: str) -> None:
        with self._turn:
            try:
                made.set_result(compare(before, after))
            except Exception as error:
                made.set_exception(error)


def compare(before: str, after: str) -> Difference:
    """As ``evtl diff`` does, in a process of its own.

    Raises
    ------
    EvidenceError
        It takes too long, or evtl says why it is not possible.
    """
    command = [sys.executable, "-m", "evtl", "diff", "--json", "--", before, after]
    try:
        done = subprocess.run(command, capture_output=True, timeout=MOST_S, check=True)
    except subprocess.TimeoutExpired as error:
        msg = f"comparing took longer than {MOST_S:g} s and was stopped; evtl diff has no limit"
        raise EvidenceError(msg) from error
    except subprocess.CalledProcessError as error:
        raise EvidenceError(error.stderr.decode(errors="replace").strip()[-2000:]) from error
    return Difference.model_validate_json(done.stdout)
