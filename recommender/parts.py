"""What each kind of evidence says of a configuration for a question, before it is weighted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

import numpy as np
import numpy.typing as npt

from evidence.records import Corpus, TaskProfile
from recommender.configuration import Configuration
from recommender.headtohead import Comparisons, comparisons, strength
from recommender.neighbours import K, Neighbour, by_study, shares
from recommender.rules import Rule, load_rules

Array = npt.NDArray[np.float64]

#: Parts that the literature gives; `controlled` comes from measured tables and own runs.
LITERATURE = ("neighbours", "rules", "head_to_head")
#: Similar studies whose reported values make the expected interval: it needs about ten that report
#: one metric, and a third do.
REPORTING = 60
PARTS = ("controlled", *LITERATURE)


@dataclass(frozen=True)
class Literature:
    """What the reviews' studies and rules hold on one question."""

    near: tuple[Neighbour, ...]
    reporting: tuple[Neighbour, ...]
    prevalence: Mapping[str, Mapping[str, float]]
    pairs: Comparisons
    rules: tuple[Rule, ...]

    @classmethod
    def on(cls, profile: TaskProfile, corpus: Corpus) -> "Literature":
        """What the corpus holds on a question."""
        reporting = by_study(profile, corpus.arms, REPORTING)
        near = reporting[:K]
        return cls(
            near=near,
            reporting=reporting,
            prevalence={
                "backbone": shares(near, corpus.arms, "backbone"),
                "family": shares(near, corpus.arms, "family"),
                "approach": shares(near, corpus.arms, "approach"),
                "initialisation": shares(near, corpus.arms, "initialisation"),
                "head": shares(near, corpus.arms, "head"),
            },
            pairs=comparisons(profile, corpus.arms),
            rules=tuple(rule for rule in load_rules() if rule.fires(profile)),
        )

    @cached_property
    def _on_choices(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if not rule.is_setting)

    @cached_property
    def _preferred(self) -> dict[Configuration, tuple[Rule, ...]]:
        """What `prefer` found before: it is asked to score and to cite."""
        return {}

    def prefer(self, one: Configuration) -> tuple[Rule, ...]:
        """Rules that speak for a configuration.

        What the reviews say of approaches is about weights that are transferred: it does not speak
        for random ones.
        """
        if one not in self._preferred:
            self._preferred[one] = tuple(
                rule
                for rule in self._on_choices
                if rule.concerns(one.backbone, one.family, one.approach, one.head)
                if one.initialisation != "random" or not rule.approach
            )
        return self._preferred[one]

    def popularity(self, one: Configuration) -> float:
        """Mean share of each thing that is chosen among the neighbours."""
        words = {
            "backbone": one.backbone,
            "family": one.family,
            "approach": one.approach,
            "initialisation": one.initialisation,
            "head": one.head,
        }
        return fmean(self.prevalence[kind].get(word, 0.0) for kind, word in words.items())

    def parts(self, configurations: Sequence[Configuration]) -> dict[str, Array]:
        """Each part of `LITERATURE` for each configuration, shape (N,)."""
        rates = {
            (c.backbone, c.family): strength(self.pairs, c.backbone, c.family)
            for c in configurations
        }
        return {
            "neighbours": np.array([self.popularity(c) for c in configurations]),
            "rules": np.array([sum(r.strength for r in self.prefer(c)) for c in configurations]),
            "head_to_head": np.array([rates[c.backbone, c.family] for c in configurations]),
        }
