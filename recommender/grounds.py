"""What answers on a corpus rest on, whatever is asked: found once for each corpus."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from evidence.arm_table import once_for_each
from evidence.records import Backbone, Claim, Corpus
from evidence.vocabulary import Approach
from recommender.candidates import Asked, asked_as
from recommender.citing import cited, cited_rule
from recommender.configuration import IMAGENET, Configuration, Observation, of_run, of_table
from recommender.controlled import usable
from recommender.cost import Learned, kind_of, learn
from recommender.plan import carried_out
from recommender.pricing import Trainings
from recommender.records import CitedRule, FiredRule
from recommender.rules import load_rules


@dataclass(frozen=True, eq=False)
class Grounds:
    """What a corpus holds, by name, and what was learned from it.

    Attributes
    ----------
    observations : tuple of Observation
        From `observed`, besides nothing.
    learned : Learned
        What trainings take.
    """

    backbones: tuple[Backbone, ...]
    families: Mapping[str, str]
    claims: Mapping[str, Claim]
    observations: tuple[Observation, ...]
    learned: Learned

    @cached_property
    def rules(self) -> Mapping[str, FiredRule]:
        """Every rule with the claims for and against it, by its id."""
        return {
            rule.id: FiredRule(
                **dict(cited_rule(rule, self.claims)), against=cited(rule.against, self.claims)
            )
            for rule in load_rules()
        }

    @cached_property
    def cited(self) -> Mapping[str, CitedRule]:
        """Every rule with the claims that it rests on, by its id."""
        return {rule.id: cited_rule(rule, self.claims) for rule in load_rules()}


@once_for_each
def grounds(corpus: Corpus) -> Grounds:
    """What a corpus holds, whatever is asked of it."""
    by_name = {backbone.name: backbone for backbone in corpus.backbones}
    return Grounds(
        backbones=corpus.backbones,
        families={backbone.name: backbone.family for backbone in corpus.backbones},
        claims={claim.key: claim for claim in corpus.claims},
        observations=observed(corpus),
        learned=learn(corpus.runs, by_name, corpus.shipped),
    )


def observed(corpus: Corpus, besides: str = "") -> tuple[Observation, ...]:
    """Controlled results and own runs, but for runs on the data set of the digest `besides`.

    Results of weights that are not recommended (other than ImageNet's) answer another question.
    """
    families = {backbone.name: backbone.family for backbone in corpus.backbones}
    runs = [
        found
        for run in corpus.runs
        if (found := of_run(run, families.get(run.backbone, run.backbone))) is not None
        and not (besides and found.task.name == besides)
    ]
    ours = [one for one in corpus.controlled if one.pretraining in {IMAGENET, ""}]
    return usable([*map(of_table, ours), *runs])


@dataclass(frozen=True)
class Limits:
    """What may be answered; None where anything may.

    Attributes
    ----------
    task : str
        ``classification`` or ``regression``.
    backbones, here, approaches : frozenset of str or None
        As in `recommender.ranking.Question`.
    """

    task: str
    backbones: frozenset[str] | None = None
    here: frozenset[str] | None = None
    approaches: frozenset[Asked] | None = None


@dataclass(frozen=True, eq=False)
class Candidates:
    """The N configurations that an answer ranks, each with its backbone."""

    backbones: tuple[Backbone, ...]
    configurations: tuple[Configuration, ...]

    @cached_property
    def trainings(self) -> Trainings:
        """Those of them that take unlike: what head is put on a network hardly matters."""
        return Trainings(tuple(self._by_kind.values()))

    @cached_property
    def training_of(self) -> npt.NDArray[np.int64]:
        """Which of `trainings` each is, shape (N,)."""
        place = {kind: n for n, kind in enumerate(self._by_kind)}
        return np.array([place[one.backbone, kind_of(one.approach)] for one in self.configurations])

    @cached_property
    def _by_kind(self) -> dict[tuple[str, str], tuple[Backbone, Approach]]:
        pairs = zip(self.backbones, self.configurations, strict=True)
        return {(b.name, kind_of(c.approach)): (b, c.approach) for b, c in pairs}

    @cached_property
    def places(self) -> npt.NDArray[np.int64]:
        """Place of each by its name, pretrained weights first, shape (N,)."""
        found = self.configurations

        def name(n: int) -> tuple[bool, Configuration]:
            return found[n].initialisation == "random", found[n]

        places = np.empty(len(found), np.int64)
        places[sorted(range(len(found)), key=name)] = np.arange(len(found))
        return places


@lru_cache(maxsize=32)
def candidates(known: Grounds, limits: Limits) -> Candidates:
    """Every configuration that can be carried out and is asked for; there may be none."""
    found = tuple(
        (backbone, Configuration.of(backbone.name, backbone.family, way))
        for backbone in known.backbones
        if backbone.library and (limits.backbones is None or backbone.name in limits.backbones)
        for way in carried_out(limits.task)
        if limits.approaches is None or asked_as(way) in limits.approaches
        if limits.here is None or backbone.name in limits.here or way.initialisation == "random"
    )
    backbones, configurations = zip(*found, strict=True) if found else ((), ())
    return Candidates(tuple(backbones), tuple(configurations))
