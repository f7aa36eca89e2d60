"""Texts cut so that a page stays small, whatever the store holds."""

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

#: Characters of HTML that the rows of one page may take, and that one cell may.
ROWS_CHARACTERS, CELL_CHARACTERS = 36_000, 240
#: Characters of HTML around a cell.
_AROUND = 30
#: Nothing is cut shorter.
_LEAST = 24


class Cut(NamedTuple):
    """A text as it is shown, and whether there is more of it."""

    text: str
    is_cut: bool


class Fitted(NamedTuple):
    """Rows that fit a page; `n_left` did not."""

    rows: tuple[tuple[Cut, ...], ...]
    n_left: int


def cut(value: Any, most: int = CELL_CHARACTERS) -> Cut:
    """A value as text, without what would steer the page, and no longer than `most` in HTML."""
    text = "".join(map(_harmless, _worded(value, most)))
    size = most
    while len(escape(text[:size])) > most:
        size = size * 3 // 4
    shown = text[:size]
    return Cut(shown, len(shown) < len(text))


def _harmless(character: str) -> str:
    """Control characters, and those that turn the order of others, are shown as what they are."""
    if character.isprintable() or character == "\n":
        return character
    return " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"


def _worded(value: Any, most: int) -> str:
    """A value as text; of a long one the beginning."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"x'{value[: most + 1].hex()}'"
    return str(value)[: most + 1]


def fitted(rows: Sequence[Sequence[Any]], most_rows: int) -> Fitted:
    """As many rows as fit a page, each cell cut."""
    found: list[tuple[Cut, ...]] = []
    left = ROWS_CHARACTERS
    for row in rows[:most_rows]:
        size = min(CELL_CHARACTERS, max(_LEAST, left // max(1, len(row)) - _AROUND))
        cells = tuple(cut(value, size) for value in row)
        left -= sum(len(escape(cell.text)) + _AROUND for cell in cells)
        if left < 0 and found:
            break
        found.append(cells)
    return Fitted(tuple(found), len(rows) - len(found))
