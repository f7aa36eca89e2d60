"""What a user restricts the choice to: backbones and approaches, named as people write them."""

import re
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar, get_args

from evidence.backbone_names import BackboneNames
from evidence.errors import EvidenceError
from evidence.records import Backbone, Record
from evidence.vocabulary import Approach
from recommender.errors import RecommendationError
from recommender.plan import CARRIED_OUT, Way

#: What a choice is restricted to: an approach with pretrained weights, or training all of the
#: network from random ones, which nobody means who names an approach alone.
Asked = Approach | Literal["random_initialisation"]

#: Words for approaches, and what they mean: "frozen" says nothing of the head, and "fine-tuning"
#: not how much of the backbone is tuned (Kim 2022 tells part of it from all of it).
WORDS: tuple[tuple[tuple[Asked, ...], tuple[str, ...]], ...] = (
    (("feature_extractor", "feature_extractor_hybrid"), ("frozen", "frozen backbone")),
    (
        ("feature_extractor",),
        ("feature extractor", "feature extraction", "FE", "linear probe", "linear probing"),
    ),
    (("feature_extractor_hybrid",), ("hybrid", "feature extractor hybrid", "FE hybrid")),
    (
        ("fine_tuning", "fine_tuning_from_scratch"),
        ("fine-tuning", "fine-tune", "fine-tuned", "FT"),
    ),
    (("fine_tuning",), ("partial", "partial fine-tuning")),
    (
        ("fine_tuning_from_scratch",),
        ("full", "full fine-tuning", "full FT", "fine-tuning from scratch", "end to end"),
    ),
    (
        ("random_initialisation",),
        ("random", "random initialisation", "random initialization", "random weights"),
    ),
)


def asked_as(way: Way) -> Asked:
    """What a way to carry out a backbone is asked for as."""
    return "random_initialisation" if way.initialisation == "random" else way.approach


class Restriction(Record):
    """What the choice is restricted to; None where it is free.

    Attributes
    ----------
    backbones : tuple of str or None
        Names in the store, each of a backbone that a library carries out.
    approaches : tuple of str or None
        Approaches with pretrained weights, each carried out by the trainer, and
        ``random_initialisation`` for full fine-tuning from random ones.
    """

    backbones: tuple[str, ...] | None = None
    approaches: tuple[Asked, ...] | None = None


def parse_restriction(
    backbones: Sequence[Backbone], candidates: str | None = None, approaches: str | None = None
) -> Restriction:
    """The restriction that a user typed.

    Parameters
    ----------
    backbones : sequence of Backbone
        All of the store.
    candidates, approaches : str or None
        Names between commas, as people write them; None where the choice is free.

    Raises
    ------
    RecommendationError
        A list is empty, or holds names that are unknown or that nothing carries out; all of them
        are named at once.
    """
    names = BackboneNames(backbones)
    return Restriction(
        backbones=_each("--candidates", candidates, lambda text: _backbone(text, names, backbones)),
        approaches=_each("--approaches", approaches, _approaches),
    )


W = TypeVar("W", bound=str)


def _each(
    option: str, text: str | None, parse: Callable[[str], tuple[W, ...]]
) -> tuple[W, ...] | None:
    """Every item parsed, each result once; what is wrong with any of them in one error."""
    if text is None:
        return None
    found: dict[W, None] = {}
    problems = [] if text.strip(", \t\n") else ["the list is empty: name at least one, or leave it"]
    for item in filter(None, map(str.strip, text.split(","))):
        try:
            found |= dict.fromkeys(parse(item))
        except (EvidenceError, ValueError) as error:
            problems.append(f"{error}{_comma(item, parse)}")
    if problems:
        msg = "\n".join(f"{option}: {problem}" for problem in problems)
        raise RecommendationError(msg)
    return tuple(found)


def _comma(item: str, parse: Callable[[str], tuple[W, ...]]) -> str:
    """A hint where an item is several, one of which at least would do."""
    words = item.split()
    if len(words) > 1 and any(_parses(word, parse) for word in words):
        return f"; put commas between names: {','.join(words)}"
    return ""


def _parses(word: str, parse: Callable[[str], tuple[W, ...]]) -> bool:
    try:
        return bool(parse(word))
    except (EvidenceError, ValueError):
        return False


def _backbone(text: str, names: BackboneNames, backbones: Sequence[Backbone]) -> tuple[str]:
    found = names.resolve(text)
    carried_out = {b.name: b.family for b in backbones if b.library}
    if found.name in carried_out:
        return (found.name,)
    what = found.name if found.name == text else f"{text} ({found.name})"
    kin = sorted(name for name, family in carried_out.items() if family == found.family)
    others = f"carried out of the family {found.family}: {', '.join(kin) or 'none'}"
    msg = f"no library carries out {what}; {others}"
    raise ValueError(msg)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z]+", "", text.lower())


_APPROACHES = {_plain(word): meant for meant, words in WORDS for word in words}
#: All that may be asked for, by its own word: ``fine_tuning`` is Kim's, of part of the network.
_KNOWN: dict[str, Asked] = {asked_as(way): asked_as(way) for way in CARRIED_OUT}


def _approaches(text: str) -> tuple[Asked, ...]:
    if found := (_KNOWN[text],) if text in _KNOWN else _APPROACHES.get(_plain(text)):
        return found
    msg = f"{_refusal(text)}; carried out: {', '.join(_KNOWN)} (or: {_SHORT})"
    raise ValueError(msg)


def approach_named(text: str) -> Approach | None:
    """What a table of results means by a word; None for an unknown one.

    A table that says no more than fine-tuning means all of the network, as most people do, and
    one that says frozen a linear head.
    """
    exact: dict[str, Approach] = {word: word for word in get_args(Approach)}
    if text in exact:
        return exact[text]
    meant = [exact[word] for word in _APPROACHES.get(_plain(text), ()) if word in exact]
    if "fine_tuning_from_scratch" in meant:
        return "fine_tuning_from_scratch"
    return meant[0] if meant else None


#: One short word for each meaning, for messages.
_SHORT = ", ".join(words[0] for _, words in WORDS)


def _refusal(text: str) -> str:
    if hosts := [way.approach for way in CARRIED_OUT if _plain(way.head) == _plain(text)]:
        return f"{text!r} is a head, not an approach; it goes with {', '.join(hosts)}"
    return f"unknown approach {text!r}"
