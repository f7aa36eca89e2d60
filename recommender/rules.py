"""Cited rules as data (``rules.toml``), and what evaluates them."""

import tomllib
from functools import cache
from importlib import resources
from typing import Literal

from pydantic import Field, model_validator

from evidence.records import Record, TaskProfile
from evidence.vocabulary import (
    ANATOMY,
    MODALITY,
    Approach,
    Augmentation,
    Head,
    Initialisation,
    Visualization,
)


class Scope(Record):
    """Which images something is about; no terms mean all images."""

    modality: tuple[str, ...] = ()
    anatomy: tuple[str, ...] = ()

    def covers(self, profile: TaskProfile) -> bool:
        """Whether the question's terms are among these, or narrower than one of them."""
        places = (
            (self.modality, profile.modality, MODALITY),
            (self.anatomy, profile.anatomy, ANATOMY),
        )
        return all(
            not terms or (term and any(tree.is_within(term, broad) for broad in terms))
            for terms, term, tree in places
        )


class Rule(Scope):
    """A condition, what it prefers, how strongly, and which claims speak for and against it.

    `below` and `at_least` (``from`` in the file) bound the number of images after augmentation,
    which is the size that Morid 2022 (Discussion 5.1) means by its 1,000 images.

    A rule with a setting (`augmentation` to `check`) is advice beside the configuration: family,
    backbone, approach and head then say which configurations it is for, and it scores none.
    """

    id: str
    statement: str
    task: tuple[Literal["classification", "regression"], ...] = ()
    below: int | None = None
    at_least: int | None = Field(default=None, alias="from")
    family: tuple[str, ...] = ()
    backbone: tuple[str, ...] = ()
    approach: tuple[Approach, ...] = ()
    head: tuple[Head, ...] = ()
    augmentation: Augmentation | None = None
    initialisation: Initialisation | None = None
    visualization: Visualization | None = None
    check: str | None = None
    strength: float = Field(gt=0, le=1)
    claims: tuple[str, ...] = Field(min_length=1)
    against: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _advises(self) -> "Rule":
        if not (self.is_setting or self.family or self.backbone or self.approach or self.head):
            msg = f"rule {self.id} prefers nothing and sets nothing"
            raise ValueError(msg)
        return self

    @property
    def is_setting(self) -> bool:
        """Whether it advises on something beside backbone, approach and head."""
        settings = (self.augmentation, self.initialisation, self.visualization, self.check)
        return any(setting is not None for setting in settings)

    def fires(self, profile: TaskProfile) -> bool:
        """Whether every condition holds for the question."""
        asked = not self.task or profile.task in self.task
        return asked and self.covers(profile) and self._size_holds(profile)

    def _size_holds(self, profile: TaskProfile) -> bool:
        # Augmentation only adds images: the original number is a lower bound of the size meant.
        if self.below is not None:
            return profile.n_augmented is not None and profile.n_augmented < self.below
        if self.at_least is not None:
            return (profile.n_augmented or profile.n_images) >= self.at_least
        return True

    def concerns(self, backbone: str, family: str, approach: Approach, head: Head) -> bool:
        """Whether a choice has all that the rule names."""
        return self.concerns_network(backbone, family) and self.concerns_way(approach, head)

    def concerns_network(self, backbone: str, family: str) -> bool:
        """Whether a network is among those that the rule names."""
        return (not self.family or family in self.family) and (
            not self.backbone or backbone in self.backbone
        )

    def concerns_way(self, approach: Approach, head: Head) -> bool:
        """Whether a way to carry a network out is among those that the rule names."""
        return (not self.approach or approach in self.approach) and (
            not self.head or head in self.head
        )

    def prefers(self, backbone: str, family: str, approach: Approach, head: Head) -> bool:
        """Whether the rule speaks for a choice rather than for one of its settings."""
        return not self.is_setting and self.concerns(backbone, family, approach, head)


class Unused(Record):
    """Claims on which no rule rests, and why not."""

    claims: tuple[str, ...] = Field(min_length=1)
    reason: str = Field(min_length=1)


class _File(Record):
    rule: tuple[Rule, ...]
    unused: tuple[Unused, ...]


@cache
def _read() -> _File:
    text = (resources.files("recommender") / "rules.toml").read_text(encoding="utf-8")
    return _File.model_validate(tomllib.loads(text))


def load_rules() -> tuple[Rule, ...]:
    """The rules that ship with evtl, in file order."""
    return _read().rule


def load_unused() -> tuple[Unused, ...]:
    """The claims that no rule uses, with the reasons."""
    return _read().unused
