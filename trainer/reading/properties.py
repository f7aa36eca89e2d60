"""What a file tells of an image beside its picture: size, format, borders, words of its name."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.images import ImageSet
from trainer.reading.manifest import GROUP_COLUMNS, read_manifest, read_other_columns
from trainer.reading.thumbnails import FileFacts, Thumbnails

#: Images that a value must be found in, and the cuts that are tried of a number.
MIN_IMAGES = 10
CUTS = 15
#: Grey levels of a black border, and from which on it is white.
BLACK, WHITE = 10, 245
#: Words of a file name that say how an image was taken. Others often only repeat the class.
WORDS = frozenset(
    "left right l r od os oculus ap pa ll lat lateral oblique frontal cc mlo erect supine prone "
    "portable bedside inspiration expiration axial coronal sagittal transverse longitudinal t1 t2 "
    "t1w t2w t1c flair dwi adc pd contrast pre post arterial venous plain doppler".split()
)
#: Columns of a manifest that say what is learned, or name single images.
NOT_OTHERS = frozenset({"file", "label", "labels", "number", "frame", "split", *GROUP_COLUMNS})
#: Names of columns that may say who somebody is: their values are not looked at, nor told.
OF_PERSONS = re.compile(
    r"^(id|case|mrn|dob|patient|person|subject)|(^|first_?|last_?|full_?|sur)name$|birth|uid$|_id$"
)

Mask = npt.NDArray[np.bool_]


class Rule(NamedTuple):
    """Which images have a property.

    Attributes
    ----------
    about : str
        The property: rules about the same one are told once.
    words : str
        Completes "images ...".
    has : ndarray of bool, shape (N,)
    sharp : bool
        The property has few values, so each may stand for an origin of its own.
    """

    about: str
    words: str
    has: Mask
    sharp: bool


def rules_of(images: ImageSet, thumbnails: Thumbnails) -> Iterator[Rule]:
    """All that is looked at, each as a question that every image answers with yes or no."""
    yield from _header_rules(thumbnails.facts)
    yield from _border_rules(thumbnails.pixels, [each is not None for each in thumbnails.facts])
    yield from _word_rules(images)
    yield from _column_rules(images)


def _header_rules(facts: Sequence[FileFacts | None]) -> Iterator[Rule]:
    numbers: tuple[tuple[str, str, str, Callable[[FileFacts], float]], ...] = (
        ("width", "{} pixels wide or less", "wider than {} pixels", lambda it: it.width_px),
        ("height", "{} pixels high or less", "higher than {} pixels", lambda it: it.height_px),
        (
            "aspect", "at most {} times as wide as high", "more than {} times as wide as high",
            lambda it: it.width_px / it.height_px,
        ),
        (
            "file size", "in files of {} kB or less", "in files of more than {} kB",
            lambda it: it.n_bytes / 1000,
        ),
    )  # fmt: skip
    for about, below, above, value in numbers:
        values = [np.nan if each is None else value(each) for each in facts]
        yield from _cut(f"the {about}", below, above, np.array(values, dtype=np.float64))
    texts: tuple[tuple[str, str, Callable[[FileFacts], str]], ...] = (
        ("the format", "saved as {}", lambda it: it.format),
        ("the colour", "that are {}", lambda it: "grey" if it.grey else "in colour"),
        ("the bit depth", "of {} bits", lambda it: str(it.bits)),
    )
    for about, words, text in texts:
        yield from _values(about, words, ["" if each is None else text(each) for each in facts])
    tables = ["" if each is None else each.quantisation for each in facts]
    number = {found: f"no. {n}" for n, found in enumerate(sorted(set(tables) - {""}), 1)}
    words = "saved with one quality of JPEG ({} of " + f"{len(number)})"
    yield from _values("the quality of JPEG", words, [number.get(each, "") for each in tables])


def _border_rules(pixels: npt.NDArray[np.uint8], readable: Sequence[bool]) -> Iterator[Rule]:
    edge = np.ones(pixels.shape[1:], dtype=bool)
    edge[1:-1, 1:-1] = False
    border = pixels[:, edge]
    for colour, found in (("black", border < BLACK), ("white", border > WHITE)):
        share = np.where(readable, 100 * found.mean(1), np.nan)
        yield from _cut(
            f"the {colour} border", f"with {{}}% of the border {colour}, or less",
            f"with more than {{}}% of the border {colour}", share,
        )  # fmt: skip


def _word_rules(images: ImageSet) -> Iterator[Rule]:
    """Words of the names; one that a label holds says nothing new."""
    allowed = WORDS - {word for label in set(images.labels) for word in _words(label)}
    found = [_words(name) & allowed for name in images.files]
    for word in sorted(set().union(*found)):
        has = np.array([word in words for words in found])
        yield Rule(f"the word {word}", f"with {word!r} in their name", has, sharp=True)


def _words(text: str) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", text.lower()))


def _column_rules(images: ImageSet) -> Iterator[Rule]:
    for path in sorted(images.root.glob("*.csv")):
        if read_manifest(path) is None:
            continue
        for column, values in read_other_columns(path, NOT_OTHERS).items():
            if OF_PERSONS.search(column):
                continue
            found = [
                values.get(name, values.get(name.partition("#")[0], "")) for name in images.files
            ]
            about = f"the column {column}"
            if (numbers := _numbers(found)) is None:
                yield from _values(about, f"whose {column} is {{}}", found)
            else:
                below, above = f"whose {column} is {{}} or less", f"whose {column} is above {{}}"
                yield from _cut(about, below, above, numbers)


def _numbers(values: Sequence[str]) -> npt.NDArray[np.float64] | None:
    """The values as numbers, those that are empty as none; None where a text is among them."""
    try:
        return np.array([float(value) if value else np.nan for value in values])
    except ValueError:
        return None


def _values(about: str, words: str, values: Sequence[str]) -> Iterator[Rule]:
    for value, count in sorted(Counter(values).items()):
        if value and MIN_IMAGES <= count < len(values):
            has = np.array([other == value for other in values])
            yield Rule(about, words.format(value), has, sharp=True)


def _cut(about: str, below: str, above: str, values: npt.NDArray[np.float64]) -> Iterator[Rule]:
    """A number by cuts at values that occur: at each of few, else evenly spread over images."""
    known = values[np.isfinite(values)]
    if not len(known):
        return
    cuts = np.unique(known)
    if sharp := len(cuts) <= CUTS:
        cuts = cuts[:-1]
    else:
        places = np.linspace(0, 1, CUTS + 2)[1:-1]
        cuts = np.unique(np.quantile(known, places, method="lower"))
    for cut in cuts:
        text = f"{cut:.4g}"
        yield Rule(about, below.format(text), values <= cut, sharp=sharp)
        yield Rule(about, above.format(text), values > cut, sharp=sharp)
