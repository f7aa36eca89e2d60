"""The evidence in pictures and numbers, each made once for a state of the store."""

from collections import Counter
from dataclasses import dataclass

from evidence.figures import drawn
from evidence.flow import Flow, flow
from evidence.flow import reviews as reviews_with_flow
from evidence.listing import StudyFilter
from evidence.prisma import prisma
from evidence.records import Record
from evidence.reproduce import Reproduction
from evidence.screening import N_REVIEWERS, Protocol
from evidence.store import opened
from evidence.vocabulary import Verdict
from evtl import corpus_services, gap_services, plots, snapshot
from evtl.kept import Kept
from evtl.plots import Kind, Plot, PlotOptions, PlotTable

#: Plots and pictures that are kept; a picture takes up to 200 kB.
KEPT, PICTURES = 200, 100
VERDICTS: tuple[Verdict, ...] = ("agrees", "differs", "contradicts", "not_answerable")


@dataclass(frozen=True)
class _Asked:
    """A plot of a state of the store; a gap map is another one once its certainty is known."""

    key: snapshot.Key
    kind: Kind
    options: PlotOptions
    complete: bool


_plots: Kept[_Asked, Plot] = Kept(KEPT)
_pictures: Kept[_Asked | tuple[snapshot.Key, Flow], bytes] = Kept(PICTURES)


def plot_table(kind: Kind, options: PlotOptions) -> PlotTable:
    """The numbers of a plot.

    Raises
    ------
    NothingToDrawError
        Nothing fits the options.
    """
    return _plot(_asked(kind, options)).table


def plot_picture(kind: Kind, options: PlotOptions) -> bytes:
    """A plot as SVG.

    Raises
    ------
    NothingToDrawError
        Nothing fits the options.
    """
    asked = _asked(kind, options)
    return _pictures.get(asked, lambda: drawn(_plot(asked).draw))


def _asked(kind: Kind, options: PlotOptions) -> _Asked:
    complete = kind == "gap-map" and gap_services.gap_map().complete
    return _Asked(snapshot.key(), kind, options, complete)


def _plot(asked: _Asked) -> Plot:
    def cells() -> tuple[gap_services.Cell, ...]:
        return gap_services.gap_map().cells

    return _plots.get(asked, lambda: plots.made(asked.kind, asked.options, cells))


def review_flow(review: str | None, n_reviewers: int = N_REVIEWERS) -> Flow:
    """The flow of a review: counted where it lives, else as printed.

    Raises
    ------
    EvidenceError
        The review has neither.
    """
    return flow(opened(), Protocol(review, n_reviewers))


def flow_reviews() -> tuple[str, ...]:
    """Every review that has a flow."""
    return reviews_with_flow(opened())


def flow_picture(found: Flow) -> bytes:
    """A flow as SVG."""
    title = f"Flow of {found.review}"
    return _pictures.get((snapshot.key(), found), lambda: drawn(lambda: prisma(found.steps, title)))


class ReviewNumbers(Record):
    """What came of the figures that a review prints; each verdict with its number."""

    review: str
    verdicts: dict[Verdict, int]


def verdicts(found: tuple[Reproduction, ...]) -> tuple[ReviewNumbers, ...]:
    """How many printed figures of each review agree with its rows."""
    counts = Counter((item.figure.review, item.verdict) for item in found)
    return tuple(
        ReviewNumbers(
            review=review, verdicts={verdict: counts[review, verdict] for verdict in VERDICTS}
        )
        for review in sorted({review for review, _ in counts})
    )


class Overview(Record):
    """What there is, in numbers.

    Attributes
    ----------
    reviews : dict of str to int
        Studies that each review read or knows.
    compared : int
        Studies that compare networks on the same data.
    """

    studies: int
    reviews: dict[str, int]
    compared: int
    modalities: int
    places: int
    disagreements: int
    figures: tuple[ReviewNumbers, ...]


def overview() -> Overview:
    """What there is, in numbers."""
    return _overviews.get(snapshot.key(), _overview)


def _overview() -> Overview:
    listing = corpus_services.studies(StudyFilter(limit=1))
    choices = {facet.name: facet.values for facet in listing.facets}
    told = corpus_services.disagreements(None)
    entries = corpus_services.shelf().entries
    return Overview(
        studies=listing.n_found,
        reviews={value.key: value.n for value in choices["review"]},
        compared=sum(any(reading.compares for reading in entry.readings) for entry in entries),
        modalities=len(choices["modality"]),
        places=len(choices["anatomy"]),
        disagreements=len(told.found) + len(told.of_studies),
        figures=verdicts(corpus_services.reproduce(None)),
    )


_overviews: Kept[snapshot.Key, Overview] = Kept(1)
