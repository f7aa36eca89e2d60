"""Messages and lists that may be kept and shown: nobody's name is in them.

Groups are called like patients, and so may folders and files be.
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from trainer.images import ImageSet


def numbered(groups: Sequence[str]) -> tuple[str, ...]:
    """Numbers from 1 in place of the names of groups, in the order in which they come.

    Not digests: the ids of a hospital are so short that all of them can be tried.
    """
    numbers = {group: str(n) for n, group in enumerate(dict.fromkeys(groups), 1)}
    return tuple(numbers[group] for group in groups)


def without_folders(text: str, images: ImageSet) -> str:
    """A message in which files of a set go by their own names, without the folders they are in.

    Parameters
    ----------
    images : ImageSet
        Its root is an absolute path.
    """
    text = text.replace(f"{images.root}/", "").replace(str(images.root), "the data")
    folders = {str(PurePosixPath(file).parent) for file in images.files}
    for folder in sorted(folders, key=len, reverse=True):
        if f"{folder}/" in text:
            text = re.sub(rf"(?<![\w/]){re.escape(folder)}/", "", text)
    return text


def without_files(text: str, images: ImageSet) -> str:
    """A message in which files of a set go by their numbers, from 1 in the order of the set."""
    text = without_folders(text, images)
    numbers: dict[str, int] = {}
    for number, file in enumerate(images.files, 1):
        name = PurePosixPath(file).name
        numbers.setdefault(name, number)
        numbers.setdefault(re.sub(r"#\d+$", "", name), number)  # of a frame, its file
    for name in sorted((name for name in numbers if name in text), key=len, reverse=True):
        text = re.sub(rf"(?<![\w.-]){re.escape(name)}", f"image {numbers[name]}", text)
    return text
