"""Messages and lists that may be kept and shown: nobody's name is in them.

Groups are called like patients, and so may folders be.
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
