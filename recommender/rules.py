"""Cited rules as data (``rules.toml``), and what evaluates them."""

import tomllib
from functools import cache
from importlib import resources

from pydantic import Field

from evidence.records import Record, TaskProfile
from evidence.vocabulary import ANATOMY, MODALITY, Approach, Head


class Rule(Record):
    """A condition, what it prefers, how strongly, and which claims speak for and against it.

    `below` and `at_least` (``from`` in the file) bound the number of images after augmentation,
    which is the size that Morid 2022 (Discussion 5.1) means by its 1,000 images.
    """

    id: str
    statement: str
    modality: tuple[str, ...] = ()
    anatomy: tuple[str, ...] = ()
    below: int | None = None
    at_least: int | None = Field(default=None, alias="from")
    family: tuple[str, ...] = ()
    backbone: tuple[str, ...] = ()
    approach: tuple[Approach, ...] = ()
    head: tuple[Head, ...] = ()
    strength: float = Field(gt=0, le=1)
    claims: tuple[str, ...] = Field(min_length=1)
    against: tuple[str, ...] = ()

    def fires(self, profile: TaskProfile) -> bool:
        """Whether every condition holds for the question."""
        places = (
            (self.modality, profile.modality, MODALITY),
            (self.anatomy, profile.anatomy, ANATOMY),
        )
        within = all(
            not terms or (term and any(tree.is_within(term, broad) for broad in terms))
            for terms, term, tree in places
        )
        return within and self._size_holds(profile)

    def _size_holds(self, profile: TaskProfile) -> bool:
        # Augmentation only adds images: the original number is a lower bound of the size meant.
        if self.below is not None:
            return profile.n_augmented is not None and profile.n_augmented < self.below
        if self.at_least is not None:
            return (profile.n_augmented or profile.n_images) >= self.at_least
        return True

    def prefers(self, backbone: str, family: str, approach: Approach, head: Head) -> bool:
        """Whether a choice has all that the rule prefers."""
        wanted = (
            (self.family, family),
            (self.backbone, backbone),
            (self.approach, approach),
            (self.head, head),
        )
        return all(not words or word in words for words, word in wanted)


@cache
def load_rules() -> tuple[Rule, ...]:
    """The rules that ship with evtl, in file order."""
    text = (resources.files("recommender") / "rules.toml").read_text(encoding="utf-8")
    return tuple(Rule.model_validate(rule) for rule in tomllib.loads(text)["rule"])
