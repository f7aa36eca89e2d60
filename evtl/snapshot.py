"""The corpus between questions: read once, and again as soon as the store says something else."""

from typing import NamedTuple

from evidence import queries
from evidence.records import Corpus
from evidence.store import opened
from evtl.kept import Kept

#: Store and what it says of its state: what rests on the corpus may be kept by this.
Key = tuple[str, queries.State]


class Snapshot(NamedTuple):
    """The corpus as it is in a state of the store."""

    key: Key
    corpus: Corpus


_snapshots: Kept[Key, Snapshot] = Kept(1)


def key() -> Key:
    """The state of the store as it is now.

    Raises
    ------
    EvidenceError
        The store cannot be used.
    """
    store = opened()
    with store.connect() as connection:
        return str(store.url), queries.state(connection)


def current() -> Snapshot:
    """The corpus as it is now.

    Raises
    ------
    EvidenceError
        The store cannot be used.
    """
    now = key()
    # Read after its state: a change in between is in the corpus, and makes the next state another.
    return _snapshots.get(now, lambda: Snapshot(now, queries.corpus(opened())))
