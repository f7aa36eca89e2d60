"""What decisions of several people come to: outcomes of screening, and how far people agree.

Pure functions over rows of ``screening.csv``; the order of the rows never matters.

References
----------
Two people decide independently, and how a disagreement is resolved is laid down: Lefebvre 2023,
Cochrane Handbook 6.4, section 4.6.4; MECIR standard C39.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

from evidence.agreement import Kappa, kappa
from evidence.living_rows import ScreeningRow
from evidence.records import Record
from evidence.vocabulary import Stage

State = Literal["pending", "include", "exclude", "conflict"]
#: Study, stage and person of a decision.
Judgement = tuple[str, str, str]


class Outcome(NamedTuple):
    """Where a study stands at one stage.

    Attributes
    ----------
    state : str
        ``pending`` until enough people decided; ``conflict`` as long as they differ and nobody
        adjudicated.
    reason : str
        Of an exclusion; several reasons are joined by `` / ``.
    """

    state: State
    reason: str = ""


class Course(NamedTuple):
    """How far a study came; `full_text` is None where it was not reached."""

    title_abstract: Outcome
    full_text: Outcome | None

    def at(self, stage: Stage) -> Outcome | None:
        """Where it stands at a stage."""
        return self.title_abstract if stage == "title_abstract" else self.full_text


class PairAgreement(Record):
    """How two people agree on the studies that both decided.

    Attributes
    ----------
    n_revised : int
        Studies among them on which one of the two decides otherwise than at first. Where they do
        so because they talked, kappa says too much.
    """

    stage: Stage
    reviewers: tuple[str, str]
    n_revised: int
    kappa: Kappa


def differ(decisions: Iterable[ScreeningRow]) -> bool:
    """Whether reviewers say different things; what an adjudicator says does not count."""
    return len({row.decision for row in decisions if row.role == "reviewer"}) > 1


def outcome(decisions: Sequence[ScreeningRow], n_reviewers: int) -> Outcome:
    """Outcome of the decisions on one study at one stage.

    An adjudicator's word stands whatever reviewers say then or later. It asks nothing of those
    who differed, so that somebody who left holds nothing up.

    Parameters
    ----------
    decisions : sequence of ScreeningRow
        In any order.
    n_reviewers : int
        Decisions that a study needs.
    """
    adjudged = [row for row in decisions if row.role == "adjudicator"]
    ruling = adjudged or decisions
    said = {row.decision for row in ruling}
    if len(said) > 1:
        return Outcome("conflict")
    if not adjudged and len(decisions) < n_reviewers:
        return Outcome("pending")
    (word,) = said
    reasons = sorted({row.reason for row in ruling}) if word == "exclude" else ()
    return Outcome(word, " / ".join(reasons))


def courses(
    studies: Iterable[str], rows: Iterable[ScreeningRow], n_reviewers: int
) -> dict[str, Course]:
    """How far each study of a review came.

    Parameters
    ----------
    studies : iterable of str
        Keys of the studies that were identified; decisions on others do not count.
    rows : iterable of ScreeningRow
        Decisions of the review, both stages.
    n_reviewers : int
        Decisions that a study needs at a stage.
    """
    grouped: dict[tuple[str, str], list[ScreeningRow]] = defaultdict(list)
    for row in rows:
        grouped[row.study_key, row.stage].append(row)
    found = {}
    for study in studies:
        first = outcome(grouped.get((study, "title_abstract"), ()), n_reviewers)
        second = outcome(grouped.get((study, "full_text"), ()), n_reviewers)
        found[study] = Course(first, second if first.state == "include" else None)
    return found


def agreement(
    rows: Iterable[ScreeningRow], revised: Collection[Judgement] = ()
) -> tuple[PairAgreement, ...]:
    """Agreement of each pair of reviewers at each stage, on the studies that both decided.

    Adjudications are no ratings. Several reviewers are compared in pairs: a kappa over different
    sets of studies would be none.

    Parameters
    ----------
    rows : iterable of ScreeningRow
        Decisions as they stand.
    revised : collection of (study, stage, person)
        Decisions that are not the ones first taken.
    """
    said: dict[tuple[Stage, str], dict[str, str]] = defaultdict(dict)
    for row in rows:
        if row.role == "reviewer":
            said[row.stage, row.reviewer][row.study_key] = row.decision
    found = []
    for (stage, one), (other_stage, other) in combinations(sorted(said), 2):
        both = sorted(said[stage, one].keys() & said[stage, other].keys())
        if stage == other_stage and both:
            changed = (any((s, stage, who) in revised for who in (one, other)) for s in both)
            found.append(
                PairAgreement(
                    stage=stage,
                    reviewers=(one, other),
                    n_revised=sum(changed),
                    kappa=kappa((said[stage, one][s], said[stage, other][s]) for s in both),
                )
            )
    return tuple(sorted(found, key=lambda pair: pair.stage == "full_text"))
