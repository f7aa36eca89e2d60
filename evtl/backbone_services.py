"""Use cases about backbones: which there are, and what is known of each."""

from typing import TYPE_CHECKING

from evidence import queries
from evidence.backbone_names import plain
from evidence.store import Store
from recommender.errors import RecommendationError

if TYPE_CHECKING:  # torch only where cards are made
    from trainer.cards import BackboneCard


def backbones(family: str | None = None) -> "tuple[BackboneCard, ...]":
    """Every backbone of the store, or those of one family.

    Raises
    ------
    RecommendationError
        The store has no such family.
    TrainingError
        ``EVTL_WEIGHTS_DIR`` is not there, or a backbone names no model of its library.
    """
    from trainer.cards import cards  # noqa: PLC0415  (torch only here)

    known = queries.corpus(Store()).backbones
    wanted = None if family is None else plain(family)
    if wanted not in {None, *(plain(each.family) for each in known)}:
        names = ", ".join(sorted({each.family for each in known}))
        msg = f"unknown family {family!r}; allowed: {names}"
        raise RecommendationError(msg)
    found = cards(known)
    return tuple(each for each in found if wanted in {None, plain(each.family)})


def trainable() -> tuple[str, ...]:
    """Names of the backbones of the store that a library carries out."""
    return tuple(each.name for each in queries.corpus(Store()).backbones if each.library)


def backbone(name: str) -> "BackboneCard":
    """One backbone of the store, or any timm model, with everything that is known of it."""
    from trainer.cards import card  # noqa: PLC0415  (torch only here)

    return card(name, queries.corpus(Store()).backbones)
