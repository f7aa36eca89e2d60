"""What is left of a name when it does not matter how it is spelt."""

import re
import unicodedata


def stem(name: str) -> str:
    """A name but for case, spaces and the signs ``_ - . /``; letters of any script stay.

    Signs that may tell two names apart stay too (``A+``), and a point where any of the signs
    stood between two digits: ``regnet_y_3_2gf`` is not ``regnet_y_32gf``.
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    pointed = re.sub(r"(?<=\d)[\s_./-]+(?=\d)", ".", folded)
    return re.sub(r"[\s_/-]|(?<!\d)\.|\.(?!\d)", "", pointed)


def same_name(first: str, second: str) -> bool:
    """Whether two names are one but for their spelling; never for what they have not."""
    return first == second or (stem(first) == stem(second) != "")
