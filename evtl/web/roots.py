"""Names that a visitor gives -> places below a folder that may be read, and nowhere else."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from evidence.errors import EvtlError


class OutsideError(EvtlError):
    """A name is of nothing below the folder that may be read; what lies elsewhere is not told."""


def within(root: Path, text: str) -> Path:
    """The place below `root` that a text names, as ``/``-separated names; the root itself if empty.

    Links are followed only where they stay below the root. What is refused is refused in the same
    words whether or not it exists, so that no answer tells what lies outside.

    Raises
    ------
    OutsideError
        There is nothing of this name below the root.
    """
    names = PurePosixPath(text).parts
    if not text.isprintable() or "\\" in text or ".." in names or text.startswith("/"):
        raise _outside(text)
    try:
        home = root.resolve(strict=True)
        found = home.joinpath(*names).resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:  # not there, a loop of links, no name
        raise _outside(text) from error
    if not found.is_relative_to(home):
        raise _outside(text)
    return found


def contained(root: Path, text: str) -> Path:
    """As `within`, of a folder from which no link leads out of the root either.

    Raises
    ------
    OutsideError
        There is no such folder below the root, or a link in it leads elsewhere.
    """
    found, home = within(root, text), root.resolve()
    if not found.is_dir():
        raise _outside(text)
    for link in _links(found):
        if not Path(os.path.realpath(link)).is_relative_to(home):
            msg = f"{text or 'this folder'}: the link {link.name} leads elsewhere; remove it"
            raise OutsideError(msg)
    return found


def folders(root: Path, text: str = "") -> tuple[str, ...]:
    """Names of the folders in one, in order; those that are hidden or lead elsewhere are left out.

    Raises
    ------
    OutsideError
        There is no such folder below the root.
    """
    found = within(root, text)
    if not found.is_dir():
        raise _outside(text)
    try:
        names = sorted(each.name for each in found.iterdir() if each.is_dir())
    except OSError:  # it may not be read
        return ()
    return tuple(name for name in names if name[0] != "." and _leads_within(root, text, name))


def _leads_within(root: Path, text: str, name: str) -> bool:
    try:
        within(root, joined(text, name))
    except OutsideError:
        return False
    return True


def joined(text: str, name: str) -> str:
    """How a place in a folder is named."""
    return f"{text}/{name}" if text else name


def _links(folder: Path) -> Iterator[Path]:
    for path, folders, files in os.walk(folder):
        yield from (each for name in (*folders, *files) if (each := Path(path, name)).is_symlink())


def _outside(text: str) -> OutsideError:
    where = "the folder that may be read"
    return OutsideError(f"{text[:80]!r} names nothing below {where}; choose one of its folders")
