"""Use cases of those who look at what was changed."""

from evidence import history
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
