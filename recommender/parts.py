"""What each kind of evidence says of a configuration for a question, before it is weighted."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from evidence.arm_table import ArmTable, Column, once_for_each
from evidence.records import Corpus, TaskProfile
from evidence.vocabulary import Approach, Head, Initialisation
from recommender import neighbours
from recommender.configuration import Configuration
from recommender.headtohead import Comparisons, comparisons, strength
from recommender.neighbours import Choosable, K, Neighbour, by_study, shares
from recommender.rules import Rule, load_rules

Array = npt.NDArray[np.float64]
W = TypeVar("W")

#: Parts that the literature gives; `controlled` comes from measured tables and own runs.
LITERATURE = ("neighbours", "rules", "head_to_head")
#: Similar studies whose reported values make the expected interval: it needs about ten that report
#: one metric, and a third do.
REPORTING = 60
PARTS = ("controlled", *LITERATURE)
#: What of a configuration is chosen.
CHOSEN: tuple[Choosable, ...] = ("backbone", "family", "approach", "initialisation", "head")


#: Sets of configurations whose popularity is remembered.
REMEMBERED = 32
#: A backbone and its family, and what is done with them.
Network = tuple[str, str]
Way = tuple[Approach, Head, Initialisation]


@once_for_each
def _popularities(_table: ArmTable) -> dict[tuple[Configuration, ...], Array]:
    return {}


@lru_cache(maxsize=REMEMBERED)
def _kinds(configurations: tuple[Configuration, ...]) -> tuple[Column[Network], Column[Way]]:
    """The networks and the ways of configurations: far fewer than there are of these."""
    networks = [(one.backbone, one.family) for one in configurations]
    ways = [(one.approach, one.head, one.initialisation) for one in configurations]
    return _column(networks), _column(ways)


def _column(words: Sequence[W]) -> Column[W]:
    places = {word: n for n, word in enumerate(dict.fromkeys(words))}
    return Column(np.array([places[word] for word in words], np.int32), tuple(places))


def _bits(holds: Iterable[bool]) -> int:
    return sum(1 << n for n, one in enumerate(holds) if one)


@dataclass(frozen=True)
class Literature:
    """What the reviews' studies and rules hold on one question."""

    arms: ArmTable
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
            arms=corpus.arms,
            near=near,
            reporting=reporting,
            prevalence={what: shares(near, corpus.arms, what) for what in CHOSEN},
            pairs=comparisons(profile, corpus.arms),
            rules=tuple(rule for rule in load_rules() if rule.fires(profile)),
        )

    @cached_property
    def _on_choices(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if not rule.is_setting)

    def prefer(self, one: Configuration) -> tuple[Rule, ...]:
        """Rules that speak for a configuration.

        What the reviews say of approaches is about weights that are transferred: it does not speak
        for random ones.
        """
        bits = self._on_network((one.backbone, one.family))
        bits &= self._on_way((one.approach, one.head, one.initialisation))
        return self._of_bits(bits)

    def _on_network(self, network: Network) -> int:
        """Which rules concern a network, as bits of a number."""
        return _bits(rule.concerns_network(*network) for rule in self._on_choices)

    def _on_way(self, way: Way) -> int:
        """Which rules concern a way to carry a network out, as bits of a number."""
        approach, head, initialisation = way
        return _bits(
            rule.concerns_way(approach, head) and not (initialisation == "random" and rule.approach)
            for rule in self._on_choices
        )

    def _of_bits(self, bits: int) -> tuple[Rule, ...]:
        return tuple(rule for n, rule in enumerate(self._on_choices) if bits >> n & 1)

    def popularity(self, one: Configuration) -> float:
        """Mean share of each thing that is chosen among the neighbours."""
        found = [self.prevalence[what].get(getattr(one, what), 0.0) for what in CHOSEN]
        return math.fsum(found) / len(found)

    def _popularities(self, configurations: tuple[Configuration, ...]) -> Array:
        """`popularity` of each; found once where the neighbours count for nothing in it."""
        known = _popularities(self.arms) if math.isinf(neighbours.PRIOR_STUDIES) else {}
        if configurations not in known:
            if len(known) >= REMEMBERED:
                known.clear()
            known[configurations] = np.array([self.popularity(one) for one in configurations])
        return known[configurations]

    def parts(self, configurations: Sequence[Configuration]) -> dict[str, Array]:
        """Each part of `LITERATURE` for each configuration, shape (N,)."""
        networks, ways = _kinds(tuple(configurations))
        on_networks = np.array([self._on_network(one) for one in networks.words])
        on_ways = np.array([self._on_way(one) for one in ways.words])
        bits, place = np.unique(
            on_networks[networks.codes] & on_ways[ways.codes], return_inverse=True
        )
        strengths = [sum(r.strength for r in self._of_bits(int(one))) for one in bits]
        rates = np.array([strength(self.pairs, *one) for one in networks.words])
        return {
            "neighbours": self._popularities(tuple(configurations)),
            "rules": np.array(strengths, float)[place],
            "head_to_head": rates[networks.codes],
        }
