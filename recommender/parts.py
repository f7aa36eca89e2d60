"""What each kind of evidence says of a configuration for a question, before it is weighted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import fsum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evidence.records import Corpus, TaskProfile
from recommender.configuration import Configuration
from recommender.headtohead import Comparisons, comparisons, strength
from recommender.neighbours import Choosable, K, Neighbour, by_study, shares
from recommender.rules import Rule, load_rules

Array = npt.NDArray[np.float64]

#: Parts that the literature gives; `controlled` comes from measured tables and own runs.
LITERATURE = ("neighbours", "rules", "head_to_head")
#: Similar studies whose reported values make the expected interval: it needs about ten that report
#: one metric, and a third do.
REPORTING = 60
PARTS = ("controlled", *LITERATURE)
#: What of a configuration is chosen.
CHOSEN: tuple[Choosable, ...] = ("backbone", "family", "approach", "initialisation", "head")


class _Found(NamedTuple):
    """Which rules were found to concern what, as bits of a number, and the rules of such numbers.

    A rule concerns a configuration where it concerns its network and the way to carry it out, and
    there are far fewer of these.
    """

    networks: dict[tuple[str, ...], int]
    ways: dict[tuple[str, ...], int]
    rules: dict[int, tuple[Rule, ...]]


def _bits(holds: Iterable[bool]) -> int:
    return sum(1 << n for n, one in enumerate(holds) if one)


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
            prevalence={what: shares(near, corpus.arms, what) for what in CHOSEN},
            pairs=comparisons(profile, corpus.arms),
            rules=tuple(rule for rule in load_rules() if rule.fires(profile)),
        )

    @cached_property
    def _on_choices(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if not rule.is_setting)

    @cached_property
    def _found(self) -> "_Found":
        return _Found({}, {}, {})

    def prefer(self, one: Configuration) -> tuple[Rule, ...]:
        """Rules that speak for a configuration.

        What the reviews say of approaches is about weights that are transferred: it does not speak
        for random ones.
        """
        rules, found = self._on_choices, self._found
        network, way = one[:2], one[2:5]
        if network not in found.networks:
            found.networks[network] = _bits(rule.concerns_network(*one[:2]) for rule in rules)
        if way not in found.ways:
            random = one.initialisation == "random"
            found.ways[way] = _bits(
                rule.concerns_way(one.approach, one.head) and not (random and rule.approach)
                for rule in rules
            )
        bits = found.networks[network] & found.ways[way]
        if bits not in found.rules:
            found.rules[bits] = tuple(rule for n, rule in enumerate(rules) if bits >> n & 1)
        return found.rules[bits]

    def popularity(self, one: Configuration) -> float:
        """Mean share of each thing that is chosen among the neighbours."""
        found = [self.prevalence[what].get(getattr(one, what), 0.0) for what in CHOSEN]
        return fsum(found) / len(found)

    def parts(self, configurations: Sequence[Configuration]) -> dict[str, Array]:
        """Each part of `LITERATURE` for each configuration, shape (N,)."""
        networks = dict.fromkeys((c.backbone, c.family) for c in configurations)
        rates = {network: strength(self.pairs, *network) for network in networks}
        return {
            "neighbours": np.array([self.popularity(c) for c in configurations]),
            "rules": np.array([sum(r.strength for r in self.prefer(c)) for c in configurations]),
            "head_to_head": np.array([rates[c.backbone, c.family] for c in configurations]),
        }
