"""Use cases of those who look at what was changed."""

from evidence import history, queries, releases
from evidence.errors import EvidenceError
from evidence.history import ChangedRows, History
from evidence.store import Store


def recent_changes(first: int, most: int) -> History:
    """Change sets, newest first, the newest `first` passed over."""
    with Store().connect() as connection:
        return history.history(connection, first, most)


def change_rows(number: int, first: int, most: int) -> ChangedRows:
    """Rows of a change set, before and after."""
    with Store().connect() as connection:
        return history.changed_rows(connection, number, first, most)


def states(before: str, after: str) -> tuple[str, ...]:
    """What two states hold, in words that name them in every store.

    Raises
    ------
    EvidenceError
        There is no such release; the message lists those that are.
    """
    store = Store()
    with store.connect() as connection:
        known = {each.tag: each.digest for each in releases.releases(connection)}
        known[releases.NOW] = str(queries.state(connection))
    for tag in (before, after):
        if tag not in known:
            names = ", ".join(name for name in known if name != releases.NOW) or "none yet"
            msg = f"there is no release {tag[:80]!r}; there are: {names} (and {releases.NOW!r})"
            raise EvidenceError(msg)
    return (store.url.render_as_string(), known[before], known[after])
